"""`state/live.json`: the latest figures of a running process, for `personastream status`. Never needed to resume."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from personastream.observe.snapshot import Snapshot

STALE_AFTER_S = 15.0


def write_live(directory: Path, seen: Snapshot) -> None:
    """Replace the file; a full disk is no reason to stop a run, so failures are let go."""
    path = directory / "state" / "live.json"
    document = {"pid": os.getpid(), "at": time.time(), **seen.as_dict()}
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_bytes(orjson.dumps(document))
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()


def read_live(directory: Path) -> dict[str, Any] | None:
    """The figures of a process that is running now, or None."""
    try:
        document: dict[str, Any] = orjson.loads((directory / "state" / "live.json").read_bytes())
        os.kill(document["pid"], 0)
        return document if time.time() - document["at"] < STALE_AFTER_S else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
