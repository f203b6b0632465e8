"""What both dedup transforms promise: decisions follow from the rows before, whatever the batches and restarts."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.errors import ConfigError, StorageFailed
from personastream.ports import StatefulTransform
from personastream.records import Batch, Shard
from personastream.transforms.dedup import Dedup
from personastream.transforms.near_dedup import NearDedup
from tests.support.effort import tries

WORDS = st.sampled_from(["a", "nurse", "Nurse", "teacher", "from", "Oslo", "who", "likes", "老", "师", "!", " "])
TEXTS = st.lists(st.lists(WORDS, max_size=7).map(" ".join), max_size=30)
LONG = " ".join(f"word{number}" for number in range(200))
NEAR = {
    "simhash": lambda: NearDedup(distance_max=6, similarity_min=0.6),
    "simhash of words": lambda: NearDedup(distance_max=4, similarity_min=0.6, pairs=False),
    "jaccard": lambda: NearDedup(method="jaccard", similarity_min=0.7),
    "minhash": lambda: NearDedup(method="minhash", similarity_min=0.7),
}
EACH = pytest.mark.parametrize("make", [Dedup, *NEAR.values()], ids=["exact", *NEAR])
METHODS = pytest.mark.parametrize("method", ["simhash", "jaccard", "minhash"])


def batch_of(texts: Sequence[str], start: int = 0) -> Batch:
    stop = start + len(texts)
    return Batch(Shard(0, "s", "s.jsonl", 0, ""), start, stop, range(start, stop), texts)


def survivors(transform: StatefulTransform, texts: Sequence[str]) -> list[str]:
    return list(transform(batch_of(texts)).texts)


def taught(make: Callable[[], StatefulTransform], journal: Sequence[bytes]) -> StatefulTransform:
    transform = make()
    for records in journal:
        transform.learn(records)
    return transform


@EACH
@settings(max_examples=tries(15), deadline=None)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 30), max_size=3))
def test_neither_batching_nor_restarts_change_a_decision(
    make: Callable[[], StatefulTransform], texts: list[str], cuts: list[int]
) -> None:
    whole = make()(batch_of(texts))
    transform, numbers, dropped, journal = make(), list[int](), list[int](), list[bytes]()
    for start, stop in pairwise(sorted({0, len(texts), *(min(cut, len(texts)) for cut in cuts)})):
        after = transform(batch_of(texts[start:stop], start))
        numbers += after.numbers
        dropped += [row for rows in after.dropped.values() for row in rows]
        journal.append(transform.learnt())
        transform = taught(make, journal)
    assert numbers == list(whole.numbers)
    assert dropped == [row for rows in whole.dropped.values() for row in rows]


@EACH
def test_they_are_stateful_transforms(make: Callable[[], StatefulTransform]) -> None:
    assert isinstance(make(), StatefulTransform)


def test_dedup_keeps_the_first_of_texts_that_differ_in_case_and_spacing_only() -> None:
    after = Dedup()(batch_of(["A nurse.", "a teacher", " a  NURSE. ", "a nurse", "a teacher"]))
    assert list(after.texts) == ["A nurse.", "a teacher", "a nurse"]
    assert dict(after.dropped) == {"dedup": [2, 4]}


@METHODS
def test_near_dedup_keeps_the_first_of_near_copies(method: str) -> None:
    first = "A retired sailor from Bergen who teaches children to tie knots and to read the weather"
    texts = [
        first,
        "a retired sailor from Bergen, who teaches children to tie knots - and to read the weather!",
        "A young chemist from Bergen who writes poems about rain",
        first + " weather",
    ]
    after = NearDedup(method=method)(batch_of(texts))
    assert list(after.texts) == [texts[0], texts[2]]
    assert dict(after.dropped) == {"near_dedup": [1, 3]}


@METHODS
def test_near_dedup_drops_nothing_below_the_similarity(method: str) -> None:
    texts = [f"{LONG} doctor", f"{LONG} sailor"]  # 200 of 202 words shared
    assert survivors(NearDedup(method=method, similarity_min=200 / 202), texts) == texts[:1]
    assert survivors(NearDedup(method=method, similarity_min=0.995), texts) == texts


@METHODS
def test_near_dedup_keeps_rows_without_words(method: str) -> None:
    texts = ["", "?!", "", "a nurse from Oslo", "..."]
    assert survivors(NearDedup(method=method, similarity_min=0.5), texts) == texts


def test_near_dedup_tells_what_it_gave_up() -> None:
    """Rows of 201 words that are all the same but one, and none similar enough."""
    near = NearDedup(similarity_min=1.0)
    survivors(near, [f"{LONG} number{number}" for number in range(500)])
    assert near.given_up > 0


@pytest.mark.parametrize("method", ["jaccard", "minhash"])
def test_a_similarity_that_no_set_index_can_find_is_refused(method: str) -> None:
    with pytest.raises(ConfigError, match=r"at least 0\.5"):
        NearDedup(method=method, similarity_min=0.49)


def test_many_rows_have_their_evidence_in_a_file_without_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("personastream.transforms.scratch_rows.ROWS_IN_MEMORY_MAX", 10)
    texts = [f"a nurse who counts to {number} and then to {number + 1}" for number in range(300)]
    mapped, plain = NearDedup(scratch=str(tmp_path)), NearDedup()
    mapped.expect(1000)
    assert survivors(mapped, texts * 2) == survivors(plain, texts * 2)
    assert mapped.learnt() == plain.learnt()
    assert not list(tmp_path.iterdir())


def test_a_scratch_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("personastream.transforms.scratch_rows.ROWS_IN_MEMORY_MAX", 10)
    near = NearDedup(scratch=str(tmp_path / "missing"))
    with pytest.raises(StorageFailed, match="missing: there is no room"):
        survivors(near, ["a nurse from Oslo"])
