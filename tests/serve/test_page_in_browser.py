"""The page in a real browser, over made-up figures: what is shown, what is asked, what text from outside can do."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from personastream.serve.view import JobState, StageView
from tests.support.browser import Browser, Page, browser
from tests.support.served_root import waited
from tests.support.stand_in_service import (
    HOSTILE,
    TOKEN,
    StandIn,
    endpoint,
    job,
    lasting_port,
    now,
    served,
    service_view,
)

pytestmark = pytest.mark.slow

DEAD = 10_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


def stand_in() -> StandIn:
    one = (StageView("", "paused", (), 10, {}, {}, 100),)
    return StandIn(
        service_view(
            job("math"),
            job("zh", JobState.PAUSED, priority=5, stage="", stages=one, dead={}, delivered=10, dropped={}),
            job("bad", JobState.FAILED, why=f"the key is refused {HOSTILE}", hint="Put a good one there.", ended=now()),
            endpoints=(endpoint(jobs=("math",), label=f"127.0.0.1:8000 {HOSTILE}"),),
        ),
        letters=DEAD,
    )


def opened(chromium: Browser, url: str, **window: int | bool) -> Page:
    page = chromium.open(f"{url}#token={TOKEN}", **window)  # type: ignore[arg-type]
    page.wait_for("document.querySelectorAll('.job').length === 3")
    return page


def text(page: Page, selector: str) -> str:
    return str(page.evaluate(f"document.querySelector({selector!r}).textContent"))


def test_figures_move(chromium: Browser) -> None:
    service = stand_in()
    with served(service) as url:
        page = opened(chromium, url)
        assert text(page, "[data-job=math] [data-figure=rows]") == "rows 4,270 of ≈ 9,000"
        assert text(page, "[data-job=math] [data-figure=ETA]") == "ETA 1 m 55 s"
        assert text(page, "[data-job=bad] .why").startswith("the key is refused <img src=x")
        moved = replace(service.seen.jobs[0], delivered=8_000, rows_per_s=1234.0)
        service.seen = replace(service.seen, jobs=[moved, *service.seen.jobs[1:]])
        page.wait_for("document.querySelector('[data-job=math] [data-figure=rows]').textContent.includes('8,270')")
        page.wait_for("[...document.querySelectorAll('.chart h3 b')].some(each => each.textContent === '1,276')")
        assert page.evaluate("document.querySelectorAll('.u-over').length") == 6
        assert page.messages == []
        assert all(request.startswith((url, "data:")) for request in page.requests)


def test_the_token_leaves_the_address(chromium: Browser) -> None:
    with served(stand_in()) as url:
        page = opened(chromium, url)
        assert page.evaluate("location.href") == url
        assert TOKEN not in str(page.evaluate("document.documentElement.outerHTML"))
        page.go(f"{url}?again")
        page.wait_for("document.querySelectorAll('.job').length === 3")


def test_without_a_token_it_asks_for_one(chromium: Browser) -> None:
    with served(stand_in()) as url:
        page = chromium.open(url)
        page.wait_for("!document.querySelector('#door').hidden")
        assert page.evaluate("document.querySelector('#jobs-part').hidden")
        page.evaluate("document.querySelector('#door-token').value = 'wrong'")
        page.click("#door-form button")
        page.wait_for("document.querySelector('#trouble').textContent.startsWith('the token is wrong')")
        page.evaluate(f"document.querySelector('#door-token').value = {TOKEN!r}")
        page.click("#door-form button")
        page.wait_for("document.querySelectorAll('.job').length === 3")
        assert page.evaluate("document.querySelector('#door').hidden")


def test_buttons_say_their_verbs(chromium: Browser) -> None:
    service = stand_in()
    with served(service) as url:
        page = opened(chromium, url)
        shown = (
            "[...document.querySelectorAll('[data-job={}] [data-verb]')].filter(b => !b.hidden).map(b => b.textContent)"
        )
        assert page.evaluate(shown.format("math")) == ["pause", "stop", "cancel"]
        assert page.evaluate(shown.format("zh")) == ["resume", "stop", "cancel"]
        page.click("[data-job=math] [data-verb=pause]")
        waited(lambda: len(service.said) == 1)  # requests of a page may overtake each other
        page.click("[data-job=zh] [data-verb=resume]")
        waited(lambda: len(service.said) == 2)
        page.click("[data-job=math] [data-verb=cancel]")
        page.wait_for("document.querySelector('#sure').open")
        page.click("#sure [value=no]")
        page.wait_for("!document.querySelector('#sure').open")
        page.click("[data-job=zh] [data-verb=cancel]")
        page.wait_for("document.querySelector('#sure').open")
        page.click("#sure [value=yes]")
        waited(lambda: len(service.said) == 3)
        page.evaluate(
            "fetch('v1/mark', {method: 'POST', body: '{}', headers: {Authorization: 'Bearer " + TOKEN + "'}})"
        )
        assert [(method, path) for method, path, _ in service.said] == [
            ("POST", "/v1/jobs/math/pause"),
            ("POST", "/v1/jobs/zh/resume"),
            ("POST", "/v1/jobs/zh/cancel"),
            ("POST", "/v1/mark"),
        ]
        assert page.messages == []


def test_a_job_is_submitted(chromium: Browser) -> None:
    service = stand_in()
    with served(service) as url:
        page = opened(chromium, url)
        page.click("#submit-open")
        fill = "document.querySelector('#submit-{}').value = {!r}"
        for field, value in {"name": "taken", "config": "[recipe]", "priority": "7", "base": "/srv/input"}.items():
            page.evaluate(fill.format(field, value))
        page.click("#submit-paused")
        page.click("#submit-send")
        page.wait_for("document.querySelector('#submit-trouble').textContent.includes('there is a job of that name')")
        page.evaluate(fill.format("name", "fresh"))
        page.click("#submit-send")
        page.wait_for("!document.querySelector('#submit').open")
        told = {"name": "fresh", "config": "[recipe]", "priority": 7, "base": "/srv/input", "paused": True}
        assert service.said[-1] == ("POST", "/v1/jobs", told)


def test_ten_thousand_dead_letters_are_shown_page_by_page(chromium: Browser) -> None:
    service = stand_in()
    with served(service) as url:
        page = opened(chromium, url)
        page.click("[data-job=math] .name")
        page.wait_for("document.querySelectorAll('.letter').length === 50")
        page.click("#more-letters")
        page.wait_for("document.querySelectorAll('.letter').length === 100")
        assert text(page, ".letter .text").startswith("<img src=x onerror=alert(1)>")
        assert page.evaluate("document.querySelectorAll('#letters img, #letters script').length") == 0
        assert "\u202e" not in text(page, "#letters")
        page.click("[data-reason=refused]")
        page.wait_for("document.querySelectorAll('.letter').length === 50")
        page.click("#retry")
        page.wait_for("!document.querySelector('#retry').disabled")
        assert service.said == [("POST", "/v1/jobs/math/retry", {"reasons": ["refused"]})]
        page.click("#tab-records")
        page.wait_for("document.querySelectorAll('.record').length === 3")
        page.click("#tab-config")
        page.wait_for("document.querySelector('#panel pre')")
        assert page.messages == []
        page.go(f"{url}?again#job=math")
        page.wait_for("document.querySelectorAll('.letter').length === 50")
        assert text(page, "#job-title") == "math"


def test_the_graph_shows_that_nothing_is_lost(chromium: Browser) -> None:
    with served(stand_in()) as url:
        page = opened(chromium, url)
        page.click("[data-job=math] .name")
        page.wait_for("document.querySelector('#graph svg')")
        words = page.evaluate("[...document.querySelectorAll('#graph text')].map(each => each.textContent)")
        assert {"draw", "10,000 rows in", "9,000 records", "900 dropped", "100 dead", "240 dead"} <= set(words)
        assert "finished · 10,000 rows" in words
        law = page.evaluate(
            "[...document.querySelectorAll('#law tbody tr')].map(r => [...r.children].map(c => c.textContent))"
        )
        assert law[0] == ["draw", "10,000", "9,000", "900", "100", "dedup 900, refused 100"]


CROSSED = """(() => {
  const boxes = [...document.querySelectorAll('#graph rect')].map(each => each.getBBox());
  const inside = (box, at) => box.x < at.x && at.x < box.x + box.width && box.y < at.y && at.y < box.y + box.height;
  return [...document.querySelectorAll('#graph > svg > path')].filter(path =>
    Array.from({length: 201}, (_, n) => path.getPointAtLength(n * path.getTotalLength() / 200))
      .some(at => boxes.some(box => inside(box, at)))).length;
})()"""


@pytest.mark.parametrize("width", [1280, 360])
def test_no_edge_runs_through_a_stage_and_all_stages_are_in_sight(chromium: Browser, width: int) -> None:
    names = ["personas", *(f"people-{hop}" for hop in range(1, 7))]
    chain = [StageView(name, "done", names[:n][-1:], 1_000_000) for n, name in enumerate(names)]
    service = stand_in()
    hub = replace(service.seen.jobs[0], stages=(*chain, StageView("hub", "done", names, 1_000_000)))
    service.seen = replace(service.seen, jobs=[hub, *service.seen.jobs[1:]])
    with served(service) as url:
        page = opened(chromium, url, width=width)
        page.click("[data-job=math] .name")
        page.wait_for("document.querySelectorAll('#graph rect').length === 8")
        assert page.evaluate("document.querySelectorAll('#graph .roundabout').length") == 6
        assert page.evaluate(CROSSED) == 0
        assert page.evaluate("document.querySelector('#graph').scrollWidth - innerWidth") <= 0
        assert page.evaluate("(graph => graph.scrollWidth - graph.clientWidth)(document.querySelector('#graph'))") == 0
        assert page.overflow == 0


def test_what_waits_for_a_person_stands_first_however_much_is_done(chromium: Browser) -> None:
    service = stand_in()
    done = [job(f"old-{n}", JobState.DONE, ended=now()) for n in range(20)]
    broken = job("broken", JobState.FAILED, ended="2026-01-01T00:00:00Z")
    service.seen = service_view(*done, job("math"), job("stuck", JobState.WAITING), broken)
    with served(service) as url:
        page = chromium.open(f"{url}#token={TOKEN}")
        page.wait_for("document.querySelectorAll('.job').length === 15")
        names = page.evaluate("[...document.querySelectorAll('.job')].map(each => each.dataset.job)")
        assert names[:3] == ["broken", "stuck", "math"]
        assert text(page, "#more-jobs") == "All 20 that are done or cancelled"


def test_endpoints_are_told_in_words(chromium: Browser) -> None:
    service = stand_in()
    told = {"closed": "open for requests", "open": "resting", "half-open": "trying again", "out": "out"}
    service.seen = replace(service.seen, endpoints=tuple(endpoint(state, state=state) for state in told))
    with served(service) as url:
        page = opened(chromium, url)
        page.wait_for("document.querySelectorAll('.endpoint').length === 4")
        assert [text(page, f"[data-endpoint={state}] .pill") for state in told] == list(told.values())


def test_ceilings_are_changed(chromium: Browser) -> None:
    service = stand_in()
    with served(service) as url:
        page = opened(chromium, url)
        page.click(".endpoint summary")
        page.wait_for("document.querySelector('.endpoint [name=in_flight_max]').value === '512'")
        page.evaluate("document.querySelector('.endpoint [name=in_flight_max]').value = '64'")
        page.click(".endpoint form button")
        page.wait_for("!document.querySelector('.endpoint details').open")
        told = {"in_flight_max": 64, "requests_per_minute": 600, "tokens_per_minute": 0}
        assert service.said == [("PATCH", "/v1/endpoints/3f9a01", told)]


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_follows_the_colours(chromium: Browser, dark: bool) -> None:
    with served(stand_in()) as url:
        page = opened(chromium, url, width=360, height=740, dark=dark)
        page.click("[data-job=math] .name")
        page.wait_for("document.querySelectorAll('.letter').length === 50")
        assert page.overflow == 0
        background = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(background) == ("rgb(21, 24, 27)" if dark else "rgb(252, 251, 248)")
        page.show(width=360, height=740, dark=not dark)
        page.wait_for(f"{background} === 'rgb({'252, 251, 248' if dark else '21, 24, 27'})'")
        assert page.messages == []


def test_it_says_that_the_service_is_gone_and_finds_it_again(chromium: Browser) -> None:
    service, port = stand_in(), lasting_port()
    with served(service, port) as url:
        page = opened(chromium, url)
    page.wait_for("document.querySelector('#service-state').textContent === 'out of reach'")
    with served(service, port):
        page.wait_for("document.querySelector('#service-state').textContent === 'running'")
        assert page.evaluate("document.querySelector('#trouble').hidden")
