"""What follows a failed attempt: a wait, or giving the row up. Pure: time and chance are arguments.

Faults are split by whose they are. An endpoint's faults (throttling, an outage) delay its rows for as long as it
takes, up to `outage_s_max`; they never kill a row. A row's own faults are counted, and only while the endpoint
serves others. Waits follow "full jitter": uniform between 0 and an exponentially growing cap
(Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from personastream.errors import (
    AttemptError,
    ProviderDown,
    ProviderRejected,
    Refused,
    RowError,
    StaleConnection,
    Throttled,
    Unauthorized,
)

STALE_MAX = 3
RETRY_AFTER_S_MAX = 600.0
"""A longer Retry-After is probed at this interval: some servers send nonsense, and limits are lifted early."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of patience. Times are seconds; `retry_share` is the retries earned by each success."""

    attempts_max: int = 4
    backoff_s: float = 0.5
    backoff_s_max: float = 30.0
    outage_s_max: float = 300.0
    retry_share: float = 0.5
    retries_saved_max: float = 1000.0


@dataclass(slots=True)
class Endpoint:
    """What is known of an endpoint's health. `now` is any monotonic time in seconds."""

    policy: RetryPolicy
    last_success_s: float
    failing_since_s: float | None = None
    blocked_until_s: float = 0.0
    throttles_in_a_row: int = 0
    budget: float = field(init=False)

    def __post_init__(self) -> None:
        self.budget = self.policy.retries_saved_max

    def succeeded(self, now_s: float) -> None:
        """A request was answered: the endpoint lives, and a share of a retry is earned."""
        self.last_success_s = now_s
        self.failing_since_s = None
        self.throttles_in_a_row = 0
        self.budget = min(self.policy.retries_saved_max, self.budget + self.policy.retry_share)

    def failed(self, now_s: float) -> float:
        """An attempt failed: returns for how many seconds nothing but failures has been seen.

        Not since the last success: there may have been nothing to ask for a while.
        """
        if self.failing_since_s is None:
            self.failing_since_s = now_s
        return now_s - self.failing_since_s

    def blocked_s(self, now_s: float) -> float:
        """Seconds until the endpoint may be asked again."""
        return max(0.0, self.blocked_until_s - now_s)


class Trial(NamedTuple):
    """What one request has been through: all faults, its own ones, stale connections, when the last fault was.

    A fault is its own if others were served since the one before, the first one if nothing else fails just then.
    """

    faults: int = 0
    own_faults: int = 0
    stale: int = 0
    last_fault_s: float = 0.0


UNTRIED = Trial()


class Wait(NamedTuple):
    """Try again after `seconds`; `trial` is the request's history from then on."""

    seconds: float
    trial: Trial


def after_failure(error: AttemptError, trial: Trial, endpoint: Endpoint, now_s: float, chance: float) -> Wait:
    """How to go on after `error`; `chance` is uniform in [0, 1).

    Raises `RowError` to give the row up, `ProviderDown` or `ProviderRejected` to stop the run.
    """
    match error:
        case Unauthorized():
            raise ProviderRejected(error.message, hint=error.hint) from error
        case Refused():
            raise RowError(error.message, reason=error.reason, response=error.body) from error
        case StaleConnection() if trial.stale < STALE_MAX:
            return Wait(0.0, trial._replace(stale=trial.stale + 1))
        case Throttled():
            _check_outage(error, endpoint.failed(now_s), endpoint.policy)
            return Wait(_block(error, endpoint, now_s, chance), trial)
        case _:
            return _own_fault(error, trial, endpoint, now_s, chance)


def _own_fault(error: AttemptError, trial: Trial, endpoint: Endpoint, now_s: float, chance: float) -> Wait:
    policy = endpoint.policy
    faults = trial.faults + 1
    served_others = endpoint.last_success_s >= trial.last_fault_s if trial.faults else endpoint.failing_since_s is None
    own_faults = trial.own_faults + served_others
    silent_s = endpoint.failed(now_s)
    if own_faults >= policy.attempts_max:
        raise RowError(
            f"{own_faults} attempts failed while other rows were answered; the last one: {error.message}",
            reason="retries_exhausted",
        ) from error
    _check_outage(error, silent_s, policy)
    cap_s = min(policy.backoff_s_max, policy.backoff_s * 2.0 ** min(faults - 1, 16))
    if endpoint.budget >= 1.0:
        endpoint.budget -= 1.0
    else:  # too many retries for the successes seen: an outage, not a row's bad luck
        cap_s = policy.backoff_s_max
    return Wait(cap_s * chance, Trial(faults, own_faults, trial.stale, now_s))


def _block(error: Throttled, endpoint: Endpoint, now_s: float, chance: float) -> float:
    """Close the endpoint for all rows; returns how long this one waits, spread out so that not all return at once."""
    policy = endpoint.policy
    if error.retry_after_s is not None:
        pause_s = min(RETRY_AFTER_S_MAX, max(0.0, error.retry_after_s))
        endpoint.blocked_until_s = max(endpoint.blocked_until_s, now_s + pause_s)
        return pause_s + policy.backoff_s * chance
    cap_s = min(policy.backoff_s_max, policy.backoff_s * 2.0 ** min(endpoint.throttles_in_a_row, 16))
    endpoint.throttles_in_a_row += 1
    return cap_s * (0.5 + chance / 2)


def _check_outage(error: AttemptError, silent_s: float, policy: RetryPolicy) -> None:
    if silent_s > policy.outage_s_max:
        raise ProviderDown(
            f"no request has succeeded for {silent_s:.0f} s; the last failure: {error.message}",
            hint="Check the endpoint, then run again with --resume; nothing is lost. "
            "`[limits] outage_s_max` sets the patience.",
        ) from error
