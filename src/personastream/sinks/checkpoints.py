"""Snapshots of the transforms' state in files tagged with their position. Rebuildable: losing one costs a replay.

A file is used only if all rows before its position are settled, so that a row in flight at a crash can never meet
itself as a duplicate.
"""

import io
import os
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import xxhash

from personastream.ports import StatefulTransform
from personastream.records import Position

_NAME = re.compile(r"transforms-(\d{8})-(\d{12})\.bin")
_TEMPORARY = "transforms.tmp"
_LENGTH = struct.Struct("<Q")
_DIGEST_BYTES = 16


@dataclass(slots=True)
class CheckpointFiles:
    """Snapshots in `directory`. `fingerprint` names run and configuration; a file of another one is ignored."""

    directory: str
    fingerprint: bytes

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        for position in reversed(self._positions()):
            if position <= not_after and (blobs := self._read(position)) is not None and len(blobs) == len(transforms):
                for transform, blob in zip(transforms, blobs, strict=True):
                    transform.load(io.BytesIO(blob))
                return position
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
        digest = self._digest(at)
        with open(path, "wb") as file:
            for transform in transforms:
                buffer = io.BytesIO()
                transform.save(buffer)
                for piece in (_LENGTH.pack(buffer.tell()), buffer.getbuffer()):
                    digest.update(piece)
                    file.write(piece)
            file.write(digest.digest())

    def _prune(self, keep: Position, settled_to: Position) -> None:
        usable = [position for position in self._positions() if position <= settled_to]
        for position in self._positions():
            if position != keep and position not in usable[-1:] and not settled_to < position < keep:
                os.unlink(os.path.join(self.directory, _name(position)))

    def _positions(self) -> list[Position]:
        matches = map(_NAME.fullmatch, os.listdir(self.directory))
        return sorted(Position(int(match[1]), int(match[2])) for match in matches if match)

    def _read(self, position: Position) -> list[bytes] | None:
        """The snapshots in a file, one a transform, or None if it is damaged or not ours."""
        try:
            with open(os.path.join(self.directory, _name(position)), "rb") as file:
                content = file.read()
        except OSError:
            return None
        body = memoryview(content)[:-_DIGEST_BYTES]
        digest = self._digest(position)
        digest.update(body)
        if digest.digest() != content[-_DIGEST_BYTES:]:
            return None
        blobs, at = [], 0
        while at < len(body):
            (length,) = _LENGTH.unpack_from(body, at)
            blobs.append(bytes(body[at + _LENGTH.size : at + _LENGTH.size + length]))
            at += _LENGTH.size + length
        return blobs

    def _digest(self, position: Position) -> xxhash.xxh3_128:
        """Begins with whose snapshot it is and where it was taken: neither may be mistaken."""
        return xxhash.xxh3_128(self.fingerprint + _name(position).encode())


def _name(position: Position) -> str:
    return f"transforms-{position.shard:08d}-{position.row:012d}.bin"
