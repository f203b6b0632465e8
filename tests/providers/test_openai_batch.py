"""However a batch ends, each request of it gets its own answer or the error that says what follows; over sockets."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from personastream.errors import NotFound, Refused, Throttled, Unauthorized, Unavailable, Unreachable
from personastream.providers import batching
from personastream.providers.openai_batch import OpenaiBatch
from personastream.records import Completion, Prices
from tests.support.batch_server import Ask, Lines, answered, asking, batch_server, chunks, failed, outcomes, words

pytestmark = pytest.mark.anyio


async def test_a_batch_is_made_as_the_api_wants_it_and_answers_find_their_requests_in_any_order(tmp_path: Path) -> None:
    def shuffled(asks: Sequence[Ask]) -> Lines:
        return b"".join(map(answered, reversed(asks))), b""

    async with batch_server(shuffled) as server, asking(server, tmp_path) as provider:
        found = await outcomes(provider, ["a", "b", "c"])
        assert words(found) == ["a", "b", "c"]
        assert isinstance(found[0], Completion)
        assert (found[0].input_tokens, found[0].output_tokens, found[0].finish_reason) == (9, 5, "stop")
        assert provider.parse(found[0].body) == found[0]
        asked = server.asked()
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 99}
    assert asked[0]["body"] == body
    assert {(ask["method"], ask["url"]) for ask in asked} == {("POST", "/v1/chat/completions")}
    assert len({ask["custom_id"] for ask in asked}) == 3
    (batch,) = server.batches.values()
    assert batch["completion_window"] == "24h"
    assert batch["endpoint"] == "/v1/chat/completions"
    assert batch["metadata"] == {"personastream_chunk": chunks(tmp_path)[0]}


async def test_equal_requests_are_asked_each_for_itself(tmp_path: Path) -> None:
    async with batch_server() as server, asking(server, tmp_path) as provider:
        assert words(await outcomes(provider, ["same"] * 3)) == ["same"] * 3
        assert words(await outcomes(provider, ["same"])) == ["same"], "an answer is handed out once in a life"
        assert [len(server.asked(number)) for number in range(2)] == [3, 1]


async def test_batches_are_sent_when_they_are_full_of_requests_or_of_bytes(tmp_path: Path) -> None:
    async with batch_server() as server:
        async with asking(server, tmp_path / "a", batch_requests=2, collect_s=0.5) as provider:
            await outcomes(provider, list("abcde"))
        async with asking(server, tmp_path / "b", batch_bytes_max=2_000) as provider:
            found = await outcomes(provider, ["x" * 900, "y" * 900, "z" * 2_000])
        sizes = [len(server.asked(number)) for number in range(len(server.batches))]
    assert sorted(sizes) == [1, 1, 1, 2, 2]
    assert words(found) == ["x" * 900, "y" * 900, "Refused"]
    assert all(len(content) <= 2_000 for name, content in server.files.items() if name in ("file-3", "file-4"))


async def test_each_line_fails_for_its_own_reason(tmp_path: Path) -> None:
    def lines(asks: Sequence[Ask]) -> Lines:
        error = partial(answered, asks[2], body={"error": {"code": "context_length_exceeded", "message": "Too long."}})
        bad = [
            answered(asks[1], 500, {}),
            error(status=400),
            answered(asks[3], 429, {}),
            answered(asks[4], 404, {}),
            answered(asks[5], 401, {}),
            failed(asks[6], "batch_expired"),
            failed(asks[7], "something_new"),
            answered(asks[8], "many", {}),
        ]
        return answered(asks[0]) + b"\n{\n[]\nnull\n" + answered(asks[0])[:30], b"".join(bad)

    async with batch_server(lines) as server, asking(server, tmp_path) as provider:
        found = await outcomes(provider, list("abcdefghij"))
    kinds = [
        Unavailable,
        Refused,
        Throttled,
        NotFound,
        Unauthorized,
        Unreachable,
        Unavailable,
        Unavailable,
        Unreachable,
    ]
    assert [type(each) for each in found] == [Completion, *kinds]
    assert isinstance(found[2], Refused)
    assert found[2].reason == "too_long"


@pytest.mark.parametrize("status", ["expired", "cancelled"])
async def test_what_was_finished_of_a_batch_that_was_not_is_used(tmp_path: Path, status: str) -> None:
    def lines(asks: Sequence[Ask]) -> Lines:
        return b"".join(map(answered, asks[:2])), b"".join(failed(ask, f"batch_{status}") for ask in asks[2:3])

    async with batch_server(lines) as server, asking(server, tmp_path) as provider:
        server.status = status
        assert words(await outcomes(provider, list("abcd"))) == ["a", "b", "Unreachable", "Unreachable"]
        server.status, server.lines = "completed", lambda asks: (b"".join(map(answered, asks)), b"")
        assert words(await outcomes(provider, list("cd"))) == ["c", "d"], "asked again, what failed is in a new batch"
        assert [len(server.asked(number)) for number in range(2)] == [4, 2]


async def test_a_batch_in_which_all_failed_has_no_output_file(tmp_path: Path) -> None:
    def lines(asks: Sequence[Ask]) -> Lines:
        return b"", b"".join(answered(ask, 400, {}) for ask in asks)

    async with batch_server(lines) as server, asking(server, tmp_path) as provider:
        assert words(await outcomes(provider, list("ab"))) == ["Refused"] * 2


FAILED = {
    "line": ({"code": "invalid_url", "message": "no", "line": 2}, ["Unreachable", "Refused"]),
    "line that is none": ({"code": "invalid_url", "message": "no", "line": 7}, ["Unauthorized"] * 2),
    "queue": ({"code": "token_limit_exceeded", "message": "no", "line": None}, ["Throttled"] * 2),
    "other": ({"code": "too_many_tasks", "message": "no"}, ["Unauthorized"] * 2),
}


@pytest.mark.parametrize(("flaw", "kinds"), FAILED.values(), ids=FAILED.keys())
async def test_a_batch_that_is_not_begun_is_forgotten(tmp_path: Path, flaw: object, kinds: list[str]) -> None:
    async with batch_server() as server, asking(server, tmp_path) as provider:
        server.status, server.more = "failed", {"errors": {"object": "list", "data": [flaw]}}
        found = await outcomes(provider, list("ab"))
        assert words(found) == kinds
        assert chunks(tmp_path) == []
        server.status = "completed"
        assert words(await outcomes(provider, list("ab"))) == ["a", "b"]


async def test_a_batch_is_waited_for_through_whatever_a_server_says(tmp_path: Path) -> None:
    odd = [
        web.Response(status=500),
        web.Response(status=429, headers={"retry-after": "0"}),
        web.Response(text="<html>", content_type="text/html"),
        web.json_response([]),
        web.json_response({"status": "something_new"}),
    ]

    def before(call: str, _: web.Request) -> web.StreamResponse | None:
        return odd.pop() if call == "GET batches/*" and odd else None

    async with batch_server() as server, asking(server, tmp_path) as provider:
        server.before, server.polls = before, 2
        assert words(await outcomes(provider, ["a"])) == ["a"]
        assert server.calls["GET batches/*"] == 8
        assert server.calls["POST batches"] == 1


async def test_answers_that_were_cut_on_the_way_are_fetched_again(tmp_path: Path) -> None:
    cuts = [b"", b"<html>\n<p>\n", None]

    def before(call: str, _: web.Request) -> web.StreamResponse | None:
        if call != "GET files/*" or not cuts:
            return None
        cut = cuts.pop()
        return web.Response(status=500) if cut is None else web.Response(body=cut)

    async with batch_server() as server, asking(server, tmp_path) as provider:
        server.before, server.more = before, {"request_counts": {"completed": 2}}
        assert words(await outcomes(provider, ["a", "b"])) == ["a", "b"]
        assert server.calls["GET files/*"] == 4


async def test_answers_that_never_come_are_given_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "SHORT_MAX", 2)
    async with batch_server() as server, asking(server, tmp_path) as provider:
        server.more = {"request_counts": {"completed": 9}}
        server.lines = lambda asks: (answered(asks[0]), b"")
        assert words(await outcomes(provider, ["a", "b"])) == ["a", "Unreachable"]
        assert server.calls["GET files/*"] == 3


@pytest.mark.parametrize("call", ["POST files", "POST batches"])
async def test_a_service_that_takes_no_batch_is_an_outage_and_no_rows_fault(tmp_path: Path, call: str) -> None:
    async with batch_server() as server, asking(server, tmp_path) as provider:
        server.before = lambda came, request: web.Response(status=500) if came == call else None
        assert words(await outcomes(provider, list("abc"))) == ["Unreachable"] * 3
        assert server.calls[call] == batching.SUBMIT_TRIES, "one of them tries, for all"
        server.before = lambda came, request: None
        assert words(await outcomes(provider, list("abc"))) == ["a", "b", "c"]
        assert server.calls["POST files"] == (1 if call == "POST batches" else batching.SUBMIT_TRIES + 1)
        assert len(server.batches) == 1
        assert len(chunks(tmp_path)) == 1


STOPS = [
    (call, status) for call in ("POST files", "POST batches", "GET batches/*", "GET files/*") for status in (401, 404)
]


@pytest.mark.parametrize(("call", "status"), [*STOPS, ("POST files", 413), ("POST batches", 400)])
async def test_what_people_must_mend_stops_all_who_wait(tmp_path: Path, call: str, status: int) -> None:
    async with batch_server() as server, asking(server, tmp_path) as provider:
        server.before = lambda came, request: web.Response(status=status) if came == call else None
        found = await outcomes(provider, list("abc"))
        assert words(found) == ["Unauthorized"] * 3
        assert all(isinstance(each, Unauthorized) and each.hint for each in found)
        assert server.calls[call] == 1
        assert bool(chunks(tmp_path)) == (status in (401, 404)), "what was surely not taken is forgotten"


def contents(folder: Path) -> bytes:
    """Of all files."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_the_key_is_nowhere_on_the_disk_however_a_server_quotes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-canary-0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", key)

    def lines(asks: Sequence[Ask]) -> Lines:
        return b"".join(answered(ask, body={"choices": [{"message": {"content": key}}]}) for ask in asks), b""

    async with batch_server(lines) as server, asking(server, tmp_path) as provider:
        found = await outcomes(provider, ["a"] * 200)
    assert words(found) == ["[key]"] * 200
    kept = contents(tmp_path)
    assert b"[key]" in kept
    assert key.encode() not in kept


async def test_a_batch_costs_its_share_of_the_price() -> None:
    provider = OpenaiBatch("http://127.0.0.1:1/v1", "m", input_price=2.0, cached_input_price=1.0, output_price=8.0)
    assert provider.prices == Prices(1.0, 0.5, 4.0)
    assert provider.pacing == "fixed"
