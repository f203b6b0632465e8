"""What follows from the end of a sitting, when it is tried again, and who comes first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.errors import (
    BadInput,
    ConfigError,
    CorruptOutput,
    DiskStillFull,
    ExitCode,
    ExtractionSuspected,
    NoRoom,
    ProviderDown,
    ProviderRejected,
    QuotaSpent,
    RunBusy,
    RunError,
    SpendLimitReached,
    StorageFailed,
)
from personastream.serve.course import JITTER, by_urgency, pause_s, verdict
from personastream.serve.view import JobState
from personastream.serve.wanted import Wanted

DONE, FAILED, WAITING, QUEUED = JobState.DONE, JobState.FAILED, JobState.WAITING, JobState.QUEUED


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ProviderDown, WAITING),
        (QuotaSpent, WAITING),
        (SpendLimitReached, WAITING),
        (DiskStillFull, WAITING),
        (NoRoom, WAITING),
        (RunBusy, WAITING),
        (StorageFailed, FAILED),
        (CorruptOutput, FAILED),
        (ProviderRejected, FAILED),
        (ConfigError, FAILED),
        (BadInput, FAILED),
        (ExtractionSuspected, FAILED),
    ],
)
def test_each_error_ends_or_waits(error: type[RunError], state: JobState) -> None:
    raised = error("this", hint="that")
    found = verdict(raised.exit_code, raised, told_to_end=False)
    assert (found.state, found.exit_code, found.why, found.hint) == (state, raised.exit_code, "this", "that")


def test_a_bug_is_told_by_the_name_of_what_was_raised() -> None:
    found = verdict(
        ExitCode.BUG, ExceptionGroup("tasks", [ExceptionGroup("tasks", [KeyError("secret")])]), told_to_end=True
    )
    assert (found.state, found.exit_code) == (FAILED, ExitCode.BUG)
    assert "KeyError" in found.why
    assert "secret" not in found.why + found.hint


def test_work_that_is_left_is_no_fault_of_who_was_told_to_end() -> None:
    assert verdict(ExitCode.WORK_LEFT, None, told_to_end=True).state is QUEUED
    assert verdict(ExitCode.WORK_LEFT, None, told_to_end=False).state is WAITING
    assert verdict(ExitCode.DONE, None, told_to_end=True).state is DONE


@given(st.integers(1, 10_000), st.floats(0.01, 3600), st.floats(0.01, 86400), st.floats(0, 1))
def test_pauses_grow_to_their_longest_and_differ(tries: int, first_s: float, longest_s: float, chance: float) -> None:
    pause = pause_s(tries, first_s, longest_s, chance)
    assert 0 < pause <= longest_s
    assert pause >= (1 - JITTER) * min(first_s, longest_s) * 0.999
    assert pause_s(tries + 1, first_s, longest_s, chance) >= pause


@given(st.lists(st.tuples(st.integers(-100, 100), st.integers(0, 1000)), unique_by=lambda each: each[1]))
def test_priority_goes_before_order(given_jobs: list[tuple[int, int]]) -> None:
    jobs = [Wanted(order, "", "", "", priority=priority) for priority, order in given_jobs]
    found = [(-job.priority, job.order) for job in by_urgency(jobs, lambda job: job)]
    assert found == sorted(found)
