"""What both dedup transforms promise: decisions follow from the rows before, whatever the batches and restarts."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import BlockIndex, SnapshotDamaged
from personastream.ports import StatefulTransform
from personastream.records import Batch, Shard
from personastream.transforms.dedup import Dedup
from personastream.transforms.near_dedup import NearDedup

WORDS = st.sampled_from(["a", "nurse", "Nurse", "teacher", "from", "Oslo", "who", "likes", "老", "师", "!", " "])
TEXTS = st.lists(st.lists(WORDS, max_size=7).map(" ".join), max_size=30)
LONG = " ".join(f"word{number}" for number in range(400))
BOTH = pytest.mark.parametrize("make", [Dedup, lambda: NearDedup(distance_max=6, similarity_min=0.6)])


def batch_of(texts: Sequence[str], start: int = 0) -> Batch:
    stop = start + len(texts)
    return Batch(Shard(0, "s", "s.jsonl", 0, ""), start, stop, range(start, stop), texts)


def survivors(transform: StatefulTransform, texts: Sequence[str]) -> list[str]:
    return list(transform(batch_of(texts)).texts)


def restarted(transform: StatefulTransform, make: Callable[[], StatefulTransform]) -> StatefulTransform:
    file = io.BytesIO()
    transform.save(file)
    file.seek(0)
    copy = make()
    copy.load(file)
    return copy


@BOTH
@settings(max_examples=15, deadline=None)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 30), max_size=3))
def test_neither_batching_nor_restarts_change_a_decision(
    make: Callable[[], StatefulTransform], texts: list[str], cuts: list[int]
) -> None:
    whole = make()(batch_of(texts))
    transform, numbers, dropped = make(), list[int](), list[int]()
    for start, stop in pairwise(sorted({0, len(texts), *(min(cut, len(texts)) for cut in cuts)})):
        after = transform(batch_of(texts[start:stop], start))
        numbers += after.numbers
        dropped += [row for rows in after.dropped.values() for row in rows]
        transform = restarted(transform, make)
    assert numbers == list(whole.numbers)
    assert dropped == [row for rows in whole.dropped.values() for row in rows]


@BOTH
def test_what_is_loaded_can_be_saved_as_the_same_bytes(make: Callable[[], StatefulTransform]) -> None:
    transform, files = make(), [io.BytesIO(), io.BytesIO()]
    survivors(transform, [f"persona {number} who counts to {number}" for number in range(300)])
    transform.save(files[0])
    restarted(transform, make).save(files[1])
    assert files[0].getvalue() == files[1].getvalue()


@BOTH
def test_a_damaged_snapshot_is_refused_and_the_state_stays(make: Callable[[], StatefulTransform]) -> None:
    transform, file = make(), io.BytesIO()
    survivors(transform, ["a nurse from Oslo"])
    transform.save(file)
    for data in (b"", b"something else altogether, of some length", file.getvalue()[:-1]):
        with pytest.raises(SnapshotDamaged):
            transform.load(io.BytesIO(data))
    assert survivors(transform, ["a nurse from Oslo", "a teacher in Rome"]) == ["a teacher in Rome"]


@BOTH
def test_they_are_stateful_transforms(make: Callable[[], StatefulTransform]) -> None:
    assert isinstance(make(), StatefulTransform)


def test_dedup_keeps_the_first_of_texts_that_differ_in_case_and_spacing_only() -> None:
    after = Dedup()(batch_of(["A nurse.", "a teacher", " a  NURSE. ", "a nurse", "a teacher"]))
    assert list(after.texts) == ["A nurse.", "a teacher", "a nurse"]
    assert dict(after.dropped) == {"dedup": [2, 4]}


def test_near_dedup_keeps_the_first_of_near_copies() -> None:
    first = "A retired sailor from Bergen who teaches children to tie knots and to read the weather"
    texts = [
        first,
        "a retired sailor from Bergen, who teaches children to tie knots - and to read the weather!",
        "A young chemist from Bergen who writes poems about rain",
        first + " weather",
    ]
    after = NearDedup()(batch_of(texts))
    assert list(after.texts) == [texts[0], texts[2]]
    assert dict(after.dropped) == {"near_dedup": [1, 3]}


def test_near_dedup_drops_nothing_below_the_similarity() -> None:
    texts = [f"{LONG} doctor", f"{LONG} sailor"]  # 400 of 402 words shared
    assert survivors(NearDedup(similarity_min=400 / 402), texts) == texts[:1]
    assert survivors(NearDedup(similarity_min=0.996), texts) == texts


def test_near_dedup_keeps_rows_without_words() -> None:
    texts = ["", "?!", "", "a nurse from Oslo", "..."]
    assert survivors(NearDedup(similarity_min=0.0), texts) == texts


def test_near_dedup_tells_what_it_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    short_chains = partial(BlockIndex, chain_rows_max=1)
    monkeypatch.setattr("personastream.transforms.near_dedup.BlockIndex", short_chains)
    near = NearDedup(similarity_min=1.0)
    survivors(near, [f"{LONG} number{number}" for number in range(5)])
    assert near.given_up > 0
