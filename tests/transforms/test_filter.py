import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.records import Batch, Shard
from personastream.transforms.filter import Filter
from tests.support.effort import tries

SHARDS = Path(__file__).parents[3] / "shared/data/personas/shards"

GOOD = [
    "A nurse from Almería who keeps bees.",
    "a Java developer who loves List<String> & hates <3",
    "An R&D chemist (organic) @ Bayer [since 1998], C++ fan",
    "一位老师。",
    "ครูสอนภาษาไทย",
    "မြန်မာစာဆရာမ",
    "हिन्दी पढ़ाने वाला शिक्षक",
    "مهندس برمجيات يحب القهوة",
    "Ｔｅａｃｈｅｒ of\tmaths\r\nand physics",
    "the best of the best of the rest",
    "row row row row your your own boat",
    "🎸🎸 guitar teacher of Rome 🎸",
]

BAD = [
    ("too_short", ""),
    ("too_short", "PHP programmer"),
    ("too_short", "老师"),
    ("too_long", "word " * 201),
    ("too_long", "字" * 401),
    ("too_long", "a b c " * 400),
    ("repeated", "buy buy buy buy buy buy now now"),
    ("repeated", "buy buy buy buy buy it here and now"),
    ("repeated", "哈哈哈哈哈哈哈哈笑"),
    ("mostly_symbols", "==== a b c ===="),
    ("mostly_symbols", "★★★★★★★★ 一位老师 ★★"),
    ("url_or_markup", "see https://example.org for more"),
    ("url_or_markup", "see HTTP://EXAMPLE.ORG for more"),
    ("url_or_markup", "a <b>bold</b> man of action"),
    ("url_or_markup", 'a <a href="x">link</a> for you'),
    ("url_or_markup", "a line<br/>break of mine"),
    ("url_or_markup", "<|im_start|>user a nurse"),
    ("url_or_markup", "<｜User｜>a nurse of some kind"),
    ("url_or_markup", "[INST] a nurse of some kind [/INST]"),
    ("url_or_markup", "a nurse of some kind</s>"),
    ("url_or_markup", "<<SYS>> a nurse of some kind"),
    ("url_or_markup", "<start_of_turn>a nurse of some kind"),
    ("control_characters", "a nurse\x00of some kind"),
    ("control_characters", "a nurse\x85of some kind"),
    ("control_characters", "a nurse\x1b[31m of some kind"),
    ("replacement_characters", "a nurse of Alme\ufffdria"),
]


def batch_of(texts: Sequence[str]) -> Batch:
    return Batch(Shard(0, "s", "s.jsonl", 0, ""), 0, len(texts), range(len(texts)), texts, last=True)


def reason_for(text: str, rules: Filter) -> str:
    return "".join(rules(batch_of([text])).dropped)


@pytest.mark.parametrize("text", GOOD)
def test_a_usable_text_of_any_language_is_kept(text: str) -> None:
    assert reason_for(text, Filter()) == ""


@pytest.mark.parametrize(("reason", "text"), BAD)
def test_a_broken_text_is_dropped_for_its_reason(reason: str, text: str) -> None:
    assert reason_for(text, Filter()) == reason


@pytest.mark.parametrize(("reason", "text"), [(reason, text) for reason, text in BAD if not reason.startswith("too_")])
def test_a_rule_can_be_switched_off(reason: str, text: str) -> None:
    assert reason_for(text, Filter(**{reason: False})) == ""


def test_a_filter_without_limits_and_rules_keeps_everything() -> None:
    rules = {field.name: False for field in fields(Filter) if field.type == "bool" or field.type is bool}
    everything = Filter(words_min=0, words_max=10**9, characters_max=10**9, **rules)
    texts = [text for _, text in BAD]
    assert everything(batch_of(texts)).texts == texts


def test_limits_are_inclusive() -> None:
    rules = Filter(words_min=2, words_max=3, characters_max=5, repeated=False)
    texts = ["a", "a b", "a b c", "aa bb", "aa bbb", "一二三", "一二三四五", "一二三四五六"]
    assert rules(batch_of(texts)).texts == ["a b", "a b c", "aa bb", "一二三", "一二三四五"]


def test_dropped_rows_keep_their_numbers_and_earlier_reasons() -> None:
    before = batch_of(["x", "first row is fine", "y", "", "fine row again", "go to http://a"]).keep(
        [True, True, False, True, True, True], "dedup"
    )
    after = Filter()(before)
    assert list(after.numbers) == [1, 4]
    assert {reason: list(rows) for reason, rows in after.dropped.items()} == {
        "dedup": [2],
        "too_short": [0, 3],
        "url_or_markup": [5],
    }


@settings(max_examples=tries(50), deadline=None)
@given(st.lists(st.sampled_from([text for _, text in BAD] + GOOD), max_size=12))
def test_a_row_is_judged_by_itself(texts: list[str]) -> None:
    rules = Filter()
    after = rules(batch_of(texts))
    reasons = {row: reason for reason, rows in after.dropped.items() for row in rows}
    assert [reasons.get(row, "") for row in range(len(texts))] == [reason_for(text, rules) for text in texts]


def test_real_personas_are_hardly_ever_dropped() -> None:
    if not SHARDS.is_dir():
        pytest.skip(f"needs the real personas in {SHARDS}")
    texts: list[str] = []
    for path in sorted(SHARDS.glob("*.jsonl.zst")):
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            texts += [json.loads(line)["persona"] for line in reader.read().decode().split("\n") if line]
    dropped = Filter()(batch_of(texts)).dropped
    assert len(texts) == 5000
    assert {reason: len(rows) for reason, rows in dropped.items()} == {"too_short": 2}
