"""The output format: a zstd file that is its own commit log.

    part   = commit … [settled rows][summary][seek table]      the last three once the part is sealed
    commit = [zstd frame of JSON lines, checksum on][trailer][padding to the next 4 KiB boundary]

All but the first are skippable frames, so stock zstd tools see the JSON lines and nothing
else. A trailer names the rows committed by its frame, holds the frame's hash and the hash of the trailer before it,
and ends with its own hash: a commit is valid whole or not at all. Padding keeps a torn write of the next commit away
from the sectors of this one.

A purge writes a part anew, with a chain of its own: its commits name the records that were there and are gone
(`purged`), so that those behind them keep their places for whoever reads the run.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import orjson
import xxhash
import zstandard

from personastream.core import ranges, zstd_format
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Range, Ranges

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, count)` returns up to `count` bytes."""

LogKind = Literal["data", "dead"]

Mark = tuple[int, int]
"""A record that was purged: its row's number, and its place among the records of that row, from 0."""

TRAILER_MAGIC = 0x184D2A53
PADDING_MAGIC = 0x184D2A54
SUMMARY_MAGIC = 0x184D2A55
SETTLED_MAGIC = 0x184D2A56
BLOCK_BYTES = 4096
"""Commits start on this boundary: no smaller than the sectors and pages of today's disks."""
FRAME_BYTES_MAX = 1 << 30
TRAILER_BYTES_MAX = 1 << 26
"""Larger lengths are garbage, not to be read into memory: a commit holds some MiB of rows."""
RAW_BYTES_MAX = (1 << 32) - 1
"""A seek table has 32 bits for it."""
FORMAT_VERSION = 1
NO_TRAILER = bytes(16)

_ENVELOPE = struct.Struct("<4sHI")
_TAG = b"PSL1"
_ARRAYS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class PartName:
    """Which part of which log: repeated in each trailer, so that a misplaced file is noticed."""

    run_id: str
    shard: str
    kind: LogKind
    part: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One valid commit as found on disk. `digest` is its trailer's hash; `pieces` are (bytes, raw bytes) per frame.

    `purged` are records that it held once, in order.
    """

    offset: int
    end: int
    sequence: int
    previous: bytes
    digest: bytes
    outcomes: Outcomes
    usage: Usage
    lines: int
    pieces: tuple[tuple[int, int], ...]
    purged: tuple[Mark, ...] = ()


class PartRows(NamedTuple):
    """What a whole part does to its log's rows: first it takes the `revived` back, then it settles the `settled`."""

    revived: Ranges
    settled: Ranges


class ShardRows(NamedTuple):
    """Rows of a shard: settled ones, those of them that are dead, and those that were revived and not settled since."""

    settled: list[Range]
    died: list[Range]
    revived: list[Range]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a sealed part holds. `shard_rows` is the shard's length if this part is the last of its log, else None.

    `purged` lines were there once. `stands_for` is the fingerprint of the file that was sealed before the first purge.
    """

    commits: int
    lines: int
    counts: Counts
    usage: Usage
    shard_rows: int | None
    purged: int = 0
    stands_for: str = ""


@runtime_checkable
class Joined(Protocol):
    """Lines that are in one piece already."""

    def joined(self) -> bytes:
        """All of them, each with a line feed behind it."""


def encode_commit(
    name: PartName,
    sequence: int,
    previous: bytes,
    lines: Sequence[bytes],
    outcomes: Outcomes,
    usage: Usage,
    compressor: zstandard.ZstdCompressor,
    purged: Sequence[Mark] = (),
) -> tuple[bytes, bytes, tuple[tuple[int, int], ...]]:
    """(all bytes of the commit, the trailer's hash, the commit's pieces). `lines` carry no line feeds.

    Raises `ValueError` for a commit too large to be read back: it must never be written.
    """
    raw = lines.joined() if isinstance(lines, Joined) else b"".join((b"\n".join(lines), b"\n")) if lines else b""
    frame = compressor.compress(raw)
    payload = {
        **_named(name),
        "sequence": sequence,
        "previous": previous.hex(),
        "frame_bytes": len(frame),
        "frame_hash": xxhash.xxh3_128_hexdigest(frame),
        "raw_bytes": len(raw),
        "lines": len(lines),
        "delivered": outcomes.delivered,
        "dropped": outcomes.dropped,
        "dead": outcomes.dead,
        "revived": outcomes.revived,
        "usage": asdict(usage),
        **({"purged": purged} if purged else {}),
    }
    trailer, digest = _envelope(TRAILER_MAGIC, payload)
    if len(frame) > FRAME_BYTES_MAX or len(raw) > RAW_BYTES_MAX or len(trailer) > TRAILER_BYTES_MAX:
        raise ValueError(f"a commit of {len(raw)} bytes in {len(lines)} lines is too large")
    padding = _padding(len(frame) + len(trailer))
    pieces = ((len(frame), len(raw)), (len(trailer), 0), (len(padding), 0))
    return frame + trailer + padding, digest, pieces if padding else pieces[:2]


def read_commit(read_at: ReadAt, offset: int, name: PartName) -> Commit | None:
    """The valid commit of part `name` that starts at `offset`, or None."""
    try:
        frame_bytes = zstd_format.frame_length(read_at, offset)
        trailer_at = offset + frame_bytes
        trailer_bytes = zstd_format.frame_length(read_at, trailer_at)
    except zstd_format.FormatError:
        return None
    if frame_bytes > FRAME_BYTES_MAX or trailer_bytes > TRAILER_BYTES_MAX:
        return None
    opened = _open_envelope(TRAILER_MAGIC, read_at(trailer_at, trailer_bytes))
    if opened is None:
        return None
    payload, digest = opened
    padding = _padding(frame_bytes + trailer_bytes)
    end = trailer_at + trailer_bytes + len(padding)
    frame = read_at(offset, frame_bytes)
    if (
        {key: payload.get(key) for key in _named(name)} != _named(name)
        or payload["frame_bytes"] != frame_bytes
        or xxhash.xxh3_128_hexdigest(frame) != payload["frame_hash"]
        or read_at(trailer_at + trailer_bytes, len(padding)) != padding
    ):
        return None
    pieces = ((frame_bytes, payload["raw_bytes"]), (trailer_bytes, 0), (len(padding), 0))
    return Commit(
        offset=offset,
        end=end,
        sequence=payload["sequence"],
        previous=bytes.fromhex(payload["previous"]),
        digest=digest,
        outcomes=_outcomes(payload),
        usage=Usage(**payload["usage"]),
        lines=payload["lines"],
        pieces=pieces if padding else pieces[:2],
        purged=_marks(payload),
    )


def delivered_frames(read_at: ReadAt, size: int, name: PartName) -> Iterator[tuple[int, int, Ranges, tuple[Mark, ...]]]:
    """(offset, bytes, delivered rows, purged records) of each frame of a sealed part that held any, by its trailers."""
    offset = 0
    for piece_bytes, _ in read_pieces(read_at, size):
        if zstd_format.read_magic(read_at(offset, 4)) == TRAILER_MAGIC:
            payload = _named_payload(TRAILER_MAGIC, read_at(offset, piece_bytes), name)
            if payload and (payload["delivered"] or payload.get("purged")):
                frame_bytes = payload["frame_bytes"]
                yield offset - frame_bytes, frame_bytes, _ranges(payload["delivered"]), _marks(payload)
        offset += piece_bytes


def commits(read_at: ReadAt, name: PartName) -> Iterator[Commit]:
    """The commits of a part in order, up to the first that is not valid or does not follow the one before it."""
    offset, previous, sequence = 0, NO_TRAILER, 0
    while (commit := read_commit(read_at, offset, name)) is not None:
        if commit.sequence != sequence or commit.previous != previous:
            return
        yield commit
        offset, previous, sequence = commit.end, commit.digest, sequence + 1


def commit_after(read_at: ReadAt, size: int, offset: int, name: PartName) -> Commit | None:
    """A valid commit that starts at a block boundary at or after `offset`: after a damaged one it proves corruption."""
    first = -(-offset // BLOCK_BYTES) * BLOCK_BYTES
    found = (read_commit(read_at, at, name) for at in range(first, size, BLOCK_BYTES))
    return next((commit for commit in found if commit is not None), None)


def encode_seal(name: PartName, summary: Summary, part_rows: PartRows, pieces: Sequence[tuple[int, int]]) -> bytes:
    """What is appended to seal a part: its rows, its summary, and a seek table of its frames (`pieces`)."""
    rows, _ = _envelope(SETTLED_MAGIC, {**_named(name), **part_rows._asdict()})
    counts = {
        "delivered": summary.counts.delivered,
        "dropped": summary.counts.dropped,
        "dead": summary.counts.dead,
    }
    payload = {
        **_named(name),
        "commits": summary.commits,
        "lines": summary.lines,
        "counts": counts,
        "usage": asdict(summary.usage),
        "shard_rows": summary.shard_rows,
        **({"purged": summary.purged} if summary.purged else {}),
        **({"stands_for": summary.stands_for} if summary.stands_for else {}),
    }
    sealed, _ = _envelope(SUMMARY_MAGIC, payload)
    return rows + sealed + zstd_format.seek_table([*pieces, (len(rows), 0), (len(sealed), 0)])


def read_seal(read_at: ReadAt, size: int, name: PartName) -> Summary | None:
    """The summary of part `name` of `size` bytes if it is sealed, else None. Reads the end of the file only."""
    places = _seal_places(read_at, size)
    payload = places and _named_payload(SUMMARY_MAGIC, read_at(*places[1]), name)
    if not payload:
        return None
    return Summary(
        commits=payload["commits"],
        lines=payload["lines"],
        counts=Counts(**payload["counts"]),
        usage=Usage(**payload["usage"]),
        shard_rows=payload["shard_rows"],
        purged=payload.get("purged", 0),
        stands_for=payload.get("stands_for", ""),
    )


def read_rows(read_at: ReadAt, size: int, name: PartName) -> PartRows | None:
    """The rows of the sealed part `name`, or None if it is not sealed."""
    places = _seal_places(read_at, size)
    payload = places and _named_payload(SETTLED_MAGIC, read_at(*places[0]), name)
    return PartRows(_ranges(payload.get("revived", [])), _ranges(payload["settled"])) if payload else None


def read_pieces(read_at: ReadAt, size: int) -> list[tuple[int, int]]:
    """(bytes, raw bytes) of all frames that the seek table at the end of a file names; none if there is no table."""
    footer_bytes = zstd_format.SEEKABLE_FOOTER_BYTES
    table_bytes = zstd_format.seek_table_bytes(read_at(max(0, size - footer_bytes), footer_bytes))
    if table_bytes is None or table_bytes > size:
        return []
    try:
        pieces = zstd_format.parse_seek_table(read_at(size - table_bytes, table_bytes))
    except zstd_format.FormatError:
        return []
    return pieces if sum(compressed for compressed, _ in pieces) + table_bytes == size else []


def replay(data: Iterable[PartRows], dead: Iterable[PartRows]) -> ShardRows:
    """What all parts of a shard's logs add up to, each log's in order.

    Raises `ranges.Overlap` for a row with two ends, `ranges.Missing` for one that was revived and had not died.
    """
    died: list[Range] = []
    revived: list[Range] = []
    for part in dead:
        died = ranges.difference(died, part.revived)
        revived = ranges.union_all((ranges.without(revived, part.revived), part.revived))
        died = ranges.union_all((died, part.settled))
    settled = ranges.union_all((died, *(part.settled for part in data)))
    return ShardRows(settled, died, ranges.without(revived, settled))


def _seal_places(read_at: ReadAt, size: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """(offset, bytes) of the settled rows and of the summary, by the seek table at the end of the file."""
    pieces = read_pieces(read_at, size)
    if len(pieces) < 2:
        return None
    rows_bytes, summary_bytes = pieces[-2][0], pieces[-1][0]
    rows_at = sum(compressed for compressed, _ in pieces[:-2])
    return (rows_at, rows_bytes), (rows_at + rows_bytes, summary_bytes)


def _named_payload(magic: int, frame: bytes, name: PartName) -> dict[str, Any] | None:
    opened = _open_envelope(magic, frame)
    if opened is None or {key: opened[0].get(key) for key in _named(name)} != _named(name):
        return None
    return opened[0]


def _named(name: PartName) -> dict[str, object]:
    return {"run": name.run_id, "shard": name.shard, "kind": name.kind, "part": name.part}


def _ranges(pairs: list[list[int]]) -> list[Range]:
    return [(start, stop) for start, stop in pairs]


def _marks(payload: dict[str, Any]) -> tuple[Mark, ...]:
    return tuple((row, place) for row, place in payload.get("purged", ()))


def _outcomes(payload: dict[str, Any]) -> Outcomes:
    return Outcomes(
        delivered=_ranges(payload["delivered"]),
        dropped={reason: _ranges(rows) for reason, rows in payload["dropped"].items()},
        dead={reason: _ranges(rows) for reason, rows in payload["dead"].items()},
        revived={reason: _ranges(rows) for reason, rows in payload.get("revived", {}).items()},
    )


def _envelope(magic: int, payload: dict[str, object]) -> tuple[bytes, bytes]:
    """(skippable frame: tag, version, length, compressed JSON, hash of all that; the hash)."""
    written = orjson.dumps(payload, default=_written, option=_ARRAYS)
    packed = zstandard.ZstdCompressor(level=3).compress(written)
    body = _ENVELOPE.pack(_TAG, FORMAT_VERSION, len(packed)) + packed
    digest = xxhash.xxh3_128_digest(body)
    return zstd_format.skippable_frame(magic, body + digest), digest


def _written(rows: Any) -> object:
    """How ranges in arrays are written down: as others."""
    return rows.pairs()


def _open_envelope(magic: int, frame: bytes) -> tuple[dict[str, Any], bytes] | None:
    head = zstd_format.SKIPPABLE_HEADER_BYTES
    if len(frame) < head + _ENVELOPE.size + _DIGEST_BYTES or zstd_format.read_magic(frame) != magic:
        return None
    if zstd_format.skippable_size(frame) != len(frame) - head:
        return None
    body, digest = frame[head:-_DIGEST_BYTES], frame[-_DIGEST_BYTES:]
    if xxhash.xxh3_128_digest(body) != digest:
        return None
    tag, version, packed_bytes = _ENVELOPE.unpack_from(body)
    if tag != _TAG or version != FORMAT_VERSION or packed_bytes != len(body) - _ENVELOPE.size:
        return None
    packed = body[_ENVELOPE.size :]
    return orjson.loads(zstandard.ZstdDecompressor().decompress(packed)), digest


def _padding(length: int) -> bytes:
    """A skippable frame that ends on a block boundary, after `length` bytes that began on one; may be empty."""
    gap = -length % BLOCK_BYTES
    if gap == 0:
        return b""
    if gap < zstd_format.SKIPPABLE_HEADER_BYTES:
        gap += BLOCK_BYTES
    return zstd_format.skippable_frame(PADDING_MAGIC, bytes(gap - zstd_format.SKIPPABLE_HEADER_BYTES))
