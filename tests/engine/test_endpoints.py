"""Several endpoints behind one queue."""

from collections.abc import Callable

import anyio
import pytest

from personastream.core.retry import RetryPolicy
from personastream.errors import (
    AttemptError,
    ProviderDown,
    ProviderRejected,
    QuotaSpent,
    StaleConnection,
    Throttled,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from personastream.records import Request
from personastream.testing import ScriptedProvider
from tests.support.fleet import Fault, Fleet, rows
from tests.support.virtual import after, duration_s, ids, on_virtual_clock


def down(from_s: float, to_s: float, error: Callable[[], AttemptError] = lambda: Unreachable("refused")) -> Fault:
    return lambda request, asked: error() if from_s <= anyio.current_time() < to_s else None


def never(error: Callable[[], AttemptError]) -> Fault:
    return lambda request, asked: error()


@pytest.mark.parametrize(("weights", "share"), [([1.0, 1.0], 0.5), ([3.0, 1.0], 0.75), ([1.0, 9.0], 0.1)])
@pytest.mark.slow
def test_the_load_is_spread_by_weight(weights: list[float], share: float) -> None:
    providers = [ScriptedProvider(in_flight_max=40, latency_s=1.0) for _ in weights]
    fleet = Fleet(rows(2000), providers=providers, weights=weights, workers=40)
    assert fleet.sit().finished
    assert len(providers[0].requests) / 2000 == pytest.approx(share, abs=0.03)


def test_a_quick_endpoint_gets_more_than_a_slow_one_of_equal_weight() -> None:
    providers = [ScriptedProvider(in_flight_max=8, latency_s=latency_s) for latency_s in (0.5, 2.0)]
    fleet = Fleet(rows(500), providers=providers, workers=16)
    assert fleet.sit().finished
    assert len(providers[0].requests) / len(providers[1].requests) == pytest.approx(4.0, rel=0.1)


def test_no_endpoint_gets_more_at_once_than_it_takes() -> None:
    providers = [ScriptedProvider(in_flight_max=most, latency_s=1.0) for most in (3, 5)]
    fleet = Fleet(rows(100), providers=providers, workers=20)
    assert fleet.sit().finished
    assert [provider.in_flight_most for provider in providers] == [3, 5]


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        lambda: Unreachable("refused"),
        lambda: Unavailable("502"),
        lambda: Throttled("503"),
        lambda: StaleConnection("closed"),
    ],
)
def test_an_endpoint_may_die_and_come_back_and_no_row_suffers(error: Callable[[], AttemptError]) -> None:
    """The survivor's capacity is used meanwhile, and the other one's soon after it is back."""
    providers = [
        ScriptedProvider(in_flight_max=20, latency_s=0.5),
        ScriptedProvider(in_flight_max=20, latency_s=0.5, fault=down(20.0, 50.0, error)),
    ]
    served: list[float] = []

    def count(request: Request, asked: int) -> None:
        served.append(anyio.current_time())

    providers[0].fault = count
    fleet = Fleet(rows(5000), providers=providers, workers=40, retry=RetryPolicy(outage_s_max=5.0))
    took_s = on_virtual_clock(duration_s, fleet)
    assert fleet.delivered() == ids(rows(5000))
    meanwhile = sum(22.0 <= at < 50.0 for at in served) / 28.0
    assert meanwhile >= 0.95 * 40
    assert took_s < (5000 + 30 * 40 + 10 * 40) / 80 + 2
    assert providers[1].in_flight_most == 20


@pytest.mark.slow
def test_a_dead_endpoint_is_hardly_asked() -> None:
    providers = [
        ScriptedProvider(in_flight_max=20, latency_s=0.5),
        ScriptedProvider(in_flight_max=20, fault=never(lambda: Unreachable("refused"))),
    ]
    fleet = Fleet(rows(4000), providers=providers, workers=40)
    assert fleet.sit().finished
    assert len(providers[1].requests) < 70


def test_what_fails_here_is_tried_there_at_once() -> None:
    providers = [
        ScriptedProvider(latency_s=0.1, fault=never(lambda: Unavailable("500"))),
        ScriptedProvider(latency_s=0.1),
    ]
    fleet = Fleet(rows(1), providers=providers, workers=1, retry=RetryPolicy(backoff_s=60.0))
    assert on_virtual_clock(duration_s, fleet) < 1.0
    assert [len(provider.requests) for provider in providers] == [1, 1]


@pytest.mark.parametrize(
    ("error", "stops"),
    [
        (lambda: Unauthorized("wrong key"), ProviderRejected),
        (lambda: Throttled("quota", retry_after_s=1e5), QuotaSpent),
    ],
)
def test_an_endpoint_without_quota_is_left_out_and_the_run_ends_with_the_last_one(
    error: Callable[[], AttemptError], stops: type[Exception]
) -> None:
    providers = [ScriptedProvider(latency_s=0.1, fault=never(error)), ScriptedProvider(latency_s=0.1)]
    fleet = Fleet(rows(100), providers=providers, workers=8)
    assert fleet.sit().finished
    assert len(providers[0].requests) <= 8
    assert fleet.made[0].out is not None
    providers[1].fault = providers[0].fault
    fleet = Fleet(rows(100), providers=providers, workers=8)
    with pytest.raises(stops):
        fleet.sit()
    assert not fleet.dead()


def test_faults_that_come_in_after_the_last_endpoint_is_out_do_no_harm() -> None:
    """One request is told that the key is wrong; those under way with it fail otherwise, a moment later."""

    def fault(request: Request, asked: int) -> AttemptError | None:
        return Unauthorized("wrong key") if request.user == "row 0" else Unavailable("500")

    provider = ScriptedProvider(latency_s=lambda request, asked: 1.0 if request.user == "row 0" else 2.0, fault=fault)
    fleet = Fleet(rows(10), providers=[provider], workers=4)
    with pytest.raises(ProviderRejected, match="wrong key"):
        fleet.sit()
    assert not fleet.dead()


def test_an_outage_is_one_of_all_endpoints() -> None:
    providers = [ScriptedProvider(latency_s=0.1, fault=never(lambda: Unreachable("refused"))) for _ in range(2)]
    fleet = Fleet(rows(10), providers=providers, workers=4, retry=RetryPolicy(outage_s_max=60.0))
    with pytest.raises(ProviderDown, match="no request has succeeded for 6"):
        fleet.sit()
    assert sum(len(provider.requests) for provider in providers) < 150
    assert not fleet.dead()


@pytest.mark.parametrize("stop", ["drain", "abort"])
def test_rows_that_wait_for_a_turn_are_left_for_the_next_sitting(stop: str) -> None:
    provider = ScriptedProvider(in_flight_max=2, latency_s=10.0)
    fleet = Fleet(
        rows(50), providers=[provider], workers=20, during=after(15.0, lambda bench: getattr(bench.stop, stop)())
    )
    assert not fleet.sit().finished
    assert len(provider.requests) == 4
    assert fleet.made[0].in_flight == 0
    assert len(fleet.delivered()) == (4 if stop == "drain" else 2)
    provider.latency_s, fleet.during = 0.1, None
    assert fleet.sit().finished
    assert fleet.delivered() == ids(rows(50))


def test_a_retry_goes_before_what_has_not_been_asked_yet() -> None:
    order: list[str] = []

    def fault(request: Request, asked: int) -> AttemptError | None:
        order.append(request.user)
        return Unavailable("500") if request.user == "row 0" and not asked else None

    provider = ScriptedProvider(in_flight_max=1, latency_s=1.0, fault=fault)
    fleet = Fleet(rows(30), providers=[provider], workers=10, retry=RetryPolicy(backoff_s=0.0))
    assert fleet.sit().finished
    assert order[:3] in (["row 0", "row 0", "row 1"], ["row 0", "row 1", "row 0"])


def test_a_poisonous_row_does_not_keep_an_endpoint_closed() -> None:
    """One row fails again and again while the breaker is open: others are tried, and show that the endpoint lives."""

    def fault(request: Request, asked: int) -> AttemptError | None:
        if anyio.current_time() < 5.0:
            return Unavailable("down")
        return Unavailable("poison") if request.user == "row 3" else None

    provider = ScriptedProvider(in_flight_max=4, latency_s=0.1, fault=fault)
    fleet = Fleet(rows(40), providers=[provider], workers=12)
    assert on_virtual_clock(duration_s, fleet) < 60.0
    assert fleet.dead() == {"shard-0:3": "retries_exhausted"}
    assert len(fleet.delivered()) == 39


@pytest.mark.slow
def test_concurrency_is_found_by_measuring() -> None:
    """A service that serves 16 at once, however many are asked."""
    provider = ScriptedProvider(in_flight_max=1000, latency_s=lambda request, asked: max(1.0, provider.in_flight / 16))
    fleet = Fleet(rows(4000), providers=[provider], workers=1000, adaptive=True)
    assert fleet.sit().finished
    assert 16 <= fleet.made[0].pace.limit <= 64
