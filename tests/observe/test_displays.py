"""What a run shows of itself: the same figures in every style, whatever is in them, and never at the run's cost."""

import os
import sys
from dataclasses import fields
from io import StringIO
from pathlib import Path

import anyio
import orjson
import pytest
from rich.console import Console

from personastream.core.histogram import Histogram
from personastream.core.outcomes import Counts
from personastream.core.pace import Pace
from personastream.core.retry import Health, RetryPolicy
from personastream.engine.endpoint import Endpoint
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.observe.live_file import STALE_AFTER_S, read_live, write_live
from personastream.observe.panel import panel
from personastream.observe.progress import LINES_S, LIVE_FILE_S, Display, Style, json_line, plain_line
from personastream.observe.rates import RateMeter
from personastream.observe.snapshot import Camera, Snapshot, printable
from personastream.records import Shard
from personastream.testing import ScriptedProvider
from tests.support.virtual import on_virtual_clock

SHARDS = [Shard(index, f"shard-{index}", f"{index}.jsonl", 100, "f") for index in range(4)]
HOSTILE = "status 500: \x1b[2J\x07 half\ud800 line\nforged\r\u202e"


def latencies(requests: int, seconds: float) -> Histogram:
    histogram = Histogram()
    for _ in range(requests):
        histogram.observe(seconds)
    return histogram


def running(**changes: object) -> Statistics:
    statistics = Statistics(
        committed=Counts(1200, {"dedup": 30, "too_long": 4}, {"refused": 6}),
        rows_estimated=5000,
        uncommitted=10,
        under_way=dict.fromkeys(range(12), 0.0),
        requests=1300,
        answered=1250,
        retries=50,
        input_tokens=4000,
        output_tokens=9000,
        latency=latencies(1250, 0.5),
        shards_finished=1,
        endpoints=[Endpoint(ScriptedProvider(), Pace(8, False, 0.0), Health(RetryPolicy(), 0.0))],
    )
    for name, value in changes.items():
        setattr(statistics, name, value)
    return statistics


def snapshot(statistics: Statistics, *, draining: bool = False) -> Snapshot:
    async def look() -> Snapshot:
        stop = Stop()
        if draining:
            stop.drain()
        await anyio.lowlevel.checkpoint()
        return Camera(statistics, SHARDS, stop, RateMeter(), started_s=100.0).snapshot(190.0)

    return on_virtual_clock(look)


def shown(seen: Snapshot) -> str:
    console = Console(file=StringIO(), width=100, force_terminal=False)
    console.print(panel(seen))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_snapshot_holds_the_figures_of_the_moment() -> None:
    seen = snapshot(running())
    assert (seen.state, seen.elapsed_s, seen.settled, seen.shards_finished, seen.shards) == (
        "running",
        90.0,
        1240,
        1,
        4,
    )
    assert (seen.delivered, seen.dropped, seen.dead) == (1200, {"dedup": 30, "too_long": 4}, {"refused": 6})
    assert seen.latency_s == 0.5
    assert seen.share_done == 0.25


def test_before_anything_is_read_nothing_is_divided_by_zero() -> None:
    seen = snapshot(Statistics())
    assert (seen.share_done, seen.latency_s, seen.eta_s) == (0.0, 0.0, None)
    assert "0 rows settled" in plain_line(seen)
    assert "?" in shown(seen)


def test_an_estimate_that_was_too_low_does_not_show_more_than_all() -> None:
    assert snapshot(running(rows_estimated=100)).share_done == 1.0


def test_draining_and_pausing_are_shown() -> None:
    assert snapshot(running(), draining=True).state == "draining"
    paused = snapshot(running(paused="no space left"), draining=True)
    assert paused.state == "paused: no space left"
    assert plain_line(paused).endswith("paused: no space left")
    assert "no space left" in shown(paused)


def test_the_plain_line_says_what_matters() -> None:
    line = plain_line(snapshot(running()))
    for part in (
        "1 m 30 s",
        "1,240 of about 5,000 rows",
        "1,200 delivered, 34 dropped, 6 dead",
        "12 in flight",
        "50 retries",
    ):
        assert part in line


def test_where_no_model_is_asked_nothing_is_said_of_asking() -> None:
    seen = snapshot(running(endpoints=[]))
    for view in (plain_line(seen), shown(seen)):
        assert "rows/s" in view
        assert not any(word in view for word in ("tokens", "flight", "retries", "latency"))


def test_the_json_line_holds_every_figure() -> None:
    seen = snapshot(running())
    document = orjson.loads(json_line(seen))
    assert set(document) == {field.name for field in fields(Snapshot)}
    assert document["dropped"] == {"dedup": 30, "too_long": 4}


@pytest.mark.parametrize("field", ["last_fault", "paused"])
def test_text_from_outside_can_neither_move_the_cursor_nor_forge_lines(field: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    seen = snapshot(running(waiting=3, **{field: HOSTILE}))
    write_live(tmp_path, seen)
    for text in (plain_line(seen), json_line(seen), shown(seen).replace("\n", "")):
        assert text.isprintable()
        assert "forged" in text
    assert read_live(tmp_path) is not None


def test_printable_text_is_left_alone() -> None:
    assert printable("status 500: 老师 é “x” …") == "status 500: 老师 é “x” …"


# The live file


def test_the_live_file_can_be_read_back(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    seen = snapshot(running())
    write_live(tmp_path, seen)
    document = read_live(tmp_path)
    assert document is not None
    assert document["pid"] == os.getpid()
    assert document["delivered"] == 1200
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["live.json"]


def test_the_live_file_of_a_process_that_is_gone_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    write_live(tmp_path, snapshot(running()))
    path = tmp_path / "state" / "live.json"
    document = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({**document, "pid": 2**22 + 1}))  # above the largest pid of Linux
    assert read_live(tmp_path) is None
    path.write_bytes(orjson.dumps({**document, "at": document["at"] - STALE_AFTER_S - 1}))
    assert read_live(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "{}", '{"pid": 1}', '{"pid": "x", "at": 0}', '{"pid": 1e40}', '{"pid": 99999999999999999999}'],
)
def test_a_damaged_live_file_is_ignored(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "live.json").write_text(content)
    assert read_live(tmp_path) is None


def test_a_missing_live_file_is_no_run(tmp_path: Path) -> None:
    assert read_live(tmp_path) is None


def test_a_live_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    seen = snapshot(running())
    write_live(tmp_path / "nowhere", seen)
    (tmp_path / "state").write_text("a file where the folder should be")
    write_live(tmp_path, seen)


# The displays


def displayed(style: Style, folder: Path, seconds: float) -> None:
    """Show a run for so many virtual seconds."""

    async def show() -> None:
        with anyio.move_on_after(seconds):
            await Display(style, folder).show(running(last_fault=HOSTILE, waiting=1), SHARDS, Stop())

    (folder / "state").mkdir(exist_ok=True)
    on_virtual_clock(show)


@pytest.mark.parametrize(("style", "lines"), [("plain", 3), ("json", 3), ("auto", 3), ("none", 0)])
def test_lines_come_every_few_seconds_on_stderr_alone(
    style: Style, lines: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    displayed(style, tmp_path, 3.5 * LINES_S)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == lines


class Terminal(StringIO):
    """A stream that is watched by somebody."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("style", ["rich", "auto"])
def test_the_panel_is_drawn_on_a_terminal(style: Style, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    displayed(style, tmp_path, 1.0)
    assert terminal.getvalue().count("1,200") >= 4  # every quarter of a second


@pytest.mark.parametrize("style", ["plain", "json", "rich", "none"])
def test_every_style_keeps_the_live_file(style: Style, tmp_path: Path) -> None:
    displayed(style, tmp_path, 2.5 * LIVE_FILE_S)
    assert read_live(tmp_path) is not None


class Closed(Terminal):
    """A stream whose other end is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("style", ["plain", "json", "rich"])
def test_a_closed_stderr_does_not_end_the_run(style: Style, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Closed())
    monkeypatch.setenv("TERM", "xterm")
    displayed(style, tmp_path, 3.5 * LINES_S)
    assert read_live(tmp_path) is not None
