"""Where rows and frames of a shard start, sparsely: what lets a resume seek instead of reading everything again.

The law: an index holds only facts seen while reading from a known point, each true by itself, so a part of an index
is an index too. It may be thrown away at any time.
"""

import struct
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field

import xxhash

SPACING_BYTES = 1 << 20
"""Least distance of two points in raw bytes; a seek lands at most about twice as far before its target."""

_FORMAT = "personastream rows 1"
_COUNTS = struct.Struct("<II")  # row points, frame points
_DIGEST_BYTES = 16


def _zero() -> "array[int]":
    return array("Q", [0])


@dataclass(slots=True)
class Points:
    """Places in raw, decompressed data: at raw offset `offsets[i]` starts what `labels[i]` names.

    Both rise from (0, 0) on. Labels are row numbers for rows, compressed offsets for frames. For the rows of an
    earlier run, offsets are that run's row numbers.
    """

    labels: "array[int]" = field(default_factory=_zero)
    offsets: "array[int]" = field(default_factory=_zero)

    def add(self, label: int, offset: int, spacing: int = SPACING_BYTES) -> None:
        """Note a point, unless the last one is less than `spacing` before it."""
        if offset - self.offsets[-1] >= spacing:
            self.labels.append(label)
            self.offsets.append(offset)

    def at_label(self, label: int) -> tuple[int, int]:
        """(label, offset) of the last point whose label is not above this one."""
        at = bisect_right(self.labels, label) - 1
        return self.labels[at], self.offsets[at]

    def at_offset(self, offset: int) -> tuple[int, int]:
        """(label, offset) of the last point whose offset is not above this one."""
        at = bisect_right(self.offsets, offset) - 1
        return self.labels[at], self.offsets[at]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(slots=True)
class RowIndex:
    """Where some rows and some frames of one shard start."""

    rows: Points = field(default_factory=Points)
    frames: Points = field(default_factory=Points)

    def __len__(self) -> int:
        return len(self.rows) + len(self.frames)

    def encode(self, fingerprint: str) -> bytes:
        """The index as bytes that only `decode` with the same shard fingerprint accepts."""
        numbers = (*self.rows.labels, *self.rows.offsets, *self.frames.labels, *self.frames.offsets)
        body = _COUNTS.pack(len(self.rows), len(self.frames)) + struct.pack(f"<{len(numbers)}Q", *numbers)
        return _digest(fingerprint, body) + body


def decode(data: bytes, fingerprint: str) -> RowIndex | None:
    """The index in `data`, or None if that is damaged, in another format, or of a shard with another fingerprint."""
    body = data[_DIGEST_BYTES:]
    if data[:_DIGEST_BYTES] != _digest(fingerprint, body):
        return None
    rows, frames = _COUNTS.unpack_from(body)
    numbers = array("Q", struct.unpack_from(f"<{2 * (rows + frames)}Q", body, _COUNTS.size))
    frames_from = 2 * rows
    return RowIndex(
        Points(numbers[:rows], numbers[rows:frames_from]),
        Points(numbers[frames_from : frames_from + frames], numbers[frames_from + frames :]),
    )


def _digest(fingerprint: str, body: bytes) -> bytes:
    return xxhash.xxh3_128_digest(f"{_FORMAT} {fingerprint}".encode() + body)
