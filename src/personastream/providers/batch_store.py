"""Chunks on the disk, one folder each: what must be there before and after each step that costs money.

    requests.jsonl   what is asked; gone once it is answered
    chunk.json       the intent, written before anything is sent: without it the chunk was never sent
    batch.json       the batch's id, once it is known
    answers.jsonl    all that came back, once the batch has ended

Every file is there whole or not at all. Blocking; one caller at a time for each chunk.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import orjson

from personastream.errors import Unauthorized
from personastream.providers.batch_chunk import Chunk, Span

FORMAT = 1
PREFIX = "chunk-"
REQUESTS, INTENT, BATCH, ANSWERS = "requests.jsonl", "chunk.json", "batch.json", "answers.jsonl"
DAMAGE_HINT = "Remove the chunk's folder to have its rows asked, and paid for, again."


@dataclass(slots=True)
class BatchStore:
    """All chunks in `folder`. Raises `OSError`, and `Unauthorized` where it is damaged: then nothing may be sent.

    A longer line than `line_bytes_max` is no answer. `_ended` are the chunks with answers, the first one first.
    """

    folder: Path
    line_bytes_max: int
    _ended: dict[str, Chunk] = field(default_factory=dict)

    def load(self) -> list[Chunk]:
        """All chunks of earlier lives. What was never sent is forgotten."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(self.folder.parent)
        chunks = []
        for path in self.folder.glob(f"{PREFIX}*"):
            if not (path / INTENT).exists():
                shutil.rmtree(path, ignore_errors=True)
            else:
                chunks.append(self._read(path))
        ended = [chunk for chunk in chunks if chunk.answers is not None]
        for chunk in sorted(ended, key=lambda chunk: (self.folder / chunk.name / ANSWERS).stat().st_mtime_ns):
            self._ended[chunk.name] = chunk
        return chunks

    def write(self, chunk: Chunk) -> None:
        """Make a chunk durable before it is sent."""
        path = self.folder / chunk.name
        path.mkdir(parents=True, exist_ok=True)
        _sync_folder(self.folder)
        requests = b"".join(chunk.lines.values())
        digest = sha256(requests).hexdigest()
        with whole_file(path / REQUESTS) as file:
            file.write(requests)
        intent = {
            "format": FORMAT,
            "service": chunk.service,
            "created_s": chunk.created_s,
            "sha256": digest,
            "ids": list(chunk.lines),
        }
        with whole_file(path / INTENT) as file:
            file.write(orjson.dumps(intent))
        chunk.ids, chunk.sha256 = list(chunk.lines), digest
        chunk.lines = {}

    def requests(self, chunk: Chunk) -> bytes:
        """What is to be sent."""
        path = self.folder / chunk.name / REQUESTS
        content = path.read_bytes() if path.exists() else b""
        if sha256(content).hexdigest() != chunk.sha256:
            raise Unauthorized(f"{path} is damaged", hint=DAMAGE_HINT)
        return content

    def record_batch(self, chunk: Chunk, batch: str) -> None:
        """Note what the service calls it."""
        with whole_file(self.folder / chunk.name / BATCH) as file:
            file.write(orjson.dumps({"batch": batch}))

    def incoming(self, chunk: Chunk) -> Path:
        """Where to write what comes back, before `ended` makes it its answers."""
        return (self.folder / chunk.name / ANSWERS).with_suffix(".tmp")

    def ended(self, chunk: Chunk) -> None:
        """All its answers have come in: keep them, and let go of the requests."""
        path = self.folder / chunk.name
        with self.incoming(chunk).open("rb") as file:
            os.fsync(file.fileno())
        self.incoming(chunk).replace(path / ANSWERS)
        _sync_folder(path)
        (path / REQUESTS).unlink(missing_ok=True)

    def answer(self, chunk: Chunk, span: Span) -> bytes:
        """One line of its answers."""
        with (self.folder / chunk.name / ANSWERS).open("rb") as file:
            file.seek(span.offset)
            return file.read(span.length)

    def forget(self, chunk: Chunk) -> None:
        """Remove a chunk. Without its intent it is as if it had never been."""
        path = self.folder / chunk.name
        (path / INTENT).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)

    def take_ended(self) -> list[Chunk]:
        """All chunks that have ended, to be forgotten."""
        ended = list(self._ended.values())
        self._ended.clear()
        return ended

    def superfluous(self, chunk: Chunk, rows_kept: int) -> list[Chunk]:
        """A chunk has ended. Now those are to be forgotten that ended before so many later rows: all is settled."""
        self._ended[chunk.name] = chunk
        found, rows = [], 0
        for ended in reversed(self._ended.values()):
            if rows >= rows_kept and not ended.waiters:
                found.append(ended)
            rows += len(ended.ids)
        for ended in found:
            del self._ended[ended.name]
        return found

    def _read(self, path: Path) -> Chunk:
        try:
            intent = orjson.loads((path / INTENT).read_bytes())
            chunk = Chunk(path.name, str(intent["service"]), float(intent["created_s"]), in_doubt=True)
            chunk.ids, chunk.sha256 = [str(each) for each in intent["ids"]], str(intent["sha256"])
            if (path / BATCH).exists():
                chunk.batch = str(orjson.loads((path / BATCH).read_bytes())["batch"])
            if (path / ANSWERS).exists():
                chunk.answers = self.index(chunk, path / ANSWERS)
        except (ValueError, TypeError, KeyError) as error:
            raise Unauthorized(f"the chunk in {path} is damaged: {error}", hint=DAMAGE_HINT) from error
        return chunk

    def index(self, chunk: Chunk, answers: Path) -> dict[str, Span]:
        """Where the answer to each request is. Of several answers the first counts; lines that make no sense do not."""
        known, found, offset = frozenset(chunk.ids), dict[str, Span](), 0
        with answers.open("rb") as file:
            while line := file.readline(self.line_bytes_max):
                custom_id = custom_id_of(line)
                if custom_id in known and custom_id not in found:
                    found[custom_id] = Span(offset, len(line))
                offset += len(line)
        return found


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is there, and durable, at the end of the block, or not at all. Raises `OSError`."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def custom_id_of(line: bytes) -> str:
    """Which request a line is about; empty if it makes no sense."""
    try:
        custom_id = orjson.loads(line)["custom_id"]
    except (ValueError, TypeError, KeyError):
        return ""
    return custom_id if isinstance(custom_id, str) else ""


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
