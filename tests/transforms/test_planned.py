"""A plan is applied to the rows it was made for, and to no others."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.plan import decode, encode, plan_of
from personastream.errors import BadInput
from personastream.records import Batch, DeadRow, Shard
from personastream.transforms.planned import Planned

KEPT = [(0, 1), (4, 9), (11, 12)]
ROWS = 12


def shard(stem: str = "first", fingerprint: str = "f1") -> Shard:
    return Shard(0, stem, f"{stem}.jsonl", 1, fingerprint)


def batch(start: int, stop: int, of: Shard | None = None) -> Batch:
    numbers = range(start, stop)
    return Batch(of or shard(), start, stop, numbers, [f"row {number}" for number in numbers])


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "first.keep").write_bytes(encode(plan_of("f1", ROWS, [KEPT])))
    (tmp_path / "plan" / "second.keep").write_bytes(encode(plan_of("f2", 2, [[(1, 2)]])))
    return Planned(str(tmp_path))


def test_rows_that_the_plan_does_not_keep_are_dropped(planned: Planned) -> None:
    after = planned(batch(0, 7))
    assert (list(after.numbers), after.dropped) == ([0, 4, 5, 6], {"planned": [1, 2, 3]})
    assert list(planned(batch(7, 12)).numbers) == [7, 8, 11]
    assert list(planned(batch(0, 2, shard("second", "f2"))).numbers) == [1]
    assert list(planned(batch(3, 6)).numbers) == [4, 5]


def test_rows_that_are_gone_already_are_left_alone(planned: Planned) -> None:
    before = Batch(shard(), 0, 6, [1, 4, 5], ["b", "e", "f"], dropped={"early": [0, 2]}, dead=[DeadRow(3, "r", "", "")])
    after = planned(before)
    assert (list(after.numbers), list(after.texts)) == ([4, 5], ["e", "f"])
    assert after.dropped == {"early": [0, 2], "planned": [1]}


def test_a_plan_for_other_rows_is_refused(planned: Planned, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="other content"):
        planned(batch(0, 3, shard(fingerprint="f9")))
    with pytest.raises(BadInput, match=r"third\.keep: No such file"):
        planned(batch(0, 3, shard("third")))
    with pytest.raises(BadInput, match="row 12: the plan"):
        planned(batch(10, 13))
    (tmp_path / "plan" / "second.keep").write_bytes(b"something else, long enough to be a head with a digest behind")
    with pytest.raises(BadInput, match="damaged: its checksum"):
        planned(batch(0, 2, shard("second", "f2")))


@given(rows=st.integers(0, 70), bits=st.integers(0, 1 << 70), fingerprint=st.text(max_size=40))
def test_a_plan_comes_back_as_it_was_written(rows: int, bits: int, fingerprint: str) -> None:
    kept = [(row, row + 1) for row in range(rows) if bits >> row & 1]
    found = decode(encode(plan_of(fingerprint, rows, [kept[:3], kept[3:]])))
    assert (found.fingerprint, len(found.kept)) == (fingerprint, rows)
    assert found.kept.nonzero()[0].tolist() == [start for start, _ in kept]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_plan_is_noticed(place: int, change: int) -> None:
    data = bytearray(encode(plan_of("f1", ROWS, [KEPT])))
    data[place % len(data)] ^= change
    with pytest.raises(ValueError, match=r"checksum|version"):
        decode(bytes(data))
    with pytest.raises(ValueError, match="checksum"):
        decode(bytes(data[: place % len(data)]))
