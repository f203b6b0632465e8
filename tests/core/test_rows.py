"""Every line is a text or a dead row that says why."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.lines import Line, LongLine
from personastream.core.rows import DEPTH_MAX, EXCERPT_CHARACTERS_MAX, RowReader, Rows, _excerpt, is_deeper
from personastream.dedup.backend import kernels
from personastream.dedup.json_lines import unsure_lines
from personastream.records import DeadRow
from tests.support.effort import tries

quick = settings(max_examples=tries(50), deadline=None)
READER = RowReader("persona", text_bytes_max=1_000)
QUICK_READER = RowReader("persona", text_bytes_max=1_000, scan=unsure_lines)
"""With compiled loops, once they are loaded."""
READERS = pytest.mark.parametrize("reader", [READER, QUICK_READER], ids=["arrays", "compiled"])


@pytest.fixture(autouse=True, scope="module")
def loops() -> None:
    """Loaded, as they are where rows are thinned."""
    kernels()


def dead(line: Line) -> DeadRow:
    numbers, texts, (row,), *_ = READER.read([line], 5)
    assert (list(numbers), texts, row.number) == ([], [], 5)
    return row


def text(line: bytes) -> str:
    numbers, (found,), gone, *_ = READER.read([line], 5)
    assert (list(numbers), list(gone)) == ([5], [])
    return found


def nested(depth: int) -> bytes:
    """An object of that depth beside a sound persona."""
    return b'{"persona": "x", "a": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"", "blank_line", "white space"),
        (b" \t\r", "blank_line", "white space"),
        (b'{"persona": "caf\xe9"}', "invalid_utf8", "byte 16 of the line"),
        (b"\xff\xfe{\0", "invalid_utf8", "byte 0 of the line"),
        (b"{", "invalid_json", "line 1 column"),
        (b'{"persona": "a"} {"persona": "b"}', "invalid_json", "column 18"),
        (b'{"persona": "a\x00b"}', "invalid_json", "control"),
        (b'{"persona": NaN}', "invalid_json", ""),
        (b'{"persona": "\\ud800"}', "invalid_json", "surrogate"),
        (b'\xef\xbb\xbf{"persona": "a"}', "invalid_json", ""),
        (b'["persona"]', "not_an_object", "an array"),
        (b'"persona"', "not_an_object", "text"),
        (b"3", "not_an_object", "a number"),
        (b"null", "not_an_object", "null"),
        (b"{}", "missing_field", "no field 'persona'"),
        (b'{"id": 1, "input persona": "a"}', "missing_field", "nearest is 'input persona'"),
        (b'{"Persona": "a", "p": 1}', "missing_field", "nearest is 'Persona'"),
        (b'{"persona": null}', "not_text", "holds null"),
        (b'{"persona": 3.5}', "not_text", "holds a number"),
        (b'{"persona": true}', "not_text", "holds a boolean"),
        (b'{"persona": ["a"]}', "not_text", "holds an array"),
        (b'{"persona": {"a": 1}}', "not_text", "holds an object"),
        (b'{"persona": ""}', "empty_text", "white space"),
        (b'{"persona": " \\n\xe2\x80\xa8\xc2\xa0"}', "empty_text", "white space"),
        (b'{"persona": "' + b"x" * 1_001 + b'"}', "text_too_long", "1001 bytes; at most 1000"),
        (b'{"persona": "' + b"\\u00e9" * 501 + b'"}', "text_too_long", "1002 bytes"),
        (LongLine(b'{"persona": "x"}', 77, 10**9), "line_too_long", "1000000000 bytes, from raw byte 77"),
        (nested(DEPTH_MAX + 1), "too_deep", "64"),
        (nested(1_000), "too_deep", "64"),
        (nested(3_000), "too_deep", "64"),
        (b"[" * 100_000, "too_deep", "64"),
    ],
)
def test_a_bad_line_is_dead_with_its_reason(line: Line, reason: str, detail: str) -> None:
    row = dead(line)
    assert row.reason == reason
    assert detail in row.detail
    assert row.text == (line.head if isinstance(line, LongLine) else line).decode(errors="replace")[:2_000]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"persona": "a"}', "a"),
        (b' {"persona": " a "} \r', " a "),
        ('{"persona": "a\u2028b\u0085c"}'.encode(), "a\u2028b\u0085c"),
        (b'{"persona": "a\\u0000b"}', "a\0b"),
        (b'{"persona": "\\u0000"}', "\0"),
        (b'{"persona": "\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"persona": "a", "persona": "b"}', "b"),
        (b'{"persona": "[[[[{{{{", "n": 123456789012345678901234567890}', "[[[[{{{{"),
        (b'{"persona": "' + b"x" * 1_000 + b'"}', "x" * 1_000),
        (b'{"persona": "a", "pad": "' + b"x" * 5_000 + b'"}', "a"),
        (nested(DEPTH_MAX), "x"),
        (b'{"persona": "' + b"[" * 200 + b'", "b": [[1], [2]]}', "[" * 200),
        (b'{"persona": "\\"' + b"[" * 200 + b'\\\\", "b": 1}', '"' + "[" * 200 + "\\"),
    ],
)
def test_a_sound_line_keeps_its_text_unchanged(line: bytes, expected: str) -> None:
    assert text(line) == expected


def test_rows_between_dead_ones_keep_their_numbers() -> None:
    lines: list[Line] = [b'{"persona": "a"}', b"", b'{"persona": "b"}', b"[]", b'{"persona": "c"}']
    numbers, texts, gone, *_ = READER.read(lines, 100)
    assert (list(numbers), texts) == ([100, 102, 104], ["a", "b", "c"])
    assert [(row.number, row.reason) for row in gone] == [(101, "blank_line"), (103, "not_an_object")]


def test_an_excerpt_is_short_whatever_the_line() -> None:
    row = dead("{é".encode() * 9_000)
    assert len(row.text) == EXCERPT_CHARACTERS_MAX
    assert row.text.startswith("{é{é")


def test_a_row_of_many_or_huge_keys_is_judged_quickly() -> None:
    many = {f"persona_{number}": 1 for number in range(100_000)}
    assert "nearest is 'persona_" in dead(orjson.dumps(many)).detail
    assert dead(orjson.dumps({"p" * 1_000_000: 1})).detail == "no field 'persona'"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(alphabet='[]{}"\\ab', max_size=6),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(alphabet='[{"\\k', max_size=3), children),
    max_leaves=12,
)


def depth_of(value: object) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(depth_of, children), default=0)


@quick
@given(json_values, st.integers(0, 6))
def test_depth_counts_brackets_outside_strings(value: object, depth_max: int) -> None:
    assert is_deeper(json.dumps(value).encode(), depth_max) == (depth_of(value) > depth_max)


@quick
@given(st.binary(max_size=200) | st.text(alphabet='[]{}"\\', max_size=200).map(str.encode))
def test_any_bytes_are_judged_without_an_exception(line: bytes) -> None:
    numbers, texts, gone, *_ = READER.read([line], 0)
    assert len(numbers) == len(texts)
    assert len(texts) + len(gone) == 1


@quick
@given(st.lists(st.binary(max_size=30) | st.text().map(lambda one: orjson.dumps({"persona": one})), max_size=20))
def test_every_line_gives_exactly_one_row(lines: list[bytes]) -> None:
    numbers, texts, gone, *_ = READER.read(list[Line](lines), 3)
    assert sorted([*numbers, *(row.number for row in gone)]) == list(range(3, 3 + len(lines)))
    assert len(numbers) == len(texts)


def test_hostile_quotes_cost_linear_time() -> None:
    """A quadratic scan of these would take minutes."""
    for unit in (b'"', b'\\"', b'"\\', b'"["', b'["', b"\\"):
        is_deeper(b"[" * 100 + unit * 300_000, DEPTH_MAX)


PLAIN = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['a"b', "a\\b", "\\", '"', '"}', '{"persona":"', '"}\n{"persona":"', "\x1f", "\x7f", "\u2028", " ", "", "\n", "老"]
)
FORMS = st.sampled_from(
    [orjson.dumps, lambda row: json.dumps(row).encode(), lambda row: json.dumps(row, ensure_ascii=False).encode()]
)
SPOILED = st.sampled_from(
    [
        b"",
        b"{",
        b'{"persona":"',
        b'"}',
        b'{"persona":"a"} ',
        b'{"persona":"a","b":"c"}',
        b'{"persona":"a"b"}',
        b'{"persona":"a\\"}',
        b'{"persona":"a\x00b"}',
        b'{"persona":"\xff"}',
        b'{"persona":"a"},{"persona":"b"}',
        b'{"persona":["a"]}',
        b'{"persona":"\\ud800"}',
        b'{"persona":"%s"}' % (b"x" * 2_000),
    ]
)


@READERS
@given(
    rows=st.lists(st.tuples(PLAIN, FORMS), max_size=20),
    spoiled=st.lists(st.tuples(st.integers(0, 8), SPOILED), max_size=2),
)
@settings(max_examples=tries(300), deadline=None)
def test_lines_cut_apart_in_one_go_give_what_each_gives_alone(
    reader: RowReader, rows: list[tuple[str, Any]], spoiled: list[tuple[int, bytes]]
) -> None:
    lines: list[Line] = [form({"persona": text}) for text, form in rows]
    for place, line in spoiled:
        lines.insert(place, line)
    assert reader.read(lines, 3) == alone(lines, 3)


@READERS
@given(st.binary(max_size=6))
@settings(max_examples=tries(2_000), deadline=None)
def test_bytes_that_are_no_utf8_are_found_among_plain_rows(reader: RowReader, odd: bytes) -> None:
    lines: list[Line] = [b'{"persona":"a baker %d"}' % number for number in range(20)]
    lines[7] = b'{"persona":"a %sbaker"}' % odd
    assert reader.read(lines, 3) == alone(lines, 3)


@READERS
@pytest.mark.parametrize("code", [0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xD800, 0xDFFF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF])
@pytest.mark.parametrize("cut", range(4))
@pytest.mark.parametrize("further", [0, 62, 63, 64, 120])
def test_every_kind_of_character_is_read_whole_or_told_to_be_cut(
    reader: RowReader, code: int, cut: int, further: int
) -> None:
    character = chr(code).encode("utf-8", "surrogatepass")
    lines: list[Line] = [b'{"persona":"a baker %d"}' % number for number in range(20)]
    lines[19] = b'{"persona":"%s%s%s"}' % (b"x" * further, character[: len(character) - cut], b"y" * (further % 7))
    assert reader.read(lines, 3) == alone(lines, 3)


@pytest.mark.parametrize("code", [0, 9, 0x1F, 0x22, 0x5C])
@pytest.mark.parametrize("place", [0, 1, 63, 64, 127, 128, 199])
def test_what_json_does_not_allow_is_found_wherever_it_stands(code: int, place: int) -> None:
    text = bytearray(b"x" * 200)
    text[place] = code
    lines: list[Line] = [b'{"persona":"a baker"}'] * 20
    lines[3] = b'{"persona":"%s"}' % text
    assert QUICK_READER.read(lines, 3) == READER.read(lines, 3) == alone(lines, 3)


@READERS
@pytest.mark.parametrize("odd", ['he said "hi"', "C:\\temp", "two\nlines", "\x7f \xa0 \u200d", "naïve 老师"])
@pytest.mark.parametrize("many", [1, 4, 30])
def test_rows_with_escapes_among_plain_ones_are_read_like_the_others(reader: RowReader, odd: str, many: int) -> None:
    texts = ["a night nurse", *([odd] * many), *["a baker"] * 30]
    lines: list[Line] = [orjson.dumps({"persona": text}) for text in texts]
    assert reader.read(lines, 0) == Rows(range(len(texts)), texts, [])


def test_a_field_may_have_any_name() -> None:
    for field in ('a "quoted" one', "back\\slash", "老", ""):
        reader = RowReader(field, text_bytes_max=1_000)
        lines = [orjson.dumps({field: text}) for text in ("a baker", 'a "baker"')]
        assert reader.read(lines, 0) == Rows(range(2), ["a baker", 'a "baker"'], [])


def alone(lines: list[Line], start: int) -> Rows:
    """What the slow way makes of each line."""
    numbers, texts, gone = [], [], []
    for number, line in enumerate(lines, start):
        judged = READER.judge(line)
        if isinstance(judged, str):
            numbers.append(number)
            texts.append(judged)
        else:
            gone.append(DeadRow(number, *judged, _excerpt(line)))
    return Rows(numbers if gone else range(start, start + len(lines)), texts, gone)
