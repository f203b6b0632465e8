"""What replies tell of the endpoint's limits: stops just before they are used up, instead of at the first refusal.

OpenAI and those after it send `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, Anthropic
`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`. All describe buckets that
fill steadily and are full at `reset`. To wait for a full one would mean minutes of rest followed by a burst; it is
enough to wait until twice the threshold is in it again.
"""

import math
from collections.abc import Mapping

from personastream.core.retry_after import seconds_until

SHARE_MIN = 0.02
"""Of a limit. What is in flight already is counted in `remaining`, so little is needed in reserve."""
CLOSED_S_MAX = 60.0
"""Limits are per minute. Where a longer one is used up (a day's), a request a minute keeps the knowledge fresh."""

NAMES = (
    "x-ratelimit-{}-requests",
    "x-ratelimit-{}-tokens",
    "anthropic-ratelimit-requests-{}",
    "anthropic-ratelimit-tokens-{}",
    "anthropic-ratelimit-input-tokens-{}",
    "anthropic-ratelimit-output-tokens-{}",
)
BUDGETS = tuple((name.format("remaining"), name.format("limit"), name.format("reset")) for name in NAMES)


class HeaderBudget:
    """Until when the endpoint's own figures advise against another request (`closed_until_s`).

    A reply tells how things stood when its request arrived: what was sent later counts, in whatever order replies
    come, and each waits at most a minute. Times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self.closed_until_s = -math.inf
        self._told_s = -math.inf

    def told(self, sent_s: float, headers: Mapping[str, str]) -> bool:
        """Read the headers of a reply to a request sent at `sent_s`. Returns whether they close the endpoint."""
        if sent_s < self._told_s:
            return False
        wait_s, any_told = 0.0, False
        for remaining_name, limit_name, reset_name in BUDGETS:
            remaining = headers.get(remaining_name)
            if remaining is not None:
                any_told = True
                wait_s = max(wait_s, _wait_s(headers, remaining, limit_name, reset_name))
        if any_told:
            self._told_s = sent_s
            self.closed_until_s = sent_s + wait_s if wait_s else -math.inf
        return wait_s > 0.0


def _wait_s(headers: Mapping[str, str], remaining: str, limit_name: str, reset_name: str) -> float:
    """Seconds until a bucket that is nearly empty holds twice the threshold; 0 if it is not, or tells no sense."""
    left, limit = _amount(remaining), _amount(headers.get(limit_name, "")) or 1.0
    if left is None or left >= max(1.0, SHARE_MIN * limit):
        return 0.0
    full_s = seconds_until(headers.get(reset_name, ""), headers.get("date"))
    if full_s is None:
        return 0.0
    missing_share = max(2.0 * SHARE_MIN, 1.0 / limit) - left / limit
    return min(CLOSED_S_MAX, full_s * min(1.0, missing_share))


def _amount(value: str) -> float | None:
    """A count of requests or tokens; None unless it is a finite number that is not negative."""
    try:
        amount = float(value)
    except ValueError:
        return None
    return amount if 0.0 <= amount < math.inf else None
