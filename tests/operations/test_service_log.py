"""The service's log: its lines, their levels, what is held back, and what libraries say."""

import io
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web import RequestPayloadError

from personastream.serve import foreign_log
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.log import LINE_BYTES_MAX, SAME_KEPT_MAX, SAME_LINES_MAX, Log, LogSettings

HOSTILE = 'x\n{"level": "error"}\r\x1b]0;title\x07\u202e\u2028'


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    text = stream.getvalue()
    assert text.isprintable() or set(filter(lambda one: not one.isprintable(), text)) == {"\n"}
    return [orjson.loads(line) for line in text.splitlines()]


def written_log(level: str = "debug", form: str = "json", now: list[float] | None = None) -> tuple[Log, io.StringIO]:
    stream = io.StringIO()
    return Log(LogSettings(level, form), stream=stream, clock=lambda: now[0] if now else 0.0), stream


def test_a_line_is_one_json_document_that_names_what_happened() -> None:
    log, stream = written_log()
    log.warning("waiting", "math", why="the disk is full", tries=3)
    (line,) = lines(stream)
    assert line.pop("ts").endswith("Z")
    assert line == {"level": "warning", "event": "waiting", "job": "math", "why": "the disk is full", "tries": 3}
    assert stream.getvalue().startswith('{"ts":')


def test_no_text_can_forge_a_line_or_overwrite_what_is_told() -> None:
    log, stream = written_log()
    log.info(HOSTILE, HOSTILE, why=HOSTILE, **{HOSTILE: HOSTILE, "level": "error", "ts": "never"})
    (line,) = lines(stream)
    assert line["level"] == "info"
    assert line["ts"] != "never"
    log.write("info", "plain")
    assert len(lines(stream)) == 2


def test_only_what_is_grave_enough_is_told_and_that_can_be_changed() -> None:
    log, stream = written_log("warning")
    log.info("no")
    log.debug("no")
    log.error("yes")
    log.settings = LogSettings("debug", "json")
    log.debug("yes")
    assert [line["event"] for line in lines(stream)] == ["yes", "yes"]


def test_happenings_have_levels() -> None:
    log, stream = written_log()
    happenings = Happenings()
    happenings.listen(log.hear)
    for kind in Kind:
        happenings.tell(kind, "math", why="so")
    levels = {line["event"]: line["level"] for line in lines(stream)}
    assert set(levels) == {kind.value for kind in Kind}
    assert levels["failed"] == "error"
    assert {event for event, level in levels.items() if level == "warning"} == {
        "budget_80",
        "budget_100",
        "disk_full",
        "disk_has_room",
        "keys_not_renewed",
        "refused",
        "waiting",
    }


def test_the_same_line_again_and_again_is_counted() -> None:
    now = [0.0]
    log, stream = written_log(now=now)
    for number in range(1000):
        log.error("webhook_failed", number=number)
    log.error("webhook_failed", "another job")
    assert len(lines(stream)) == SAME_LINES_MAX + 1
    now[0] = 61.0
    log.error("webhook_failed", number=1000)
    assert lines(stream)[-1]["held_back"] == 1000 - SAME_LINES_MAX
    log.error("webhook_failed", number=1001)
    assert "held_back" not in lines(stream)[-1]


def test_what_is_remembered_of_repeated_lines_is_bounded() -> None:
    log, _ = written_log()
    for number in range(2 * SAME_KEPT_MAX):
        log.info("submitted", f"job-{number}")
    assert len(log._repeats) == SAME_KEPT_MAX


def test_a_line_is_never_longer_than_the_journal_takes() -> None:
    log, stream = written_log()
    log.info("much", "", **{f"part_{number}": ["ü" * 400] * 30 for number in range(30)})
    (line,) = lines(stream)
    assert len(stream.getvalue().encode()) <= LINE_BYTES_MAX
    assert line["event"] == "much"
    assert line["cut"].startswith('{"part_0"')


def test_no_line_holds_a_secret() -> None:
    log, stream = written_log()
    log.secrets.add("canary-5f2c9d17e4b8")
    log.error("canary-5f2c9d17e4b8", "canary-5f2c9d17e4b8", why="key canary-5f2c9d17e4b8", key="canary-5f2c9d17e4b8")
    log.bug("bug", ValueError("canary-5f2c9d17e4b8"))
    assert "canary" not in stream.getvalue()
    assert len(lines(stream)) == 2


def test_on_a_terminal_it_is_written_for_people() -> None:
    log, stream = written_log(form="plain")
    log.warning("waiting", "math", why="the disk is full", tries=3, hint="")
    assert stream.getvalue()[8:] == ' warning waiting     math  why="the disk is full" tries=3\n'


def test_that_nobody_can_read_it_stops_nothing() -> None:
    log, stream = written_log()
    stream.close()
    log.error("unheard")
    with open("/dev/full", "w") as full:
        Log(LogSettings(), stream=full).error("unheard")
        full.truncate = lambda *_: None  # type: ignore[method-assign,assignment]
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # what is left in the buffer must not fail again


def test_the_journal_is_told_priorities(tmp_path: Path) -> None:
    script = (
        "import os, sys; status = os.fstat(2); os.environ['JOURNAL_STREAM'] = f'{status.st_dev}:{status.st_ino}'\n"
        "from personastream.serve.log import Log\n"
        "Log().error('failed', 'math'); Log().info('ready')\n"
    )
    with (tmp_path / "journal").open("wb") as journal:
        subprocess.run([sys.executable, "-c", script], check=True, stderr=journal)
    first, second = (tmp_path / "journal").read_text().splitlines()
    assert first.startswith('<3>{"ts":')
    assert second.startswith('<6>{"ts":')


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield logging.getLogger("some.library")
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def test_what_is_no_http_is_no_error_and_is_not_quoted(library: logging.Logger) -> None:
    for level, told in (("info", []), ("debug", ["LineTooLong", "RequestPayloadError"])):
        log, stream = written_log(level)
        foreign_log.listen(log)
        for error in (LineTooLong(b"GET /theirs", 8190), RequestPayloadError("theirs")):
            library.error("Error handling request from %s", "127.0.0.1", exc_info=error)
        assert [(line["level"], line["error"]) for line in lines(stream)] == [("debug", name) for name in told]
        assert "theirs" not in stream.getvalue()


def test_what_libraries_say_is_told_in_the_same_form(library: logging.Logger) -> None:
    log, stream = written_log()
    foreign_log.listen(log)
    library.info("not this")
    library.warning("lost %d of\n%s", 3, "them")
    try:
        raise OSError("gone")
    except OSError:
        library.exception("broken")
    library.error("%d", "not a number")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn_explicit("old\nuse", DeprecationWarning, "file.py", 3)
    told = lines(stream)
    assert told[3]["message"].startswith("file.py:3: DeprecationWarning: old\\nuse")
    assert [(line["level"], line["message"], line["error"]) for line in told[:3]] == [
        ("warning", "lost 3 of\\nthem", ""),
        ("error", "broken", "OSError: gone"),
        ("error", "%d", ""),
    ]


def test_an_uncaught_error_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    script = tmp_path / "bug.py"
    script.write_text(
        "from personastream.serve.log import Log\n"
        "Log().install()\n"
        "def broken():\n    raise ValueError('two\\nlines')\n"
        "broken()\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    line = orjson.loads(done.stderr)
    assert done.returncode == 1
    assert (line["event"], line["level"], line["error"], line["message"]) == (
        "bug",
        "error",
        "ValueError",
        "two\\nlines",
    )
    assert line["places"][-1] == f"{script}:4 broken"
