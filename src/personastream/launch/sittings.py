"""A sitting in the audit log: with which settings it began, what of them had changed, and how it ended.

A sitting that was killed has no end in the log; the next one says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from personastream.build import effective
from personastream.config import Section
from personastream.core.audit_chain import plain
from personastream.core.outcomes import Counts, Usage
from personastream.errors import ExitCode, NoRoom, PersonaStreamError, RunError
from personastream.launch.audit import read_events, record

BEGINNINGS = ("started", "resumed")


class Ending:
    """What is known of a sitting's end."""

    def __init__(self) -> None:
        self._told: dict[str, object] = {"exit_code": int(ExitCode.BUG)}

    def __call__(self, code: ExitCode, counts: Counts, usage: Usage | None = None) -> None:
        """It has ended, with these figures of the whole run."""
        self._told = {
            "exit_code": int(code),
            "delivered": counts.delivered,
            "dropped": {reason: rows for reason, rows in counts.dropped.items() if rows},
            "dead": {reason: rows for reason, rows in counts.dead.items() if rows},
            **({"usage": asdict(usage)} if usage else {}),
        }

    def failed(self, error: BaseException) -> None:
        """It has ended with an error. Its message is not told: it may quote a row."""
        code = ExitCode.BUG if isinstance(error, Exception) else ExitCode.WORK_LEFT  # cut short, by its caller
        code = error.exit_code if isinstance(error, RunError) else code
        self._told = {"exit_code": int(code), "error": type(error).__name__}

    @property
    def told(self) -> Mapping[str, object]:
        """For the log."""
        return self._told


@contextmanager
def sitting(directory: Path, settings: Mapping[str, object]) -> Iterator[Ending]:
    """Tell the audit log of a sitting's beginning and of its end. Raises `RunError` if that cannot be.

    On a full disk a sitting begins all the same, and waits for room as it always does; its beginning is told late then.
    """
    event, details = beginning(directory, {key: plain(value) for key, value in settings.items()})
    untold = False
    try:
        record(directory, event, **details)
    except NoRoom:
        untold = True
    ending = Ending()
    try:
        yield ending
    except BaseException as error:
        ending.failed(error)
        with suppress(PersonaStreamError):  # what went wrong first is what is told
            if untold:
                record(directory, event, told="late", **details)
            record(directory, "ended", **ending.told)
        raise
    if untold:
        record(directory, event, told="late", **details)
    record(directory, "ended", **ending.told)


def beginning(directory: Path, now: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """That a sitting begins, as an event: with all settings for the first, with what has changed for others."""
    events = read_events(directory)
    before = settings_before(events)
    if before is None:
        return "started", {"config": digest(now), "settings": now}
    changed = {
        key: [before.get(key), now.get(key)] for key in sorted({*before, *now}) if before.get(key) != now.get(key)
    }
    last = next(event for event in reversed(events) if event["event"] in (*BEGINNINGS, "ended"))
    killed = {} if last["event"] == "ended" else {"last_sitting": "has no end in this log: killed, or a power failure"}
    return "resumed", {"config": digest(now), **({"changed": changed} if changed else {}), **killed}


def settings_before(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The settings of the last sitting, None if there was none."""
    settings: dict[str, Any] | None = None
    for event in events:
        if event["event"] == "started":
            settings = dict(event["details"].get("settings", {}))
        elif event["event"] == "resumed" and settings is not None:
            settings |= {key: values[1] for key, values in event["details"].get("changed", {}).items()}
    return settings


def digest(settings: Mapping[str, object]) -> str:
    """What tells these settings from others."""
    return sha256(orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS)).hexdigest()


def settings_of(pairs: Sequence[tuple[Section, object]]) -> dict[str, object]:
    """All settings of sections with their defaults, by their dotted names."""
    return {
        f"{section.name}.{key}": value for section, part in pairs for key, value in effective(section, part).items()
    }
