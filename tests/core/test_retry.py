import math
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.retry import (
    NOT_FOUND_MAX,
    NOT_FOUND_PAUSE_S,
    OVERLOAD_PAUSE_S_MAX,
    PROBE_AFTER_S,
    REFUSED_ALIKE,
    STALE_MAX,
    Health,
    RetryPolicy,
    Trial,
    Verdict,
    after_failure,
)
from personastream.errors import (
    AttemptError,
    ExitCode,
    NotFound,
    ProviderRejected,
    QuotaSpent,
    Refused,
    RequestsRefused,
    RowError,
    StaleConnection,
    Throttled,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from tests.support.effort import tries

POLICY = RetryPolicy()
chances = st.floats(0, 1, exclude_max=True)
endpoint_faults = st.one_of(
    st.just(Throttled("429")),
    st.floats(-1e9, POLICY.pause_s_max).map(lambda s: Throttled("429", retry_after_s=s)),
    st.floats(0, 60).map(lambda s: Throttled("529", pause_s=s)),
    st.just(Unreachable("refused")),
)
passing_faults = st.one_of(endpoint_faults, st.just(Unavailable("500")), st.just(StaleConnection("closed")))


def endpoint(policy: RetryPolicy = POLICY, now_s: float = 0.0) -> Health:
    return Health(policy, last_success_s=now_s)


def test_a_refused_request_is_a_dead_row_with_its_reason_and_answer() -> None:
    with pytest.raises(RowError) as caught:
        after_failure(Refused("too long", reason="too_long", body=b"{}"), Trial(), endpoint(), 0.0, 0.5)
    assert (caught.value.reason, caught.value.response) == ("too_long", b"{}")


def test_a_refused_key_puts_the_endpoint_out_with_a_hint() -> None:
    verdict = after_failure(Unauthorized("no key", hint="Set it."), Trial(), endpoint(), 0.0, 0.5)
    assert isinstance(verdict.out, ProviderRejected)
    assert (verdict.out.message, verdict.out.hint) == ("no key", "Set it.")
    assert verdict.out.exit_code == ExitCode.NO_PERMISSION


def test_a_model_that_was_never_there_is_a_mistake_and_one_that_is_gone_may_come_back() -> None:
    assert isinstance(after_failure(NotFound("404"), Trial(), endpoint(), 0.0, 0.5).out, ProviderRejected)
    server = endpoint()
    for _ in range(2):
        server.succeeded(0.0)
        for _ in range(NOT_FOUND_MAX):
            verdict = after_failure(NotFound("404"), Trial(), server, 1.0, 0.5)
            assert (verdict.pause_s, verdict.out) == (NOT_FOUND_PAUSE_S, None)
    assert isinstance(after_failure(NotFound("404"), Trial(), server, 1.0, 0.5).out, ProviderRejected)


def test_requests_that_are_all_refused_from_the_start_stop_the_run() -> None:
    server = endpoint()
    for _ in range(REFUSED_ALIKE - 1):
        with pytest.raises(RowError):
            after_failure(Refused("no such parameter", reason="bad_request"), Trial(), server, 0.0, 0.5)
    with pytest.raises(RequestsRefused, match=r"the first 20 requests were all refused.*no such parameter") as caught:
        after_failure(Refused("no such parameter", reason="bad_request"), Trial(), server, 0.0, 0.5)
    assert caught.value.exit_code == ExitCode.CONFIG


@pytest.mark.parametrize(("answered", "reason"), [(True, "bad_request"), (False, "too_long"), (False, "refused")])
def test_refusals_of_rows_one_by_one_never_stop_a_run(answered: bool, reason: str) -> None:
    server = endpoint()
    if answered:
        server.succeeded(0.0)
    for _ in range(100):
        with pytest.raises(RowError):
            after_failure(Refused("no", reason=reason), Trial(), server, 1.0, 0.5)


def test_stale_connections_are_free_but_not_without_end() -> None:
    trial = Trial()
    for _ in range(STALE_MAX):
        wait = after_failure(StaleConnection("closed"), trial, endpoint(), 0.0, 0.9)
        assert wait.seconds == 0.0
        assert (wait.trial.faults, wait.trial.own_faults) == (0, 0)
        trial = wait.trial
    wait = after_failure(StaleConnection("closed"), trial, endpoint(), 0.0, 0.9)
    assert wait.seconds > 0.0
    assert wait.trial.faults == 1


def fail_until_dead(server: Health, served_between: bool, attempts: int) -> int | None:
    """After how many failed attempts, one a second, the row is given up, or None."""
    trial = Trial()
    for attempt in range(attempts):
        now_s = float(attempt)
        if served_between:
            server.succeeded(now_s)
        try:
            trial = after_failure(Unavailable("500"), trial, server, now_s, 0.5).trial
        except RowError:
            return attempt + 1
    return None


@pytest.mark.parametrize("attempts_max", [1, 2, 4, 10])
def test_a_row_that_fails_while_others_are_answered_is_dead_after_its_attempts(attempts_max: int) -> None:
    server = endpoint(RetryPolicy(attempts_max=attempts_max))
    assert fail_until_dead(server, served_between=True, attempts=50) == attempts_max


@pytest.mark.parametrize(("share", "attempts"), [(0.01, 4), (0.1, 6), (0.3, 12), (0.5, 20), (0.9, 40)])
def test_the_more_others_fail_the_more_often_a_row_may(share: float, attempts: int) -> None:
    """In a storm, bad luck is no fault of a row: it is dead when chance explains its faults no longer."""
    server, chance = endpoint(), Random(7)
    for event in range(5000):
        if chance.random() < share:
            server.failed_alone()
        else:
            server.succeeded(float(event))
    assert server.attempts_to_judge(0) == pytest.approx(attempts, rel=0.25)
    assert endpoint().attempts_to_judge(0) == POLICY.attempts_max


def test_a_row_that_fails_while_nothing_is_answered_is_never_dead() -> None:
    server = endpoint(RetryPolicy(outage_s_max=1000.0))
    assert fail_until_dead(server, served_between=False, attempts=900) is None


def test_what_failed_in_an_outage_is_not_held_against_the_row_afterwards() -> None:
    server, trial = endpoint(), Trial()
    for now_s in range(1, 100):
        trial = after_failure(Unavailable("500"), trial, server, float(now_s), 0.5).trial
    for now_s in range(100, 102):
        server.succeeded(now_s)
        trial = after_failure(Unavailable("500"), trial, server, now_s + 0.5, 0.5).trial
    assert trial.own_faults == 3
    server.succeeded(102.0)
    with pytest.raises(RowError, match="4 attempts failed while other rows were answered") as caught:
        after_failure(Unavailable("500"), trial, server, 102.5, 0.5)
    assert caught.value.reason == "retries_exhausted"


@settings(max_examples=tries(100))
@given(st.lists(st.tuples(passing_faults, chances, st.floats(0, 10)), max_size=60))
def test_an_endpoint_that_answers_nobody_never_kills_a_row(faults: list[tuple[AttemptError, float, float]]) -> None:
    server, trial, now_s = endpoint(RetryPolicy(outage_s_max=math.inf)), Trial(), 1.0
    for error, chance, pause_s in faults:
        now_s += pause_s
        wait = after_failure(error, trial, server, now_s, chance)
        check_wait(wait, POLICY)
        trial = wait.trial


@settings(max_examples=tries(100))
@given(st.lists(st.tuples(endpoint_faults, chances, st.booleans()), max_size=60))
def test_throttling_never_kills_a_row_and_counts_no_attempt(faults: list[tuple[AttemptError, float, bool]]) -> None:
    server = endpoint(RetryPolicy(attempts_max=1))
    for now_s, (error, chance, served) in enumerate(faults):
        if served:
            server.succeeded(float(now_s))
        wait = after_failure(error, Trial(), server, float(now_s), chance)
        assert wait.trial == Trial()
        check_wait(wait, POLICY)


def check_wait(verdict: Verdict, policy: RetryPolicy) -> None:
    assert 0.0 <= verdict.seconds <= policy.backoff_s_max
    assert verdict.out is None
    assert 0.0 <= (verdict.pause_s or 0.0) <= PROBE_AFTER_S


@settings(max_examples=tries(100))
@given(st.integers(0, 10_000), chances, st.floats(0, 60), st.floats(0, 600))
def test_waits_stay_within_their_bounds(faults: int, chance: float, backoff_s: float, backoff_s_max: float) -> None:
    policy = RetryPolicy(backoff_s=backoff_s, backoff_s_max=backoff_s_max, attempts_max=100)
    wait = after_failure(Unavailable("500"), Trial(faults), endpoint(policy), 1.0, chance)
    assert 0.0 <= wait.seconds <= min(backoff_s_max, backoff_s * 2.0 ** min(faults, 16))


def test_waits_grow_from_fault_to_fault_and_chance_spreads_them() -> None:
    waits = [after_failure(Unavailable("500"), Trial(n), endpoint(), 1.0, 1 - 1e-9).seconds for n in range(12)]
    assert waits == sorted(waits)
    assert waits[:3] == pytest.approx([0.5, 1.0, 2.0])
    assert waits[-1] == pytest.approx(POLICY.backoff_s_max)
    assert after_failure(Unavailable("500"), Trial(3), endpoint(), 1.0, 0.0).seconds == 0.0


@pytest.mark.parametrize(
    ("asked_s", "pause_s"), [(0.0, 0.0), (7.5, 7.5), (-3.0, 0.0), (601.0, PROBE_AFTER_S), (3600.0, PROBE_AFTER_S)]
)
def test_a_retry_after_is_a_pause_of_the_whole_endpoint_within_reason(asked_s: float, pause_s: float) -> None:
    verdict = after_failure(Throttled("429", retry_after_s=asked_s), Trial(), endpoint(), 10.0, 0.5)
    assert (verdict.pause_s, verdict.seconds) == (pause_s, 0.0)


@pytest.mark.parametrize("asked_s", [3600.1, 86400.0, 1e308, math.inf])
def test_a_pause_of_hours_puts_the_endpoint_out_for_this_sitting(asked_s: float) -> None:
    out = after_failure(Throttled("429", retry_after_s=asked_s), Trial(), endpoint(), 10.0, 0.5).out
    assert isinstance(out, QuotaSpent)
    assert out.exit_code == ExitCode.WORK_LEFT


def test_pauses_of_an_overloaded_endpoint_double_until_there_is_an_answer() -> None:
    error, pauses = Throttled("529", pause_s=5.0), [5.0, 5.0, 10.0, 20.0, 40.0, 80.0, OVERLOAD_PAUSE_S_MAX]
    server = endpoint()
    for start_s in (0.0, 1000.0):
        now_s = start_s
        if server.answered:
            assert after_failure(error, Trial(), server, now_s, 0.5) == Verdict(0.0, Trial())
        for pause_s in pauses:
            for _ in range(3):  # many requests may be turned away at once: that is one occasion
                assert after_failure(error, Trial(), server, now_s, 0.5) == Verdict(0.0, Trial(), pause_s)
            now_s += pause_s
        server.succeeded(now_s)


@pytest.mark.parametrize("error", [Throttled("429"), Unavailable("500"), Unreachable("refused")])
def test_an_outage_lasts_from_the_first_failure_to_the_next_answer(error: AttemptError) -> None:
    server = endpoint()
    assert server.failing_s(1000.0) == 0.0  # idle until here: nothing was asked
    after_failure(error, Trial(), server, 1000.0, 0.5)
    after_failure(error, Trial(), server, 1300.0, 0.5)
    assert server.failing_s(1301.0) == 301.0
    server.succeeded(1302.0)
    assert server.failing_s(1400.0) == 0.0


@pytest.mark.parametrize("error", [Refused("no", reason="refused"), StaleConnection("closed"), Unauthorized("no")])
def test_what_is_no_fault_of_the_endpoint_is_no_outage(error: AttemptError) -> None:
    server = endpoint()
    with suppress(RowError):
        after_failure(error, Trial(), server, 0.0, 0.5)
    assert server.failing_s(500.0) == 0.0


def test_retries_beyond_what_successes_earn_wait_as_in_an_outage() -> None:
    server = endpoint(RetryPolicy(retries_saved_max=2.0, retry_share=0.5, outage_s_max=math.inf))
    waits = [after_failure(Unavailable("500"), Trial(), server, 1.0, 0.9).seconds for _ in range(4)]
    assert waits == pytest.approx([0.45, 0.45, 27.0, 27.0])
    for _ in range(2):
        server.succeeded(2.0)
    waits = [after_failure(Unavailable("500"), Trial(), server, 3.0, 0.9).seconds for _ in range(2)]
    assert waits == pytest.approx([0.45, 27.0])


def test_retries_are_saved_up_to_a_limit() -> None:
    server = endpoint(RetryPolicy(retries_saved_max=3.0))
    for now_s in range(100):
        server.succeeded(float(now_s))
    assert server.budget == 3.0
