"""Requests that take long are asked elsewhere as well, if that is wanted: the first answer counts."""

from collections.abc import Callable

import anyio
import pytest

from personastream.errors import AttemptError, Refused, Unauthorized, Unavailable
from personastream.records import Request
from personastream.testing import ScriptedProvider
from tests.support.fleet import Fleet, rows
from tests.support.virtual import duration_s, ids, on_virtual_clock

SLOW_S = 100.0


def slow_once_in(every: int) -> Callable[[Request, int], float]:
    """A second for a row, and much longer for each `every`-th."""
    return lambda request, asked: SLOW_S if int(request.user.split()[1]) % every == 0 else 1.0


def fleet(*providers: ScriptedProvider, count: int = 100, hedge_after_s: float = 3.0, **settings: object) -> Fleet:
    return Fleet(rows(count), providers=providers, hedge_after_s=hedge_after_s, workers=8, **settings)  # type: ignore[arg-type]


def steady(latency_s: float = 1.0) -> ScriptedProvider:
    return ScriptedProvider(in_flight_max=8, latency_s=latency_s)


def test_a_request_that_takes_long_is_answered_by_another_endpoint() -> None:
    stuck = ScriptedProvider(in_flight_max=8, latency_s=slow_once_in(10))
    bench = fleet(stuck, steady())
    assert on_virtual_clock(duration_s, bench) < SLOW_S / 2
    assert bench.delivered() == ids(bench.texts)
    assert 0 < bench.statistics.hedges <= 10
    assert bench.statistics.requests == 100 + bench.statistics.hedges
    assert [each.in_flight for each in bench.made] == [0, 0]
    assert stuck.in_flight == 0, "the request that lost is cancelled"


def test_without_it_the_slow_one_is_waited_for() -> None:
    bench = fleet(ScriptedProvider(in_flight_max=8, latency_s=slow_once_in(10)), steady(), hedge_after_s=0.0)
    assert on_virtual_clock(duration_s, bench) >= SLOW_S
    assert bench.statistics.hedges == 0


def test_the_slow_one_may_still_win() -> None:
    bench = fleet(steady(5.0), steady(1000.0), count=4)
    bench.providers[1].in_flight_max = 1
    assert bench.sit().finished
    assert bench.delivered() == ids(bench.texts)
    assert bench.statistics.hedges > 0
    assert on_virtual_clock(duration_s, fleet(steady(5.0), steady(1000.0), count=1)) == pytest.approx(5.0, abs=0.1)


def test_no_more_than_a_share_of_all_requests_is_doubled() -> None:
    bench = fleet(steady(10.0), steady(10.0), count=400, hedge_share_max=0.05)
    bench.workers = 4  # so that there is always room elsewhere
    assert bench.sit().finished
    assert 0.03 * 400 <= bench.statistics.hedges <= 0.05 * bench.statistics.requests + 1


def test_nobody_is_asked_twice_where_others_wait_for_their_turn() -> None:
    bench = fleet(*(ScriptedProvider(in_flight_max=2, latency_s=10.0) for _ in range(2)), count=40)
    bench.workers = 40
    assert bench.sit().finished
    assert bench.statistics.hedges <= 4, "but at the end, when nobody waits"


def test_one_endpoint_alone_is_never_asked_twice() -> None:
    bench = fleet(steady(10.0), count=8)
    assert bench.sit().finished
    assert bench.statistics.hedges == 0


def failing_after(latency_s: float, error: Callable[[], AttemptError]) -> ScriptedProvider:
    return ScriptedProvider(in_flight_max=8, latency_s=latency_s, fault=lambda request, asked: error())


def test_a_fault_of_the_second_does_not_count_against_the_row() -> None:
    bench = fleet(steady(10.0), failing_after(1.0, lambda: Unavailable("broken")), count=1)
    bench.weights = [100.0, 1.0]  # so that the first is asked first
    assert bench.sit().finished
    assert bench.delivered() == ["shard-0:0"]


@pytest.mark.parametrize(
    ("error", "reason"), [(lambda: Refused("no", reason="refused"), "refused"), (lambda: Unavailable("broken"), None)]
)
def test_a_fault_of_the_first_waits_for_the_answer_of_the_second(
    error: Callable[[], AttemptError], reason: str | None
) -> None:
    bench = fleet(failing_after(5.0, error), steady(10.0), count=1)
    bench.weights = [100.0, 1.0]
    assert bench.sit().finished
    assert bench.delivered() == ["shard-0:0"]
    assert bench.statistics.hedges == 1


def test_a_row_that_both_refuse_is_dead() -> None:
    bench = fleet(*(failing_after(5.0, lambda: Refused("no", reason="refused")) for _ in range(2)), count=1)
    assert bench.sit().finished
    assert bench.dead() == {"shard-0:0": "refused"}


def test_what_stops_the_run_stops_it_in_a_race_too() -> None:
    bench = fleet(*(failing_after(5.0, lambda: Unauthorized("who are you?")) for _ in range(2)), count=1)
    with pytest.raises(Exception, match="who are you"):
        bench.sit()
    assert [each.in_flight for each in bench.made] == [0, 0]


def test_an_endpoint_that_refuses_the_key_is_left_out_and_the_other_goes_on() -> None:
    answers = steady(5.0)
    refuses = failing_after(5.0, lambda: Unauthorized("who are you?"))
    bench = fleet(answers, refuses, count=30)
    assert bench.sit().finished
    assert bench.made[1].out is not None
    assert bench.delivered() == ids(bench.texts)


def test_a_drain_ends_races_that_wait() -> None:
    bench = fleet(steady(1000.0), steady(1000.0), count=4, drain_s_max=10.0)

    async def drain(bench: Fleet) -> None:
        await anyio.sleep(20.0)
        bench.stop.drain()

    bench.during = drain  # type: ignore[assignment]
    assert not bench.sit().finished
    assert [each.in_flight for each in bench.made] == [0, 0]
