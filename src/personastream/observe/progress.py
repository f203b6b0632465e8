"""The displays: `rich` on a terminal, `plain` or `json` lines elsewhere, `none`. All write to stderr."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import anyio
import orjson

from personastream.dedup.backend import when_compiling
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.observe.live_file import write_live
from personastream.observe.rates import RateMeter, duration
from personastream.observe.say import say
from personastream.observe.snapshot import Camera, Snapshot
from personastream.records import Shard

Style = Literal["auto", "rich", "plain", "json", "none"]
LIVE_FILE_S = 2.0
LINES_S = 10.0
PANEL_S = 0.25


@dataclass(slots=True)
class Display:
    """Shows a run in one style and keeps `state/live.json` for others to read.

    `last` is the run as it was when `show` ended, None if it never began.
    """

    style: Style
    directory: Path
    last: Snapshot | None = None

    async def show(self, statistics: Statistics, shards: Sequence[Shard], stop: Stop) -> None:
        """Until cancelled."""
        camera = Camera(statistics, shards, stop, RateMeter(), anyio.current_time())
        style = self.style
        if style == "auto":
            style = "rich" if sys.stderr.isatty() else "plain"
        if style in {"rich", "plain"}:
            when_compiling(say)
        try:
            async with anyio.create_task_group() as displays:
                displays.start_soon(_every, LIVE_FILE_S, camera, lambda seen: write_live(self.directory, seen))
                if style == "plain":
                    displays.start_soon(_every, LINES_S, camera, lambda seen: say(plain_line(seen)))
                elif style == "json":
                    displays.start_soon(_every, LINES_S, camera, lambda seen: say(json_line(seen)))
                elif style == "rich":
                    displays.start_soon(_panel, camera)
        finally:
            self.last = replace(camera.snapshot(anyio.current_time()), state="ended")

    def say_last(self) -> None:
        """One line on how far the run has come, however it ended."""
        if self.last is not None and self.style != "none":
            say(json_line(self.last) if self.style == "json" else plain_line(self.last))


def plain_line(seen: Snapshot) -> str:
    """One line for people, for logs."""
    total = f" of about {seen.rows_estimated:,}" if seen.rows_estimated else ""
    parts = [
        f"{seen.settled:,}{total} rows settled",
        f"{seen.delivered:,} delivered, {sum(seen.dropped.values()):,} dropped, {sum(seen.dead.values()):,} dead",
        f"{seen.rows_per_s:,.0f} rows/s",
        *(_asking(seen) if seen.endpoints else []),
        *([f"{seen.spend:,.2f} spent"] if seen.spend else []),
        *([f"ETA {duration(seen.eta_s)}"] if seen.state != "ended" else []),
    ]
    if seen.state not in {"running", "ended"}:
        parts.append(seen.state)
    if seen.alert:
        parts.append(f"near a cap: {seen.alert}")
    if seen.waiting and seen.last_fault:
        parts.append(f"{seen.waiting:,} waiting after faults, the last one: {seen.last_fault[:150]}")
    return f"{duration(seen.elapsed_s)}  " + " · ".join(parts)


def _asking(seen: Snapshot) -> list[str]:
    return [f"{seen.in_flight:,} in flight", f"{seen.tokens_per_s:,.0f} tokens/s", f"{seen.retries:,} retries"]


def json_line(seen: Snapshot) -> str:
    """The same figures for programs."""
    return orjson.dumps(seen.as_dict()).decode()


async def _every(interval_s: float, camera: Camera, show: Callable[[Snapshot], None]) -> None:
    while True:
        await anyio.sleep(interval_s)
        show(camera.snapshot(anyio.current_time()))


async def _panel(camera: Camera) -> None:
    # imported here: rich takes a while and is of no use to a log file
    from rich.console import Console
    from rich.live import Live

    from personastream.observe.panel import panel

    live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
    with suppress(OSError, SystemExit), live:  # a terminal that goes away ends the panel, not the run; rich would exit
        while True:
            live.update(panel(camera.snapshot(anyio.current_time())), refresh=True)
            await anyio.sleep(PANEL_S)
