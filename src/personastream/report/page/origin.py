"""Sections about several stages together: how they feed one another, and how personas grow from hop to hop."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from personastream.report.page import words
from personastream.report.page.charts import bar, legend
from personastream.report.page.markup import Child, Markup, tag
from personastream.report.page.tables import BAR_HEIGHT, figure, section, share_table, table

Figures = Mapping[str, Any]


def stages_section(stages: Sequence[Figures]) -> Markup:
    """The graph of stages, from top to bottom; what flows between them stands on the edges."""
    widest = max(stage["rows"]["settled"] for stage in stages) or 1
    known = {stage["name"]: stage for stage in stages}
    graph = tag("ol", [_node(stage, place, known, widest) for place, stage in enumerate(stages)], class_="stages")
    keys = legend(("delivered", "delivered"), ("dropped", "dropped"), ("dead", "dead"))
    lead = "Each stage is a run of its own. Bars are drawn to one scale: rows read."
    return section("stages", "Stages", keys, graph, lead=lead)


def _node(stage: Figures, place: int, known: Mapping[str, Figures], widest: int) -> Iterator[Markup]:
    rows = stage["rows"]
    read = [known[name] for name in stage["reads"]]
    if read:
        told = " + ".join(f"{words.number(each['records'])} records of {each['name']}" for each in read)
        yield tag("li", f"↓ {told}", class_="edge")
    parts = [(end, rows[end] / widest) for end in ("delivered", "dropped", "dead")]
    lost = ", ".join(f"{words.number(rows[end])} {end}" for end in ("dropped", "dead") if rows[end])
    yield tag(
        "li",
        tag("a", tag("strong", stage["name"]), href=f"#{anchor(place)}"),
        bar(parts),
        tag(
            "span",
            f"{words.number(rows['settled'])} read, {words.number(rows['delivered'])} delivered",
            lost and f", {lost}",
            class_="figures",
        ),
        class_="node",
    )


def anchor(place: int) -> str:
    """Where a stage is on the page."""
    return f"stage-{place}"


def lineage_section(told: Figures | None) -> Markup | None:
    """Growth by hop, and how people are related to what they came of."""
    if told is None:
        return None
    greatest = max(hop["personas"] for hop in told["hops"]) or 1
    rows: list[list[Child]] = []
    before = None
    for hop in told["hops"]:
        grown = f"×\u00a0{hop['personas'] / before:.2f}" if before else "–"
        fan_out = f"{hop['fan_out']:.2f}" if hop["fan_out"] else "–"
        share = bar([("main", hop["personas"] / greatest)], BAR_HEIGHT)
        rows.append([str(hop["hop"]), share, words.number(hop["personas"]), grown, words.number(hop["roots"]), fan_out])
        before = hop["personas"]
    exact = (
        "Counted in all records." if told["exact"] else "Estimated from sampled records; roots are those in the sample."
    )
    per_root = told["per_root"]
    if per_root:
        most = words.number(per_root["max"])
        exact += f" A page has {words.short(per_root['median'])} personas in the median, {most} at most."
    growth = table(["hop", "", "personas", "growth", "roots", "fan-out"], rows)
    blocks = [
        figure("Personas by hop from their page", growth, caption=exact),
        figure(
            "Relations",
            share_table(("relation", "sampled"), told["relations"], lambda e: e["name"] or f"{e['names']:,} more"),
        ),
    ]
    return section(
        "lineage",
        "Lineage",
        tag("div", blocks, class_="pair"),
        lead=f"All come from {words.number(told['roots'])} pages.",
    )
