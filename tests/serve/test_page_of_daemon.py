"""The page over a real service: with the mouse, jobs are submitted, paused, resumed, asked again and cancelled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Page, browser
from tests.support.served_root import Served
from tests.support.simulated import simulated
from tests.support.watched_service import config_of, page_of, watched, write_personas

pytestmark = pytest.mark.slow

ROWS = 120
MANY = 200_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with watched(tmp_path) as running:
        yield running


def submit(page: Page, name: str, config: str) -> None:
    page.wait_for("document.querySelector('#service-state').textContent === 'running'")
    page.click("#submit-open")
    for field, value in {"name": name, "config": config}.items():
        page.evaluate(f"document.querySelector('#submit-{field}').value = {value!r}")
    page.click("#submit-send")
    page.wait_for(f"document.querySelector('[data-job={name}]') && !document.querySelector('#submit').open")


def state(name: str, *states: str) -> str:
    return f"{list(states)}.includes(document.querySelector('[data-job={name}]').dataset.state)"


def figure(name: str, what: str) -> str:
    return f"document.querySelector('[data-job={name}] [data-figure=\"{what}\"] b').textContent"


def test_dead_rows_are_asked_again(service: Served, tmp_path: Path) -> None:
    shard = write_personas(tmp_path / "few.jsonl", ROWS)
    refusing = "--latency", "0.02", "--fault", "badrequest=0.5"
    with simulated(*refusing) as simulator, browser() as chromium:
        page = chromium.open(page_of(service))
        page.wait_for("!document.querySelector('#no-jobs').hidden")
        submit(page, "few", config_of(simulator.base_url, shard))
        page.wait_for(state("few", "done"))
        dead = sum(service.job("few")["dead"].values())
        assert 20 < dead < 100
        page.wait_for(f"{figure('few', 'dead')} === '{dead}'")
        page.click("[data-job=few] .name")
        page.wait_for(f"document.querySelectorAll('.letter').length === {min(dead, 50)}")
        page.wait_for("document.querySelector('[data-reason=bad_request]')")
        simulator.change(faults={})
        page.click("#retry")
        page.wait_for(f"{figure('few', 'delivered')} === '{ROWS}' && {figure('few', 'dead')} === '0'")
        page.wait_for(state("few", "done"))
        page.wait_for("document.querySelectorAll('.letter').length === 0")
        assert service.job("few")["rows_estimated"] == ROWS
        page.click("#tab-records")
        page.wait_for("document.querySelectorAll('.record').length === 20")
        page.click("#tab-config")
        page.wait_for("document.querySelector('#panel pre')?.textContent.startsWith('[source]')")
        assert page.messages == []


def test_a_job_is_paused_resumed_and_cancelled(service: Served, tmp_path: Path) -> None:
    shard = write_personas(tmp_path / "many.jsonl", MANY)
    with simulated("--latency", "0.02") as simulator, browser() as chromium:
        page = chromium.open(page_of(service))
        submit(page, "many", config_of(simulator.base_url, shard, in_flight_max=8))
        page.wait_for(state("many", "running"))
        page.wait_for(f"{figure('many', 'delivered')} !== '0'")
        before = page.evaluate(figure("many", "delivered"))
        page.wait_for(f"{figure('many', 'delivered')} !== '{before}'")
        page.wait_for("document.querySelectorAll('.endpoint').length === 1")
        page.click("[data-job=many] [data-verb=pause]")
        page.wait_for(state("many", "paused"))
        page.wait_for(f"{figure('many', 'in flight')} === '0'")
        asked = simulator.stats()["bodies"]
        page.wait_for("!document.querySelector('[data-job=many] [data-verb=resume]').hidden")
        assert simulator.stats()["bodies"] == asked
        page.click("[data-job=many] [data-verb=resume]")
        page.wait_for(state("many", "running"))
        held = page.evaluate(figure("many", "delivered"))
        page.wait_for(f"{figure('many', 'delivered')} !== '{held}'")
        page.click("[data-job=many] [data-verb=cancel]")
        page.wait_for("document.querySelector('#sure').open")
        page.click("#sure [value=yes]")
        page.wait_for(state("many", "cancelled"))
        assert page.messages == []
    assert service.job("many")["state"] == "cancelled"
