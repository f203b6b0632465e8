"""`audit.jsonl`: who did what to a run, when; only ever added to. `core.audit_chain` says what its lines are.

Anybody who does something to a run says so, whether it owns the run or not:

    record(directory, "purged", ids=3, records=12)

An event is on the disk when `record` returns. A line that a crash has cut short is taken away by the next one, and
told as the event `mended`. The head of the chain (how many lines, the last hash) is repeated in `audit.head`, so that
nothing is added to a log that was cut short; the first line's hash stands in `run.json`, so that another log in its
place is noticed.

What is told here must be no key and no text of a row.
"""

import fcntl
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from personastream import __version__
from personastream.core.audit_chain import EMPTY, LINE_BYTES_MAX, BrokenChain, Head, line_of, read_line
from personastream.errors import CannotCreate, CorruptOutput, NoRoom, StorageFailed
from personastream.launch.durable_file import replace_durably
from personastream.sinks.disk import FULL

NAME = "audit.jsonl"
HEAD_NAME = "audit.head"
DAMAGED_HINT = (
    "Restore it from a copy. Without one, move it and audit.head away: a new log begins, and `verify` goes on to tell."
)


def record(directory: Path, event: str, **details: object) -> str:
    """Add an event to the log of the run in `directory`; returns its hash. Durable on return.

    Raises `CorruptOutput` if the log's end is damaged or cut off, `CannotCreate` if it cannot be opened, `NoRoom`
    or `StorageFailed`.
    """
    path = directory / NAME
    with _opened(path) as descriptor:
        try:
            head, torn = _end(path, descriptor)
            mended = _kept_head(directory, head)
            if torn:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - len(torn))
                mended |= {"bytes": len(torn), "sha256": sha256(torn).hexdigest()}
            new = b""
            if mended:
                line, head = line_of(head, _now(), "mended", _who(), mended)
                new = line + b"\n"
            line, head = line_of(head, _now(), event, _who(), details)
            _write(descriptor, new + line + b"\n")
            replace_durably(directory / HEAD_NAME, orjson.dumps(head._asdict()))
        except OSError as error:
            failure = NoRoom if error.errno in FULL else StorageFailed
            raise failure(f"cannot write {path}: {error.strerror}", hint="Make room, then try again.") from error
    return head.hash


def record_reading(directory: Path, event: str, **details: object) -> str:
    """Like `record`, for who only reads a run, which may be where nothing can be written: returns why it was not told.

    Raises `CorruptOutput` or `StorageFailed`.
    """
    try:
        record(directory, event, **details)
    except CannotCreate as error:
        return error.message
    return ""


def read_lines(directory: Path) -> tuple[list[bytes], bytes]:
    """(the log's whole lines, what stands behind them: a line that a crash has cut short). Raises `CorruptOutput`."""
    try:
        *lines, torn = (directory / NAME).read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], b""
    except OSError as error:
        raise CorruptOutput(f"cannot read {directory / NAME}: {error.strerror}") from error
    return lines, torn


def read_events(directory: Path) -> list[dict[str, Any]]:
    """All events, each with all that its line tells but the hash. Raises `CorruptOutput` for a broken chain."""
    events, head = list[dict[str, Any]](), EMPTY
    for line in read_lines(directory)[0]:
        try:
            event, head = read_line(line, head)
        except BrokenChain as error:
            raise _corrupt(directory / NAME, error) from error
        events.append(event)
    return events


def read_head(directory: Path) -> Head | None:
    """The head as it is repeated beside the log; None if it is not there. Raises `CorruptOutput`."""
    path = directory / HEAD_NAME
    try:
        document = orjson.loads(path.read_bytes())
        return Head(int(document["lines"]), str(document["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorruptOutput(
            f"{path} is damaged: {error}", hint="Restore it from a copy, or delete it: the next event tells so."
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The log, for one writer at a time."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise CannotCreate(
            f"cannot write {path}: {error.strerror}", hint="Whoever works on a run has to tell so in its audit log."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _end(path: Path, descriptor: int) -> tuple[Head, bytes]:
    """(the head by the last whole line, what a crash has left of another one)."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, 2 * LINE_BYTES_MAX, max(0, size - 2 * LINE_BYTES_MAX))
    whole, _, torn = tail.rpartition(b"\n")
    if not whole:
        if size > len(tail):
            raise _corrupt(path, BrokenChain(1, "has no end"))
        return EMPTY, torn
    try:
        _, head = read_line(whole.rpartition(b"\n")[2], None)
    except BrokenChain as error:
        raise CorruptOutput(f"{path}: its last line is damaged", hint=DAMAGED_HINT) from error
    return head, torn


def _kept_head(directory: Path, end: Head) -> dict[str, object]:
    """What there is to tell of the head beside a log that ends so. Raises `CorruptOutput` if lines were cut off.

    It is written after the line that it repeats: a crash leaves it behind the log, never ahead of it.
    """
    kept, path = read_head(directory), directory / NAME
    if kept is None:
        return {"head": "gone"} if end.lines > 1 else {}
    if kept.lines > end.lines:
        raise CorruptOutput(f"{path} was cut short: it has {end.lines} lines, and had {kept.lines}", hint=DAMAGED_HINT)
    if kept.lines == end.lines and kept.hash != end.hash:
        raise CorruptOutput(f"{path} was written anew: {HEAD_NAME} tells of another last line", hint=DAMAGED_HINT)
    return {}


def _write(descriptor: int, data: bytes) -> None:
    """All of the data, or, where there is no room, nothing of it."""
    size, left = os.fstat(descriptor).st_size, data
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    os.fdatasync(descriptor)


def _corrupt(path: Path, error: BrokenChain) -> CorruptOutput:
    return CorruptOutput(f"{path}: {error}", hint=DAMAGED_HINT)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _who() -> dict[str, object]:
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without a name
        user = str(uid)
    return {"user": user, "host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
