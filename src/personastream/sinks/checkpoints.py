"""The journals of the transforms in one append-only file, `transforms.log`. Rebuildable: losing it costs a replay.

    frame = [head: position, length of each journal][digest][what each transform has learnt since then][digest]

Each digest is of everything before it in the file, and of whose log it is: a frame counts only behind all others.
Loading ends at the first that is damaged or lies behind the first unsettled row, and cuts the log there, so that a row
in flight at a crash can never meet itself as a duplicate. Nothing is synced: after a power loss the log is as good as
far as it is whole, and the rows behind that are read again.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import BinaryIO, NamedTuple

import xxhash

from personastream.errors import CorruptOutput
from personastream.ports import StatefulTransform
from personastream.records import Position

NAME = "transforms.log"
UNWRITTEN_BYTES_MAX = 64 << 20
"""Held in memory while the disk is full; with more than that, the log ends where it is for this sitting."""

_FORMAT = "personastream transforms 1"
_DIGEST_BYTES = 16


class _Frame(NamedTuple):
    """What was learnt up to `at`; the digest of all up to the frame's `end` in the file."""

    at: Position
    journals: list[bytes]
    digest: xxhash.xxh3_128
    end: int


@dataclass(slots=True)
class CheckpointLog:
    """The log in `directory`. `fingerprint` names the run; the log of another one is written over.

    Any thread may save: who reads rows does, and who commits the last of them.
    """

    directory: str
    fingerprint: bytes
    _end: int = field(init=False, default=0)
    _digest: xxhash.xxh3_128 = field(init=False, default_factory=xxhash.xxh3_128)
    _unwritten: bytes = field(init=False, default=b"")
    _given_up: bool = field(init=False, default=False)
    _saving: Lock = field(init=False, default_factory=Lock)

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        """As the port says, a frame at a time. Raises `CorruptOutput` if a transform refuses its own records."""
        self._digest = self._seed(transforms)
        reached = Position(0, 0)
        with suppress(OSError), open(self._path, "r+b") as file:
            for frame in self._frames(file, len(transforms), self._digest):
                if frame.at > not_after:
                    break
                self._teach(file, transforms, frame.journals)
                reached, self._digest, self._end = frame.at, frame.digest, frame.end
            file.truncate(self._end)
        return reached

    def frames(self, transforms: Sequence[StatefulTransform]) -> Iterator[tuple[Position, list[bytes]]]:
        """All that is in the log by now, frame by frame: up to where, and what each transform learnt since the last."""
        with suppress(OSError), open(self._path, "rb") as file:
            for frame in self._frames(file, len(transforms), self._seed(transforms)):
                yield frame.at, frame.journals

    def save(self, at: Position, transforms: Sequence[StatefulTransform]) -> None:
        with self._saving:
            self._save(at, transforms)

    def _save(self, at: Position, transforms: Sequence[StatefulTransform]) -> None:
        journals = [transform.learnt() for transform in transforms]
        if self._given_up:
            return
        self._unwritten += self._framed(at, journals)
        try:
            self._write(self._unwritten)
        except OSError:  # a full disk, mostly: the next time may go better
            self._given_up = len(self._unwritten) > UNWRITTEN_BYTES_MAX
            if not self._given_up:
                return
        self._unwritten = b""

    @property
    def _path(self) -> str:
        return os.path.join(self.directory, NAME)

    def _seed(self, transforms: Sequence[StatefulTransform]) -> xxhash.xxh3_128:
        names = [type(transform).__qualname__ for transform in transforms]
        return xxhash.xxh3_128(f"{_FORMAT} {names} ".encode() + self.fingerprint)

    def _frames(self, file: BinaryIO, count: int, digest: xxhash.xxh3_128) -> Iterator[_Frame]:
        """The frames from the start on that are whole. A damaged length is never believed."""
        head = struct.Struct(f"<{2 + count}Q")
        while True:
            digest, data = digest.copy(), file.read(head.size)
            digest.update(data)
            if file.read(_DIGEST_BYTES) != digest.digest():
                return
            shard, row, *lengths = head.unpack(data)
            journals = [file.read(length) for length in lengths]
            digest.update(b"".join(journals))
            if file.read(_DIGEST_BYTES) != digest.digest():
                return
            yield _Frame(Position(shard, row), journals, digest, file.tell())

    def _teach(self, file: BinaryIO, transforms: Sequence[StatefulTransform], journals: Sequence[bytes]) -> None:
        for transform, records in zip(transforms, journals, strict=True):
            try:
                transform.learn(records)
            except ValueError as error:  # others have learnt from the same rows by now: there is no way back
                file.truncate(0)
                raise CorruptOutput(
                    f"{self._path}: {type(transform).__name__} does not know its own records: {error}",
                    hint="They are thrown away. Run again with --resume: it reads all rows again, and asks none twice.",
                ) from error

    def _framed(self, at: Position, journals: Sequence[bytes]) -> bytes:
        head = struct.pack(f"<{2 + len(journals)}Q", *at, *map(len, journals))
        self._digest.update(head)
        head_digest, body = self._digest.digest(), b"".join(journals)
        self._digest.update(body)
        return b"".join((head, head_digest, body, self._digest.digest()))

    def _write(self, data: bytes) -> None:
        """Append, over whatever is left of an earlier try. Raises `OSError`."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], self._end + written)
        finally:
            os.close(descriptor)
        self._end += len(data)


def journal_of(run: str, run_id: str) -> CheckpointLog:
    """The journal of the run in a directory."""
    return CheckpointLog(os.path.join(run, "state"), xxhash.xxh3_128_digest(run_id.encode()))
