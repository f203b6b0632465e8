"""Few keys in a plain set: the answers and the journal are those of the large index, also when one takes over."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.dedup import ExactIndex, hash_texts, hash_texts_128
from personastream.dedup.key_set import KeySet
from personastream.records import Batch, Shard
from personastream.transforms import dedup
from personastream.transforms.dedup import Dedup

SHARD = Shard(0, "s", "s.jsonl", 1, "f")
BITS = pytest.mark.parametrize("bits", [64, 128])


def keys_of(numbers: list[int], bits: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    return np.array([[number, 7] for number in numbers] if bits == 128 else numbers, np.uint64).reshape(
        (-1, 2) if bits == 128 else (-1,)
    )


@BITS
@given(batches=st.lists(st.lists(st.integers(0, 20), max_size=12), max_size=6))
def test_a_set_answers_as_the_large_index_does(bits: Literal[64, 128], batches: list[list[int]]) -> None:
    few, many = KeySet(bits), ExactIndex(0, bits)
    for numbers in batches:
        keys = keys_of([(number + 1) * 0x9E3779B97F4A7C15 % 2**64 for number in numbers], bits)
        assert few.insert(keys).tolist() == many.insert(keys).tolist()
    assert len(few) == len(many)
    records = few.learnt()
    assert records == many.learnt() == few.records()
    again = KeySet(bits)
    again.learn(records)
    assert again.records() == records


@BITS
def test_records_that_cannot_be_are_refused(bits: Literal[64, 128]) -> None:
    few = KeySet(bits)
    with pytest.raises(ValueError, match="no whole number"):
        few.learn(b"123")
    with pytest.raises(ValueError, match="occurs twice"):
        few.learn(bytes(2 * bits // 8))


@given(st.lists(st.text(max_size=20), max_size=20))
def test_texts_hashed_one_by_one_have_the_same_keys(texts: list[str]) -> None:
    assert hash_texts(texts, few=True).tolist() == hash_texts(texts).tolist()
    assert hash_texts_128(texts, few=True).tolist() == hash_texts_128(texts).tolist()


def kept(transform: Dedup, texts: list[str]) -> list[str]:
    return list(transform(Batch(SHARD, 0, len(texts), range(len(texts)), texts)).texts)


@pytest.mark.parametrize("wide_keys", [False, True])
def test_the_large_index_takes_over_when_there_are_many(monkeypatch: pytest.MonkeyPatch, wide_keys: bool) -> None:
    monkeypatch.setattr(dedup, "KEYS_MAX", 10)
    transform, journal = Dedup(wide_keys=wide_keys), b""
    for start in range(0, 40, 4):
        texts = [f"persona {number}" for number in range(start, start + 6)]
        assert kept(transform, texts) == (texts if start == 0 else texts[2:])
        if start % 12 == 8:
            journal += transform.learnt()
    journal += transform.learnt()
    assert len(journal) == 42 * (16 if wide_keys else 8)
    again = Dedup(wide_keys=wide_keys)
    again.learn(journal)
    assert kept(again, [f"persona {number}" for number in range(44)]) == ["persona 42", "persona 43"]
