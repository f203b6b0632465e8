"""Packed rows, texts, lines and numbers against plain lists: whatever is done to both, they stay equal."""

from collections.abc import Sequence
from itertools import compress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.lines import Line, Lines, LongLine
from personastream.packed import PADDING, Numbers, Packed, Texts, as_array
from personastream.records import Batch, Shard
from tests.support.effort import tries

quick = settings(max_examples=tries(100), deadline=None)
ROWS = st.lists(st.binary(max_size=6) | st.sampled_from([b"\n", b"a\nb", b"\xff\xfe", "老é".encode()]), max_size=9)
LINES = st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")), max_size=9)
TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=6), max_size=9)
SHARD = Shard(0, "shard", "shard.jsonl", 0, "")


def among(rows: Sequence[bytes]) -> Packed:
    """The rows as they are read: other bytes stand before and behind each."""
    whole = Packed.of([b'{"a":"' + row + b'"}' for row in rows])
    return Packed(whole.data, whole.begins + 6, whole.ends - 2)


def check(packed: Packed, rows: Sequence[bytes]) -> None:
    assert packed.rows() == [packed.row(place) for place in range(len(packed))] == list(rows)
    assert packed.joined() == b"".join(row + b"\n" for row in rows)
    assert packed.size_bytes == sum(map(len, rows))
    assert packed.beyond_ascii().tolist() == [place for place, row in enumerate(rows) if not row.isascii()]
    assert (packed.begins[1:] > packed.ends[:-1]).all()
    assert not rows or len(packed.data) >= packed.ends[-1] + len(PADDING)


@quick
@given(ROWS, ROWS, st.data())
def test_packed_rows_are_like_a_list_of_bytes(rows: list[bytes], others: list[bytes], data: st.DataObject) -> None:
    for packed in (Packed.of(rows), among(rows)):
        check(packed, rows)
        check(Packed.join([packed, Packed.of(others), among(others)]), [*rows, *others, *others])
        start, stop = data.draw(st.integers(-10, 10)), data.draw(st.integers(-10, 10))
        check(packed.at(slice(start, stop)), rows[start:stop])
        mask = [data.draw(st.booleans()) for _ in rows]
        part, left = packed.at(np.array(mask, np.bool_)), list(compress(rows, mask))
        check(part, left)
        places = sorted(data.draw(st.sets(st.sampled_from(range(len(left)))))) if left else []
        new = [data.draw(st.binary(max_size=5)) for _ in places]
        replaced = part.replaced(places, new)
        for place, row in zip(places, new, strict=True):
            left[place] = row
        check(replaced, left)


@quick
@given(LINES)
def test_lines_are_found_at_line_feeds(lines: list[bytes]) -> None:
    check(Packed.of_lines(b"".join(line + b"\n" for line in lines)), lines)


@quick
@given(TEXTS, st.data())
def test_texts_are_like_a_list_of_them(texts: list[str], data: st.DataObject) -> None:
    packed = Texts(among([text.encode() for text in texts]))
    like(packed, texts, data)
    mask = bytes(data.draw(st.integers(0, 2)) for _ in texts)
    assert packed.only(mask) == list(compress(texts, mask))


@quick
@given(st.lists(st.integers(0, 1 << 40), max_size=9), st.data())
def test_numbers_are_like_a_list_of_them(numbers: list[int], data: st.DataObject) -> None:
    packed = Numbers(np.array(numbers, np.int64))
    like(packed, numbers, data)
    assert as_array(packed).tolist() == as_array(numbers).tolist() == numbers


@quick
@given(st.lists(LINES, max_size=4), st.data())
def test_lines_are_like_a_list_of_them_some_too_long(parts: list[list[bytes]], data: st.DataObject) -> None:
    given_parts: list[list[Line]] = [
        [LongLine(line, 7, 99) if data.draw(st.integers(0, 3)) == 0 else line for line in part] for part in parts
    ]
    lines = [line for part in given_parts for line in part]
    packed = Lines.join([Lines.of(part) for part in given_parts])
    like(packed, lines, data)
    mask = bytes(data.draw(st.integers(0, 1)) for _ in lines)
    assert packed.only(mask) == list(compress(lines, mask))
    assert packed.part(1, 3) == lines[1:3]


def like(column: Sequence[object], rows: Sequence[object], data: st.DataObject) -> None:
    assert (len(column), list(column)) == (len(rows), list(rows))
    assert column == rows
    assert rows == column
    assert column != [*rows, ""]
    assert bool(column) == bool(rows)
    start, stop = (data.draw(st.none() | st.integers(-9, 9)) for _ in range(2))
    step: int | None = data.draw(st.sampled_from([None, 2, -1]))
    cut: slice[int | None, int | None, int | None] = slice(start, stop, step)
    assert list(column[cut]) == list(rows[cut])
    for place in range(-len(rows), len(rows)):
        assert column[place] == rows[place]
    for place in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError):
            column[place]


@quick
@given(TEXTS, st.data())
def test_a_batch_of_packed_columns_loses_the_rows_that_one_of_lists_does(texts: list[str], data: st.DataObject) -> None:
    plain = Batch(SHARD, 3, 3 + len(texts), range(3, 3 + len(texts)), texts)
    numbers = Numbers(np.arange(3, 3 + len(texts)))
    packed = Batch(SHARD, 3, 3 + len(texts), numbers, Texts(among([text.encode() for text in texts])))
    for reason in ("first", "second", "first"):
        mask = [data.draw(st.booleans()) for _ in plain.texts]
        plain, packed = plain.keep(mask, reason), packed.keep(bytes(mask), reason)
        assert plain == packed
