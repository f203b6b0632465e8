"""The service on a terminal: what `personastream top` draws, from what `/v1/state` answers.

Law: pure; as tall as the terminal and no taller. What is shown is data: it is put on the screen as plain text.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from personastream.observe.rates import duration
from personastream.observe.snapshot import printable
from personastream.serve.view import ENDED, JobState, called, in_order, share_done

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
WIDE = 100
NARROW = 72
"""From how many columns on the screen shows all there is, and up to how many only what matters most."""


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


def _jobs(jobs: Sequence[State], room: int, width: int) -> Table:
    table = _table(f"job ({len(jobs)})", _figures(_JOB_FIGURES, width))
    ordered = in_order(jobs)
    shown = ordered if len(ordered) <= room else ordered[: max(1, room - 1)]
    for job in shown:
        table.add_row(*_job(job, width))
    if len(shown) < len(ordered):
        hidden = Counter(str(job["state"]) for job in ordered[len(shown) :])
        told = ", ".join(f"{count:,} {state}" for state, count in hidden.items())
        table.add_row(Text(f"{hidden.total():,} more: {told} …", style="dim"))
    return table


def _table(name: str, figures: Sequence[str]) -> Table:
    """Lines of a name, a state and figures."""
    table = Table(box=None, padding=(0, 1), expand=True, header_style="dim")
    table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1, min_width=12)
    table.add_column("state", no_wrap=True, min_width=7)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


_JOB_FIGURES = (("rows", "dead", "rows/s"), ("done", "in flight", "ETA"), ("p50", "p95", "spent"))
_ENDPOINT_FIGURES = (("in flight", "limit"), ("answered", "turned away"), ("requests/min", "jobs"))


def _figures(figures: Sequence[Sequence[str]], width: int) -> list[str]:
    """What there is room for: the first of three kinds, the first two, or all."""
    kinds = 1 if width < NARROW else 2 if width < WIDE else 3
    return [name for kind in figures[:kinds] for name in kind]


def _job(job: State, width: int) -> list[RenderableType]:
    settled = job["delivered"] + sum(job["dropped"].values()) + sum(job["dead"].values())
    dead, going = sum(job["dead"].values()), job["state"] not in ENDED
    name = Text(printable(job["name"]))
    if job["stage"]:
        name.append(f" {printable(job['stage'])}", style="dim")
    if why := " ".join(part for part in (job["why"], job["alert"]) if part):
        name.append(f"  {printable(why)}", style="red" if job["state"] == JobState.FAILED else "yellow")
    told: dict[str, RenderableType] = {
        "rows": f"{settled:,}",
        "dead": Text(f"{dead:,}", style="red" if dead else "dim"),
        "rows/s": f"{job['rows_per_s']:,.1f}" if going else "",
        "done": ProgressBar(
            total=1.0, completed=share_done(job) or 0.0, width=12, complete_style="cyan", finished_style="green"
        ),
        "in flight": f"{job['in_flight']:,}" if going else "",
        "ETA": duration(job["eta_s"]) if going else "",
        "p50": _seconds(job["latency_p50_s"]),
        "p95": _seconds(job["latency_p95_s"]),
        "spent": f"{job['spend']:,.2f}",
    }
    state = Text(job["state"], style=COLOURS.get(job["state"], "dim"))
    return [name, state, *(told[figure] for figure in _figures(_JOB_FIGURES, width))]


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def _endpoints(endpoints: Sequence[State], of: int, width: int) -> Table:
    table = _table(f"endpoint ({of})", _figures(_ENDPOINT_FIGURES, width))
    for each in endpoints:
        label = Text(printable(each["label"]))
        if each["model"] not in each["label"]:
            label.append(f" {printable(each['model'])}", style="dim")
        if each["why"] and each["state"] != "closed":
            label.append(f"  {printable(each['why'])}", style="yellow")
        rests, per_minute = each["paused_s"] > 0, each["requests_per_minute"]
        state = f"{called(each)}{' ' + duration(each['paused_s']) if rests else ''}"
        told: dict[str, RenderableType] = {
            "in flight": f"{each['in_flight']:,}",
            "limit": f"{each['limit']:,}",
            "answered": f"{each['answered']:,}",
            "turned away": Text(f"{each['throttled']:,}", style="yellow" if each["throttled"] else "dim"),
            "requests/min": f"{per_minute:,.0f}" if per_minute else "–",
            "jobs": f"{len(each['jobs']):,}",
        }
        style = "yellow" if rests else "green" if each["state"] == "closed" else "red"
        figures = (told[figure] for figure in _figures(_ENDPOINT_FIGURES, width))
        table.add_row(label, Text(state, style=style), *figures)
    return table
