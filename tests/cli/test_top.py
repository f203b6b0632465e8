"""`personastream top`: what is drawn, in the room there is, and how it ends."""

import os
import pty
import signal
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from personastream.serve.top import Screen, sparkline
from personastream.serve.view import JobState, ServiceView
from tests.support.command import COMMAND, environment, personastream
from tests.support.stand_in_service import HOSTILE, endpoint, job, now, service_view
from tests.support.watched_service import watched


def drawn(view: ServiceView, width: int = 120, height: int = 30) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=False)
    console.print(Screen().draw(view.as_dict(), width, height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_jobs_and_endpoints_are_shown() -> None:
    text = drawn(service_view(job("math"), job("bad", JobState.FAILED, why="the key is refused", ended=now())))
    math = next(line for line in text.splitlines() if line.strip().startswith("math"))
    for figure in ("running", "4,270", "240", "41.5", "250", "1 m 55 s", "0.82 s", "2.40 s", "3.50"):
        assert figure in math
    assert "the key is refused" in text
    assert "127.0.0.1:8000 my-model" in text
    assert "4,400" in text
    assert "spent 3.50 of 100.00" in text


@pytest.mark.parametrize(("width", "height"), [(200, 50), (120, 30), (80, 24), (60, 12), (40, 10)])
def test_it_is_no_taller_than_the_terminal(width: int, height: int) -> None:
    jobs = [job(f"job-{number}") for number in range(100)]
    view = service_view(
        *jobs, endpoints=tuple(endpoint(str(number)) for number in range(30)), why_not=("the disk is full",)
    )
    lines = drawn(view, width, height).splitlines()
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    assert "more" in "".join(lines)


def test_what_ended_stands_below_the_last_one_first() -> None:
    ended = [job(f"old-{n}", JobState.DONE, ended=f"2026-01-0{n}T00:00:00Z") for n in range(1, 4)]
    text = drawn(service_view(*ended, job("now")))
    assert [text.index(name) for name in ("now", "old-3", "old-2", "old-1")] == sorted(
        text.index(name) for name in ("now", "old-3", "old-2", "old-1")
    )


def test_what_waits_for_a_person_stands_first_however_much_is_done() -> None:
    done = [job(f"old-{n}", JobState.DONE, ended=now()) for n in range(40)]
    stuck = job("stuck", JobState.WAITING), job("broken", JobState.FAILED, ended="2026-01-01T00:00:00Z")
    text = drawn(service_view(*done, job("now"), *stuck), height=20)
    assert text.index("broken") < text.index("stuck") < text.index("now") < text.index("old-")
    assert "34 more: 34 done" in text


@pytest.mark.parametrize("paused_s", [0.0, 7.0])
def test_an_endpoint_that_is_asked_is_not_called_closed(paused_s: float) -> None:
    text = drawn(service_view(job("math"), endpoints=(endpoint(paused_s=paused_s),)))
    assert ("resting 7 s" if paused_s else "open for requests") in text
    assert "closed" not in text


def test_words_from_outside_stay_words() -> None:
    text = drawn(
        service_view(job("math", why=f"[bold red]{HOSTILE}[/]"), endpoints=(endpoint(label=HOSTILE),)), width=300
    )
    assert "[bold red]<img" in text
    assert not set("\x1b\x00\u202e") & set(text)


@pytest.mark.parametrize(("values", "curve"), [([], ""), ([0.0, 0.0], "▁▁"), ([0.0, 5.0, 10.0], "▁▅█"), ([3.0], "█")])
def test_a_curve_goes_from_nothing_to_its_greatest_value(values: list[float], curve: str) -> None:
    assert sparkline(values) == curve


def test_without_a_service_it_says_so(tmp_path: Path) -> None:
    done = personastream("top", "--root", tmp_path)
    assert done.code == 69
    assert "nobody serves" in done.err


@pytest.mark.slow
def test_it_shows_a_real_service_once_and_live(tmp_path: Path) -> None:
    with watched(tmp_path) as service:
        once = personastream("top", "--root", service.root)
        assert once.code == 0
        assert "job (0)" in once.out
        ours, theirs = pty.openpty()
        command: list[Any] = [COMMAND, "top", "--root", service.root]
        env = environment({"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"})
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
            os.close(theirs)
            seen = b""
            while seen.count(b"job (0)") < 2:
                seen += os.read(ours, 4096)
            process.send_signal(signal.SIGINT)
            while chunk := _read(ours):
                seen += chunk
            assert process.wait() == 0
        os.close(ours)
    assert seen.count(b"\x1b[?1049h") == seen.count(b"\x1b[?1049l") == 1  # the screen is as it was before
    assert b"\x1b[?25h" in seen[-80:]


def _read(ours: int) -> bytes:
    try:
        return os.read(ours, 4096)
    except OSError:  # nobody has the other end any more
        return b""
