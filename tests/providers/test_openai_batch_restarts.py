"""Whoever comes after a kill or a cancellation finds what is under way, and pays for nothing that is."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from personastream.errors import Unauthorized, Unreachable
from personastream.records import Request
from tests.support.batch_server import Ask, BatchServer, Lines, answered, asking, batch_server, chunks, outcomes, words

pytestmark = pytest.mark.anyio

NAMES = ["a", "b", "c"]


async def given_up_at(server: BatchServer, folder: Path, call: str, nth: int = 1) -> None:
    """Ask, and be cancelled when that call comes, which is answered like all others."""
    with anyio.CancelScope() as scope:

        def before(came: str, _: web.Request) -> None:
            if came == call and server.calls[call] == nth:
                scope.cancel()

        server.before = before
        async with asking(server, folder) as provider:
            await outcomes(provider, NAMES)
    server.before = lambda came, request: None
    assert scope.cancelled_caught
    await server.rest()
    server.calls.clear()


@pytest.mark.parametrize("call", ["POST files", "POST batches", "GET batches/*", "GET files/*"])
async def test_given_up_at_any_call_requests_are_asked_once(tmp_path: Path, call: str) -> None:
    async with batch_server() as server:
        await given_up_at(server, tmp_path, call)
        async with asking(server, tmp_path) as provider:
            assert words(await outcomes(provider, NAMES)) == NAMES
        assert len(server.batches) == 1
        assert server.calls["GET batches"] == (call in ("POST files", "POST batches"))


async def test_a_batch_is_found_on_whatever_page_it_is(tmp_path: Path) -> None:
    async with batch_server() as server:
        await given_up_at(server, tmp_path, "POST batches")
        server.batches |= {f"other{number}": {"id": f"other{number}", "created_at": 1 << 40} for number in range(5)}
        async with asking(server, tmp_path) as provider:
            assert words(await outcomes(provider, NAMES)) == NAMES
        assert server.calls["GET batches"] == 3
        assert server.calls["POST batches"] == 0


async def test_it_is_not_looked_for_among_those_that_are_older(tmp_path: Path) -> None:
    async with batch_server() as server:
        await given_up_at(server, tmp_path, "POST files")
        server.batches |= {f"other{number}": {"id": f"other{number}", "created_at": 1} for number in range(5)}
        async with asking(server, tmp_path) as provider:
            assert words(await outcomes(provider, NAMES)) == NAMES
        assert server.calls["GET batches"] == 1
        assert server.calls["POST batches"] == 1


async def test_answers_are_handed_out_again_but_errors_are_not(tmp_path: Path) -> None:
    def lines(asks: Sequence[Ask]) -> Lines:
        return answered(asks[0]), b"".join(answered(ask, 400, {}) for ask in asks[1:])

    async with batch_server(lines) as server:
        async with asking(server, tmp_path) as provider:
            assert words(await outcomes(provider, NAMES)) == ["a", "Refused", "Refused"]
        server.lines = lambda asks: (b"".join(map(answered, asks)), b"")
        async with asking(server, tmp_path) as provider:
            assert words(await outcomes(provider, [*NAMES, "a"])) == [*NAMES, "a"]
        assert [ask["body"]["messages"][0]["content"] for ask in server.asked(1)] == ["b", "c", "a"]


async def test_a_batch_that_was_made_although_the_service_said_otherwise_is_used(tmp_path: Path) -> None:
    async with batch_server() as server, asking(server, tmp_path) as provider:
        make = server._create

        def before(call: str, request: web.Request) -> web.StreamResponse | None:
            if call != "POST batches" or server.calls[call] > 1:
                return None
            make({"input_file_id": "file-0", "metadata": {"personastream_chunk": chunks(tmp_path)[0]}})
            return web.Response(status=504)

        server.before = before
        assert words(await outcomes(provider, NAMES)) == NAMES
        assert len(server.batches) == 1


async def test_when_the_one_who_carries_a_batch_leaves_another_goes_on(tmp_path: Path) -> None:
    async with batch_server() as server, asking(server, tmp_path, collect_s=0.2) as provider:
        with anyio.CancelScope() as first:

            def before(call: str, _: web.Request) -> None:
                if call == "GET batches/*":
                    first.cancel()

            server.before, server.polls = before, 3
            async with anyio.create_task_group() as group:

                async def others() -> None:
                    with anyio.CancelScope(shield=True):
                        assert words(await outcomes(provider, ["b", "c"])) == ["b", "c"]

                group.start_soon(provider.complete, Request("", "a", {"max_tokens": 99}))
                group.start_soon(others)
        assert first.cancelled_caught
        assert words(await outcomes(provider, ["a"])) == ["a"]
        assert len(server.batches) == 1


async def test_what_nobody_wants_any_more_is_not_sent(tmp_path: Path) -> None:
    async with batch_server() as server, asking(server, tmp_path, collect_s=0.3) as provider:
        with anyio.move_on_after(0.05):
            await outcomes(provider, ["x", "y"])
        assert words(await outcomes(provider, NAMES)) == NAMES
        assert len(server.asked()) == 3


def damage(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: [(path / name).write_bytes(content) for path in folder.iterdir()].clear()


@pytest.mark.parametrize("name", ["chunk.json", "requests.jsonl"])
async def test_nothing_is_sent_of_what_is_damaged(tmp_path: Path, name: str) -> None:
    async with batch_server() as server:
        await given_up_at(server, tmp_path, "POST files")
        damage(name, b"{")(tmp_path)
        async with asking(server, tmp_path) as provider:
            found = await outcomes(provider, NAMES)
        assert words(found) == ["Unauthorized"] * 3
        assert server.calls["POST batches"] == 0


async def test_what_was_never_sent_is_forgotten_and_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    for name in ("chunk-1", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requests.jsonl").write_bytes(b"{}")
    async with batch_server() as server, asking(server, tmp_path) as provider:
        assert words(await outcomes(provider, NAMES)) == NAMES
        assert "mine" in chunks(tmp_path)
        assert "chunk-1" not in chunks(tmp_path)


async def test_a_batch_at_another_address_is_not_paid_for_again_unasked(tmp_path: Path) -> None:
    async with batch_server() as server:
        await given_up_at(server, tmp_path, "GET batches/*")
        async with asking(server, tmp_path, base_url=server.base_url + "/v2") as provider:
            (error,) = await outcomes(provider, ["a"])
            assert isinstance(error, Unauthorized)
            assert server.base_url in error.message
            assert str(tmp_path) in error.hint
        shutil.rmtree(tmp_path)
        async with asking(server, tmp_path) as provider:
            assert words(await outcomes(provider, ["a"])) == ["a"]


async def test_old_answers_are_deleted(tmp_path: Path) -> None:
    async with batch_server() as server:
        async with asking(server, tmp_path, rows_kept=2) as provider:
            for name in NAMES:
                assert words(await outcomes(provider, [name])) == [name]
            assert len(chunks(tmp_path)) == 2
        async with asking(server, tmp_path, rows_kept=2) as provider:
            assert words(await outcomes(provider, ["d"])) == ["d"]
            assert words(await outcomes(provider, ["b"])) == ["b"], "it is paid for again"
        assert len(server.batches) == 5


async def test_when_all_rows_are_settled_answers_are_forgotten_and_what_is_under_way_is_not(tmp_path: Path) -> None:
    async with batch_server() as server:
        await given_up_at(server, tmp_path, "GET batches/*")
        async with asking(server, tmp_path) as provider:
            await outcomes(provider, ["d"])
        async with asking(server, tmp_path) as provider:
            await provider.settled()
            assert len(chunks(tmp_path)) == 1
            assert words(await outcomes(provider, [*NAMES, "d"])) == [*NAMES, "d"]
        assert [len(server.asked(number)) for number in range(len(server.batches))] == [3, 1, 1]


async def test_a_disk_that_refuses_is_no_fault_of_the_rows(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with batch_server() as server, asking(server, tmp_path / "file") as provider:
        (error,) = await outcomes(provider, ["a"])
        assert isinstance(error, Unreachable)
        assert "cannot be kept" in error.message
        assert not server.calls
        await provider.settled()
