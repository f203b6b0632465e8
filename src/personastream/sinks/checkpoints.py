"""Snapshots of the transforms' state in files tagged with their position. Rebuildable: losing one costs a replay.

    state of each transform · length of each u64 · their number u64 · xxh3-128 of it all, of the run and the position

A file is used only if all rows before its position are settled, so that a row in flight at a crash can never meet
itself as a duplicate. States may be gigabytes: they are streamed.
"""

import io
import os
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import xxhash

from personastream.ports import StatefulTransform
from personastream.records import Position

CHUNK_BYTES = 1 << 20

_NAME = re.compile(r"transforms-(\d{8})-(\d{12})\.bin")
_TEMPORARY = "transforms.tmp"
_U64 = struct.Struct("<Q")
_DIGEST_BYTES = 16


@dataclass(slots=True)
class CheckpointFiles:
    """Snapshots in `directory`. `fingerprint` names run and configuration; a file of another one is ignored."""

    directory: str
    fingerprint: bytes

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        blank = [_saved(transform) for transform in transforms]
        for position in reversed(self._positions()):
            if position <= not_after:
                try:
                    if self._load(position, transforms):
                        return position
                except (OSError, ValueError):  # unreadable, or a state that its transform does not know any more
                    for transform, state in zip(transforms, blank, strict=True):
                        transform.load(io.BytesIO(state))
        return Position(0, 0)

    def save(self, at: Position, settled_to: Position, transforms: Sequence[StatefulTransform]) -> None:
        temporary = os.path.join(self.directory, _TEMPORARY)
        try:
            self._write(temporary, at, transforms)
            os.replace(temporary, os.path.join(self.directory, _name(at)))
            self._prune(keep=at, settled_to=settled_to)
        except OSError:  # a full disk, mostly: it costs a longer replay, never the run
            with suppress(OSError):
                os.unlink(temporary)

    def _write(self, path: str, at: Position, transforms: Sequence[StatefulTransform]) -> None:
        with open(path, "wb") as file:
            hashed = _Hashed(file, self._digest(at))
            lengths = []
            for transform in transforms:
                start = file.tell()
                transform.save(cast(BinaryIO, hashed))
                lengths.append(file.tell() - start)
            hashed.write(b"".join(map(_U64.pack, [*lengths, len(lengths)])))
            file.write(hashed.digest.digest())

    def _prune(self, keep: Position, settled_to: Position) -> None:
        usable = [position for position in self._positions() if position <= settled_to]
        for position in self._positions():
            if position != keep and position not in usable[-1:] and not settled_to < position < keep:
                os.unlink(os.path.join(self.directory, _name(position)))

    def _positions(self) -> list[Position]:
        matches = map(_NAME.fullmatch, os.listdir(self.directory))
        return sorted(Position(int(match[1]), int(match[2])) for match in matches if match)

    def _load(self, position: Position, transforms: Sequence[StatefulTransform]) -> bool:
        """Whether the file was whole, ours, and loaded. Raises `OSError`, or `ValueError` as the transforms do."""
        with open(os.path.join(self.directory, _name(position)), "rb") as file:
            if not self._is_whole(file, position):
                return False
            file.seek(-_DIGEST_BYTES - _U64.size, os.SEEK_END)
            if file.read(_U64.size) != _U64.pack(len(transforms)):
                return False
            file.seek(-_DIGEST_BYTES - _U64.size * (1 + len(transforms)), os.SEEK_END)
            lengths = [_U64.unpack(file.read(_U64.size))[0] for _ in transforms]
            start = 0
            for transform, length in zip(transforms, lengths, strict=True):
                file.seek(start)
                transform.load(cast(BinaryIO, io.BufferedReader(_Window(file, length), CHUNK_BYTES)))
                start += length
        return True

    def _is_whole(self, file: BinaryIO, position: Position) -> bool:
        digest, left = self._digest(position), os.fstat(file.fileno()).st_size - _DIGEST_BYTES
        while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
        return left == 0 and file.read(_DIGEST_BYTES) == digest.digest()

    def _digest(self, position: Position) -> xxhash.xxh3_128:
        """Begins with whose snapshot it is and where it was taken: neither may be mistaken."""
        return xxhash.xxh3_128(self.fingerprint + _name(position).encode())


class _Hashed(io.RawIOBase):
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO, digest: xxhash.xxh3_128) -> None:
        self.digest = digest
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)


class _Window(io.RawIOBase):
    """The next `left` bytes of a file, as a file of their own."""

    def __init__(self, file: BinaryIO, left: int) -> None:
        self._file = file
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(self._left, len(buffer)))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def _saved(transform: StatefulTransform) -> bytes:
    buffer = io.BytesIO()
    transform.save(buffer)
    return buffer.getvalue()


def _name(position: Position) -> str:
    return f"transforms-{position.shard:08d}-{position.row:012d}.bin"
