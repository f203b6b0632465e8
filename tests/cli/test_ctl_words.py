"""What `personastream ctl` says of what the service answers, and what it lets through to a terminal."""

import os
import pty
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from io import StringIO
from typing import Any

import orjson
import pytest

from personastream.cli import ctl
from personastream.cli.ctl_words import endpoint_row, job_lines, job_row
from personastream.serve.client import Client
from personastream.serve.view import JobState
from tests.support.stand_in_service import endpoint, job

COMMANDING = "a\x9b31m\x1b]0;x\x07\u202e\u2066\U000e0041\rz"
ESCAPED = r"a\u009b31m\u001b]0;x\u0007\u202e\u2066\udb40\udc41\u000dz"
PLAIN = "[source]\r\n\tfield = '\u5934\u3000\u540d'\n"


def test_a_done_job_is_done_wholly_whatever_was_estimated() -> None:
    assert job_row(asdict(job("math", JobState.DONE, rows_estimated=0)))[2] == "100%"
    assert job_row(asdict(job("math", rows_estimated=0)))[2] == "–"


@pytest.mark.parametrize(
    ("state", "code", "told"),
    [
        (JobState.FAILED, 65, True),
        (JobState.DONE, 0, True),
        (JobState.RUNNING, None, False),
        (JobState.CANCELLED, 0, False),
    ],
)
def test_the_exit_code_is_told(state: JobState, code: int | None, told: bool) -> None:
    assert (f"exit code {code}" in job_lines(asdict(job("math", state, exit_code=code)))) is told


@pytest.mark.parametrize(
    ("state", "paused_s", "words"),
    [
        ("closed", 0.0, "open for requests"),
        ("closed", 3.0, "resting"),
        ("open", 0.0, "resting"),
        ("half-open", 0.0, "trying again"),
        ("out", 0.0, "out"),
    ],
)
def test_an_endpoint_is_told_in_words(state: str, paused_s: float, words: str) -> None:
    row = endpoint_row(asdict(endpoint(state=state, paused_s=paused_s, why="only errors")))
    assert row[2] == words
    assert row[-1] == ("" if words == "open for requests" else "only errors")


def ctl_on(out: Any, *words: str) -> None:
    with redirect_stdout(out):
        ctl.command.main(list(words), standalone_mode=False)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Has the service answer so."""

    class Told:
        def __init__(self, answer: Any) -> None:
            self._answer = answer

        def call(self, *_: object) -> Any:
            return self._answer

    return lambda answer: monkeypatch.setattr(Client, "of_root", lambda _: Told(answer))


def on_terminal(*words: str) -> str:
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8", newline="") as terminal:
        ctl_on(terminal, *words)
    seen = b"".join(iter(lambda: read(ours), b""))
    os.close(ours)
    return seen.decode()


def read(ours: int) -> bytes:
    try:
        return os.read(ours, 4096)
    except OSError:  # nobody has the other end any more
        return b""


def in_pipe(*words: str) -> str:
    out = StringIO(newline="")
    ctl_on(out, *words)
    return out.getvalue()


def test_a_configuration_commands_no_terminal(answers: Callable[[Any], None]) -> None:
    answers(COMMANDING)
    assert on_terminal("config", "math") == ESCAPED
    assert in_pipe("config", "math") == COMMANDING
    answers(PLAIN)
    assert in_pipe("config", "math") == PLAIN
    assert "\\u" not in on_terminal("config", "math")


@pytest.mark.parametrize("words", [("records", "math"), ("--json", "show", "math")])
def test_a_record_commands_no_terminal_and_stays_json(answers: Callable[[Any], None], words: tuple[str, ...]) -> None:
    answers({"records": [{"output": COMMANDING}]})
    seen = on_terminal(*words)
    assert not set("\x9b\x1b\x07\u202e\u2066\U000e0041") & set(seen)
    assert orjson.loads(seen) == orjson.loads(in_pipe(*words))
