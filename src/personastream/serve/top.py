"""The service on a terminal: what `personastream top` draws, from what `/v1/state` answers.

Law: pure; as tall as the terminal and no taller. What is shown is data: it is put on the screen as plain text.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from personastream.observe.rates import duration
from personastream.observe.snapshot import printable
from personastream.serve.view import ENDED, JobState

State = Mapping[str, Any]

COLOURS: Mapping[str, str] = {
    JobState.RUNNING: "cyan",
    JobState.STARTING: "cyan",
    JobState.STOPPING: "cyan",
    JobState.FOLLOWING: "green",
    JobState.DONE: "green",
    JobState.FAILED: "bold red",
    JobState.PAUSED: "yellow",
    JobState.WAITING: "yellow",
    JobState.STOPPED: "yellow",
}
BARS = "▁▂▃▄▅▆▇█"
SEEN_MAX = 60
FRAME_LINES = 9
"""Lines that are neither jobs nor endpoints."""
NARROW = 100


@dataclass(slots=True)
class Screen:
    """Draws one state after the other; remembers what the curves need."""

    rows_per_s: deque[float] = field(default_factory=lambda: deque(maxlen=SEEN_MAX))
    in_flight: deque[float] = field(default_factory=lambda: deque(maxlen=SEEN_MAX))
    tokens_per_s: deque[float] = field(default_factory=lambda: deque(maxlen=SEEN_MAX))

    def draw(self, state: State, width: int, height: int) -> RenderableType:
        """The screen for this state."""
        jobs, endpoints = state["jobs"], state["endpoints"]
        self.rows_per_s.append(sum(job["rows_per_s"] for job in jobs))
        self.in_flight.append(sum(endpoint["in_flight"] for endpoint in endpoints))
        self.tokens_per_s.append(sum(job["tokens_per_s"] for job in jobs))
        room = max(2, height - FRAME_LINES - len(state["why_not"]))
        shown_endpoints = endpoints[: max(1, room // 3)]
        parts: list[RenderableType] = [
            _head(state),
            *(Text(f"not ready: {printable(why)}", style="bold yellow", no_wrap=True) for why in state["why_not"]),
            self._curves(width),
            Text(),
            _jobs(jobs, room - len(shown_endpoints), width),
            Text(),
            _endpoints(shown_endpoints, len(endpoints), width),
        ]
        return Group(*parts)

    def _curves(self, width: int) -> Table:
        lines = Table.grid(padding=(0, 2))
        for _ in range(3):
            lines.add_column(no_wrap=True)
        each = max(8, (width - 60) // 3)
        curves = (("rows/s", self.rows_per_s), ("in flight", self.in_flight), ("tokens/s", self.tokens_per_s))
        lines.add_row(*(_curve(name, values, each) for name, values in curves))
        return lines


def _curve(name: str, values: Sequence[float], width: int) -> Text:
    text = Text(f"{name} ", style="dim", no_wrap=True)
    text.append(f"{values[-1]:,.0f} ", style="not dim bold")
    return text.append(sparkline(list(values)[-width:]), style="not dim cyan")


def sparkline(values: Sequence[float]) -> str:
    """A curve one line high, from 0 to its greatest value."""
    top = max(values, default=0.0)
    return "".join(BARS[round(value / top * (len(BARS) - 1))] if top > 0 else BARS[0] for value in values)


def _head(state: State) -> Text:
    ready = state["ready"]
    head = Text("personastream ", style="bold", no_wrap=True, overflow="ellipsis")
    head.append(f"{state['version']}  ", style="not bold dim")
    head.append(state["state"], style="green" if ready else "yellow")
    spent = f"{state['spend']:,.2f}" + (f" of {state['spend_max']:,.2f}" if state["spend_max"] else "")
    memory = f"{state['memory_bytes'] / 1e9:.1f} GB" + (
        f" of {state['memory_bytes_max'] / 1e9:.1f}" if state["memory_bytes_max"] else ""
    )
    late = f" · {state['loop_lag_s']:.1f} s late" if state["loop_lag_s"] > 0.5 else ""
    words = (
        f"  up {duration(state['uptime_s'])} · spent {spent} · memory {memory} · "
        f"disk {state['disk_free_bytes'] / 1e9:,.0f} GB free{late}"
    )
    return head.append(words, style="not bold")


def in_order(jobs: Sequence[State]) -> list[State]:
    """Those that go on first, in the order in which they were submitted; then those that ended, the last one first."""
    ended = sorted((job for job in jobs if job["state"] in ENDED), key=lambda job: str(job["ended"]), reverse=True)
    return [*(job for job in jobs if job["state"] not in ENDED), *ended]


def _jobs(jobs: Sequence[State], room: int, width: int) -> Table:
    wide = width >= NARROW
    table = Table(box=None, padding=(0, 1), expand=True, header_style="dim")
    table.add_column(f"job ({len(jobs)})", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("state", no_wrap=True)
    table.add_column("", width=12)
    for name in ("rows", "dead", "rows/s", "in flight", "ETA", *(("p50", "p95", "spent") if wide else ())):
        table.add_column(name, justify="right", no_wrap=True)
    ordered = in_order(jobs)
    shown = ordered if len(ordered) <= room else ordered[: max(1, room - 1)]
    for job in shown:
        table.add_row(*_job(job, wide))
    if len(shown) < len(ordered):
        table.add_row(Text(f"… and {len(ordered) - len(shown):,} more", style="dim"))
    return table


def _job(job: State, wide: bool) -> list[RenderableType]:
    settled = job["delivered"] + sum(job["dropped"].values()) + sum(job["dead"].values())
    share = min(1.0, settled / job["rows_estimated"]) if job["rows_estimated"] else 0.0
    dead = sum(job["dead"].values())
    name = Text(printable(job["name"]))
    if job["stage"]:
        name.append(f" {printable(job['stage'])}", style="dim")
    if why := " ".join(part for part in (job["why"], job["alert"]) if part):
        name.append(f"  {printable(why)}", style="red" if job["state"] == JobState.FAILED else "yellow")
    going = job["state"] not in ENDED
    line: list[RenderableType] = [
        name,
        Text(job["state"], style=COLOURS.get(job["state"], "dim")),
        ProgressBar(total=1.0, completed=share, width=12, complete_style="cyan", finished_style="green"),
        f"{settled:,}",
        Text(f"{dead:,}", style="red" if dead else "dim"),
        f"{job['rows_per_s']:,.1f}" if going else "",
        f"{job['in_flight']:,}" if going else "",
        duration(job["eta_s"]) if going else "",
    ]
    if wide:
        line += [_seconds(job["latency_p50_s"]), _seconds(job["latency_p95_s"]), f"{job['spend']:,.2f}"]
    return line


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def _endpoints(endpoints: Sequence[State], of: int, width: int) -> Table:
    table = Table(box=None, padding=(0, 1), expand=True, header_style="dim")
    table.add_column(f"endpoint ({of})", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("state", no_wrap=True)
    for name in (
        "in flight",
        "limit",
        "answered",
        "turned away",
        *(("requests/min", "jobs") if width >= NARROW else ()),
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for each in endpoints:
        label = Text(printable(each["label"]))
        label.append(f" {printable(each['model'])}", style="dim")
        if each["why"] and each["state"] != "closed":
            label.append(f"  {printable(each['why'])}", style="yellow")
        rests = each["paused_s"] > 0
        state = f"rests {duration(each['paused_s'])}" if rests else str(_CALLED.get(each["state"], each["state"]))
        line: list[RenderableType] = [
            label,
            Text(state, style="yellow" if rests else "green" if each["state"] == "closed" else "red"),
            f"{each['in_flight']:,}",
            f"{each['limit']:,}",
            f"{each['answered']:,}",
            Text(f"{each['throttled']:,}", style="yellow" if each["throttled"] else "dim"),
        ]
        if width >= NARROW:
            per_minute = each["requests_per_minute"]
            line += [f"{per_minute:,.0f}" if per_minute else "–", f"{len(each['jobs']):,}"]
        table.add_row(*line)
    return table


_CALLED = {"closed": "good", "open": "left alone"}
