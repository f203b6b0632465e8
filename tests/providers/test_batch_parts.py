"""The pure parts of batches: who takes which place, and what is written of what comes back."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.errors import Unavailable
from personastream.providers.batch_chunk import Chunk, FreePlaces, Place, key_of
from personastream.providers.batch_downloads import Download


async def _pieces(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def downloaded(*documents: Sequence[bytes], secrets: Sequence[bytes] = (), bytes_max: int = 1000) -> bytes:
    file = io.BytesIO()
    download = Download(file, secrets, bytes_max)

    async def add() -> None:
        for pieces in documents:
            await download.add(_pieces(pieces))

    asyncio.run(add())
    return file.getvalue()


def test_documents_follow_each_other_in_whole_lines() -> None:
    assert downloaded([b"a\n", b"b"], [], [b"c\n"], [b"", b"d"]) == b"a\nb\nc\nd\n"


@given(st.lists(st.sampled_from([b"sec", b"ret", b"s", b"ecret", b"secret", b"xyz", b"\n"]), max_size=12))
def test_a_secret_is_struck_out_wherever_it_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = whole.replace(b"secret", b"[key]")
    assert downloaded(pieces, secrets=[b"secret", b"a longer one"]) == expected + b"\n" * (
        whole != b"" and not whole.endswith(b"\n")
    )


def test_too_much_is_not_written() -> None:
    assert downloaded([b"x" * 999, b"\n"])
    with pytest.raises(Unavailable, match="answers_bytes_max"):
        downloaded([b"x" * 600], [b"x" * 600])


@given(st.lists(st.tuples(st.sampled_from("+-x"), st.integers(0, 3), st.integers(0, 2))))
def test_a_place_is_free_for_one_who_asks_the_same(steps: list[tuple[str, int, int]]) -> None:
    free, model = FreePlaces(), dict[str, list[Place]]()
    chunks = [Chunk(name, "", 0.0) for name in "abc"]
    for step, body, number in steps:
        key = key_of(bytes([body]))
        if step == "+":
            place = Place(chunks[number], chunks[number].next_id(key))
            free.add(place)
            model.setdefault(key, []).append(place)
        elif step == "-":
            assert free.take(key) == (model[key].pop(0) if model.get(key) else None)
        else:
            gone = [place for place in model.get(key, []) if place.chunk is chunks[number]]
            free.drop(chunks[number], [place.custom_id for place in gone])
            model[key] = [place for place in model.get(key, []) if place not in gone]


def test_ids_are_of_the_kind_that_all_services_take() -> None:
    chunk = Chunk("a", "", 0.0)
    ids = [chunk.next_id(key_of(b"body")) for _ in range(50_000)]
    assert len(set(ids)) == 50_000
    assert all(len(each) <= 64 and each.replace("-", "").isalnum() for each in ids)
