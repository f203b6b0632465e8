"""What every transform promises, proven for each. A new transform adds its line to `TRANSFORMS`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.build import known
from personastream.core.plan import Plan, plan_of
from personastream.ports import StatefulTransform, Transform
from personastream.records import Batch, DeadRow, Shard
from personastream.simulator.embeddings import embed
from personastream.test_sets import Item
from personastream.transforms.decontaminate import Decontaminate
from personastream.transforms.dedup import Dedup
from personastream.transforms.filter import Filter
from personastream.transforms.injection import Injection
from personastream.transforms.near_dedup import NearDedup
from personastream.transforms.personal_data import PersonalData
from personastream.transforms.planned import Planned
from personastream.transforms.quality import Quality
from personastream.transforms.semantic_dedup import SemanticDedup
from tests.support.effort import tries
from tests.support.virtual import FirstOnly, Without

SHARD = Shard(0, "shard", "shard.jsonl", 1000, "f")


class EveryOther(Planned):
    """A plan that is not on the disk."""

    def _read(self, shard: Shard) -> Plan:
        return plan_of(shard.fingerprint, 100, [[(row, row + 1) for row in range(0, 100, 2)]])


class FromMemory(Decontaminate):
    """Its texts are in no file."""

    items = (Item("memory", 0, "a night nurse who"), Item("memory", 1, "from Oslo and"))


def with_vectors() -> SemanticDedup:
    """Its vectors are made here, as the simulator makes them."""
    transform = SemanticDedup("http://127.0.0.1:1/v1", "m")
    transform.bind(lambda texts: [embed(text) for text in texts])
    return transform


TRANSFORMS: dict[str, Callable[[], Transform]] = {
    "planned": lambda: EveryOther("nowhere"),
    "dedup": Dedup,
    "near_dedup": NearDedup,
    "semantic_dedup": with_vectors,
    "filter": Filter,
    "quality": Quality,
    "personal_data": PersonalData,
    "injection": Injection,
    "decontaminate": lambda: FromMemory(["memory"], ngram=4),
    "FirstOnly": FirstOnly,
    "Without": lambda: Without("a night"),
}
STATEFUL = [name for name, make in TRANSFORMS.items() if isinstance(make(), StatefulTransform)]

WORDS = st.sampled_from(
    ["a", "night", "nurse", "who", "paints", "ships", "from", "Oslo", "and", "老", "é", "\x00", "<b>"]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=9).map(" ".join) | st.text(min_size=1, max_size=20)
TEXTS = st.lists(SENTENCES, max_size=25)


def batch(texts: Sequence[str], start: int = 0, *, last: bool = False) -> Batch:
    stop = start + len(texts)
    return Batch(SHARD, start, stop, range(start, stop), texts, last=last)


def made(name: str) -> Transform:
    transform = TRANSFORMS[name]()
    if isinstance(transform, StatefulTransform):
        transform.expect(1000)
    return transform


def stateful(name: str) -> StatefulTransform:
    transform = made(name)
    assert isinstance(transform, StatefulTransform)
    return transform


def kept(transform: Transform, texts: Sequence[str], cuts: Sequence[int] = ()) -> list[int]:
    """Rows that survive when `texts` comes in pieces cut at `cuts`."""
    places = sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})
    batches = [batch(texts[start:stop], start) for start, stop in pairwise(places)]
    return [number for one in batches for number in transform(one).numbers]


def test_every_transform_that_is_shipped_is_proven_here() -> None:
    assert set(known("transform")) <= set(TRANSFORMS)


@pytest.mark.parametrize("name", TRANSFORMS)
@given(texts=TEXTS)
@settings(max_examples=tries(12), deadline=None)
def test_rows_are_kept_as_they_are_or_dropped_for_a_reason(name: str, texts: list[str]) -> None:
    before = batch(texts, start=5)
    after = made(name)(before)
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
    after = made(name)(before)
    assert after.dropped["early"] == [1]
    assert replace(after, numbers=(), texts=(), dropped={}) == replace(before, numbers=(), texts=(), dropped={})


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_empty_batch_passes(name: str) -> None:
    transform = made(name)
    assert transform(batch([], last=True)) == batch([], last=True)
    assert kept(transform, ["a painter of ships from Oslo"]) == [0]


@pytest.mark.parametrize("name", TRANSFORMS)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=tries(12), deadline=None)
def test_decisions_do_not_depend_on_how_rows_are_cut_into_batches(name: str, texts: list[str], cuts: list[int]) -> None:
    assert kept(made(name), texts, cuts) == kept(made(name), texts)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.slow
def test_a_second_instance_knows_nothing_of_the_first(name: str) -> None:
    texts = ["a painter of ships from Oslo", "a painter of ships from Oslo"]
    assert kept(made(name), texts) == kept(made(name), texts)


@pytest.mark.parametrize("name", STATEFUL)
@given(texts=TEXTS, lives=st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=tries(12), deadline=None)
def test_decisions_after_restarts_are_those_without_them(name: str, texts: list[str], lives: list[int]) -> None:
    journal: list[bytes] = []
    numbers: list[int] = []
    for start, stop in pairwise(sorted({0, len(texts), *(life for life in lives if life < len(texts))})):
        transform = stateful(name)
        for records in journal:
            transform.learn(records)
        numbers += transform(batch(texts[start:stop], start)).numbers
        journal.append(transform.learnt())
    assert numbers == kept(stateful(name), texts)


@pytest.mark.parametrize("name", STATEFUL)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=tries(12), deadline=None)
def test_the_journal_does_not_depend_on_how_rows_are_cut(name: str, texts: list[str], cuts: list[int]) -> None:
    """Told all at once or piece by piece, a transform is the same: it decides alike."""
    whole, pieces = stateful(name), stateful(name)
    journals = []
    for start, stop in pairwise(sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})):
        whole(batch(texts[start:stop], start))
        pieces(batch(texts[start:stop], start))
        journals.append(pieces.learnt())
    once, often = stateful(name), stateful(name)
    once.learn(whole.learnt())
    for records in journals:
        often.learn(records)
    more = [*texts, *(text + " who sings" for text in texts)]
    assert kept(once, more) == kept(often, more) == kept(whole, more)


@pytest.mark.parametrize("name", STATEFUL)
def test_what_was_told_once_is_not_told_again(name: str) -> None:
    first, second = stateful(name), stateful(name)
    texts = ["a painter of ships from Oslo", "a judge of cattle who sings at night"]
    kept(first, texts)
    records = first.learnt()
    assert (bool(records), first.learnt()) == (True, b"")
    second.learn(records)
    assert (second.learnt(), kept(second, texts)) == (b"", [])


@pytest.mark.parametrize("name", STATEFUL)
def test_records_that_are_cut_are_refused(name: str) -> None:
    transform = stateful(name)
    kept(transform, ["a painter of ships from Oslo", "a judge of cattle who sings at night"])
    with pytest.raises(ValueError, match=r".+"):
        stateful(name).learn(transform.learnt()[:-1])
