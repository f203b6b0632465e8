"""Cards: what stands in them is what was counted, and no name in them, however hostile, is more than a name."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from personastream.card.croissant import croissant
from personastream.card.facts import CardFacts, DataFile, Sampled, Source, StageFacts, Step
from personastream.card.front_matter import front_matter, size_category
from personastream.card.prov import prov
from personastream.card.quoting import inert_markdown, json_block, yaml_text
from personastream.card.readme import readme
from personastream.core.outcomes import Counts, Usage

HOSTILE = (
    "a|b | c",
    "`code` ``` \n# head\n---\n",
    "<script>alert(1)</script>",
    "[x](javascript:alert(1)) ![y](http://evil.test/p.png)",
    "http://evil.test www.evil.test <http://evil.test> me@evil.test",
    "\u202egnp.exe \x1b[31m \x00 \u2028 \ufeff",
    "{{ 7*7 }} {% x %} \\u0041 &lt; &#60;",
    "*b* _i_ ~~s~~ ==m== $x$ :smile: #1 @you",
    "- a\n- b",
    '": "\nlicense: mit\n',
    "\ud800",
    "中文 😀 é",
)
MOMENT = "2026-01-02T00:00:00Z"
texts = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(HOSTILE)


def facts(name: str = "math", licences: dict[str, int] | None = None, **changes: Any) -> CardFacts:
    stage = StageFacts(
        name=name,
        run_id="0" * 32,
        created="2026-01-01T00:00:00Z",
        version="0.1.0",
        finished=True,
        asks=True,
        reads=[],
        recipe="generate",
        sources=[Source(name, 100, "f" * 32, "CC-BY-NC-SA-4.0")],
        steps=[Step("transform", "filter", {"pattern": name})],
        terms=[{"model": name, "terms": "LicenseRef-OpenAI", "told_by": "name", "training": "no", "url": name}],
        counts=Counts(7, {name: 2, "dedup": 1}, {"length": 3}),
        records=9,
        usage=Usage(10, 1_000, 2_000, 0, 5_000_000_000),
        sampled=Sampled(9, {name: 9}, {name: 9}, licences or {"CC-BY-NC-SA-4.0": 9}, {name: 1}, MOMENT, MOMENT),
    )
    given = {"stages": [stage], "title": name, "columns": {name: "text", "synthetic": "boolean"}, **changes}
    files = [DataFile(name, "0" * 32, "a" * 64, 1_000, "jsonl.zst")]
    return CardFacts(version="0.1.0", made="2026-01-03T00:00:00Z", files=files, rows=9, **given)


def tokens(markdown: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        yield token
        yield from token.children or ()


def parts(page: str) -> tuple[Any, str]:
    head, body = page.removeprefix("---\n").split("\n---\n", 1)
    return yaml.safe_load(head), body


def test_a_card_tells_what_was_counted() -> None:
    head, body = parts(readme(facts()))
    assert head["license"] == "cc-by-nc-sa-4.0"
    assert head["size_categories"] == ["n<1K"]
    assert "synthetic" in head["tags"]
    for line in ("| math | delivered |  | 7 |", "| math | dropped | math | 2 |", "| math | dead | length | 3 |"):
        assert line in body
    assert "| math | 10 | 1,000 | 2,000 | 5.0" in body
    assert "restricted" in body
    assert "Counted in a sample" not in body


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        ([], {"license": "unknown"}),
        (["NOASSERTION"], {"license": "unknown"}),
        (["CC-BY-4.0"], {"license": "cc-by-4.0"}),
        (["LicenseRef-llama3"], {"license": "llama3"}),
        (
            ["LicenseRef-OpenAI"],
            {
                "license": "other",
                "license_name": "LicenseRef-OpenAI",
                "license_link": "https://openai.com/policies/services-agreement/",
            },
        ),
        (["MIT", "CC-BY-4.0 OR MIT"], {"license": "other", "license_name": "(CC-BY-4.0 OR MIT) AND MIT"}),
    ],
)
def test_the_licence_that_tools_read(licences: list[str], expected: dict[str, str]) -> None:
    head, _ = parts(front_matter("t", 1, licences))
    assert {key: value for key, value in head.items() if key.startswith("license")} == expected


def test_the_licence_that_was_chosen_for_the_output_comes_first() -> None:
    assert parts(readme(facts(output_licence="CC-BY-SA-4.0")))[0]["license"] == "cc-by-sa-4.0"


@given(texts)
def test_any_text_is_the_same_text_in_yaml(text: str) -> None:
    assert yaml.safe_load(yaml_text(text)) == text


@given(texts)
def test_any_text_stands_for_itself_in_a_page(text: str) -> None:
    page = f"| a | b |\n| --- | --- |\n| {inert_markdown(text)} | x |\n"
    found = [token for token in tokens(page) if token.type not in ("text", "inline", "text_special")]
    assert {token.tag for token in found} <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert [token.tag for token in found if token.type == "td_open"] == ["td", "td"]
    assert inert_markdown(text).isprintable()
    assert not any(word in inert_markdown(text).lower() for word in ("://", "www.", "@", "<", "`", "{{"))


@given(texts)
def test_nothing_ends_a_block_of_json(text: str) -> None:
    page = json_block({text: [text]})
    (block,) = tokens(page)
    assert block.type == "fence"
    assert orjson.loads(block.content.encode()) if text.isprintable() else True


@given(texts)
def test_a_card_with_hostile_names_has_the_form_of_one_without(name: str) -> None:
    def form(page: str) -> list[str]:
        return [
            token.type for token in tokens(parts(page)[1]) if token.type not in ("text", "text_special", "softbreak")
        ]

    page = readme(facts(name, {"CC-BY-NC-SA-4.0": 9}))
    head, _ = parts(page)
    assert head["pretty_name"] == name
    assert head["license"] == "cc-by-nc-sa-4.0"
    assert form(page) == form(readme(facts("math")))


@given(texts)
def test_names_are_never_ids(name: str) -> None:
    lineage, metadata = prov(facts(name)), croissant(facts(name))
    ids = [key for kind in ("agent", "entity", "activity") for key in lineage[kind]]
    ids += [each["@id"] for each in (*metadata["distribution"], *metadata["recordSet"][0]["field"])]
    assert all(one.isascii() and one.isprintable() and " " not in one for one in ids)
    assert len(set(ids)) == len(ids)
    assert (
        ids
        == [
            *[key for kind in ("agent", "entity", "activity") for key in prov(facts("x"))[kind]],
            *["file-0", "records/0", "records/1"],
        ]
        or name == "synthetic"
    )


def test_sizes_as_the_hub_calls_them() -> None:
    assert [size_category(rows) for rows in (0, 999, 1_000, 50_000_000, 1_000_000_000, 10**12)] == [
        *("n<1K", "n<1K", "1K<n<10K", "10M<n<100M", "1B<n<10B", "10B<n<100B")
    ]
