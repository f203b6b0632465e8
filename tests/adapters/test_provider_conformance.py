"""What every provider promises, proven for each. A new provider adds its line to `PROVIDERS`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from tempfile import TemporaryDirectory

import anyio
import pytest

from personastream.build import known
from personastream.errors import AttemptError, Refused, StaleConnection, Throttled, Unavailable
from personastream.ports import Provider
from personastream.providers.anthropic import Anthropic
from personastream.providers.anthropic_batch import AnthropicBatch
from personastream.providers.moderation import Moderation
from personastream.providers.openai import Openai
from personastream.providers.openai_batch import OpenaiBatch
from personastream.records import Completion, Request
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.server import serve
from personastream.testing import ScriptedProvider
from tests.support.batch_server import Ask, answered, batch_server, failed

ASK = Request("Be brief.", "<persona>\na night nurse\n</persona>", {"max_tokens": 50, "temperature": 0.5})


def patience_s(faults: Mapping[str, float]) -> float:
    """Little only with faults, some of which never end: a busy machine may take its time for a first answer."""
    return 0.5 if faults else 60.0


NO_FAULTS: Mapping[str, float] = {}
Make = Callable[[Mapping[str, float], float], AbstractAsyncContextManager[Provider]]


@asynccontextmanager
async def scripted(faults: Mapping[str, float], latency_s: float) -> AsyncIterator[Provider]:
    errors = {
        "500": Unavailable("status 500"),
        "503": Throttled("overloaded"),
        "badrequest": Refused("no", reason="bad_request"),
        "drop": StaleConnection("closed"),
    }
    fault = next((errors.get(name, Unavailable(name)) for name in faults), None)
    provider = ScriptedProvider(latency_s=latency_s, fault=lambda request, asked: fault)
    yield provider
    await provider.aclose()


@asynccontextmanager
async def openai(faults: Mapping[str, float], latency_s: float) -> AsyncIterator[Provider]:
    """The real client against the simulator, over a socket."""
    async with serve(Behaviour(faults=faults, latency_s=latency_s)) as simulator:
        provider = Openai(
            simulator.base_url, "simulated", api_key_env="PERSONASTREAM_NO_SUCH_KEY", timeout_s=patience_s(faults)
        )
        async with aclosing(provider):
            yield provider


@asynccontextmanager
async def anthropic(faults: Mapping[str, float], latency_s: float) -> AsyncIterator[Provider]:
    """The real client against the simulator, over a socket."""
    async with serve(Behaviour(faults=faults, latency_s=latency_s)) as simulator:
        provider = Anthropic(
            simulator.base_url, "simulated", api_key_env="PERSONASTREAM_NO_SUCH_KEY", timeout_s=patience_s(faults)
        )
        async with aclosing(provider):
            yield provider


BROKEN_LINES: dict[str, Callable[[Ask], bytes]] = {
    "500": partial(answered, status=500, body={}),
    "503": partial(answered, status=503, body={}),
    "badrequest": partial(answered, status=400, body={}),
    "malformed": lambda ask: answered(ask)[:50] + b"\n",
    "cut": lambda ask: b"",
    "drop": partial(failed, code="batch_expired"),
}


@asynccontextmanager
async def openai_batch(faults: Mapping[str, float], latency_s: float) -> AsyncIterator[Provider]:
    """The real client against a few lines that speak the protocol; faults are those of lines in the answers."""
    line = next((BROKEN_LINES[name] for name in faults), answered)
    async with batch_server(lambda asks: (b"".join(map(line, asks)), b"")) as server:
        server.latency_s = latency_s
        with TemporaryDirectory() as folder:
            provider = OpenaiBatch(server.base_url, "simulated", batch_dir=folder, collect_s=0.01, poll_s=0.01)
            yield provider
            await provider.aclose()


@asynccontextmanager
async def anthropic_batch(faults: Mapping[str, float], latency_s: float) -> AsyncIterator[Provider]:
    """The real client against the simulator; with any fault, all requests of all batches fail."""
    failures = 1.0 if faults else 0.0
    async with serve(Behaviour(batch_failures=failures, batch_latency_s=latency_s)) as simulator:
        with TemporaryDirectory() as folder:
            provider = AnthropicBatch(simulator.base_url, "simulated", batch_dir=folder, collect_s=0.01, poll_s=0.01)
            yield provider
            await provider.aclose()


@asynccontextmanager
async def moderation(faults: Mapping[str, float], latency_s: float) -> AsyncIterator[Provider]:
    async with serve(Behaviour(faults=faults, latency_s=latency_s)) as simulator:
        provider = Moderation(simulator.base_url, api_key_env="PERSONASTREAM_NO_SUCH_KEY", timeout_s=patience_s(faults))
        async with aclosing(provider):
            yield provider


PROVIDERS: dict[str, Make] = {
    "moderation": moderation,
    "openai": openai,
    "openai_batch": openai_batch,
    "anthropic": anthropic,
    "anthropic_batch": anthropic_batch,
    "ScriptedProvider": scripted,
}


@pytest.fixture(params=PROVIDERS)
def make(request: pytest.FixtureRequest) -> Make:
    return PROVIDERS[request.param]


def with_provider(
    make: Make,
    act: Callable[[Provider], Awaitable[None]],
    faults: Mapping[str, float] = NO_FAULTS,
    latency_s: float = 0.0,
) -> None:
    async def run() -> None:
        async with make(faults, latency_s) as provider:
            await act(provider)

    anyio.run(run)


def test_every_provider_that_is_shipped_is_proven_here() -> None:
    assert set(known("provider")) <= set(PROVIDERS)


def test_an_answer_is_a_completion(make: Make) -> None:
    async def act(provider: Provider) -> None:
        answer = await provider.complete(ASK)
        assert isinstance(answer, Completion)
        assert answer.text
        assert answer.finish_reason
        assert answer.model
        counts_tokens = make is not moderation
        assert (answer.input_tokens > 0) is counts_tokens
        assert (answer.output_tokens > 0) is counts_tokens
        assert answer.body

    with_provider(make, act)


def test_an_empty_system_text_will_do(make: Make) -> None:
    async def act(provider: Provider) -> None:
        assert (await provider.complete(Request("", "a baker", {}))).text

    with_provider(make, act)


def test_the_ceilings_are_numbers_from_zero(make: Make) -> None:
    async def act(provider: Provider) -> None:
        await anyio.lowlevel.checkpoint()
        assert provider.in_flight_max >= 1
        assert provider.requests_per_minute >= 0
        assert provider.tokens_per_minute >= 0

    with_provider(make, act)


@pytest.mark.parametrize("fault", ["500", "503", "drop", "cut", "malformed", "badrequest"])
@pytest.mark.slow
def test_whatever_goes_wrong_is_an_attempt_error(make: Make, fault: str) -> None:
    async def act(provider: Provider) -> None:
        for _ in range(3):  # a fault must not spoil the attempts after it
            with pytest.raises(AttemptError) as caught:
                await provider.complete(ASK)
            assert caught.value.message

    with_provider(make, act, {fault: 1.0})


@pytest.mark.slow
def test_attempts_may_be_under_way_at_once(make: Make) -> None:
    async def act(provider: Provider) -> None:
        answers: dict[int, str] = {}

        async def ask(number: int) -> None:
            answers[number] = (await provider.complete(Request("", f"persona number {number}", {}))).text

        async with anyio.create_task_group() as attempts:
            for number in range(40):
                attempts.start_soon(ask, number)
        assert len(answers) == 40
        assert len(set(answers.values())) > 20  # each got its own answer

    with_provider(make, act, latency_s=0.01)


def test_an_attempt_that_is_given_up_spoils_nothing(make: Make) -> None:
    async def act(provider: Provider) -> None:
        with anyio.move_on_after(0.001) as given_up:
            await provider.complete(ASK)
        assert given_up.cancelled_caught
        assert (await provider.complete(ASK)).text

    with_provider(make, act, latency_s=0.05)


def test_closing_twice_or_unused_is_fine(make: Make) -> None:
    async def act(provider: Provider) -> None:
        await provider.aclose()
        await provider.aclose()

    with_provider(make, act)
