"""Sections about the texts: lengths, languages, how much they repeat, and some of them to be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from personastream.report.figures.similarity import PAPER
from personastream.report.page import words
from personastream.report.page.charts import Tick, boxes, columns, legend
from personastream.report.page.markup import Child, Markup, tag
from personastream.report.page.tables import figure, section, share_table, table

Figures = Mapping[str, Any]


def lengths_section(stage: Figures, prefix: str) -> Markup | None:
    """Histograms of what went in and what came out."""
    told = stage["lengths"]
    charts = [
        _length_chart(told[side][unit], f"{name} in {unit}", unit)
        for unit in ("words", "characters")
        for side, name in (("inputs", "What went in,"), ("outputs", "What came out,"))
        if told[side]
    ]
    lead = "In scripts that are written without spaces, each character counts as a word."
    return section(f"{prefix}lengths", "Lengths", tag("div", charts, class_="pair"), lead=lead) if charts else None


def _length_chart(told: Figures, title: str, unit: str) -> Markup:
    histogram, spread = told["histogram"], told["spread"]
    edges, counts = histogram["edges"], list(histogram["counts"])
    titles = [
        f"{low:,}-{high - 1:,} {unit}: {count:,} texts"
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    faint: tuple[int, ...] = ()
    if histogram["over"]:
        counts.append(histogram["over"])
        titles.append(f"{edges[-1]:,} {unit} or more: {histogram['over']:,} texts")
        faint = (len(counts) - 1,)
    step = max(1, -(-(len(edges) - 1) // 5))
    across = [Tick(place / len(counts), f"{edges[place]:,}") for place in range(0, len(edges) - step // 2, step)]
    if faint:
        across = [*(tick for tick in across if tick.at < 0.9), Tick(1.0, "more")]
    caption = (
        f"Median {words.number(spread['median'])}, mean {words.short(spread['mean'])}, "
        f"90 % from {words.number(spread['p5'])} to {words.number(spread['p95'])}, "
        f"longest {words.number(spread['max'])}."
    )
    return figure(title, columns(counts, across, titles, f"{title}. {caption}", faint), caption=caption)


def languages_section(stage: Figures, prefix: str) -> Markup | None:
    """Scripts, and languages if they were guessed."""
    if not stage["scripts"]:
        return None
    languages = stage["languages"]
    blocks: list[Child] = [
        figure(
            "Script of most letters",
            share_table(("script", "texts"), stage["scripts"], lambda e: e["name"] or _others(e)),
        )
    ]
    if languages:
        rows = share_table(
            ("language", "texts"),
            languages["languages"],
            lambda e: words.language(e["name"]) if e["name"] else _others(e),
        )
        note = (
            f"Guessed by py3langid for {words.number(languages['texts'])} texts. It errs on short ones: rare languages "
            "are mostly errors."
        )
        blocks.append(figure("Language", rows, caption=note))
    else:
        blocks.append(
            tag(
                "p",
                "Languages are guessed where py3langid is installed: ",
                tag("code", "pip install 'personastream[report]'"),
                ".",
                class_="note",
            )
        )
    return section(f"{prefix}languages", "Languages of the output", tag("div", blocks, class_="pair"))


def _others(entry: Figures) -> str:
    return f"{entry['names']:,} more"


def diversity_section(stage: Figures, prefix: str) -> Markup | None:
    """How much texts repeat words, openings and one another."""
    made, given = stage["diversity"]["outputs"], stage["diversity"]["inputs"]
    if made is None:
        return None
    columns_told = [("output", made), *([("input", given)] if given else [])]
    rows: list[list[Child]] = [["texts looked at", *(words.number(each["texts"]) for _, each in columns_told)]]
    for place, entry in enumerate(made["distinct"]["ngrams"]):
        name = "distinct words" if entry["n"] == 1 else f"distinct runs of {entry['n']} words"
        rows.append([name, *(words.percent(each["distinct"]["ngrams"][place]["share"]) for _, each in columns_told)])
    rows.append(["times smaller when compressed", *(f"{each['compression']['ratio']:.2f}" for _, each in columns_told)])
    rows.append(["words that two texts share", *(_median(each, "pairs") for _, each in columns_told)])
    rows.append(["words shared with the nearest text", *(_median(each, "nearest") for _, each in columns_told)])
    rows.append(["exact copies of an earlier text", *(_copies(each, "exact") for _, each in columns_told)])
    rows.append(
        [
            f"near copies (words shared ≥ {made['copies']['similarity_min']})",
            *(_copies(each, "near") for _, each in columns_told),
        ]
    )
    note = (
        f"Distinct runs: of all runs in {words.number(made['distinct']['texts'])} texts; the more texts, the lower. "
        "Words shared: the share of the words of either text that are in both (Jaccard), as a median. "
        "Copies are looked for in the sample only: of a larger whole, a sample shows fewer."
    )
    openings = made["openings"]
    first = share_table(
        (f"first {openings['words']} words", "texts"), openings["commonest"], lambda e: e["name"] or _others(e)
    )
    told = f"{words.number(openings['distinct'])} different openings in {words.number(made['texts'])} texts."
    blocks = [
        figure("How much the texts repeat", table(["", *(name for name, _ in columns_told)], rows), caption=note),
        tag("div", figure("How they begin", first, caption=told), _nearest_chart(made)),
    ]
    return section(f"{prefix}diversity", "Diversity", tag("div", blocks, class_="pair"))


def _median(told: Figures, name: str) -> str:
    similarity = told["self_similarity"]
    if similarity is None:
        return "–"
    spread = similarity["pairs"] if name == "pairs" else similarity["nearest"]["spread"]
    return words.percent(spread["median"])


def _copies(told: Figures, name: str) -> str:
    return f"{words.number(told['copies'][name])} ({words.percent(told['copies'][f'{name}_share'])})"


def _nearest_chart(told: Figures) -> Markup | None:
    similarity = told["self_similarity"]
    if similarity is None:
        return None
    counts = similarity["nearest"]["histogram"]
    titles = [f"{place / 20:g} to {(place + 1) / 20:g}: {count:,} texts" for place, count in enumerate(counts)]
    across = [Tick(share, f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1)]
    of = words.number(similarity["nearest"]["texts"])
    caption = f"Share of words in common, of {of} texts. At 1 a text has a copy with the same words."
    return figure(
        "How alike each output is to the one nearest to it", columns(counts, across, titles, caption), caption=caption
    )


def similarity_section(stage: Figures, prefix: str) -> Markup | None:
    """Fig. 10 of the paper, as far as it can be told."""
    told = stage["similarity"]
    if told is None:
        return None
    cosine = told["scale"] == "cosine"
    rows = [
        (f"{level['personas_alike']:g}", level["box"], PAPER.get(level["personas_alike"]) if cosine else None)
        for level in told["levels"]
    ]
    plot = boxes(rows, "Similarity of outputs by similarity of their personas")
    keys = [
        ("main", "this run: quartiles, whiskers, outliers"),
        *([("other-key", "the paper, Fig. 10 (a): GPT-4 math problems")] if cosine else []),
    ]
    pairs = [
        [
            f"{level['personas_alike']:g}\u00a0±\u00a0{told['within']:g}",
            words.number(level["pairs_found"]),
            *_five(level["box"]),
        ]
        for level in told["levels"]
    ]
    heads = ["personas", "pairs found", "drawn", "min", "Q1", "median", "Q3", "max"]
    if cosine:
        pairs += [[f"{at:g}, paper", "", "100", *(f"{value:.2f}" for value in five)] for at, five in PAPER.items()]
        lead = f"Cosine of vectors by {told['model']}. The paper used text-embedding-3-small with 512 dimensions."
    else:
        lead = (
            "Lexical: the share of words in common (Jaccard), of the personas and of what was made of them. No vectors "
            "were asked for, so this cannot be compared with the paper's Fig. 10; give --embeddings-url and "
            "--embeddings-model for that."
        )
    blocks = [
        figure("Similarity of outputs (across) by similarity of personas (down)", plot, legend(*keys)),
        figure(
            "The same in numbers",
            table(heads, pairs),
            caption=f"Pairs among {words.number(told['personas'])} personas; of each kind at most 100 are drawn.",
        ),
    ]
    return section(
        f"{prefix}similarity", "Do unlike personas give unlike texts?", tag("div", blocks, class_="pair"), lead=lead
    )


def _five(box: Figures | None) -> Sequence[str]:
    if box is None:
        return ("0", *["–"] * 5)
    return (words.number(box["count"]), *(f"{box[name]:.2f}" for name in ("min", "q1", "median", "q3", "max")))


def excerpts_section(stage: Figures, prefix: str) -> Markup | None:
    """Some records in full, or nearly."""
    cards = [_card(each) for each in stage["excerpts"]]
    lead = "Drawn at random, from the shortest to the longest."
    return section(f"{prefix}records", "Records", tag("div", cards, class_="cards"), lead=lead) if cards else None


def _card(told: Figures) -> Markup:
    about = [
        tag("span", told["id"], class_="id"),
        *(tag("bdi", each) for each in (told["model"], told["finish_reason"]) if each),
    ]
    return tag(
        "article",
        tag("header", *about, tag("span", f"{words.number(told['output']['characters'])} characters")),
        told["input"] and tag("p", _shown(told["input"]), class_="given", dir="auto"),
        tag("p", _shown(told["output"]), class_="text", dir="auto"),
        class_="card",
    )


def _shown(text: Figures) -> Child:
    more = text["characters"] - len(text["text"])
    if more <= 0:
        return str(text["text"])
    return [text["text"], " … ", tag("span", f"and {words.number(more)} characters more", class_="cut")]
