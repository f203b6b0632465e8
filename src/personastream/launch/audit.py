"""`audit.jsonl`: who did what to a run, when; only ever added to. `core.audit_chain` says what its lines are.

Anybody who does something to a run says so, whether it owns the run or not:

    record(directory, "purged", ids=3, records=12)

An event is on the disk when `record` returns. A line that a crash has cut short is taken away by the next one, and
told as the event `mended`. The head of the chain (how many lines, the last hash) is repeated in `audit.head`, so that
a log cut short is noticed; the first line's hash stands in `run.json`, so that another log in its place is.

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
from personastream.errors import CannotCreate, CorruptOutput, StorageFailed
from personastream.launch.durable_file import replace_durably

NAME = "audit.jsonl"
HEAD_NAME = "audit.head"
DAMAGED_HINT = "Restore it from a copy. Without one, move it away: a new log begins, and `verify` goes on to tell so."


def record(directory: Path, event: str, **details: object) -> str:
    """Add an event to the log of the run in `directory`; returns its hash. Durable on return.

    Raises `CorruptOutput` if the log's end is damaged, `CannotCreate` if it cannot be opened, or `StorageFailed`.
    """
    path = directory / NAME
    with _opened(path) as descriptor:
        try:
            head, torn = _end(path, descriptor)
            new = b""
            if torn:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - len(torn))
                lost = {"bytes": len(torn), "sha256": sha256(torn).hexdigest()}
                line, head = line_of(head, _now(), "mended", _who(), lost)
                new = line + b"\n"
            line, head = line_of(head, _now(), event, _who(), details)
            _write(descriptor, new + line + b"\n")
            replace_durably(directory / HEAD_NAME, orjson.dumps(head._asdict()))
        except OSError as error:
            raise StorageFailed(f"cannot write {path}: {error.strerror}", hint="Make room, then try again.") from error
    return head.hash


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
        raise CorruptOutput(f"{path} is damaged: {error}", hint="Delete it: the next event writes it anew.") from error


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


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
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
