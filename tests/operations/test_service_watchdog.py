"""When the watchdog finds that a job is stuck: it neither moves nor has a reason to wait."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.serve.view import EndpointView, JobState, JobView, ServiceView
from personastream.serve.watchdog import STALL_S_MAX, Watchdog

JOB = JobView("math", JobState.RUNNING)
ENDPOINT = EndpointView("e1", "127.0.0.1:8000 m", "m", "closed", jobs=["math"])


def service(job: JobView, *endpoints: EndpointView) -> ServiceView:
    return ServiceView("1", "", "running", True, jobs=[job], endpoints=endpoints or [ENDPOINT])


def stuck_after_two_looks(first: ServiceView, second: ServiceView, apart_s: float = STALL_S_MAX + 1) -> bool:
    watchdog = Watchdog()
    watchdog.look(first, 0.0)
    return bool(watchdog.look(second, apart_s))


def test_a_job_that_neither_moves_nor_waits_is_stuck() -> None:
    assert stuck_after_two_looks(service(JOB), service(JOB))
    assert not stuck_after_two_looks(service(JOB), service(JOB), STALL_S_MAX)


@pytest.mark.parametrize(
    "moved",
    [
        {"delivered": 1},
        {"dropped": {"duplicate": 1}},
        {"dead": {"contract": 1}},
        {"uncommitted": 1},
        {"commits": 1},
        {"requests": 1},
        {"retries": 1},
        {"throttled": 1},
        {"faults": {"Unavailable": 1}},
        {"input_tokens": 1},
        {"stage": "judge"},
        {"started": "2026-01-01T00:00:00Z"},
    ],
)
def test_any_sign_of_life_counts(moved: dict[str, Any]) -> None:
    assert not stuck_after_two_looks(service(JOB), service(replace(JOB, **moved)))


@pytest.mark.parametrize(
    ("job", "endpoint"),
    [
        ({"in_flight": 1}, {}),
        ({"waiting": 1}, {}),
        ({"why": "the disk is full"}, {}),
        *(({"state": state}, {}) for state in JobState if state is not JobState.RUNNING),
        ({}, {"state": "open"}),
        ({}, {"state": "out"}),
        ({}, {"paused_s": 3.0}),
        ({}, {"in_flight": 3, "jobs": ["math", "other"]}),
        ({}, {"requests_per_minute": 0.01}),
        ({}, {"tokens_per_minute": 100.0}),
        ({}, {"jobs": ["other"]}),
    ],
)
def test_a_reason_to_wait_is_no_stall(job: dict[str, Any], endpoint: dict[str, Any]) -> None:
    seen = service(replace(JOB, **job), replace(ENDPOINT, **endpoint))
    assert not stuck_after_two_looks(seen, seen)


def test_a_limit_that_the_next_request_can_meet_is_no_reason() -> None:
    seen = service(JOB, replace(ENDPOINT, requests_per_minute=60.0, tokens_per_minute=1e6))
    assert stuck_after_two_looks(seen, seen)


def test_one_endpoint_that_could_be_asked_is_enough_to_be_stuck() -> None:
    seen = service(JOB, ENDPOINT, replace(ENDPOINT, id="e2", state="open"))
    assert stuck_after_two_looks(seen, seen)


def test_a_job_that_is_gone_is_forgotten() -> None:
    watchdog = Watchdog()
    watchdog.look(service(JOB), 0.0)
    watchdog.look(replace(service(JOB), jobs=[]), 1.0)
    assert watchdog.look(service(JOB), 2 * STALL_S_MAX) == []


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, STALL_S_MAX)), max_size=30))
def test_a_job_that_moves_within_the_time_is_never_stuck(looks: list[tuple[bool, float]]) -> None:
    """And one that stands still is stuck as soon as the time since it last moved is over."""
    watchdog, now_s, moved_s, requests = Watchdog(), 0.0, 0.0, 0
    watchdog.look(service(JOB), now_s)
    for moves, later_s in looks:
        now_s += later_s
        if moves:
            requests, moved_s = requests + 1, now_s
        stuck = watchdog.look(service(replace(JOB, requests=requests)), now_s)
        assert stuck == (["math"] if now_s - moved_s > STALL_S_MAX else [])
