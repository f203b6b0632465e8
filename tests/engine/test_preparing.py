"""What is asked once before the first row."""

from dataclasses import dataclass

import anyio
import pytest

from personastream.engine.run import Graph, Prepare, nothing_to_prepare
from personastream.errors import ConfigError, RowError
from personastream.ports import Ask
from personastream.records import Request
from personastream.testing import ScriptedProvider
from tests.support.virtual import Bench, after, ids

ROWS = [["one", "two"], ["three"]]
QUESTION = Request("", "who are they?", {})


@dataclass
class Preparing(Bench):
    """A bench whose recipe has something to find out."""

    prepare: Prepare = nothing_to_prepare

    def graph(self) -> Graph:
        graph = super().graph()
        graph.prepare = self.prepare
        return graph


async def find_out(ask: Ask) -> None:
    assert (await ask(QUESTION)).text == QUESTION.user


def test_no_row_is_asked_for_before() -> None:
    bench = Preparing(ROWS, provider=ScriptedProvider(latency_s=3.0), prepare=find_out)
    summary = bench.sit()
    assert summary.finished
    assert bench.delivered() == ids(ROWS)
    assert bench.provider.requests[0] == QUESTION
    assert len(bench.provider.requests) == 4


def test_what_cannot_be_prepared_stops_the_run_before_the_first_row() -> None:
    async def fails(ask: Ask) -> None:
        await ask(QUESTION)
        raise ConfigError("nobody knows")

    bench = Preparing(ROWS, prepare=fails)
    with pytest.raises(ConfigError, match="nobody knows"):
        bench.sit()
    assert bench.provider.requests == [QUESTION]
    assert bench.delivered() == []


def test_a_drain_meanwhile_leaves_all_rows_for_the_next_sitting() -> None:
    async def waits(ask: Ask) -> None:
        for _ in range(3):
            await anyio.sleep(2)
            await ask(QUESTION)

    bench = Preparing(
        ROWS, provider=ScriptedProvider(latency_s=3.0), prepare=waits, during=after(1, lambda bench: bench.stop.abort())
    )
    assert not bench.sit().finished
    assert bench.delivered() == []
    bench.prepare, bench.during = find_out, None
    assert bench.sit().finished
    assert bench.delivered() == ids(ROWS)


def test_a_refusal_that_nobody_caught_is_a_bug() -> None:
    async def careless(ask: Ask) -> None:
        raise RowError("no", reason="refused")

    with pytest.raises(BaseExceptionGroup):
        Preparing(ROWS, prepare=careless).sit()
