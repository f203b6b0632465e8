"""The live panel on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from personastream.observe.rates import duration
from personastream.observe.snapshot import Snapshot

WIDTH = 76
"""Some columns less than a usual terminal: an echoed ^C must not wrap a line of the panel."""


def panel(seen: Snapshot) -> RenderableType:
    """Everything worth watching, in a box."""
    rows = Table.grid(padding=(0, 2))
    for _ in range(3):
        rows.add_column(style="dim", justify="right")
        rows.add_column(justify="right")
    dropped, dead = sum(seen.dropped.values()), sum(seen.dead.values())
    lines: list[list[RenderableType]] = [
        ["delivered", f"{seen.delivered:,}", "rows/s", f"{seen.rows_per_s:,.1f}"],
        ["dropped", f"{dropped:,}"],
        ["dead", Text(f"{dead:,}", style="red" if dead else "")],
        ["to commit", f"{seen.uncommitted:,}"],
    ]
    if seen.endpoints:  # a model is asked
        lines[0] += ["in flight", f"{seen.in_flight:,}"]
        lines[1] += ["tokens/s", f"{seen.tokens_per_s:,.0f}", "waiting", f"{seen.waiting:,}"]
        retries = Text(f"{seen.retries:,}", style="yellow" if seen.retries else "")
        lines[2] += ["latency", f"{seen.latency_s:.2f} s", "retries", retries]
    if seen.spend:
        lines[3] += ["spent", f"{seen.spend:,.2f}"]
    for line in lines:
        rows.add_row(*line)
    parts: list[RenderableType] = [_bar(seen), Text(), rows]
    if len(seen.endpoints) > 1 or any(endpoint["state"] != "closed" for endpoint in seen.endpoints):
        parts += [Text(), _endpoints(seen.endpoints)]
    if seen.alert:
        parts.append(Text(f"near a cap: {seen.alert}", style="bold yellow"))
    if seen.state != "running":
        parts.append(Text(_state_words(seen.state), style="bold yellow"))
    elif seen.last_fault and seen.waiting:
        parts.append(Text(f"last fault: {seen.last_fault}", style="dim", overflow="ellipsis", no_wrap=True))
    return Panel(Group(*parts), title="personastream", title_align="left", border_style="cyan", width=WIDTH)


def _bar(seen: Snapshot) -> Table:
    line = Table.grid(padding=(0, 1))
    estimated = f"≈{seen.rows_estimated:,}" if seen.rows_estimated else "?"
    line.add_row(
        ProgressBar(total=1.0, completed=seen.share_done, width=22),
        f"{seen.share_done:4.0%}",
        f"{seen.settled + seen.uncommitted:,} / {estimated} rows",
        Text(f"{seen.shards_finished}/{seen.shards} shards", style="dim"),
        f"ETA {duration(seen.eta_s)}",
    )
    return line


def _endpoints(endpoints: Sequence[Mapping[str, Any]]) -> Table:
    """One line for each: name, requests in flight of those allowed now, and what is wrong, if anything is."""
    lines = Table.grid(padding=(0, 2), expand=False)
    for endpoint in endpoints:
        trouble = endpoint["state"] if endpoint["state"] != "closed" else ""
        if endpoint["paused_s"]:
            trouble = f"paused for {duration(endpoint['paused_s'])}"
        lines.add_row(
            Text(endpoint["label"], overflow="ellipsis", no_wrap=True),
            f"{endpoint['in_flight']:,} of {endpoint['in_flight_limit']:,} in flight",
            f"{endpoint['answered']:,} answered",
            Text(trouble, style="red"),
        )
    return lines


def _state_words(state: str) -> str:
    if state == "draining":
        return "draining: rows in flight finish; a second Ctrl-C gives them up"
    return state
