"""The service's log: one line an event on stderr, JSON for the journal and programs, plain words on a terminal.

Law: a line is printable, bounded and free of secrets. The same event over and over is told a few times a minute, then
counted. That nobody can read the log stops nothing.
"""

import faulthandler
import os
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from types import TracebackType
from typing import Literal, TextIO

import orjson

from personastream.serve.happenings import Happening, Kind
from personastream.serve.plain import Secrets, plain, words
from personastream.settings import setting

Level = Literal["debug", "info", "warning", "error"]

LEVELS: dict[str, int] = {"debug": 7, "info": 6, "warning": 4, "error": 3}
"""Each with its priority, as syslog counts them."""
LINE_BYTES_MAX = 8192
FRAMES_MAX = 12
SAME_LINES_MAX = 10
SAME_WINDOW_S = 60.0
SAME_KEPT_MAX = 1000

_LEVEL_OF: dict[Kind, Level] = {
    Kind.BUG: "error",
    Kind.FAILED: "error",
    Kind.NOT_RELOADED: "error",
    Kind.BUDGET_100: "warning",
    Kind.BUDGET_80: "warning",
    Kind.DISK_FULL: "warning",
    Kind.DISK_HAS_ROOM: "warning",
    Kind.KEYS_NOT_RENEWED: "warning",
    Kind.REFUSED: "warning",
    Kind.WAITING: "warning",
}


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is told on stderr, and how."""

    level: str = setting(
        "Tell what is at least so grave. May change on reload.",
        default="info",
        choices=tuple(LEVELS),
        identity=False,
    )
    form: str = setting(
        "How lines look on stderr: json, plain words, or auto: plain words on a terminal, JSON elsewhere.",
        default="auto",
        choices=("auto", "json", "plain"),
        identity=False,
    )


@dataclass(slots=True)
class _Repeats:
    """How often an event was told in the present window, and how often it was held back."""

    since_s: float
    told: int = 0
    held_back: int = 0


@dataclass(slots=True)
class Log:
    """Writes lines. Its methods may be called from any thread, and never raise."""

    settings: LogSettings = field(default_factory=LogSettings)
    secrets: Secrets = field(default_factory=Secrets)
    stream: TextIO | None = None
    clock: Callable[[], float] = monotonic
    _repeats: OrderedDict[tuple[str, str, str], _Repeats] = field(init=False, default_factory=OrderedDict)
    _to_journal: bool | None = field(init=False, default=None)

    def debug(self, event: str, job: str = "", **details: object) -> None:
        """For whoever looks for a fault."""
        self.write("debug", event, job, **details)

    def info(self, event: str, job: str = "", **details: object) -> None:
        """All is well."""
        self.write("info", event, job, **details)

    def warning(self, event: str, job: str = "", **details: object) -> None:
        """Somebody should look at it, some time."""
        self.write("warning", event, job, **details)

    def error(self, event: str, job: str = "", **details: object) -> None:
        """Somebody has to do something."""
        self.write("error", event, job, **details)

    def bug(self, event: str, error: BaseException, job: str = "") -> None:
        """What should not have happened, with the place where it did, on one line."""
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        self.write("error", event, job, error=type(error).__name__, message=str(error), places=places)

    def hear(self, happening: Happening) -> None:
        """Tell of a happening: listen with this."""
        level = _LEVEL_OF.get(happening.kind, "info")
        details = {name: _lines(value) for name, value in happening.details.items()}
        self.write(level, happening.kind.value, happening.job, **details)

    def write(self, level: Level, event: str, job: str = "", /, **details: object) -> None:
        """One line, unless it is too trifling or has been told too often."""
        if LEVELS[level] > LEVELS[self.settings.level]:
            return
        held_back = self._count(level, event, job)
        if held_back is None:
            return
        if held_back:
            details["held_back"] = held_back
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"ts": now, "level": level, "event": words(event, self.secrets)}
        if job:
            head["job"] = words(job, self.secrets)
        shown = plain(details, self.secrets, depth=-1)
        assert isinstance(shown, dict)
        self._put(level, self._line(head, shown))

    def _count(self, level: str, event: str, job: str) -> int | None:
        """None if this line is to be held back, else how many of its kind were since the last one."""
        now_s, key = self.clock(), (level, event, job)
        seen = self._repeats.get(key)
        if seen is None:
            seen = self._repeats[key] = _Repeats(now_s)
            if len(self._repeats) > SAME_KEPT_MAX:
                self._repeats.popitem(last=False)
        elif now_s - seen.since_s > SAME_WINDOW_S:
            seen.since_s, seen.told = now_s, 0
        if seen.told >= SAME_LINES_MAX:
            seen.held_back += 1
            return None
        seen.told += 1
        held_back, seen.held_back = seen.held_back, 0
        return held_back

    def _line(self, head: dict[str, str], details: dict[str, object]) -> str:
        if self._is_plain():
            told = " ".join(f"{name}={_bare(value)}" for name, value in details.items() if value not in ("", None))
            line = f"{head['ts'][11:19]} {head['level']:<7} {head['event']:<10}  {head.get('job', '')}  {told}".rstrip()
            return line if len(line) <= LINE_BYTES_MAX else line[:LINE_BYTES_MAX] + "…"
        line = orjson.dumps({**head, **details, **head}).decode()  # the head comes first, and cannot be overwritten
        if len(line.encode()) > LINE_BYTES_MAX:
            cut = words(orjson.dumps(details).decode(), self.secrets, LINE_BYTES_MAX // 8)
            line = orjson.dumps({**head, "cut": cut}).decode()
        return line

    def _is_plain(self) -> bool:
        form = self.settings.form
        return form == "plain" or (form == "auto" and (self.stream or sys.stderr).isatty())

    def _put(self, level: Level, line: str) -> None:
        stream = self.stream or sys.stderr
        try:
            if self._to_journal is None:
                self._to_journal = is_journal(stream)
            stream.write(f"<{LEVELS[level]}>{line}\n" if self._to_journal else f"{line}\n")
            stream.flush()
        except (OSError, ValueError):  # a closed pipe, a full disk, a closed stream
            return

    def install(self) -> None:
        """Errors that nobody has caught are told here as well, as one line and no traceback.

        What kills the process from outside, such as a watchdog, has it say where all its threads are.
        """

        def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            if issubclass(kind, KeyboardInterrupt):
                sys.__excepthook__(kind, error, trace)
            else:
                self.bug("bug", error)

        sys.excepthook = told
        faulthandler.enable()


def is_journal(stream: TextIO) -> bool:
    """Whether systemd's journal reads the stream itself: it takes a priority before each line."""
    named = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{status.st_dev}:{status.st_ino}"


def _lines(value: object) -> object:
    """A text of several lines, such as a traceback, as the last of them."""
    return value.splitlines()[-FRAMES_MAX:] if isinstance(value, str) and "\n" in value else value


def _bare(value: object) -> str:
    return value if isinstance(value, str) and " " not in value else orjson.dumps(value).decode()
