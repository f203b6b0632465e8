import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from personastream.dedup import BlockIndex, ExactIndex, KeyTable, NearIndex, SnapshotDamaged
from personastream.dedup.snapshot import read_snapshot, write_snapshot

ARRAYS = [np.arange(5, dtype=np.uint64), np.empty(0, np.uint64), np.array([1 << 63], np.uint64)]


def written(label: str = "a kind", arrays: list[NDArray[np.uint64]] = ARRAYS) -> bytes:
    file = io.BytesIO()
    write_snapshot(file, label, arrays)
    return file.getvalue()


def test_what_is_written_is_read() -> None:
    arrays = read_snapshot(io.BytesIO(written()), "a kind", arrays=3)
    assert [array.tolist() for array in arrays] == [array.tolist() for array in ARRAYS]


def test_arrays_longer_than_one_piece_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personastream.dedup.snapshot._CHUNK_WORDS", 2)
    test_what_is_written_is_read()


def test_two_snapshots_in_a_row_are_read_one_after_the_other() -> None:
    file = io.BytesIO(written("one") + written("two", ARRAYS[:1]) + b"more")
    assert len(read_snapshot(file, "one", arrays=3)) == 3
    assert len(read_snapshot(file, "two", arrays=1)) == 1
    assert file.read() == b"more"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(written()) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(offset: int, change: int) -> None:
    data = bytearray(written())
    data[offset] ^= change
    with pytest.raises(SnapshotDamaged):
        read_snapshot(io.BytesIO(bytes(data)), "a kind", arrays=3)


def test_no_cut_goes_unnoticed() -> None:
    data = written()
    for size in range(len(data)):
        with pytest.raises(SnapshotDamaged):
            read_snapshot(io.BytesIO(data[:size]), "a kind", arrays=3)


def test_a_snapshot_under_another_label_is_refused() -> None:
    with pytest.raises(SnapshotDamaged, match="holds a kind, not another"):
        read_snapshot(io.BytesIO(written()), "another", arrays=3)


def test_an_index_refuses_state_of_another_kind_or_other_settings() -> None:
    file = io.BytesIO()
    BlockIndex(distance_max=3, similarity_min=0.8).save(file)
    others: list[ExactIndex | NearIndex] = [
        KeyTable(),
        BlockIndex(2, 0.8),
        BlockIndex(3, 0.9),
        BlockIndex(3, 0.8, chain_rows_max=7),
    ]
    for other in others:
        file.seek(0)
        with pytest.raises(SnapshotDamaged):
            other.load(file)


def test_snapshot_damage_is_a_value_error() -> None:
    assert issubclass(SnapshotDamaged, ValueError)
