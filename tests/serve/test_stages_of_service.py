"""A job with stages, as it is seen from outside while it goes from one to the next."""

import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from personastream.core.outcomes import Counts
from personastream.engine.exchange import Exchange
from personastream.engine.statistics import Statistics
from personastream.errors import ExitCode
from personastream.serve.happenings import Kind
from personastream.serve.live_job import LiveJob
from personastream.serve.pictures import job_view
from personastream.serve.sitting import Sitting, StageFigures
from personastream.serve.view import JobState, JobView
from personastream.serve.wanted import Wanted
from personastream.stages import stages_in
from tests.support.running_service import ROWS, Running, running, write_shard

COST = 11 + 7e-6  # an answer has 11 tokens of 1.00 each, and 7 of next to nothing
SPEND_MAX = 300.0


def staged(folder: Path) -> str:
    return f"""
[provider]
type = "tests.support.gated:Gated"
in_flight_max = 4
input_price = 1.0
output_price = 1_000_000.0
[limits]
spend_max = {SPEND_MAX}
[[stage]]
name = "first"
source = {{ paths = ["{folder}/personas.jsonl"] }}
recipe = {{ template = "math", max_tokens = 11 }}
[[stage]]
name = "second"
from = "first"
source = {{ field = "synthesized text" }}
recipe = {{ template = "math", max_tokens = 11 }}
"""


def test_a_stage_that_has_ended_counts_at_once(tmp_path: Path) -> None:
    spent = [0.0]

    async def until(seen: Running, asked: int) -> dict[str, Any]:
        def reached() -> bool:
            spent.append(seen.service.view().spend)
            return seen.gate.asked == asked

        await seen.until(reached)
        job: dict[str, Any] = await seen.ask("GET", "/v1/jobs/hub")
        return job

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            seen.gate.open_until(ROWS)
            await seen.ask("POST", "/v1/jobs", {"name": "hub", "config": staged(tmp_path)})
            job = await until(seen, ROWS + 4)  # the second stage has asked, and nothing is answered
            told = [(stage["name"], stage["state"], stage["delivered"]) for stage in job["stages"]]
            assert told == [("first", "done", ROWS), ("second", "running", 0)]
            assert (job["stage"], job["delivered"], job["requests"]) == ("second", 0, ROWS + 4)
            assert (job["input_tokens"], job["output_tokens"]) == (7 * ROWS, 11 * ROWS)
            assert job["spend"] == pytest.approx(ROWS * COST)
            metrics = (await seen.status("GET", "/metrics"))[1].decode()
            assert f'rows_committed_total{{run="hub",stage="first",status="delivered"}} {ROWS}.0' in metrics
            assert f'request_duration_seconds_count{{run="hub"}} {ROWS}.0' in metrics
            assert Kind.BUDGET_80 not in seen.kinds("hub")
            seen.gate.open_until(2 * ROWS - 1)
            await seen.until(lambda: Kind.BUDGET_80 in seen.kinds("hub"))  # one stage alone has not spent that much
            seen.gate.open()
            await until(seen, 2 * ROWS)
            await seen.until_state("hub", JobState.DONE)
            spent.append(seen.service.view().spend)
            assert (await seen.ask("GET", "/v1/jobs/hub"))["requests"] == 2 * ROWS

    anyio.run(scenario)
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx(2 * ROWS * COST)


def sat(job: LiveJob) -> Sitting:
    job.sitting = job.last = Sitting(Exchange(time.monotonic).join(job.name), past=job.figures)
    return job.sitting


def hub() -> LiveJob:
    stages = stages_in(Path("hub.toml"), tomllib.loads(staged(Path("/in")) + '[sink]\npath = "/out"\n'))
    return LiveJob("hub", Wanted(order=1, submitted="", base="", directory=""), Path("hub"), stages)


def works(statistics: Statistics, committed: int, spent: int, before: int = 0) -> None:
    statistics.committed, statistics.recovered = Counts(delivered=committed), True
    statistics.spent_before_nanos, statistics.spend_nanos = before, spent
    statistics.requests += 5
    statistics.faults["Throttled"] += 1
    statistics.latency.observe(1.0)


DONE: Any = SimpleNamespace(exit_code=ExitCode.DONE)


def test_what_is_not_read_yet_is_what_it_was() -> None:
    async def scenario() -> None:
        job = hub()
        first, second = job.stages
        job.seen(
            {
                "first": StageFigures(Counts(delivered=3), 3, 30, True),
                "second": StageFigures(Counts(delivered=2), 3, 20),
            }
        )

        def view() -> JobView:
            return job_view(job, 0.0)

        sitting = sat(job)
        assert (view().stage, view().delivered, view().spend) == ("second", 2, 50e-9)
        counters, _ = sitting.begins(first)
        assert (view().stage, view().delivered, view().spend) == ("first", 3, 50e-9)
        works(counters, 3, 0, before=30)
        sitting.ended(first, DONE)
        counters, _ = sitting.begins(second)
        assert (view().stage, view().delivered, view().spend) == ("second", 2, 50e-9)
        sitting.broke_off()  # before it was read
        assert job.figures["second"].counts.delivered == 2

    anyio.run(scenario)


def test_what_was_spent_and_not_committed_stays_spent() -> None:
    async def scenario() -> None:
        job = hub()
        first, _ = job.stages
        sitting = sat(job)
        counters, _ = sitting.begins(first)
        works(counters, 1, 40)
        sitting.broke_off()
        assert job.spend == 40e-9
        sitting = sat(job)
        counters, _ = sitting.begins(first)
        assert job.spend == 40e-9
        works(counters, 1, 5, before=10)  # of the 40, 10 are committed
        assert job.spend == 45e-9
        sitting.ended(first, DONE)
        assert job.spend == 45e-9
        assert [stage.state for stage in job_view(job, 0.0).stages][1] == "not begun"

    anyio.run(scenario)


def test_counters_are_those_of_the_whole_sitting() -> None:
    async def scenario() -> None:
        job = hub()
        sitting = sat(job)
        for stage in job.stages:
            counters, _ = sitting.begins(stage)
            counters.endpoints = [SimpleNamespace(throttled=2)]  # type: ignore[list-item]
            works(counters, 1, 1)
            sitting.ended(stage, DONE)
        view, whole = job_view(job, 0.0), sitting.whole
        assert (view.requests, view.throttled, view.faults) == (10, 4, {"Throttled": 2})
        assert (sum(whole.latency.counts), whole.latency.sum_s) == (2, 2.0)
        assert view.delivered == 1  # rows are those of the stage it is at

    anyio.run(scenario)
