"""Figures over time, by model, of texts and of lineage, against hand counts."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.outcomes import Usage
from personastream.report.figures.diversity import diversity_figures
from personastream.report.figures.excerpts import excerpts
from personastream.report.figures.lineage import Traced, lineage_figures
from personastream.report.figures.replies import reply_figures
from personastream.report.figures.texts import language_figures, length_figures, script_of
from personastream.report.figures.timeline import BINS_MAX, bin_width, time_figures
from personastream.report.records import Item, Lineage, Text, parse
from personastream.report.sampling import Sample

USAGE = Usage(requests=10, input_tokens=1000, output_tokens=500, spend_nanos=3_000_000_000)


def item(output: str = "some text", given: str = "A baker", **changes: Any) -> Item:
    fields: dict[str, Any] = {
        "id": "a:0", "shard": "a", "input": Text(given, len(given)), "output": Text(output, len(output)), "model": "m",
        "template": "t", "finish_reason": "stop", "created_s": 0.0, "tokens": 1, "lineage": None, "whole": {},
    }  # fmt: skip
    return Item(**{**fields, **changes})


def sample_of(items: Sequence[Item]) -> Sample:
    return Sample(items=list(items), spent=[(2.0, 1.0, 5.0) for _ in items])


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=50), st.integers(1, 10**9))
def test_bins_add_up_to_all_records_and_to_what_they_cost(moments: list[float], records: int) -> None:
    told = time_figures(sample_of([item(created_s=moment) for moment in moments]), records, USAGE)
    assert told is not None
    assert math.fsum(told["records"]) == pytest.approx(records)
    assert math.fsum(told["input_tokens"]) == pytest.approx(1000)
    assert math.fsum(told["output_tokens"]) == pytest.approx(500)
    assert math.fsum(told["spend"]) == pytest.approx(3)
    assert len(told["records"]) <= BINS_MAX + 2
    assert told["records"][-1] > 0


@given(st.floats(1, 1e9))
def test_steps_are_as_long_as_needed(span_s: float) -> None:
    width_s = bin_width(span_s)
    assert span_s / width_s <= BINS_MAX
    assert width_s == 1 or span_s / width_s > BINS_MAX / 4


def test_a_pause_is_told() -> None:
    moments = [*range(10), *range(5000, 5010)]
    told = time_figures(sample_of([item(created_s=float(moment)) for moment in moments]), 20, USAGE)
    assert told is not None
    assert told["pauses"] == {"count": 1, "total_s": 4991.0, "longest_s": 4991.0}


def test_without_times_there_is_nothing_to_tell_of_them() -> None:
    assert time_figures(sample_of([item(created_s=None)]), 1, USAGE) is None


def test_models_share_what_all_cost() -> None:
    sample = Sample(
        items=[item(model="one"), item(model="one"), item(model="two", finish_reason="length"), item(model="")],
        spent=[(3, 1, 1), (3, 1, 1), (4, 2, 2), (0, 0, 0)],
    )
    told = reply_figures(sample, 400, USAGE)
    assert told is not None
    one, two = told["models"]
    assert (one["name"], one["records"], one["input_tokens"], one["output_tokens"]) == ("one", 267, 600, 250)
    assert (two["name"], two["records"], two["input_tokens"], two["output_tokens"]) == ("two", 133, 400, 250)
    assert (one["spend"], two["spend"]) == pytest.approx((1.5, 1.5))
    assert [(entry["name"], entry["count"]) for entry in told["finish_reasons"]] == [("stop", 3), ("length", 1)]


def test_lengths_are_counted_in_words_and_characters() -> None:
    told = length_figures([item("one two three", "数学"), item("four", "A b")])
    assert told["outputs"]["words"]["spread"]["mean"] == 2
    assert told["outputs"]["characters"]["spread"]["max"] == 13
    assert told["inputs"]["words"]["spread"]["mean"] == 2


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("A teacher", "Latin"), ("Élève à Paris", "Latin"), ("Учитель из Москвы, Moscow", "Cyrillic"),
        ("一位50岁的历史学教授", "Han"), ("数学の先生です", "Japanese"), ("선생님", "Hangul"), ("معلم", "Arabic"),
        ("数学老师 at MIT", "Latin"), ("123 !", "none"), ("", "none"), ("١٢٣ ؟", "none"), ("ＡＢＣ", "Latin"),
    ],
)  # fmt: skip
def test_the_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script


@pytest.mark.slow
def test_languages_are_guessed_from_the_texts() -> None:
    german = "Eine Lehrerin aus Berlin, die gerne mit ihren Schülern über Geschichte spricht und viel liest."
    english = "A teacher from Leeds who likes to talk with her pupils about history and reads a great deal."
    told = language_figures([german, english, "", "1 + 1", english], seed=1)
    assert told is not None
    assert [(entry["name"], entry["count"]) for entry in told["languages"]] == [("en", 2), ("de", 1)]


@pytest.mark.slow
def test_figures_of_diversity() -> None:
    texts = [
        "the cat sat on the mat",
        "The cat sat on  the mat",
        "a dog ran by a tree at dawn",
        "a dog ran by a tree at dusk",
    ]
    told = diversity_figures(texts, seed=1)
    assert told is not None
    assert told["texts"] == 4
    one, two, *_ = told["distinct"]["ngrams"]
    assert (one["total"], one["distinct"]) == (28, 13)
    assert (two["total"], two["distinct"]) == (24, 13)
    assert told["copies"]["exact"] == 1
    assert told["copies"]["near"] == 1
    assert told["openings"]["distinct"] == 3
    assert told["openings"]["commonest"][0] == {"name": "a dog ran", "count": 2, "share": 0.5}
    assert told["self_similarity"]["nearest"]["spread"]["max"] == 1
    assert diversity_figures(["same words again " * 50] * 20, 1)["compression"]["ratio"] > 50  # type: ignore[index]


def test_lineage_counts_personas_roots_and_relations_by_hop() -> None:
    def people(hop: int, roots: str) -> list[Lineage]:
        return [Lineage(hop, root, f"p{root}", "reader" if hop == 0 else "rival") for root in roots]

    told = lineage_figures([Traced(people(0, "ab"), 2, 2), Traced(people(1, "aab"), 3, 2), Traced([], 99, 9)])
    assert told is not None
    assert told["exact"]
    assert [(hop["hop"], hop["personas"], hop["roots"], hop["fan_out"]) for hop in told["hops"]] == [
        (0, 2, 2, 1.0),
        (1, 3, 2, 1.5),
    ]
    assert told["roots"] == 2
    assert told["per_root"]["max"] == 3
    assert [(entry["name"], entry["count"]) for entry in told["relations"]] == [("rival", 3), ("reader", 2)]
    sampled = lineage_figures([Traced(people(0, "ab"), 200, 100)])
    assert sampled is not None
    assert (sampled["exact"], sampled["hops"][0]["personas"], sampled["per_root"]) == (False, 200, None)
    assert lineage_figures([Traced([], 5, 5)]) is None


def test_excerpts_are_of_all_lengths_and_shards_and_are_cut() -> None:
    items = [item("x" * (number + 1), shard=f"s{number % 3}") for number in range(300)]
    told = excerpts([*items, item("y" * 1_000_000)], seed=3)
    lengths = [each["output"]["characters"] for each in told]
    assert len(told) == 12
    assert lengths == sorted(lengths)
    assert (lengths[0] <= 25, lengths[-1] >= 275) == (True, True)
    assert len(excerpts(items[:2], 3)) == 2
    assert max(len(each["output"]["text"]) for each in told) <= 1500


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"7", b'{"id": "a"}', b'{"id": 5, "meta": []}', b"\xff"])
def test_a_line_without_a_text_is_no_record(line: bytes) -> None:
    assert parse(line, "a") is None


def test_whatever_a_record_holds_it_is_read() -> None:
    meta = b'{"hop": true, "model": 7, "usage": {"a": -1, "b": "x", "c": 2}, "created": 3}'
    told = parse(b'{"id": 5, "persona": "p", "meta": %b}' % meta, "a")
    assert told is not None
    assert (told.id, told.output.text, told.lineage, told.model) == ("", "p", None, "")
    assert (told.tokens, told.created_s) == (2, None)
    anything = parse(b'{"id": "a:0", "title": "t", "body": "the longest text"}', "a")
    assert anything is not None
    assert anything.output.text == "the longest text"
