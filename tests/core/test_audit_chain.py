"""The chain of an audit log: whatever is changed in it shows, and where."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.audit_chain import (
    EMPTY,
    LINE_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    BrokenChain,
    line_of,
    plain,
    read_all,
    read_line,
)

texts = st.text(st.characters(codec=None), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def log_of(*details: dict[str, object]) -> list[bytes]:
    lines, head = [], EMPTY
    for one in details:
        line, head = line_of(head, "2026-01-01T00:00:00.000Z", "resumed", {"user": "u"}, one)
        lines.append(line)
    return lines


LOG = log_of(*[dict[str, object](rows=number) for number in range(6)])


@given(st.dictionaries(texts, values, max_size=4))
def test_whatever_is_told_is_one_line_of_plain_json_that_reads_back(details: dict[str, object]) -> None:
    (line,) = log_of(details)
    assert line.isascii()
    assert min(line) >= 0x20
    orjson.loads(line)
    event, head = read_line(line, EMPTY)
    assert event["details"] == plain(details)
    assert head.lines == 1


@given(st.data())
def test_one_byte_changed_anywhere_is_found_at_its_line(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(LOG) - 1))
    place = data.draw(st.integers(0, len(LOG[at]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value not in (LOG[at][place], 10)))
    changed = bytearray(LOG[at])
    changed[place] = byte
    with pytest.raises(BrokenChain) as caught:
        read_all([*LOG[:at], bytes(changed), *LOG[at + 1 :]])
    assert caught.value.line == at + 1


@given(st.data())
def test_lines_taken_out_or_put_elsewhere_are_found(data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.sampled_from(range(len(LOG))), max_size=len(LOG) + 1))
    if kept == list(range(len(kept))):  # the beginning of the log: only its head can tell
        assert len(read_all([LOG[at] for at in kept])[1]) == len(kept)
        return
    with pytest.raises(BrokenChain) as caught:
        read_all([LOG[at] for at in kept])
    assert caught.value.line == next(place for place, at in enumerate(kept) if place != at) + 1


def test_a_line_that_was_changed_and_given_a_new_hash_does_not_carry_the_next() -> None:
    first, head = line_of(EMPTY, "2026-01-01T00:00:00.000Z", "purged", {"user": "nobody"}, {})
    assert read_line(first, EMPTY)[1] == head
    with pytest.raises(BrokenChain, match="line 2: does not follow"):
        read_all([first, *LOG[1:]])


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"hash":1}', b'{"hash":"x"}'])
def test_what_is_no_event_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(BrokenChain, match="line 1: is no event"):
        read_all([line])


def test_a_long_text_is_told_by_its_hash() -> None:
    persona = "A lock keeper who " + "keeps locks and " * 20
    assert len(persona) > TEXT_CHARACTERS_MAX
    (line,) = log_of({"text": persona, persona: [persona]})
    assert b"lock" not in line
    assert b"sha256:" in line


def test_an_event_has_a_largest_size() -> None:
    many: dict[str, object] = {
        str(number): ["x" * TEXT_CHARACTERS_MAX] * 100 for number in range(LINE_BYTES_MAX // 20_000)
    }
    (line,) = log_of(many)
    assert len(line) < 1_000
    assert read_line(line, EMPTY)[0]["details"].keys() == {"sha256", "bytes"}
