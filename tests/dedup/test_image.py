import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import ExactIndex, ImageDamaged
from personastream.dedup.image import read_image, write_image
from tests.support.effort import tries

TABLES = [(np.arange(48, dtype=np.uint32).reshape(3, 16), 7), (np.ones((1, 16), np.uint32), 1)]


def written(bits: int = 64) -> bytes:
    file = io.BytesIO()
    write_image(file, bits, TABLES)
    return file.getvalue()


def test_what_is_written_is_read_and_the_rest_left_alone() -> None:
    file = io.BytesIO(written() + b"more")
    assert [(lines.tolist(), used) for lines, used in read_image(file, 64)] == [
        (lines.tolist(), used) for lines, used in TABLES
    ]
    assert file.read() == b"more"


def test_tables_longer_than_one_piece_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personastream.dedup.image._PIECE_BYTES", 70)
    test_what_is_written_is_read_and_the_rest_left_alone()


def test_lines_that_are_read_begin_where_pages_do() -> None:
    assert all(lines.ctypes.data % 4096 == 0 for lines, _ in read_image(io.BytesIO(written()), 64))


@settings(max_examples=tries(60), deadline=None)
@given(st.integers(0, len(written()) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(offset: int, change: int) -> None:
    data = bytearray(written())
    data[offset] ^= change
    with pytest.raises(ImageDamaged):
        read_image(io.BytesIO(bytes(data)), 64)


def test_no_cut_goes_unnoticed() -> None:
    data = written()
    for size in range(len(data)):
        with pytest.raises(ImageDamaged):
            read_image(io.BytesIO(data[:size]), 64)


def test_keys_of_another_width_are_refused() -> None:
    with pytest.raises(ImageDamaged, match="128 bits, not 64"):
        read_image(io.BytesIO(written(128)), 64)


def test_a_damaged_image_leaves_an_index_as_it_was() -> None:
    index = ExactIndex(0)
    index.insert(np.array([9], np.uint64))
    with pytest.raises(ImageDamaged):
        index.load(io.BytesIO(written()[:-1]))
    assert index.insert(np.array([9, 8], np.uint64)).tolist() == [False, True]


def test_damage_is_a_value_error() -> None:
    assert issubclass(ImageDamaged, ValueError)
