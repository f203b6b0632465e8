"""The page as text: whole, well-formed, escaped, and the same for the same run."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from personastream.report.document import Options, document
from personastream.report.page import page
from personastream.report.page.markup import VOID
from personastream.report.page.words import duration, money, percent, short, size
from tests.support.ended_run import Row, record, unwatched, write_run
from tests.support.hostile_run import hostile_run

pytestmark = pytest.mark.slow

TAGS = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer", "nav", "section"),
    *("article", "figure", "figcaption", "h1", "h2", "h3", "p", "a", "span", "bdi", "strong", "small", "code"),
    *("dl", "dt", "dd", "div", "table", "thead", "tbody", "tr", "th", "td", "ol", "li", "details", "summary"),
    *("svg", "g", "rect", "line", "circle", "path", "polygon", "polyline", "text"),
}


class Reader(HTMLParser):
    """Reads a page and complains of what should not be on it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "style", "srcset", "action"):
                self.faults.append(f"{tag} {name}")
            if name == "href":
                self.links.append(value or "")
            if name == "id":
                self.ids[value or ""] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.said += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def report(run: Path, seed: int = 1) -> str:
    return page(document(run, Options(1000, seed), unwatched))


def test_nothing_hostile_gets_onto_the_page(tmp_path: Path) -> None:
    text = report(hostile_run(tmp_path / "<i>run & \u202e"))
    reader = read(text)
    assert reader.faults == []
    assert set(reader.ids.values()) == {1}
    assert {link for link in reader.links if link != "data:,"} <= {f"#{name}" for name in reader.ids}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0\ufffe]", text)
    assert len(text.encode()) < 500_000, "long texts are cut"
    assert "<script>window.pwned = 1</script>" in reader.said
    assert "and 998,500 characters more" in reader.said


def test_a_run_without_a_record_has_a_page(tmp_path: Path) -> None:
    several: list[list[Row]] = [[], ["dedup"], [{"number": 1}]]
    for number, rows in enumerate(several):
        reader = read(report(write_run(tmp_path / str(number), {"a": rows})))
        assert reader.faults == []
        assert f"{len(rows)} rows read" in reader.said


def test_the_same_run_and_seed_give_the_same_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": [record(f"text number {number} of many") for number in range(2000)]})
    made = re.compile("looked at [0-9: -]+ UTC")
    first, again, other = (made.sub("", report(run, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_stages_show_what_flows_between_them(tmp_path: Path) -> None:
    people = [
        [{"persona": f"{n}-{k}", "meta": {"hop": 0, "root": f"a:{n}", "relation": "reader"}} for k in range(3)]
        for n in range(5)
    ]
    write_run(tmp_path / "hub" / "b-texts", {"a": people})
    write_run(
        tmp_path / "hub" / "a-hop",
        {"b": [*(record(str(n)) for n in range(13)), "dedup", "dedup"]},
        path=str(tmp_path / "hub" / "b-texts"),
    )
    told = document(tmp_path / "hub", Options(100, 1), unwatched)
    assert [(stage["name"], stage["reads"]) for stage in told["stages"]] == [("b-texts", []), ("a-hop", ["b-texts"])]
    assert [(stage["records"], stage["rows"]["settled"]) for stage in told["stages"]] == [(15, 5), (13, 15)]
    assert told["lineage"]["hops"] == [{"hop": 0, "personas": 15, "roots": 5, "asked_rows": 5, "fan_out": 3.0}]
    reader = read(page(told))
    assert reader.faults == []
    assert "↓ 15 records of b-texts" in reader.said
    assert max(reader.ids.values()) == 1
    (tmp_path / "hub" / "stages.json").write_bytes(orjson.dumps({"stages": [{"name": "a-hop"}, {"name": "later"}]}))
    assert [stage["name"] for stage in document(tmp_path / "hub", Options(9, 1), unwatched)["stages"]] == ["a-hop"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (percent(0.5), "50.0 %"), (percent(0), "0 %"), (percent(1), "100 %"), (percent(0.0001), "< 0.1 %"),
        (percent(0.9999), "> 99.9 %"), (short(0), "0"), (short(999), "999"), (short(1234), "1.23 k"),
        (short(1e9), "1 G"), (short(999_999), "1 M"), (short(0.25), "0.25"), (size(0), "0 bytes"),
        (size(2_500_000), "2.5 MB"), (money(1234.5), "1,234.50"), (money(0), "0.00"), (money(0.01234), "0.0123"),
        (duration(59.6), "1 min"), (duration(3700), "1 h 1 min"),
        (duration(86_400 * 3 + 7200), "3 d 2 h"), (duration(0), "0 s"),
    ],
)  # fmt: skip
def test_numbers_are_said_in_few_digits(said: str, expected: str) -> None:
    assert said.replace("\u00a0", " ") == expected
