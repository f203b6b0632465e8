"""Message Batches: what each result means, and how a batch without a name is found again; against the simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from personastream.errors import AttemptError, NotFound, Refused, Throttled, Unauthorized, Unavailable, Unreachable
from personastream.providers.anthropic_batch import AnthropicBatch, outcome
from personastream.providers.batch_chunk import Chunk
from personastream.records import Completion, Request
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.server import serve
from personastream.simulator.simulator import Simulator
from tests.support.batch_server import outcomes

pytestmark = pytest.mark.anyio

NAMES = ["a baker", "a nurse", "a pilot"]


@asynccontextmanager
async def asking(server: Simulator, folder: Path, **settings: Any) -> AsyncIterator[AnthropicBatch]:
    quick = {"batch_dir": str(folder), "collect_s": 0.05, "poll_s": 0.01, "api_key_env": "NO_SUCH_KEY", **settings}
    provider = AnthropicBatch(server.base_url, "m", **quick)
    try:
        with anyio.fail_after(30):
            yield provider
    finally:
        await provider.aclose()


def line(result: object) -> bytes:
    return orjson.dumps({"custom_id": "x", "result": result}) + b"\n"


def error(kind: str) -> bytes:
    return line({"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": "no"}}})


RESULTS: dict[str, tuple[bytes, type[AttemptError]]] = {
    "bad request": (error("invalid_request_error"), Refused),
    "overloaded": (error("overloaded_error"), Throttled),
    "rate limit": (error("rate_limit_error"), Throttled),
    "key": (error("authentication_error"), Unauthorized),
    "model": (error("not_found_error"), NotFound),
    "server": (error("api_error"), Unavailable),
    "expired": (line({"type": "expired"}), Unreachable),
    "canceled": (line({"type": "canceled"}), Unreachable),
    "something new": (line({"type": "postponed"}), Unavailable),
    "no message": (line({"type": "succeeded"}), Unavailable),
    "no result": (line(None), Unavailable),
    "no JSON": (b"<html>", Unavailable),
}


@pytest.mark.parametrize(("told", "kind"), RESULTS.values(), ids=RESULTS.keys())
def test_each_result_means_what_follows(told: bytes, kind: type[AttemptError]) -> None:
    with pytest.raises(AttemptError) as caught:
        outcome(told)
    assert type(caught.value) is kind


async def test_answers_find_their_requests(tmp_path: Path) -> None:
    async with serve(Behaviour(batch_latency_s=0.05)) as server, asking(server, tmp_path) as provider:
        found = await outcomes(provider, [f"<persona>\n{name}\n</persona>" for name in NAMES])
        for name, each in zip(NAMES, found, strict=True):
            assert isinstance(each, Completion)
            assert name in each.text
            assert provider.parse(each.body) == each
        assert server.stats()["batches"] == 1


async def test_what_was_finished_of_an_expired_batch_is_used(tmp_path: Path) -> None:
    behaviour = Behaviour(batch_latency_s=0.2, batch_window_s=0.1)
    async with serve(behaviour) as server, asking(server, tmp_path) as provider:
        found = await outcomes(provider, [f"person {number}" for number in range(40)])
    assert 0 < sum(isinstance(each, Completion) for each in found) < 40
    assert all(isinstance(each, Completion | Unreachable) for each in found)


async def test_a_batch_whose_making_was_not_confirmed_is_known_by_its_answers(tmp_path: Path) -> None:
    """Another one of the same size is under way at that time."""
    lost = Behaviour(batch_latency_s=0.2, faults={"drop": 1.0}, faults_on=("POST /v1/messages/batches",))
    async with (
        serve(lost) as server,
        asking(server, tmp_path / "1") as provider,
        asking(server, tmp_path / "2") as other,
    ):
        async with anyio.create_task_group() as group:
            group.start_soon(outcomes, other, ["x", "y", "z"])
            found = await outcomes(provider, NAMES)
        assert all(isinstance(each, Completion) for each in found)
        stats = server.stats()
        assert (stats["batches"], stats["batch_rows"], stats["bodies_generated_again"]) == (2, 6, 0)


async def test_another_batch_of_the_same_size_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(Behaviour(batch_latency_s=0.05)) as server, asking(server, tmp_path) as provider:
        await outcomes(provider, ["x", "y", "z"])
        submit = provider.submit

        async def not_made(chunk: Chunk, _: bytes) -> str:
            chunk.in_doubt = True
            monkeypatch.setattr(provider, "submit", submit)
            raise Unavailable("status 504")

        monkeypatch.setattr(provider, "submit", not_made)
        assert all(isinstance(each, Completion) for each in await outcomes(provider, NAMES))
        assert server.stats()["batches"] == 2


def test_a_request_names_a_length_and_no_seed() -> None:
    provider = AnthropicBatch("http://127.0.0.1:1/v1", "m", max_tokens=7)
    asked = orjson.loads(provider.line("id", provider.body(Request("Be brief.", "a", {"seed": 1}))))
    message = {"role": "user", "content": "a"}
    assert asked == {
        "custom_id": "id",
        "params": {"model": "m", "max_tokens": 7, "messages": [message], "system": "Be brief."},
    }
