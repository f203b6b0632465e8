"""From lines to persona texts, and to dead rows that say what is wrong with them.

The law: every line gives exactly one of the two. Lines that hold the text and nothing else are not even parsed: of a
batch of them it is told where the texts are, for a thirtieth of the time. Any other sound line costs one JSON parse
and a few comparisons; the rest of this module is for the others.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from personastream.core.lines import HEAD_BYTES, Line, Lines, LongLine
from personastream.core.where import Where
from personastream.packed import Numbers, Packed, Texts
from personastream.records import NO_LICENCE, Batch, DeadRow, Origin, Shard

DEPTH_MAX = 64
"""Deepest nesting accepted. orjson itself reads 1,024 levels but writes 254; rows of this kind need one or two."""

EXCERPT_CHARACTERS_MAX = 2_000
KEYS_COMPARED_MAX = 100
KEY_CHARACTERS_MAX = 64

_TAIL = b'"}'
_SPACE, _QUOTE = 0x20, 0x22  # what is below a space is a control character
_UNSURE_SHARE = 8  # with more than one line in so many to be judged alone, which is slow, all are parsed
_BEGINS_SPACE = np.zeros(256, np.bool_)
"""Whether a byte may be the first of a white space character, all of which are among the first 12,289."""
_BEGINS_SPACE[[chr(code).encode()[0] for code in range(0x3001) if chr(code).isspace()]] = True
Scan = Callable[[Packed, bytes, bytes, NDArray[np.bool_]], NDArray[np.bool_] | None]
"""A quicker way, if there is one, to the lines that need a closer look: see `dedup.json_lines.unsure_lines`."""

_loads: Callable[[Any], Any] = orjson.loads  # of a LongLine: the same error as of bad JSON
_STRING = re.compile(rb'"[^"]*+"?')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {byte: 1 if byte in b"[{" else -1 for byte in b"[]{}"}
_NOTHING: Mapping[str, Sequence[int]] = MappingProxyType({})
_KINDS = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "an object"}


class Rows(NamedTuple):
    """What lines hold: the numbers and texts of sound rows, the dead ones, and the columns kept of each sound one.

    `licences` are those that sound rows name, if they do.
    `dropped` are rows that are not wanted, by reason: those outside the `sample`, and those that `where` leaves out.
    """

    numbers: Sequence[int]
    texts: Sequence[str]
    dead: list[DeadRow]
    origins: Sequence[Origin] = ()
    licences: Sequence[str] = ()
    dropped: Mapping[str, Sequence[int]] = _NOTHING

    def batch(
        self,
        shard: Shard,
        span: tuple[int, int],
        *,
        lines: Sequence[Line] = (),
        last: bool = False,
        bytes_read: int = 0,
    ) -> Batch:
        """These rows as the batch from `span[0]` to `span[1] - 1`; long lines are those of dead rows."""
        return Batch(
            shard,
            *span,
            self.numbers,
            self.texts,
            dropped=self.dropped,
            dead=self.dead,
            origins=self.origins,
            licences=[licence or shard.licence or NO_LICENCE for licence in self.licences],
            lines=cast(Sequence[bytes], lines),
            last=last,
            bytes_read=bytes_read,
        )


class Fault(NamedTuple):
    """Why a line is no row: a short label for counting and a sentence for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RowReader:
    """Takes the text in `field` out of JSON lines. A text of more than `text_bytes_max` UTF-8 bytes is dead.

    `keep` takes the other columns that are wanted, if any, out of the object. `where` tells which objects are wanted:
    it is asked before their text is looked at, so that rows without one may be left out. `licence` takes a row's
    licence out of the object, if rows have one each.
    """

    field: str
    text_bytes_max: int
    keep: Callable[[Mapping[str, object]], Origin] | None = None
    where: Where | None = None
    licence: Callable[[Mapping[str, object]], str] | None = None
    scan: Scan | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the text of a row is looked at."""
        return self.keep is None and self.where is None and self.licence is None

    def read(self, lines: Sequence[Line], start: int, sample: Sequence[bool] = ()) -> Rows:
        """The rows numbered from `start`; of those outside the `sample`, if there is one, nothing is looked at."""
        packed = lines if isinstance(lines, Lines) else Lines.of(lines)
        numbers = Numbers(np.arange(start, start + len(packed)))
        if sample and not all(sample):
            taken = bytes(sample)
            rows = self._read(packed.only(taken), numbers.only(taken))
            outside = [number for number, wanted in zip(numbers, sample, strict=True) if not wanted]
            return rows._replace(dropped={"sample": outside, **rows.dropped})
        return self._read(packed, numbers)

    def _read(self, lines: Lines, numbers: Sequence[int]) -> Rows:
        plain = self._read_plain(lines) if self.is_plain else None
        return self._read_each(lines, numbers) if plain is None else Rows(numbers, plain, [])

    def _read_plain(self, lines: Lines) -> Texts | None:
        """The texts of lines that are all sound and of one form, `{"persona":"…"}`; None if there may be others.

        Those with a backslash, and others that may be none, are judged alone: there should be few of them.
        """
        if not lines or lines.long:
            return None
        field, first = orjson.dumps(self.field), lines.packed.row(0)
        head = next((head for head in (b'{%s:"' % field, b'{%s: "' % field) if first.startswith(head)), b"")
        if not head or (lines.packed.ends - lines.packed.begins).max() > self.text_bytes_max:
            return None
        unsure = self.scan(lines.packed, head, _TAIL, _BEGINS_SPACE) if self.scan else None
        places = _unsure(lines, head) if unsure is None else unsure.nonzero()[0].tolist()
        if places is None or _UNSURE_SHARE * len(places) > len(lines):
            return None
        judged = [self.judge(lines[place]) for place in places]
        if any(isinstance(each, Fault) for each in judged):
            return None
        texts = Packed(lines.packed.data, lines.packed.begins + len(head), lines.packed.ends - len(_TAIL))
        return Texts(texts.replaced(places, [each.encode() for each in judged if isinstance(each, str)]))

    def _read_each(self, lines: Sequence[Line], numbers: Sequence[int]) -> Rows:
        texts: list[str] = []
        dead: list[DeadRow] = []
        origins: list[Origin] = []
        licences: list[str] = []
        unwanted: list[int] = []
        field, length_max, keep, where = self.field, self.text_bytes_max, self.keep, self.where
        licence = self.licence
        line: Any  # what parses is bytes
        for number, line in zip(numbers, lines, strict=True):
            try:
                row = _loads(line)
                # An expression may look at all of a row: one that is too deep is dead before.
                if where is not None and not where(row) and not is_deeper(line, DEPTH_MAX):
                    unwanted.append(number)
                    continue
                text = row[field]
                # A row with one key, which holds text, is not deep; a text is never longer than its line.
                if text.strip() and len(line) <= length_max and (len(row) == 1 or _openings(line) <= DEPTH_MAX):
                    texts.append(text)
                    if keep is not None:
                        origins.append(keep(row))
                    if licence is not None:
                        licences.append(licence(row))
                    continue
            except (ValueError, KeyError, TypeError, AttributeError):
                pass
            judged = self.judge(line)
            if isinstance(judged, Fault):
                dead.append(DeadRow(number, *judged, _excerpt(line)))
            else:
                texts.append(judged)
                if keep is not None:
                    origins.append(keep(_loads(line)))
                if licence is not None:
                    licences.append(licence(_loads(line)))
        alive = _without(numbers, (*(row.number for row in dead), *unwanted))
        dropped = {"where": unwanted} if unwanted else _NOTHING
        return Rows(alive, texts, dead, tuple(origins), tuple(licences), dropped)

    def judge(self, line: Line) -> str | Fault:
        """The text in a line, or what is wrong with it. The slow way, which names the first fault there is."""
        if isinstance(line, LongLine):
            return Fault("line_too_long", f"{line.length_bytes} bytes, from raw byte {line.offset}")
        if not line.strip():
            return Fault("blank_line", "nothing but white space")
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return Fault("invalid_utf8", f"byte {error.start} of the line: {error.reason}")
        if is_deeper(line, DEPTH_MAX):
            return Fault("too_deep", f"nested more than {DEPTH_MAX} levels deep")
        try:
            row = _loads(line)
        except ValueError as error:
            return Fault("invalid_json", str(error))
        if not isinstance(row, dict):
            return Fault("not_an_object", f"{_kind(row)}, not an object")
        return self.judge_text(row)

    def judge_text(self, row: Mapping[str, object]) -> str | Fault:
        """The text in an object, or what is wrong with it."""
        if self.field not in row:
            return Fault("missing_field", f"no field {self.field!r}{_nearest_key(self.field, row)}")
        text = row[self.field]
        if not isinstance(text, str):
            return Fault("not_text", f"field {self.field!r} holds {_kind(text)}, not text")
        if not text.strip():
            return Fault("empty_text", f"field {self.field!r} holds nothing but white space")
        if (size_bytes := len(text.encode())) > self.text_bytes_max:
            return Fault("text_too_long", f"{size_bytes} bytes; at most {self.text_bytes_max} are allowed")
        return text


def _unsure(lines: Lines, head: bytes) -> list[int] | None:
    """The places of lines that are not, for certain, a text between `head` and `_TAIL`; None if they may be any.

    If between all lines is always `"}`, line feed, `{"persona":"`, all have that form: what is inside is a JSON string
    as it stands, unless there is a backslash in it, or what JSON does not allow.
    """
    raw = lines.joined()
    if not raw.endswith(_TAIL + b"\n"):
        return None
    if raw.count(_TAIL + b"\n" + head, len(head), -len(_TAIL) - 1) != len(lines) - 1:
        return None
    escaped = list(_places(raw, b"\\"))
    quotes = (head.count(b'"') + _TAIL.count(b'"')) * len(lines)
    quotes += sum(lines.packed.row(place).count(b'"', len(head), -len(_TAIL)) for place in escaped)
    characters = np.frombuffer(raw, np.uint8)
    controls = np.count_nonzero(characters < _SPACE)
    if controls != len(lines) or np.count_nonzero(characters == _QUOTE) != quotes or not _is_utf8(raw):
        return None
    begins = lines.packed.begins + len(head)
    blank = _BEGINS_SPACE[lines.packed.data[begins]] | (begins == lines.packed.ends - len(_TAIL))
    return sorted({*escaped, *blank.nonzero()[0].tolist()})


def _is_utf8(raw: bytes) -> bool:
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    """The lines that hold a character, by their place among all lines of `data`."""
    place = at = 0
    while (found := data.find(wanted, at)) >= 0:
        place += data.count(b"\n", at, found)
        yield place
        at = data.find(b"\n", found)
        if at < 0:
            return


def is_deeper(line: bytes, depth_max: int) -> bool:
    """Whether brackets outside strings nest more than `depth_max` levels, in linear time, whatever the bytes are."""
    if _openings(line) <= depth_max:
        return False
    unescaped = line.replace(rb"\\", b"").replace(rb"\"", b"")
    brackets = _STRING.sub(b"", unescaped).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > depth_max


def _openings(line: bytes) -> int:
    return line.count(b"{") + line.count(b"[")


def _without(numbers: Sequence[int], gone: Sequence[int]) -> Sequence[int]:
    left_out = frozenset(gone)
    return [number for number in numbers if number not in left_out] if gone else numbers


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "null")


def _nearest_key(field: str, row: Mapping[str, object]) -> str:
    """How to go on the sentence that a field is missing. Only so many keys are looked at: the row may be hostile."""
    keys = [key for key, _ in zip(row, range(KEYS_COMPARED_MAX), strict=False) if len(key) <= KEY_CHARACTERS_MAX]
    nearest = get_close_matches(field, keys, n=1, cutoff=0.0)
    return f"; the nearest is {nearest[0]!r}" if nearest else ""


def _excerpt(line: Line) -> str:
    head = line.head if isinstance(line, LongLine) else line[:HEAD_BYTES]
    return head.decode("utf-8", errors="replace")[:EXCERPT_CHARACTERS_MAX]
