import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.retry_after import retry_after_s

NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("99999999", 99999999.0),
        ("1e308", 1e308),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 09:28:30 +0200", 30.0),
        ("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0),
        ("Wed Oct 21 07:28:30 2026 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
    ],
)
def test_seconds_and_dates_are_understood(value: str, seconds: float) -> None:
    assert retry_after_s({"retry-after": value, "date": NOW}) == seconds


def test_milliseconds_go_before_seconds() -> None:
    assert retry_after_s({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after_s({"retry-after-ms": "soon", "retry-after": "9"}) == 9.0
    assert retry_after_s({"retry-after-ms": "-1"}) is None


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
        ", , , , ",
    ],
)
def test_nonsense_is_no_answer(value: str) -> None:
    assert retry_after_s({"retry-after": value, "date": NOW}) is None
    assert retry_after_s({"retry-after": NOW, "date": value}) is None


def test_a_date_is_measured_by_the_servers_own_clock_or_not_at_all() -> None:
    assert retry_after_s({"retry-after": NOW}) is None
    assert retry_after_s({}) is None
    assert retry_after_s({"date": NOW}) is None


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=60),
        st.floats().map(repr),
        st.integers().map(str),
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
def test_a_hostile_header_is_a_finite_wait_or_none(value: str, date: str) -> None:
    for headers in ({"retry-after": value, "date": date}, {"retry-after-ms": value}):
        seconds = retry_after_s(headers)
        assert seconds is None or 0.0 <= seconds < float("inf")
