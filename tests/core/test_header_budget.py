import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.header_budget import BUDGETS, CLOSED_S_MAX, HeaderBudget
from tests.support.effort import tries

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
OPENAI = {
    "date": DATE,
    "x-ratelimit-limit-requests": "600",
    "x-ratelimit-remaining-requests": "599",
    "x-ratelimit-reset-requests": "100ms",
    "x-ratelimit-limit-tokens": "100000",
    "x-ratelimit-remaining-tokens": "90000",
    "x-ratelimit-reset-tokens": "6s",
}
NEARLY_OUT = OPENAI | {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"}


def closed_s(headers: dict[str, str]) -> float:
    """For how long one reply, sent at 100 s, closes the endpoint."""
    budget = HeaderBudget()
    budget.told(100.0, headers)
    return max(0.0, budget.closed_until_s - 100.0)


def test_plenty_left_closes_nothing() -> None:
    assert closed_s(OPENAI) == 0.0
    assert closed_s({}) == 0.0
    assert closed_s({"content-type": "application/json"}) == 0.0


def test_a_bucket_that_is_nearly_empty_is_waited_for_until_there_is_some_in_it_again() -> None:
    assert closed_s(NEARLY_OUT) == pytest.approx(0.04 * 60.0)
    assert closed_s(NEARLY_OUT | {"x-ratelimit-remaining-requests": "11"}) == pytest.approx(60.0 * (0.04 - 11 / 600))
    assert closed_s(NEARLY_OUT | {"x-ratelimit-remaining-requests": "12"}) == 0.0


def test_the_emptiest_of_all_budgets_decides() -> None:
    tokens = {"x-ratelimit-remaining-tokens": "1000", "x-ratelimit-reset-tokens": "20m0s"}
    assert closed_s(NEARLY_OUT | tokens) == pytest.approx(0.03 * 1200.0)


@pytest.mark.parametrize("kind", ["requests", "tokens", "input-tokens", "output-tokens"])
def test_anthropic_tells_moments(kind: str) -> None:
    headers = {
        "date": DATE,
        f"anthropic-ratelimit-{kind}-limit": "1000",
        f"anthropic-ratelimit-{kind}-remaining": "0",
        f"anthropic-ratelimit-{kind}-reset": "2026-01-01T00:00:50Z",
    }
    assert closed_s(headers) == pytest.approx(0.04 * 50.0)


def test_no_wait_is_longer_than_a_minute() -> None:
    day = NEARLY_OUT | {"x-ratelimit-reset-requests": "23h59m0s"}
    assert closed_s(day) == CLOSED_S_MAX
    assert closed_s(NEARLY_OUT | {"x-ratelimit-limit-requests": "1"}) == CLOSED_S_MAX


def test_without_a_limit_only_nothing_left_counts() -> None:
    unknown = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "5s"}
    assert closed_s(unknown) == 0.0
    assert closed_s(unknown | {"x-ratelimit-remaining-requests": "0"}) == 5.0


def test_newer_news_replace_older_ones_in_whatever_order_they_come() -> None:
    budget = HeaderBudget()
    assert budget.told(100.0, NEARLY_OUT)
    assert not budget.told(101.0, OPENAI)
    assert budget.closed_until_s < 101.0
    assert not budget.told(100.5, NEARLY_OUT)
    assert budget.closed_until_s < 100.5


def test_a_reply_without_such_headers_changes_nothing() -> None:
    budget = HeaderBudget()
    budget.told(100.0, NEARLY_OUT)
    assert not budget.told(101.0, {"server": "x"})
    assert budget.closed_until_s > 100.0


values = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["nan", "inf", "-inf", "-1", "0", "1e308", "-1e308", "1e-320", "99999999999999999999", "1h", DATE]),
    st.floats().map(str),
)
NAMES = [name for names in BUDGETS for name in names] + ["date"]


@settings(max_examples=tries(50))
@given(st.dictionaries(st.sampled_from(NAMES), values))
def test_nonsense_never_closes_for_long(headers: dict[str, str]) -> None:
    budget = HeaderBudget()
    budget.told(100.0, headers)
    assert budget.closed_until_s <= 100.0 + CLOSED_S_MAX
    assert not math.isnan(budget.closed_until_s)
