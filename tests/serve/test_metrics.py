"""What Prometheus is told: every figure under its name, nothing without bounds, nothing from outside unescaped."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from personastream.core.histogram import BOUNDS_S
from personastream.engine.statistics import Statistics
from personastream.serve.families import REASONS_MAX, RUNS_MAX, Families, Rising, Sitting, few
from personastream.serve.metrics import Scraper
from personastream.serve.view import JobState, JobView, ServiceView, StageView
from tests.support.stand_in_service import HOSTILE, StandIn, endpoint, job, service_view

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def told(text: str) -> Samples:
    return {
        (sample.name.removeprefix("personastream_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(view: ServiceView, rising: Rising | None = None) -> Samples:
    return told(generate_latest(Families(view, {}, rising or Rising())).decode())


def at(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def having(samples: Samples, name: str) -> list[dict[str, str]]:
    return [dict(labels) for each, labels in samples if each == name]


def one_stage(name: str, dead: Mapping[str, int], **changes: Any) -> JobView:
    return job(name, stages=(StageView("", "running", (), 10, {"dedup": 2}, dead, 100),), dead=dead, **changes)


def test_rows_are_told_by_their_end_and_by_reason() -> None:
    samples = scraped(service_view(one_stage("math", {"contract": 3, "length": 1})))
    assert at(samples, "rows_committed_total", run="math", stage="", status="delivered") == 10
    assert at(samples, "rows_committed_total", run="math", stage="", status="dropped") == 2
    assert at(samples, "rows_committed_total", run="math", stage="", status="dead") == 4
    assert at(samples, "rows_dead_total", run="math", stage="", reason="contract") == 3
    assert at(samples, "rows_dropped_total", run="math", stage="", reason="dedup") == 2
    assert at(samples, "rows_expected", run="math", stage="") == 100


def test_jobs_are_told_by_run_for_prometheus_has_jobs_of_its_own() -> None:
    samples = scraped(service_view(job("math"), job("zh", JobState.FAILED)))
    assert not any("job" in dict(labels) for _, labels in samples)
    assert at(samples, "run_state", run="zh", state="failed") == 1
    assert at(samples, "jobs", state="failed") == 1
    assert at(samples, "jobs", state="paused") == 0
    assert at(samples, "tokens_total", run="math", type="output") == 2_000_000
    assert at(samples, "cost_total", run="math") == 3.5
    assert at(samples, "run_inflight_requests", run="math") == 250


def test_endpoints_are_told_by_their_short_name_and_their_label() -> None:
    samples = scraped(service_view(endpoints=(endpoint("a1", requests_per_minute=600.0, state="open"),)))
    where = {"endpoint": "a1", "label": "127.0.0.1:8000"}
    assert at(samples, "requests_total", **where, code_class="throttled") == 21
    assert at(samples, "concurrency_limit", **where) == 300
    assert at(samples, "rate_limit_rps", **where) == 10
    assert at(samples, "endpoint_up", **where) == 0


def test_totals_do_not_fall_when_dead_rows_are_asked_again() -> None:
    rising = Rising()
    where = {"run": "math", "stage": "", "reason": "contract"}
    for dead, total, letters in ((100, 100, 100), (0, 100, 0), (7, 107, 7)):
        samples = scraped(service_view(one_stage("math", {"contract": dead})), rising)
        assert at(samples, "rows_dead_total", **where) == total
        assert at(samples, "dead_letters", run="math", stage="") == letters
        assert at(samples, "rows_committed_total", run="math", stage="", status="dead") == total
    scraped(service_view(), rising)
    assert at(scraped(service_view(one_stage("math", {"contract": 7})), rising), "rows_dead_total", **where) == 7


def test_reasons_beyond_a_number_are_told_as_other() -> None:
    counts = {f"reason-{number}": number for number in range(1, 1001)}
    kept = few(counts)
    assert len(kept) == REASONS_MAX
    assert sum(kept.values()) == sum(counts.values())
    assert kept["reason-1000"] == 1000
    assert "reason-1" not in kept
    assert few({"a": 1}) == {"a": 1}
    assert few({**counts, "other": 5000})["other"] == 5000 + sum(range(1, 1001 - REASONS_MAX + 2))


def test_of_many_jobs_those_at_work_and_the_last_ones_have_series() -> None:
    ended = [job(f"old-{n:03}", JobState.DONE, ended=f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z") for n in range(300)]
    samples = scraped(service_view(*ended, job("now")))
    runs = {labels["run"] for labels in having(samples, "run_state")}
    assert len(runs) == RUNS_MAX
    assert {"now", "old-299"} <= runs
    assert "old-000" not in runs
    assert at(samples, "jobs", state="done") == 300


def test_what_comes_from_outside_stays_in_its_label() -> None:
    hostile = HOSTILE + '"} 1\nforged_total 5\n\\'
    samples = scraped(service_view(one_stage("math", {hostile: 3}, faults={hostile: 2})))
    assert at(samples, "rows_dead_total", run="math", stage="", reason=hostile) == 3
    assert not any(name.startswith("forged") for name, _ in samples)


def test_durations_are_told_in_buckets() -> None:
    counted = Statistics(rows_read=12)
    for seconds in (0.0005, 0.9, 0.95, 1e6):
        counted.latency.observe(seconds)

    async def scrape() -> str:
        return (await Scraper(StandIn(service_view(job("math")), {"math": counted, "gone": counted})).scrape()).decode()

    samples = told(anyio.run(scrape))
    buckets = [at(samples, "request_duration_seconds_bucket", run="math", le=str(bound)) for bound in BOUNDS_S]
    assert buckets[0] == 1
    assert buckets[BOUNDS_S.index(1.0)] == buckets[-1] == 3
    assert at(samples, "request_duration_seconds_bucket", run="math", le="+Inf") == 4
    assert at(samples, "request_duration_seconds_count", run="math") == 4
    assert at(samples, "request_duration_seconds_sum", run="math") == pytest.approx(1e6, rel=1e-5)
    assert at(samples, "rows_read_total", run="math") == 12
    assert not any(("run", "gone") in labels for _, labels in samples)


def test_nothing_is_told_twice() -> None:
    text = generate_latest(Families(service_view(job("a"), job("b")), {}, Rising())).decode()
    names = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert no_twins(names)


def no_twins(names: Iterable[str]) -> bool:
    listed = list(names)
    return len(listed) == len(set(listed))


def test_the_page_of_all_metrics_is_up_to_date() -> None:
    sitting = Sitting(1, 2, 3, 4.0, ([1] * (len(BOUNDS_S) + 1), 1.0), ([1] * (len(BOUNDS_S) + 1), 1.0))
    families = Families(service_view(job("math")), {"math": sitting}, Rising())
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
    told = [line for line in text.splitlines() if line.startswith("| `")]
    assert told == [documented(family) for family in families.collect() if family.name.startswith("personastream_")]


def documented(family: Metric) -> str:
    """Its line in the table."""
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
    return f"| `{name}` | {family.type} | {', '.join(labels) or '–'} | {family.documentation} |"
