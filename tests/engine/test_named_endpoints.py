"""Requests that name the provider that is to answer them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from personastream.core.pace import Pace
from personastream.core.retry import Health, RetryPolicy
from personastream.engine.endpoint import Endpoint
from personastream.errors import AttemptError, ProviderDown, ProviderRejected, Unauthorized, Unavailable, Unreachable
from personastream.ports import Ask
from personastream.records import Request, Row
from personastream.testing import ScriptedProvider
from tests.support.virtual import Bench


@dataclass
class ByTurns:
    """Asks each of these providers for a row, one after another."""

    names: Sequence[str]

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        texts = [
            (await ask(Request("", f"{row.text} {place}", {}, name))).text for place, name in enumerate(self.names)
        ]
        return [{"synthesized text": texts}]


@dataclass
class Named(Bench):
    """A bench whose providers have names."""

    providers: dict[str, ScriptedProvider] = field(default_factory=dict)

    def endpoints(self) -> list[Endpoint]:
        now_s = anyio.current_time()
        return [
            Endpoint(provider, Pace(provider.in_flight_max, False, now_s), Health(self.retry, now_s), name=name)
            for name, provider in self.providers.items()
        ]


def bench(names: Sequence[str], providers: dict[str, ScriptedProvider], rows: int = 40, **given: Any) -> Named:
    texts = [[f"row {row}" for row in range(rows)]]
    return Named(texts, recipe=ByTurns(names), providers=providers, workers=20, **given)


def always(error: Callable[[], AttemptError]) -> Callable[[Request, int], AttemptError | None]:
    return lambda request, asked: error()


def test_each_request_goes_to_the_provider_that_it_names() -> None:
    providers = {name: ScriptedProvider(latency_s=1.0) for name in ("a", "b")}
    assert bench(["a", "b", "b"], providers).sit().finished
    asked = {name: [request.provider for request in each.requests] for name, each in providers.items()}
    assert asked == {"a": ["a"] * 40, "b": ["b"] * 80}


def test_those_that_name_nobody_go_to_all() -> None:
    providers = {name: ScriptedProvider(latency_s=1.0) for name in ("a", "b")}
    assert bench(["", "a"], providers).sit().finished
    assert len(providers["a"].requests) + len(providers["b"].requests) == 80
    assert providers["b"].requests
    assert len([request for request in providers["a"].requests if request.provider]) == 40


def test_who_waits_for_a_slow_provider_holds_up_nobody_else() -> None:
    """One row in two asks the slow one: the others must not queue behind it."""
    providers = {"quick": ScriptedProvider(20, latency_s=0.1), "slow": ScriptedProvider(1, latency_s=100.0)}
    done_s: list[float] = []

    @dataclass
    class Half:
        async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
            name = "slow" if row.number < 4 else "quick"
            await ask(Request("", row.text, {}, name))
            if name == "quick":
                done_s.append(anyio.current_time())
            return [{"synthesized text": name}]

    job = Named([[f"row {row}" for row in range(100)]], recipe=Half(), providers=providers, workers=20)
    assert job.sit().finished
    assert len(done_s) == 96
    assert max(done_s) - min(done_s) < 50


def test_what_failed_is_asked_again_of_the_same_provider() -> None:
    def flaky(request: Request, asked: int) -> AttemptError | None:
        return Unavailable("flaky") if asked == 0 else None

    providers = {"a": ScriptedProvider(fault=flaky), "b": ScriptedProvider()}
    assert bench(["a"], providers, rows=10).sit().finished
    assert len(providers["a"].requests) == 20
    assert not providers["b"].requests


def test_a_named_provider_that_refuses_the_key_ends_the_run() -> None:
    providers = {"a": ScriptedProvider(), "b": ScriptedProvider(fault=always(lambda: Unauthorized("no")))}
    with pytest.raises(ProviderRejected):
        bench(["a", "b"], providers).sit()


def test_a_named_provider_that_is_gone_ends_the_run_though_others_answer() -> None:
    providers = {"a": ScriptedProvider(), "b": ScriptedProvider(fault=always(lambda: Unreachable("gone")))}
    with pytest.raises(ProviderDown):
        bench(["a", "b"], providers, retry=RetryPolicy(outage_s_max=60)).sit()


def test_one_that_nobody_names_may_be_gone() -> None:
    providers = {"a": ScriptedProvider(), "b": ScriptedProvider(fault=always(lambda: Unauthorized("no")))}
    assert bench(["", "a"], providers).sit().finished
