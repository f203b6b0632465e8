"""Charts as inline SVG that follows the page: its width, its colours, its letters.

Across, everything is placed in percent, so a chart is as wide as its column and its words keep their size. Down, it is
in pixels. Marks have classes; the style sheet gives them colours for light and for dark.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from personastream.report.figures.statistics import ticks
from personastream.report.page.markup import Child, Markup, joined, tag
from personastream.report.page.words import short

HEIGHT = 150
TOP = 10
FOOT = 24
AXIS_WIDTH = 46
_FLOOR = HEIGHT - FOOT


class Tick(NamedTuple):
    """A place across, 0 to 1, and what is written there."""

    at: float
    label: str


def pct(share: float) -> str:
    """A share as SVG takes it."""
    return f"{100 * share:.3f}%"


def columns(
    values: Sequence[float], across: Sequence[Tick], titles: Sequence[str], label: str, marked: Sequence[int] = ()
) -> Markup:
    """A column for each value, side by side. `marked` ones are drawn fainter: they are of another kind."""
    scale = ticks(max(values, default=0) or 1, 3)
    top = scale[-1]
    width = 1 / max(len(values), 1)
    bars = [
        tag(
            "rect",
            tag("title", title),
            x=pct(place * width),
            y=f"{_down(value / top):.2f}",
            width=pct(width),
            height=f"{_FLOOR - _down(value / top):.2f}",
            class_="mark faint" if place in marked else "mark",
        )
        for place, (value, title) in enumerate(zip(values, titles, strict=True))
    ]
    return _framed([(value / top, short(value)) for value in scale], bars, across, label)


def line(values: Sequence[float], across: Sequence[Tick], label: str) -> Markup:
    """A line through values at equal distances, over a faint area."""
    scale = ticks(max(values, default=0) or 1, 3)
    step = 100 / max(len(values) - 1, 1)
    points = " ".join(f"{place * step:.3f},{_down(value / scale[-1]):.2f}" for place, value in enumerate(values))
    inner = tag(
        "svg",
        tag("polygon", points=f"0,{_FLOOR} {points} 100,{_FLOOR}", class_="under"),
        tag("polyline", points=points, class_="line", vector_effect="non-scaling-stroke"),
        viewBox=f"0 0 100 {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
    )
    return _framed([(value / scale[-1], short(value)) for value in scale], [inner], across, label)


def bar(parts: Sequence[tuple[str, float]], height: int = 12) -> Markup:
    """A bar of several parts, each with its class and its share of the whole width; next to nothing is seen too."""
    marks, at = [], 0.0
    for class_, share in parts:
        if share > 0:
            marks.append(tag("rect", x=pct(at), y=0, width=pct(max(share, 0.004)), height=height, class_=class_))
            at += share
    return tag("svg", marks, width="100%", height=height, class_="bar", aria_hidden="true")


def interval(low: float, at: float, high: float, height: int = 14) -> Markup:
    """A share from 0 to 1 as a dot, and the interval around it as a line."""
    middle = height / 2
    return tag(
        "svg",
        tag("rect", x=0, y=middle - 0.5, width="100%", height=1, class_="track"),
        tag("line", x1=pct(low), x2=pct(high), y1=middle, y2=middle, class_="whisker"),
        tag("circle", cx=pct(at), cy=middle, r=4, class_="main"),
        width="100%",
        height=height,
        class_="bar",
        aria_hidden="true",
    )


ROW_HEIGHT = 54


def boxes(rows: Sequence[tuple[str, Mapping[str, Any] | None, Sequence[float] | None]], label: str) -> Markup:
    """A box for each row, from 0 to 1: its name, quartiles with whiskers and outliers, and five numbers to compare."""
    height = len(rows) * ROW_HEIGHT + FOOT
    marks: list[Child] = [_gridline_down(share, height - FOOT) for share in (0, 0.25, 0.5, 0.75, 1)]
    names: list[Child] = []
    for place, (name, box, others) in enumerate(rows):
        y = place * ROW_HEIGHT
        names.append(tag("text", name, x=AXIS_WIDTH - 8, y=y + 25, text_anchor="end"))
        marks.append(tag("text", "no such pairs", x=8, y=y + 25) if box is None else _box(box, y + 20))
        if others is not None:
            marks.append(_reference(others, y + 41))
    feet = [_foot(Tick(share, f"{share:g}"), height) for share in (0, 0.25, 0.5, 0.75, 1)]
    return _beside(names, [*marks, *feet], height, label)


def _box(box: Mapping[str, Any], y: int) -> Markup:
    low, q1, median, q3, high = (_inside(box[name]) for name in ("low", "q1", "median", "q3", "high"))
    title = tag("title", " / ".join(f"{box[name]:.2f}" for name in ("min", "q1", "median", "q3", "max")))
    return tag(
        "g",
        title,
        tag("line", x1=pct(low), x2=pct(high), y1=y, y2=y, class_="whisker"),
        tag("rect", x=pct(q1), y=y - 9, width=pct(max(q3 - q1, 0.002)), height=18, class_="box"),
        tag("line", x1=pct(median), x2=pct(median), y1=y - 9, y2=y + 9, class_="median"),
        [tag("circle", cx=pct(_inside(value)), cy=y, r=2.5, class_="outlier") for value in box["outliers"]],
    )


def _reference(five: Sequence[float], y: int) -> Markup:
    least, q1, median, q3, greatest = five
    return tag(
        "g",
        tag("title", " / ".join(f"{value:.2f}" for value in five)),
        tag("line", x1=pct(least), x2=pct(greatest), y1=y, y2=y, class_="other thin"),
        tag("line", x1=pct(q1), x2=pct(q3), y1=y, y2=y, class_="other thick"),
        tag("line", x1=pct(median), x2=pct(median), y1=y - 5, y2=y + 5, class_="other middle"),
    )


def _inside(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)


def _gridline_down(share: float, height: int) -> Markup:
    return tag("line", x1=pct(share), x2=pct(share), y1=0, y2=height, class_="grid")


FLOW_HEIGHT = 190
FLOW_GAP = 34
FLOW_LABELS = 168


def flow(ends: Sequence[tuple[str, int, str, str]], label: str) -> Markup:
    """A stream that parts: for each end its class, rows, and two lines of words. As high as it has many rows."""
    total = sum(count for _, count, _, _ in ends)
    room = FLOW_HEIGHT - FLOW_GAP * (len(ends) - 1) - 12
    ribbons: list[Child] = []
    words: list[Child] = []
    source, target = (FLOW_HEIGHT - room) / 2, 6.0
    for class_, count, first, second in ends:
        height = room * count / total if total else 0.0
        shown = max(height, 1.5 if count else 0.0)
        if count:
            path = (
                f"M0 {source:.2f} C50 {source:.2f} 50 {target:.2f} 100 {target:.2f} V{target + shown:.2f} "
                f"C50 {target + shown:.2f} 50 {source + shown:.2f} 0 {source + shown:.2f} Z"
            )
            ribbons.append(tag("path", d=path, class_=class_))
        middle = target + shown / 2
        words.append(tag("rect", x=0, y=f"{target:.2f}", width=5, height=f"{max(shown, 1.5):.2f}", class_=class_))
        words.append(tag("text", first, x=14, y=f"{middle:.2f}", class_="strong"))
        words.append(tag("text", second, x=14, y=f"{middle + 15:.2f}"))
        source, target = source + height, target + shown + FLOW_GAP
    stream = tag(
        "svg", ribbons, viewBox=f"0 0 100 {FLOW_HEIGHT}", preserveAspectRatio="none", width="100%", height=FLOW_HEIGHT
    )
    return tag(
        "div",
        tag("div", stream, class_="area"),
        tag("svg", words, width=FLOW_LABELS, height=FLOW_HEIGHT + 12, class_="ends"),
        class_="plot flow",
        role="img",
        aria_label=label,
    )


def _framed(scale: Sequence[tuple[float, str]], marks: Sequence[Child], across: Sequence[Tick], label: str) -> Markup:
    """Marks over lines for the scale, with their numbers to the left and those of `across` below."""
    names = [
        tag("text", text, x=AXIS_WIDTH - 8, y=f"{_down(share) + 4:.2f}", text_anchor="end") for share, text in scale
    ]
    lines = [
        tag(
            "line",
            x1=0,
            x2="100%",
            y1=f"{_down(share):.2f}",
            y2=f"{_down(share):.2f}",
            class_="grid" if share else "base",
        )
        for share, _ in scale
    ]
    return _beside(names, [*lines[1:], *marks, lines[0], *(_foot(tick, HEIGHT) for tick in across)], HEIGHT, label)


def _beside(names: Sequence[Child], marks: Sequence[Child], height: int, label: str) -> Markup:
    return tag(
        "div",
        tag("svg", names, width=AXIS_WIDTH, height=height, class_="axis"),
        tag("div", tag("svg", marks, width="100%", height=height), class_="area"),
        class_="plot",
        role="img",
        aria_label=label,
    )


def _foot(tick: Tick, height: int) -> Markup:
    anchor = "start" if tick.at < 0.04 else "end" if tick.at > 0.96 else "middle"
    return tag("text", tick.label, x=pct(tick.at), y=height - 6, text_anchor=anchor)


def _down(share: float) -> float:
    return TOP + (_FLOOR - TOP) * (1 - share)


def legend(*entries: tuple[str, str]) -> Markup:
    """What the colours mean: class and words."""
    return tag(
        "p",
        joined(
            *(
                tag("span", tag("svg", tag("rect", width=11, height=11, class_=class_), width=11, height=11), words)
                for class_, words in entries
            )
        ),
        class_="legend",
    )
