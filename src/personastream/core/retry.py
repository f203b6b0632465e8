"""What follows a failed attempt: a wait, giving the row up, or giving the endpoint up. Pure: time and chance are given.

Faults are split by whose they are. An endpoint's faults (throttling, an outage) delay its rows for as long as it
takes; they never kill a row. A row's own faults are counted, and only while the endpoint serves others; it is dead
when it has failed more often than chance allows, as others fail. Waits follow "full jitter": uniform between 0 and an
exponentially growing cap (Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from personastream.errors import (
    AttemptError,
    NotFound,
    ProviderRejected,
    QuotaSpent,
    Refused,
    RequestsRefused,
    RowError,
    RunError,
    StaleConnection,
    Throttled,
    Unauthorized,
    Unreachable,
)

STALE_MAX = 3
CHANCE_MIN = 1e-6
"""A row that has failed so often that this is the chance of it, as others fail, is at fault itself."""
ATTEMPTS_BY_CHANCE_MAX = 40
EVENTS_KEPT = 0.998
"""What counts of how others fare: some 500 requests."""
PROBE_AFTER_S = 600.0
"""A longer pause is probed at this interval: some servers send nonsense, and limits are lifted early."""
OVERLOAD_PAUSE_S_MAX = 120.0
"""The longest pause where the endpoint says that it is overloaded, and not for how long."""
NOT_FOUND_PAUSE_S, NOT_FOUND_MAX = 60.0, 5
"""A model that was there and is gone comes back after a rolling deploy, or never."""
BAD_REQUEST = "bad_request"
"""The reason of a refusal that does not speak of this row in particular."""
REFUSED_ALIKE = 20
"""So many requests refused before the first answer: something is wrong with all of them."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of patience. Times are seconds; `retry_share` is the retries earned by each success.

    An endpoint that asks for a pause longer than `pause_s_max` is given up for this sitting.
    """

    attempts_max: int = 4
    backoff_s: float = 0.5
    backoff_s_max: float = 30.0
    outage_s_max: float = 300.0
    pause_s_max: float = 3600.0
    retry_share: float = 0.5
    retries_saved_max: float = 1000.0


@dataclass(slots=True)
class Health:
    """What is known of an endpoint's health. `now_s` is any monotonic time in seconds."""

    policy: RetryPolicy
    last_success_s: float
    failing_since_s: float | None = None
    answered: bool = False
    throttled_since_s: float | None = None
    not_found_in_a_row: int = 0
    refused_first: int = 0
    budget: float = field(init=False)
    _events: float = field(init=False, default=0.0)
    _faults: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.budget = self.policy.retries_saved_max

    def succeeded(self, now_s: float) -> None:
        """A request was answered: the endpoint lives, and a share of a retry is earned."""
        self.last_success_s = now_s
        self.failing_since_s = None
        self.answered = True
        self._count(0.0)
        self.throttled_since_s = None
        self.not_found_in_a_row = 0
        self.budget = min(self.policy.retries_saved_max, self.budget + self.policy.retry_share)

    def vouched(self, now_s: float) -> None:
        """A probe was answered: the endpoint lives, which says nothing of how rows fare."""
        self.last_success_s = now_s
        self.failing_since_s = None

    def failed(self, now_s: float) -> None:
        """An attempt failed, and not by the row's own fault alone."""
        if self.failing_since_s is None:
            self.failing_since_s = now_s

    def rested(self) -> None:
        """Nothing has been asked for a while, by will: what failed before is no outage that has lasted since."""
        self.failing_since_s = self.throttled_since_s = None

    def attempts_to_judge(self, own: int) -> int:
        """How often a row must fail before it is at fault itself, if `own` of the faults so far are its own.

        Where nothing but probes is answered, every row is: chance has no say.
        """
        faults, events = self._faults - own, self._events - own
        if not 0.0 < faults < events:
            return self.policy.attempts_max
        by_chance = math.ceil(math.log(CHANCE_MIN) / math.log(faults / events))
        return max(self.policy.attempts_max, min(ATTEMPTS_BY_CHANCE_MAX, by_chance))

    def failed_alone(self) -> None:
        """An attempt failed while others were served."""
        self._count(1.0)

    def _count(self, fault: float) -> None:
        self._events = self._events * EVENTS_KEPT + 1.0
        self._faults = self._faults * EVENTS_KEPT + fault

    def failing_s(self, now_s: float) -> float:
        """For how many seconds nothing but failures has been seen.

        Not since the last success: there may have been nothing to ask for a while.
        """
        return now_s - self.failing_since_s if self.failing_since_s is not None else 0.0


class Trial(NamedTuple):
    """What one request has been through: all faults, its own ones, stale connections, when the last fault was.

    A fault is its own if others were served since the one before, the first one if nothing else fails just then.
    """

    faults: int = 0
    own_faults: int = 0
    stale: int = 0
    last_fault_s: float = 0.0


UNTRIED = Trial()


class Verdict(NamedTuple):
    """How to go on: the row waits `seconds`, with `trial` as its history from then on.

    `pause_s` is a pause that the whole endpoint asks for; `out` is why it is not to be asked any more.
    """

    seconds: float
    trial: Trial
    pause_s: float | None = None
    out: RunError | None = None


def after_failure(error: AttemptError, trial: Trial, health: Health, now_s: float, chance: float) -> Verdict:
    """How to go on after `error`; `chance` is uniform in [0, 1).

    Raises `RowError` to give the row up, `RequestsRefused` to stop the run.
    """
    match error:
        case Unauthorized():
            return Verdict(0.0, trial, out=_rejected(error))
        case NotFound():
            return _not_found(error, trial, health, now_s)
        case Refused():
            raise _refused(error, health)
        case StaleConnection() if trial.stale < STALE_MAX:
            return Verdict(0.0, trial._replace(stale=trial.stale + 1))
        case Throttled():
            health.failed(now_s)
            return _throttled(error, trial, health, now_s)
        case Unreachable():
            health.failed(now_s)
            return Verdict(_backoff_s(health.policy, trial.faults) * chance, trial)
        case _:
            return _own_fault(error, trial, health, now_s, chance)


def _own_fault(error: AttemptError, trial: Trial, health: Health, now_s: float, chance: float) -> Verdict:
    policy = health.policy
    faults = trial.faults + 1
    served_others = health.last_success_s >= trial.last_fault_s if trial.faults else health.failing_since_s is None
    own_faults = trial.own_faults + served_others
    health.failed(now_s)
    if served_others:
        health.failed_alone()
    if own_faults >= health.attempts_to_judge(own_faults):
        raise RowError(
            f"{own_faults} attempts failed while other rows were answered; the last one: {error.message}",
            reason="retries_exhausted",
        ) from error
    cap_s = _backoff_s(policy, trial.faults)
    if health.budget >= 1.0:
        health.budget -= 1.0
    else:  # too many retries for the successes seen: an outage, not a row's bad luck
        cap_s = policy.backoff_s_max
    return Verdict(cap_s * chance, Trial(faults, own_faults, trial.stale, now_s))


def _throttled(error: Throttled, trial: Trial, health: Health, now_s: float) -> Verdict:
    """The row goes back to the queue. An endpoint that is overloaded for all gets a pause as long as this has lasted.

    What brings no pause brings a lower rate, and a pause if all is turned away: see `core.pace`.
    """
    policy = health.policy
    if error.retry_after_s is not None:
        if error.retry_after_s > policy.pause_s_max:
            return Verdict(0.0, trial, out=_spent(error, error.retry_after_s))
        return Verdict(0.0, trial, pause_s=min(PROBE_AFTER_S, max(0.0, error.retry_after_s)))
    if error.pause_s is None:
        return Verdict(0.0, trial)
    if health.throttled_since_s is None:
        health.throttled_since_s = now_s
        if health.answered:  # others are served: a lower rate may be enough
            return Verdict(0.0, trial)
    lasted_s = now_s - health.throttled_since_s
    return Verdict(0.0, trial, pause_s=max(error.pause_s, min(lasted_s, OVERLOAD_PAUSE_S_MAX)))


def _not_found(error: NotFound, trial: Trial, health: Health, now_s: float) -> Verdict:
    health.not_found_in_a_row += 1
    if not health.answered or health.not_found_in_a_row > NOT_FOUND_MAX:
        return Verdict(0.0, trial, out=_rejected(error))
    health.failed(now_s)
    return Verdict(0.0, trial, pause_s=NOT_FOUND_PAUSE_S)


def _refused(error: Refused, health: Health) -> RowError | RunError:
    if not health.answered and error.reason == BAD_REQUEST:
        health.refused_first += 1
        if health.refused_first >= REFUSED_ALIKE:
            return RequestsRefused(
                f"the first {health.refused_first} requests were all refused; the last one: {error.message}",
                hint="Check the address, the model and the parameters, then run again with --resume; no row is lost: "
                "`personastream retry` asks again those that are in dead/ by now, if any.",
            )
    return RowError(error.message, reason=error.reason, response=error.body)


def _rejected(error: AttemptError) -> RunError:
    rejection = ProviderRejected(error.message, hint=error.hint)
    rejection.__cause__ = error
    return rejection


def _spent(error: Throttled, seconds: float) -> RunError:
    return QuotaSpent(
        f"the quota is used up for {seconds / 3600:.1f} h: {error.message}",
        hint="Run again with --resume when it is back. `[limits] pause_s_max` sets the longest pause to sit out.",
    )


def _backoff_s(policy: RetryPolicy, faults: int) -> float:
    return min(policy.backoff_s_max, policy.backoff_s * 2.0 ** min(faults, 16))
