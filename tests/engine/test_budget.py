"""The ceiling on spending."""

from dataclasses import dataclass, field

import anyio
import pytest

from personastream.core.spend import NANOS, most_nanos, spend_nanos
from personastream.engine.budget import Budget
from personastream.engine.endpoint import Endpoint
from personastream.engine.run import Graph
from personastream.errors import AttemptError, ConfigError, ExitCode, SpendLimitReached, StorageFailed, Unavailable
from personastream.ports import Ask
from personastream.records import Completion, Prices, Request, Row
from personastream.testing import ScriptedProvider, inline
from tests.support.virtual import Bench, after, ids

PRICES = Prices(input=1.0, cached_input=0.5, output=1000.0)
ROWS = [[f"row {row}" for row in range(60)]]
COST = spend_nanos(PRICES, Completion("", "stop", "m", 2, 2, b""))
"""Of one answer of the scripted provider to one of these rows."""


@dataclass
class Bounded:
    """Asks for at most ten tokens."""

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        completion = await ask(Request("", row.text, {"max_tokens": 10}))
        return [{"input persona": row.text, "synthesized text": completion.text}]


@dataclass
class Purse:
    """What was written down, in order."""

    written: list[int] = field(default_factory=list)

    def write(self, nanos: int) -> None:
        self.written.append(nanos)


@dataclass
class Paying(Bench):
    """A bench with prices and a ceiling. A sitting is a process: what it authorised is all that the next one knows."""

    ceiling: int = 10**18
    purse: Purse = field(default_factory=Purse)
    recipe: Bounded = field(default_factory=Bounded)

    def endpoints(self) -> list[Endpoint]:
        (endpoint,) = super().endpoints()
        endpoint.prices = PRICES
        return [endpoint]

    def graph(self) -> Graph:
        graph = super().graph()
        authorised = self.purse.written[-1] if self.purse.written else 0
        graph.budget = Budget(self.ceiling, authorised, self.purse.write, inline, self.workers)
        return graph


def test_prices_are_per_million_tokens_and_round_up() -> None:
    assert spend_nanos(Prices(2.0, 0.5, 8.0), Completion("", "", "", 1_000_000, 500_000, b"", 400_000)) == round(
        (0.6 * 2.0 + 0.4 * 0.5 + 0.5 * 8.0) * NANOS
    )
    assert spend_nanos(Prices(0.0000001), Completion("", "", "", 1, 0, b"")) == 1
    assert spend_nanos(Prices(), Completion("", "", "", 5, 5, b"")) == 0


def test_more_cached_tokens_than_input_are_no_gift() -> None:
    assert spend_nanos(PRICES, Completion("", "", "", 10, 0, b"", 500)) == 10 * 500


def test_no_answer_within_max_tokens_costs_more_than_the_most() -> None:
    request = Request("system", "ünïcode", {"max_tokens": 7})
    reply = Completion("", "length", "", len("systemünïcode".encode()), 7, b"")
    assert spend_nanos(PRICES, reply) <= most_nanos(PRICES, request)
    with pytest.raises(ConfigError, match="max_tokens"):
        most_nanos(PRICES, Request("", "x", {}))


def test_a_run_within_its_ceiling_spends_what_its_answers_cost() -> None:
    bench = Paying(ROWS, ceiling=10**12)
    summary = bench.sit()
    assert summary.finished
    assert summary.usage.spend_nanos == 60 * COST == bench.purse.written[-1]
    assert len(bench.purse.written) < 60


def test_a_ceiling_stops_the_run_before_the_request_that_might_break_it() -> None:
    bench = Paying(ROWS, provider=ScriptedProvider(latency_s=1.0), ceiling=30 * COST)
    with pytest.raises(SpendLimitReached, match="spend_max") as caught:
        bench.sit()
    assert caught.value.exit_code == ExitCode.WORK_LEFT
    most = most_nanos(PRICES, Request("", "row 10", {"max_tokens": 10}))
    spent = len(bench.delivered()) * COST
    assert 30 * COST - most < spent <= 30 * COST
    assert max(bench.purse.written) <= 30 * COST
    bench.ceiling = 10**18
    assert bench.sit().finished
    assert bench.delivered() == ids(ROWS)


def test_what_may_be_spent_is_written_down_before_it_is() -> None:
    bench = Paying(ROWS, provider=ScriptedProvider(latency_s=1.0))

    def fault(request: Request, asked: int) -> AttemptError | None:
        assert bench.purse.written[-1] >= len(bench.provider.requests) * COST
        return None

    bench.provider.fault = fault
    assert bench.sit().finished


def test_after_a_crash_all_that_was_authorised_counts_as_spent() -> None:
    bench = Paying(ROWS, ceiling=200 * COST)
    bench.purse.written.append(170 * COST)  # of which nothing was committed
    with pytest.raises(SpendLimitReached):
        bench.sit()
    assert 0 < len(bench.delivered()) * COST <= 30 * COST


@pytest.mark.parametrize("billed", [True, False])
def test_a_failure_that_may_be_charged_for_counts_in_full(billed: bool) -> None:
    fault = lambda request, asked: Unavailable("cut", billed=billed) if not asked else None  # noqa: E731
    bench = Paying(ROWS, provider=ScriptedProvider(fault=fault))
    summary = bench.sit()
    assert summary.usage.spend_nanos == 60 * COST
    most = sum(most_nanos(PRICES, Request("", f"row {row}", {"max_tokens": 10})) for row in range(60))
    assert bench.purse.written[-1] == 60 * COST + (most if billed else 0)


def test_requests_given_up_in_an_abort_count_in_full() -> None:
    bench = Paying(ROWS, provider=ScriptedProvider(latency_s=9.0), during=after(1.0, lambda bench: bench.stop.abort()))
    bench.sit()
    most = sum(most_nanos(PRICES, Request("", f"row {row}", {"max_tokens": 10})) for row in range(4))
    assert bench.purse.written[-1] == most


def test_a_purse_that_cannot_be_written_stops_the_run_and_nothing_is_sent() -> None:
    def refuse(nanos: int) -> None:
        raise StorageFailed("no space left")

    bench = Paying(ROWS)
    bench.purse.write = refuse  # type: ignore[method-assign]
    with pytest.raises(StorageFailed):
        bench.sit()
    assert not bench.provider.requests


def test_reserves_wait_for_each_other() -> None:
    async def sit() -> list[int]:
        budget, order = Budget(130, 0, lambda nanos: None, inline, 1), []

        async def spend(most: int, actual: int) -> None:
            await budget.reserve(most)
            await anyio.sleep(1.0)
            budget.settle(most, actual)
            order.append(most)

        with budget.sitting(0):
            async with anyio.create_task_group() as tasks:
                for most, actual in ((60, 10), (70, 20), (70, 30)):
                    tasks.start_soon(spend, most, actual)
        return order

    assert sorted(anyio.run(sit, backend="trio")) == [60, 70, 70]
