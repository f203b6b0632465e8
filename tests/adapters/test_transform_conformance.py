"""What every transform promises, proven for each. A new transform adds its line to `TRANSFORMS`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.build import known
from personastream.ports import StatefulTransform, Transform
from personastream.records import Batch, DeadRow, Shard
from personastream.transforms.dedup import Dedup
from personastream.transforms.filter import Filter
from personastream.transforms.near_dedup import NearDedup
from tests.support.virtual import FirstOnly, Without

TRANSFORMS: dict[str, Callable[[], Transform]] = {
    "dedup": Dedup,
    "near_dedup": NearDedup,
    "filter": Filter,
    "FirstOnly": FirstOnly,
    "Without": lambda: Without("a night"),
}
STATEFUL = [name for name, make in TRANSFORMS.items() if isinstance(make(), StatefulTransform)]
SHARD = Shard(0, "shard", "shard.jsonl", 1000, "f")

WORDS = st.sampled_from(
    ["a", "night", "nurse", "who", "paints", "ships", "from", "Oslo", "and", "老", "é", "\x00", "<b>"]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=9).map(" ".join) | st.text(min_size=1, max_size=20)
TEXTS = st.lists(SENTENCES, max_size=25)


def batch(texts: Sequence[str], start: int = 0, *, last: bool = False) -> Batch:
    stop = start + len(texts)
    return Batch(SHARD, start, stop, range(start, stop), texts, last=last)


def kept(transform: Transform, texts: Sequence[str], cuts: Sequence[int] = ()) -> list[int]:
    """Rows that survive when `texts` comes in pieces cut at `cuts`."""
    places = sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})
    batches = [batch(texts[start:stop], start) for start, stop in pairwise(places)]
    return [number for one in batches for number in transform(one).numbers]


def test_every_transform_that_is_shipped_is_proven_here() -> None:
    assert set(known("transform")) <= set(TRANSFORMS)


@pytest.mark.parametrize("name", TRANSFORMS)
@given(texts=TEXTS)
@settings(max_examples=12, deadline=None)
def test_rows_are_kept_as_they_are_or_dropped_for_a_reason(name: str, texts: list[str]) -> None:
    before = batch(texts, start=5)
    after = TRANSFORMS[name]()(before)
    gone = [number for numbers in after.dropped.values() for number in numbers]
    assert sorted([*after.numbers, *gone]) == list(before.numbers)
    assert list(after.numbers) == sorted(after.numbers)
    assert [texts[number - 5] for number in after.numbers] == list(after.texts)
    assert all(list(numbers) == sorted(numbers) for numbers in after.dropped.values())
    assert all(reason and reason.isidentifier() for reason in after.dropped)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_all_else_in_a_batch_stays(name: str) -> None:
    dead = [DeadRow(2, "invalid_json", "no object", "{")]
    before = Batch(
        SHARD,
        0,
        4,
        [0, 3],
        ["a night nurse", "a night nurse"],
        dropped={"early": [1]},
        dead=dead,
        last=True,
        bytes_read=9,
    )
    after = TRANSFORMS[name]()(before)
    assert after.dropped["early"] == [1]
    assert replace(after, numbers=(), texts=(), dropped={}) == replace(before, numbers=(), texts=(), dropped={})


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_empty_batch_passes(name: str) -> None:
    transform = TRANSFORMS[name]()
    assert transform(batch([], last=True)) == batch([], last=True)
    assert kept(transform, ["a painter of ships from Oslo"]) == [0]


@pytest.mark.parametrize("name", TRANSFORMS)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=12, deadline=None)
def test_decisions_do_not_depend_on_how_rows_are_cut_into_batches(name: str, texts: list[str], cuts: list[int]) -> None:
    make = TRANSFORMS[name]
    assert kept(make(), texts, cuts) == kept(make(), texts)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_second_instance_knows_nothing_of_the_first(name: str) -> None:
    texts = ["a painter of ships from Oslo", "a painter of ships from Oslo"]
    make = TRANSFORMS[name]
    assert kept(make(), texts) == kept(make(), texts)


@pytest.mark.parametrize("name", STATEFUL)
@given(texts=TEXTS, at=st.integers(0, 25))
@settings(max_examples=12, deadline=None)
def test_decisions_after_a_restart_are_those_without_it(name: str, texts: list[str], at: int) -> None:
    undisturbed, before, after = (TRANSFORMS[name]() for _ in range(3))
    assert isinstance(before, StatefulTransform)
    assert isinstance(after, StatefulTransform)
    first = kept(before, texts[:at])
    file = BytesIO()
    before.save(file)
    file.seek(0)
    after.load(file)
    rest = [number + min(at, len(texts)) for number in kept(after, texts[at:])]
    assert first + rest == kept(undisturbed, texts)


@pytest.mark.parametrize("name", STATEFUL)
def test_saving_changes_nothing(name: str) -> None:
    transform = TRANSFORMS[name]()
    assert isinstance(transform, StatefulTransform)
    texts = ["a painter of ships from Oslo", "a judge of cattle who sings at night"]
    kept(transform, texts)
    first, second = BytesIO(), BytesIO()
    transform.save(first)
    transform.save(second)
    assert first.getvalue() == second.getvalue()
    assert kept(transform, texts) == []
