"""The review page in a real browser, by keyboard alone; the review is killed, goes on, and nothing marked is lost."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from tests.support.browser import Browser, Page, browser
from tests.support.command import personastream, started
from tests.support.ended_run import record, write_run
from tests.support.hostile_run import hostile_run

pytestmark = pytest.mark.slow

RECORDS = 6


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [
        record(f"Problem {row}: how many boats are there?", f"A lock keeper, number {row}") for row in range(RECORDS)
    ]
    return write_run(tmp_path / "run", {"a": rows})


@contextmanager
def reviewed(run: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A review under way: the address of its page, and its process."""
    with started("review", run, *options, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert url.startswith("http://127.0.0.1:")
        yield url, process


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """Ctrl-C: the exit code and what is said then."""
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out.decode()


def at(page: Page, place: int) -> None:
    """Wait until the record at a place, from 1, is on the page and can be marked."""
    page.wait_for(
        f"document.getElementById('place').textContent.startsWith('{place} of')"
        " && !document.getElementById('valid').disabled"
    )


def marked(page: Page, count: int) -> None:
    page.wait_for(f"document.getElementById('progress').textContent.startsWith('{count} of')")


def pressed(page: Page, name: str) -> bool:
    return bool(page.evaluate(f"document.getElementById('{name}').getAttribute('aria-pressed') === 'true'"))


def marks(run: Path, name: str) -> dict[str, str | None]:
    lines = (run / "review" / f"{name}.jsonl").read_bytes().splitlines()
    return {each["id"]: each["mark"] for each in map(orjson.loads, lines)}


def test_records_are_judged_by_keyboard_alone(chromium: Browser, run: Path) -> None:
    with reviewed(run, "--n", "6", "--as", "anna") as (url, process):
        page = chromium.open(url)
        at(page, 1)
        for key, place in (("v", 2), ("2", 3), ("u", 4)):
            page.press(key)
            at(page, place)
        marked(page, 3)
        page.press("ArrowLeft")
        at(page, 3)
        assert pressed(page, "unsafe")
        page.press("1")  # the last mark counts
        at(page, 4)
        page.press("p")
        at(page, 3)
        assert pressed(page, "valid")
        page.press("z")
        page.wait_for("document.getElementById('unsafe').getAttribute('aria-pressed') === 'true'")
        page.press("e")
        for letter in "vague":  # letters in a note are no marks
            page.press(letter)
        page.press("Enter")
        page.press("n")
        at(page, 4)
        page.press("p")
        at(page, 3)
        assert page.evaluate("document.getElementById('note').value") == "vague"
        page.press("f")
        at(page, 4)
        for place in (5, 6, 6):
            page.press("v")
            at(page, place)
        marked(page, 6)
        assert page.messages == []
        assert all(each.startswith(url) for each in page.requests if not each.startswith("data:"))
        code, said = ended(process)
    assert code == 0
    assert "valid        66.7%" in said
    assert sorted(each or "" for each in marks(run, "anna").values()) == ["invalid", "unsafe", *["valid"] * 4]
    told = personastream("review", run, "--result").json()
    assert told["valid"]["share"] == pytest.approx(4 / 6)
    assert told["marked"] == told["sample"] == 6


def test_marks_survive_a_kill_and_the_review_goes_on(chromium: Browser, run: Path) -> None:
    with reviewed(run, "--n", "6", "--as", "anna") as (url, process):
        page = chromium.open(url)
        at(page, 1)
        page.press("v")
        at(page, 2)
        page.press("i")
        at(page, 3)
        process.kill()
        process.wait()
        page.press("v")
        page.wait_for("!document.getElementById('trouble').hidden")
    before = marks(run, "anna")
    assert sorted(each or "" for each in before.values()) == ["invalid", "valid"]
    with (run / "review" / "anna.jsonl").open("ab") as file:
        file.write(b'{"id":"a:1","mark":"unsa')  # as a crash in the middle of a write leaves it
    with reviewed(run, "--as", "anna") as (url, process):
        page = chromium.open(url)
        at(page, 3)
        marked(page, 2)
        page.press("u")
        at(page, 4)
        code, _ = ended(process)
    assert code == 75
    assert {key: mark for key, mark in marks(run, "anna").items() if key in before} == before
    assert len(marks(run, "anna")) == 3


def test_whatever_records_hold_is_text(chromium: Browser, tmp_path: Path) -> None:
    run = hostile_run(tmp_path / "<i>run")
    with reviewed(run, "--n", "40", "--as", "anna", "--by", "model") as (url, process):
        page = chromium.open(url)
        at(page, 1)
        for place in range(2, 41):
            names = page.evaluate(
                "[...document.querySelectorAll('#fields *, .where *, h1 *')].map(each => each.tagName)"
            )
            assert set(names) <= {"H2", "DIV", "DETAILS", "SUMMARY", "PRE", "SPAN", "CODE"}
            page.press("v")
            at(page, place)
        assert page.evaluate("window.pwned === undefined")
        assert page.overflow == 0
        assert page.messages == []
        assert all(each.startswith(url) for each in page.requests if not each.startswith("data:"))
        ended(process)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False), (390, True)])
def test_the_page_fits(chromium: Browser, run: Path, width: int, dark: bool) -> None:
    with reviewed(run, "--n", "6", "--as", "anna") as (url, _):
        page = chromium.open(url, width=width, height=844 if width < 600 else 900, dark=dark)
        at(page, 1)
        assert page.overflow == 0
        assert page.evaluate("document.querySelector('.marks').getBoundingClientRect().bottom <= innerHeight")
