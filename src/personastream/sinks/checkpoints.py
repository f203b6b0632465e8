"""Snapshots of the transforms' state in files tagged with their position. Rebuildable: losing one costs a replay.

A file is used only if all rows before its position are settled, so that a row in flight at a crash can never meet
itself as a duplicate.
"""

import io
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import xxhash

from personastream.ports import StatefulTransform
from personastream.records import Position

_NAME = re.compile(r"transforms-(\d{8})-(\d{12})\.bin")
_LENGTH = struct.Struct("<Q")
_DIGEST_BYTES = 16


@dataclass(slots=True)
class CheckpointFiles:
    """Snapshots in `directory`. `fingerprint` names run and configuration; a file of another one is ignored."""

    directory: str
    fingerprint: bytes

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        for position in reversed(self._positions()):
            if position <= not_after and (blobs := self._read(position, len(transforms))) is not None:
                for transform, blob in zip(transforms, blobs, strict=True):
                    transform.load(io.BytesIO(blob))
                return position
        return Position(0, 0)

    def save(self, at: Position, settled_to: Position, transforms: Sequence[StatefulTransform]) -> None:
        path = os.path.join(self.directory, _name(at))
        temporary = path + ".tmp"
        digest = xxhash.xxh3_128(self.fingerprint)
        with open(temporary, "wb") as file:
            for transform in transforms:
                buffer = io.BytesIO()
                transform.save(buffer)
                for piece in (_LENGTH.pack(buffer.tell()), buffer.getbuffer()):
                    digest.update(piece)
                    file.write(piece)
            file.write(digest.digest())
        os.replace(temporary, path)
        self._prune(keep=at, settled_to=settled_to)

    def _prune(self, keep: Position, settled_to: Position) -> None:
        usable = [position for position in self._positions() if position <= settled_to]
        for position in self._positions():
            if position != keep and position not in usable[-1:] and not settled_to < position < keep:
                os.unlink(os.path.join(self.directory, _name(position)))

    def _positions(self) -> list[Position]:
        matches = map(_NAME.fullmatch, os.listdir(self.directory))
        return sorted(Position(int(match[1]), int(match[2])) for match in matches if match)

    def _read(self, position: Position, count: int) -> list[bytes] | None:
        """The snapshots in a file, one a transform, or None if it is damaged or not ours."""
        with open(os.path.join(self.directory, _name(position)), "rb") as file:
            content = file.read()
        body = memoryview(content)[:-_DIGEST_BYTES]
        digest = xxhash.xxh3_128(self.fingerprint)
        digest.update(body)
        if digest.digest() != content[-_DIGEST_BYTES:]:
            return None
        blobs, at = [], 0
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(body, at)
            blobs.append(bytes(body[at + _LENGTH.size : at + _LENGTH.size + length]))
            at += _LENGTH.size + length
        return blobs


def _name(position: Position) -> str:
    return f"transforms-{position.shard:08d}-{position.row:012d}.bin"
