"""What servers write into headers when they mean "later", and what they must not make us do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.retry_after import BUDGETS, WAIT_S_MAX, duration_s, retry_after_s, seconds_until
from tests.support.effort import tries

NOW = "Wed, 21 Oct 2026 07:28:00 GMT"
UNIX_NOW = 1_792_567_680


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("99999", 99_999.0),
        ("2m0.5s", 120.5),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 09:28:30 +0200", 30.0),
        ("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0),
        ("Wed Oct 21 07:28:30 2026 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
        ("2026-10-21T07:28:30Z", 30.0),
        ("2026-10-21T09:28:30.25+02:00", 30.25),
        ("2026-10-21T07:28:30.123456789Z", 30.123456),
        (str(UNIX_NOW + 30), 30.0),
        (str((UNIX_NOW + 30) * 1000), 30.0),
        (str(UNIX_NOW - 30), 0.0),
    ],
)
def test_seconds_and_moments_are_understood(value: str, seconds: float) -> None:
    assert retry_after_s({"retry-after": value, "date": NOW}) == seconds
    assert seconds_until(value, NOW) == seconds


def test_milliseconds_go_before_seconds_and_both_before_rate_limits() -> None:
    assert retry_after_s({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after_s({"retry-after-ms": "soon", "retry-after": "9"}) == 9.0
    assert retry_after_s({"retry-after-ms": "1e12", "retry-after": "9"}) == 9.0
    assert retry_after_s({"retry-after-ms": "-1"}) is None
    assert retry_after_s({"retry-after": "9", "x-ratelimit-reset-requests": "1s"}) == 9.0
    assert retry_after_s({"retry-after": "-1", "x-ratelimit-reset-requests": "1s"}) == 1.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17ms", 0.017),
        ("1s", 1.0),
        ("0s", 0.0),
        ("17.399999999s", 17.399999999),
        ("6m0s", 360.0),
        ("1m30.951s", 90.951),
        ("23h47m36.648s", 85_656.648),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("9ns", 9e-9),
        (" 1h ", 3600.0),
        (".5s", 0.5),
        ("1.m", 60.0),
    ],
)
def test_a_go_duration_is_understood(value: str, seconds: float) -> None:
    assert duration_s(value) == pytest.approx(seconds, rel=1e-12)
    assert seconds_until(value, None) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("value", ["", "7", "s", "1", "-1s", "1 s", "1s 2s", "1x", "1sx", "x1s", "1e3s", "٣s", "1d"])
def test_what_is_no_go_duration_is_none(value: str) -> None:
    assert duration_s(value) is None


def test_a_duration_beyond_every_quota_is_no_wait() -> None:
    assert seconds_until("743h59m60s", None) == WAIT_S_MAX
    assert seconds_until("745h", None) is None
    assert duration_s("1" * 63 + "h") is not None
    assert seconds_until("1" * 63 + "h", None) is None
    assert duration_s("1" * 64 + "h") is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset-requests": "17ms"}, 0.017),
        ({"x-ratelimit-reset-requests": "17ms", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "12",
            },
            1.0,
        ),
        (
            {
                "x-ratelimit-reset-requests": "23h47m36.648s",
                "x-ratelimit-remaining-requests": "99",
                "x-ratelimit-reset-tokens": "2s",
            },
            2.0,
        ),
        (
            {
                "x-ratelimit-reset-requests": "23h47m36.648s",
                "x-ratelimit-remaining-requests": "99",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-tokens": "50",
            },
            2.0,
        ),
        (
            {
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-tokens": "50",
                "x-ratelimit-reset": "3s",
            },
            360.0,
        ),
        ({"x-ratelimit-reset-requests": "1", "x-ratelimit-reset-tokens": "60"}, 60.0),
        ({"x-ratelimit-reset": "2"}, 2.0),
        ({"x-ratelimit-reset": str((UNIX_NOW + 5) * 1000), "date": NOW}, 5.0),
        ({"ratelimit-reset": "3"}, 3.0),
        ({"anthropic-ratelimit-requests-reset": "2026-10-21T07:28:09Z", "date": NOW}, 9.0),
        (
            {
                "anthropic-ratelimit-input-tokens-reset": "2026-10-21T07:28:09Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2026-10-21T07:28:40Z",
                "anthropic-ratelimit-output-tokens-remaining": "8000",
                "date": NOW,
            },
            9.0,
        ),
        ({"anthropic-ratelimit-requests-reset": "2026-10-21T07:28:09Z"}, None),
        ({"x-ratelimit-reset-requests": "soon", "x-ratelimit-reset-tokens": "4s"}, 4.0),
    ],
)
def test_the_resets_of_rate_limits_tell_where_nothing_else_does(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-5",
        "NaN",
        "inf",
        "-inf",
        "1e999",
        "1e308",
        "99999999",
        "2678401",
        "1e15",
        "5 seconds",
        "0x10",
        "\x00",
        "9" * 5000,
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 32 Oct 2026 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +99999999999999",
        "Wed, 21 Oct 2026 07:28:00 -0000",
        "Wed, 21 Oct 2026 07:28:00",
        "Wed, 21 Oct 0 99:99:99 GMT",
        "2026-10-21T07:28:30",
        "2026-10-21",
        "9999-12-31T23:59:59Z",
        ", , , , ",
    ],
)
def test_nonsense_is_no_answer(value: str) -> None:
    assert retry_after_s({"retry-after": value, "date": NOW}) is None
    assert retry_after_s({"x-ratelimit-reset-tokens": value, "date": NOW}) is None
    assert retry_after_s({"retry-after": NOW, "date": value}) is None


def test_a_date_in_another_year_is_no_answer() -> None:
    assert retry_after_s({"retry-after": "Thu, 21 Oct 2027 07:28:00 GMT", "date": NOW}) is None


def test_a_moment_is_measured_by_the_servers_own_clock_or_not_at_all() -> None:
    assert retry_after_s({"retry-after": NOW}) is None
    assert seconds_until("2026-10-21T07:28:30Z", None) is None
    assert seconds_until(str(UNIX_NOW), None) is None
    assert retry_after_s({}) is None
    assert retry_after_s({"date": NOW}) is None


@pytest.mark.slow
@settings(max_examples=tries(300))
@given(
    st.one_of(
        st.text(max_size=60),
        st.floats().map(repr),
        st.integers().map(str),
        st.datetimes().map(str),
        st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
        st.lists(st.tuples(st.floats(0).map(repr), st.sampled_from(["s", "ms", "m", "h"])).map("".join)).map("".join),
        st.builds(
            "{}, {} {} {} {}:{}:{} {}".format,
            st.sampled_from(["Wed", "x", ""]),
            st.integers(-9, 99),
            st.sampled_from(["Oct", "Foo", "0"]),
            st.integers(-9, 10**19),
            st.integers(-9, 10**10),
            st.integers(0, 99),
            st.integers(0, 99),
            st.sampled_from(["GMT", "+0000", "-2400", "+9999999999", "Z", ""]),
        ),
    ),
    st.sampled_from([NOW, "", "Wed, 01 Jan 0001 00:00:00 +2359"]),
)
def test_a_hostile_header_is_a_bounded_wait_or_none(value: str, date: str) -> None:
    names = ["retry-after", "retry-after-ms", *(name.format("reset") for name in BUDGETS)]
    for name in names:
        seconds = retry_after_s({name: value, "date": date, "x-ratelimit-remaining": value})
        assert seconds is None or 0.0 <= seconds <= WAIT_S_MAX
