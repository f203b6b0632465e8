"""Sections about a run as such: where its rows went, why, how fast, and by which model."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any

from personastream.report.figures.timeline import WIDTHS_S
from personastream.report.page import words
from personastream.report.page.charts import Tick, columns, flow, line
from personastream.report.page.markup import Child, Markup, tag
from personastream.report.page.tables import facts, figure, section, share_table, table, tiles

Figures = Mapping[str, Any]


def total_tiles(stages: Sequence[Figures]) -> Markup:
    """What all stages together have made and cost."""
    usage = {name: sum(stage["usage"][name] for stage in stages) for name in stages[0]["usage"]}
    entries: list[tuple[str, str, Child]] = [
        ("Stages", words.number(len(stages)), None),
        ("Records", words.number(sum(stage["records"] for stage in stages)), "of all stages together"),
        ("Requests", words.number(usage["requests"]), None),
        ("Tokens", words.short(usage["input_tokens"] + usage["output_tokens"]), _tokens(usage)),
    ]
    if usage["spend"]:
        entries.append(("Spent", words.money(usage["spend"]), None))
    return tiles(*entries)


def head_tiles(stage: Figures) -> Markup:
    """The figures that one looks for first."""
    rows, usage, sample = stage["rows"], stage["usage"], stage["time"]
    settled = rows["settled"]
    delivered = words.percent(rows["delivered"] / settled) if settled else "none"
    entries: list[tuple[str, str, Child]] = [
        ("Rows read", words.number(settled), f"{words.number(rows['delivered'])} delivered, {delivered}"),
        ("Records", words.number(stage["records"]), words.size(stage["files"]["bytes"]) + " on disk"),
        ("Requests", words.number(usage["requests"]), _per_row(stage["requests_per_asked_row"])),
        ("Tokens", words.short(usage["input_tokens"] + usage["output_tokens"]), _tokens(usage)),
    ]
    if usage["spend"]:
        per = usage["spend"] / max(rows["delivered"], 1) * 1000
        entries.append(("Spent", words.money(usage["spend"]), f"{words.money(per)} per 1,000 delivered"))
    if sample:
        rate = stage["records"] / sample["span_s"]
        entries.append(("Time", words.duration(sample["span_s"]), f"{words.short(rate)} records a second"))
    return tiles(*entries)


def _per_row(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f} for each row asked"


def _tokens(usage: Figures) -> str:
    return f"{words.short(usage['input_tokens'])} in, {words.short(usage['output_tokens'])} out"


def rows_section(stage: Figures, prefix: str) -> Markup:
    """The conservation law as a picture, with the reasons for whatever was not delivered."""
    rows, reasons = stage["rows"], stage["reasons"]
    settled = rows["settled"]
    ends = [
        (end, rows[end], words.number(rows[end]), f"{end}, {words.percent(rows[end] / settled) if settled else '0 %'}")
        for end in ("delivered", "dropped", "dead")
    ]
    law = " + ".join(f"{words.number(rows[end])} {end}" for end in ("delivered", "dropped", "dead"))
    picture = figure(
        f"{words.number(settled)} rows read",
        flow(ends, f"{words.number(settled)} rows read = {law}"),
        caption=f"{words.number(settled)} read = {law}. {_law(stage)}",
    )
    told = [
        figure(
            f"Why {words.number(rows[end])} rows {verb}",
            share_table(("reason", "rows"), _with_examples(reasons[end], end), _reason, end),
        )
        for end, verb in (("dropped", "were dropped"), ("dead", "died"))
        if reasons[end]
    ]
    return section(f"{prefix}rows", "Where the rows went", picture, told and tag("div", told, class_="pair"))


def _law(stage: Figures) -> str:
    finished = stage["state"] == "finished"
    return "Counted from the output itself: nothing is missing." if finished else "So far; there is work left."


def _reason(entry: Figures) -> str:
    return words.reason(entry["name"], entry.get("names", 0))


def _with_examples(entries: Sequence[Figures], end: str) -> Sequence[Figures]:
    told = []
    for entry in entries:
        examples = entry.get("examples")
        shown = examples and (_rows_named(examples) if end == "dropped" else [_letter(each) for each in examples])
        told.append({**entry, "examples": shown})
    return told


def _rows_named(ids: Sequence[str]) -> Markup:
    return tag(
        "p", "such as ", [(", " if place else None, tag("span", each, class_="id")) for place, each in enumerate(ids)]
    )


def _letter(letter: Figures) -> Markup:
    return tag(
        "p",
        tag("span", letter["id"], class_="id"),
        f" {letter['detail']} ",
        letter["text"] and tag("bdi", f"“{letter['text']}”"),
    )


def time_section(stage: Figures, prefix: str) -> Markup | None:
    """Records, tokens and money over time; None if records have no times."""
    told = stage["time"]
    if told is None:
        return None
    per_s, unit = _rate_unit(told["bin_s"], max(told["records"]))
    across = _moments(told)
    begins = [
        datetime.fromisoformat(told["start"]) + timedelta(seconds=place * told["bin_s"])
        for place in range(len(told["records"]))
    ]
    rates = [value / told["bin_s"] * per_s for value in told["records"]]
    tokens = [(a + b) / told["bin_s"] * per_s for a, b in zip(told["input_tokens"], told["output_tokens"], strict=True)]
    charts = [
        _rate_chart("Records", rates, unit, across, begins),
        _rate_chart("Tokens in and out", tokens, unit, across, begins),
    ]
    if stage["usage"]["spend"]:
        spent = [sum(told["spend"][: place + 1]) for place in range(len(told["spend"]))]
        charts.append(figure("Spent so far", line(spent, across, f"Spent so far, up to {words.money(spent[-1])}")))
    pauses = told["pauses"]
    first, last = (told[name].replace("T", " ").rstrip("Z") for name in ("first", "last"))
    lead = (
        f"From {first} to {last} UTC, in steps of {words.duration(told['bin_s'])}, by the time stamps of sampled "
        "records, scaled to all of them."
    )
    if pauses["count"]:
        times = "one pause" if pauses["count"] == 1 else f"{pauses['count']} pauses"
        lead += (
            f" There was {times} of {words.duration(pauses['total_s'])} in all."
            if pauses["count"] == 1
            else (f" There were {times}, {words.duration(pauses['total_s'])} in all.")
        )
    return section(f"{prefix}time", "Over time", tag("div", charts, class_="trio"), lead=lead)


def _rate_chart(
    name: str, values: Sequence[float], unit: str, across: Sequence[Tick], begins: Sequence[datetime]
) -> Markup:
    titles = [
        f"{begin:%Y-%m-%d %H:%M:%S}: {words.short(value)} {unit}" for begin, value in zip(begins, values, strict=True)
    ]
    return figure(f"{name} {unit}", columns(values, across, titles, f"{name} {unit} over time"))


def _rate_unit(bin_s: float, most: float) -> tuple[float, str]:
    """Per second where that makes one or more, else per minute or hour."""
    rate = most / bin_s
    return (1, "a second") if rate >= 1 else (60, "a minute") if rate >= 1 / 60 else (3600, "an hour")


def _moments(told: Figures) -> list[Tick]:
    """A few round times along the axis."""
    start, span_s = datetime.fromisoformat(told["start"]), len(told["records"]) * told["bin_s"]
    pattern, most = ("%H:%M:%S", 3.5) if span_s < 600 else ("%H:%M", 4) if span_s < 86_400 else ("%d %b", 4)
    step_s = next((width_s for width_s in WIDTHS_S if span_s / width_s <= most), span_s)
    first_s = -start.timestamp() % step_s
    places = range(round(first_s), round(span_s), round(step_s))
    return [Tick(place / span_s, f"{start + timedelta(seconds=place):{pattern}}") for place in places]


def replies_section(stage: Figures, prefix: str) -> Markup | None:
    """Models and how their replies ended."""
    told = stage["replies"]
    if told is None:
        return None
    several = len(told["models"]) > 1
    spend = bool(stage["usage"]["spend"])
    heads = ["model", "records", "tokens in", "tokens out", *(["spent"] if spend else [])]
    rows = [
        [
            tag("bdi", _reason(entry)),
            words.number(entry["count"] if entry["name"] is None else entry["records"]),
            *(words.short(entry.get(name, 0)) for name in ("input_tokens", "output_tokens")),
            *([words.money(entry.get("spend", 0.0))] if spend else []),
        ]
        for entry in told["models"]
    ]
    note = "Shared out among the models by the tokens of their sampled records." if several else None
    blocks = [
        figure("Models", table(heads, rows), caption=note),
        told["finish_reasons"]
        and figure("How replies ended", share_table(("finish reason", "records"), told["finish_reasons"], _reason)),
    ]
    return section(f"{prefix}replies", "Models and replies", tag("div", blocks, class_="pair"))


def settings_section(stage: Figures, prefix: str) -> Markup:
    """What the run was told to do."""
    settings = [(name, tag("code", str(value))) for name, value in stage["settings"].items()]
    return section(
        f"{prefix}settings",
        "Settings",
        facts(
            ("configuration", tag("code", PurePath(stage["config"]).name)),
            ("started", words.moment(stage["created"])),
            ("version", stage["version"]),
            (
                "shards",
                f"{words.number(stage['shards']['finished'])} of {words.number(stage['shards']['total'])} finished",
            ),
            *settings,
        ),
        lead="What shapes the output, as run.json keeps it.",
    )
