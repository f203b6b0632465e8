import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.retry import (
    RETRY_AFTER_S_MAX,
    STALE_MAX,
    Endpoint,
    RetryPolicy,
    Trial,
    Wait,
    after_failure,
)
from personastream.errors import (
    AttemptError,
    ProviderDown,
    ProviderRejected,
    Refused,
    RowError,
    StaleConnection,
    Throttled,
    Unauthorized,
    Unavailable,
)

POLICY = RetryPolicy()
chances = st.floats(0, 1, exclude_max=True)
endpoint_faults = st.one_of(
    st.just(Throttled("429")),
    st.floats(allow_nan=False, min_value=-1e9).map(lambda s: Throttled("429", retry_after_s=s)),
)
passing_faults = st.one_of(endpoint_faults, st.just(Unavailable("500")), st.just(StaleConnection("closed")))


def endpoint(policy: RetryPolicy = POLICY, now_s: float = 0.0) -> Endpoint:
    return Endpoint(policy, last_success_s=now_s)


def test_a_refused_request_is_a_dead_row_with_its_reason_and_answer() -> None:
    with pytest.raises(RowError) as caught:
        after_failure(Refused("too long", reason="too_long", body=b"{}"), Trial(), endpoint(), 0.0, 0.5)
    assert (caught.value.reason, caught.value.response) == ("too_long", b"{}")


def test_a_refused_key_stops_the_run_with_its_hint() -> None:
    with pytest.raises(ProviderRejected, match="no key") as caught:
        after_failure(Unauthorized("no key", hint="Set it."), Trial(), endpoint(), 0.0, 0.5)
    assert caught.value.hint == "Set it."


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


def fail_until_dead(server: Endpoint, served_between: bool, attempts: int) -> int | None:
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


@settings(max_examples=100)
@given(st.lists(st.tuples(passing_faults, chances, st.floats(0, 10)), max_size=60))
def test_an_endpoint_that_answers_nobody_never_kills_a_row(faults: list[tuple[AttemptError, float, float]]) -> None:
    server, trial, now_s = endpoint(RetryPolicy(outage_s_max=math.inf)), Trial(), 1.0
    for error, chance, pause_s in faults:
        now_s += pause_s
        wait = after_failure(error, trial, server, now_s, chance)
        check_wait(wait, POLICY)
        trial = wait.trial


@settings(max_examples=100)
@given(st.lists(st.tuples(endpoint_faults, chances, st.booleans()), max_size=60))
def test_throttling_never_kills_a_row_and_counts_no_attempt(faults: list[tuple[AttemptError, float, bool]]) -> None:
    server = endpoint(RetryPolicy(attempts_max=1))
    for now_s, (error, chance, served) in enumerate(faults):
        if served:
            server.succeeded(float(now_s))
        wait = after_failure(error, Trial(), server, float(now_s), chance)
        assert wait.trial == Trial()
        check_wait(wait, POLICY)


def check_wait(wait: Wait, policy: RetryPolicy) -> None:
    assert 0.0 <= wait.seconds <= max(policy.backoff_s_max, RETRY_AFTER_S_MAX + policy.backoff_s)


@settings(max_examples=100)
@given(st.integers(0, 10_000), chances, st.floats(0, 60), st.floats(0, 600))
def test_waits_stay_within_their_bounds(faults: int, chance: float, backoff_s: float, backoff_s_max: float) -> None:
    policy = RetryPolicy(backoff_s=backoff_s, backoff_s_max=backoff_s_max, attempts_max=100)
    wait = after_failure(Unavailable("500"), Trial(faults), endpoint(policy), 1.0, chance)
    assert 0.0 <= wait.seconds <= min(backoff_s_max, backoff_s * 2.0 ** min(faults, 16))
    server = endpoint(policy)
    server.throttles_in_a_row = faults
    wait = after_failure(Throttled("429"), Trial(), server, 1.0, chance)
    assert 0.0 <= wait.seconds <= backoff_s_max


def test_waits_grow_from_fault_to_fault_and_chance_spreads_them() -> None:
    waits = [after_failure(Unavailable("500"), Trial(n), endpoint(), 1.0, 1 - 1e-9).seconds for n in range(12)]
    assert waits == sorted(waits)
    assert waits[:3] == pytest.approx([0.5, 1.0, 2.0])
    assert waits[-1] == pytest.approx(POLICY.backoff_s_max)
    assert after_failure(Unavailable("500"), Trial(3), endpoint(), 1.0, 0.0).seconds == 0.0


@pytest.mark.parametrize(
    ("asked_s", "blocked_s"), [(0.0, 0.0), (7.5, 7.5), (-3.0, 0.0), (1e308, RETRY_AFTER_S_MAX), (601.0, 600.0)]
)
def test_a_retry_after_blocks_the_whole_endpoint_within_reason(asked_s: float, blocked_s: float) -> None:
    server = endpoint()
    wait = after_failure(Throttled("429", retry_after_s=asked_s), Trial(), server, 10.0, 0.5)
    assert server.blocked_s(10.0) == blocked_s
    assert wait.seconds == blocked_s + POLICY.backoff_s / 2
    assert server.blocked_s(10.0 + blocked_s) == server.blocked_s(1e9) == 0.0


def test_a_shorter_retry_after_does_not_open_the_endpoint_earlier() -> None:
    server = endpoint()
    after_failure(Throttled("429", retry_after_s=60.0), Trial(), server, 0.0, 0.5)
    after_failure(Throttled("429", retry_after_s=1.0), Trial(), server, 1.0, 0.5)
    assert server.blocked_s(1.0) == 59.0


@pytest.mark.parametrize("error", [Throttled("429"), Unavailable("500")])
def test_an_outage_stops_the_run_after_its_time_and_not_before(error: AttemptError) -> None:
    server = endpoint(RetryPolicy(outage_s_max=300.0))
    trial = after_failure(error, Trial(), server, 1000.0, 0.5).trial  # idle until here: nothing was asked
    trial = after_failure(error, trial, server, 1300.0, 0.5).trial
    with pytest.raises(ProviderDown, match="301 s"):
        after_failure(error, trial, server, 1301.0, 0.5)


def test_any_answer_ends_an_outage() -> None:
    server = endpoint(RetryPolicy(outage_s_max=300.0))
    trial = after_failure(Unavailable("500"), Trial(), server, 0.0, 0.5).trial
    server.succeeded(299.0)
    trial = after_failure(Unavailable("500"), trial, server, 400.0, 0.5).trial
    after_failure(Unavailable("500"), trial, server, 700.0, 0.5)
    with pytest.raises(ProviderDown):
        after_failure(Unavailable("500"), trial, server, 701.0, 0.5)


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
