"""The report in a real browser: it says nothing on the console, loads nothing, and fits a phone and a desk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from personastream.records import DeadRow
from personastream.report.document import Options, document
from personastream.report.page import page
from personastream.samples import personas
from tests.support.browser import Browser, browser
from tests.support.ended_run import Row, record, unwatched, write_run
from tests.support.hostile_run import hostile_run

pytestmark = pytest.mark.slow

WIDTHS = (320, 390, 768, 1440)
CONTRAST_MIN = 4.5

CONTRASTS = """
(() => {
  const light = colour => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!colour.startsWith("rgba(0, 0, 0, 0")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("p, td, th, a, dt, dd, h1, h2, h3, small, span, figcaption, text")) {
    const style = getComputedStyle(element);
    const [one, other] = [light(element instanceof SVGElement ? style.fill : style.color), light(behind(element))];
    found.push((Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05));
  }
  return found;
})()
"""
OVERLAPS = """
[...document.querySelectorAll(".plot svg")].flatMap(svg => {
  const boxes = [...svg.querySelectorAll(":scope > text")].map(text => text.getBoundingClientRect());
  return boxes.flatMap((one, place) => boxes.slice(place + 1).filter(other =>
    one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom))
}).length
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run with everything on its page, stages, and a hostile run."""
    folder = tmp_path_factory.mktemp("pages")
    rows: list[Row] = []
    for number, persona in enumerate(personas(600, 1)):
        at = f"2026-01-01T0{number // 200}:{number % 60:02}:00Z"
        rows.append(record(f"Math problem: {persona} has {number} apples. {persona}", persona, created=at))
    for number in range(40):
        rows += ["near_dedup", DeadRow(0, ("length", "refused", "contract")[number % 3], "why it died", "A baker")]
    write_run(folder / "run", {"people-of-many-kinds-00000": rows[:300], "people-of-many-kinds-00001": rows[300:]})
    for hop in range(3):
        meta = [{"hop": hop, "root": f"r{number}", "relation": "rival"} for number in range(9)]
        people = [[{"persona": f"{place}-{k}", "meta": each} for k in range(2)] for place, each in enumerate(meta)]
        write_run(folder / "hub" / f"hop-{hop}", {f"s{hop}": people}, path=str(folder / "hub" / f"hop-{hop - 1}"))
    hostile_run(folder / "hostile")
    for name in ("run", "hub", "hostile"):
        told = document(folder / name, Options(20_000, 0), unwatched)
        (folder / f"{name}.html").write_text(page(told), "utf-8")
    return {name: folder / f"{name}.html" for name in ("run", "hub", "hostile")}


@pytest.mark.parametrize("name", ["run", "hub", "hostile"])
def test_it_fits_every_window_and_is_silent(name: str, pages: dict[str, Path], chromium: Browser) -> None:
    url = pages[name].as_uri()
    tab = chromium.open(url)
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for width in WIDTHS:
        for dark in (False, True):
            tab.show(width=width, dark=dark)
            assert tab.overflow == 0, f"{width} pixels"
            if name != "hostile":  # names there are longer than any axis
                assert tab.evaluate(OVERLAPS) == 0, f"{width} pixels"
            assert min(tab.evaluate(CONTRASTS)) >= CONTRAST_MIN
    assert tab.messages == []
    assert tab.requests == [url]
    assert tab.evaluate("typeof window.pwned") == "undefined"
    assert tab.evaluate("document.scripts.length") == 0


def test_bars_of_stages_have_one_scale(pages: dict[str, Path], chromium: Browser) -> None:
    tab = chromium.open(pages["hub"].as_uri())
    for width in WIDTHS:
        tab.show(width=width)
        bars = tab.evaluate(
            "[...document.querySelectorAll('.node .bar')].map(bar => bar.getBoundingClientRect())"
            ".map(box => [box.left, box.width])"
        )
        assert len(bars) == 3
        assert all(bar == pytest.approx(bars[0], abs=0.5) for bar in bars)


def test_colours_follow_the_reader(pages: dict[str, Path], chromium: Browser) -> None:
    tab = chromium.open(pages["run"].as_uri())
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(background)
    tab.show(dark=True)
    assert tab.evaluate(background) != light
    mark = tab.evaluate("getComputedStyle(document.querySelector('.mark')).fill")
    tab.show(dark=False)
    assert tab.evaluate("getComputedStyle(document.querySelector('.mark')).fill") != mark


def test_charts_grow_with_the_window_and_their_letters_do_not(pages: dict[str, Path], chromium: Browser) -> None:
    tab = chromium.open(pages["run"].as_uri())
    sizes = []
    for width in (390, 700):
        tab.show(width=width)
        sizes.append(
            tab.evaluate(
                "[document.querySelector('#lengths .area').getBoundingClientRect().width,"
                " document.querySelector('#lengths .area text').getBoundingClientRect().height]"
            )
        )
    assert sizes[1][0] > sizes[0][0] + 250
    assert sizes[0][1] == pytest.approx(sizes[1][1], abs=0.5)


def test_a_link_opens_the_stage_that_it_leads_to(pages: dict[str, Path], chromium: Browser) -> None:
    tab = chromium.open(pages["hub"].as_uri(), width=390)
    assert tab.evaluate("document.querySelectorAll('details[open]').length") == 0
    tab.click("a[href='#stage-1']")
    tab.wait_for("document.querySelectorAll('details[open]').length == 1")
    assert tab.evaluate("document.querySelector('details[open] summary').textContent").startswith("hop-1")


def test_it_can_be_read_by_keyboard(pages: dict[str, Path], chromium: Browser) -> None:
    tab = chromium.open(pages["hub"].as_uri())
    seen = set()
    for _ in range(12):
        tab.press("Tab")
        seen.add(tab.evaluate("document.activeElement.tagName"))
    assert {"A", "SUMMARY"} <= seen


def test_all_is_there_on_paper(pages: dict[str, Path], chromium: Browser) -> None:
    tab = chromium.open(pages["run"].as_uri())
    tab.show(width=800, printed=True)
    assert tab.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.evaluate("document.querySelectorAll('section').length") >= 8
    assert tab.overflow == 0
