"""Files and batches: forms, lifecycle, what is wrong with input, and faults on the way."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.simulator.batch_run import BatchRun, Phase, shuffled
from personastream.simulator.batches import read_rows
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.dialect import InvalidRequest
from personastream.simulator.multipart import Part, parse_form
from personastream.simulator.server import serve
from personastream.simulator.simulator import Simulator
from tests.support.effort import tries

CHAT = "/v1/chat/completions"


def row(number: int, **changed: Any) -> bytes:
    messages = [{"role": "user", "content": f"Person {number}"}]
    line = {"custom_id": f"row-{number}", "method": "POST", "url": CHAT, "body": {"model": "m", "messages": messages}}
    return orjson.dumps(line | changed)


class Client:
    """Uploads, creates and polls."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator, self.session, self.url = simulator, session, simulator.base_url

    async def upload(self, *rows: bytes, purpose: str = "batch") -> Any:
        form = aiohttp.FormData({"purpose": purpose})
        form.add_field("file", b"\n".join(rows), filename="rows.jsonl", content_type="application/jsonl")
        async with self.session.post(f"{self.url}/files", data=form) as reply:
            return await reply.json()

    async def create(self, file_id: str, **changed: Any) -> Any:
        asked = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h", **changed}
        async with self.session.post(f"{self.url}/batches", json=asked) as reply:
            return await reply.json()

    async def get(self, path: str) -> Any:
        async with self.session.get(f"{self.url}/{path}") as reply:
            return await reply.json()

    async def lines(self, file_id: str | None) -> list[Any]:
        if file_id is None:
            return []
        async with self.session.get(f"{self.url}/files/{file_id}/content") as reply:
            return [orjson.loads(line) for line in (await reply.read()).splitlines()]

    async def ended(self, batch_id: str) -> Any:
        async with asyncio.timeout(30):
            while True:
                batch = await self.get(f"batches/{batch_id}")
                if batch["status"] in {"completed", "failed", "expired", "cancelled"}:
                    return batch
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(**behaviour: Any) -> AsyncIterator[Client]:
    settings = {"batch_latency_s": 0.05, **behaviour}
    async with serve(Behaviour(**settings)) as simulator, aiohttp.ClientSession() as session:
        yield Client(simulator, session)


def test_a_batch_answers_every_row_once_in_another_order_and_counts_what_it_cost() -> None:
    async def main() -> None:
        async with running(batch_failures=0.2, faults={"poison": 0.1}) as client:
            file = await client.upload(*(row(number) for number in range(200)))
            batch = await client.ended((await client.create(file["id"], metadata={"chunk": "7"}))["id"])
            good, bad = await client.lines(batch["output_file_id"]), await client.lines(batch["error_file_id"])
            ids = [line["custom_id"] for line in good + bad]
            assert sorted(ids) == sorted(f"row-{number}" for number in range(200))
            assert [line["custom_id"] for line in good] != sorted(line["custom_id"] for line in good)
            assert batch["request_counts"] == {"total": 200, "completed": len(good), "failed": len(bad)}
            assert 30 < len(bad) < 90
            assert {line["response"]["status_code"] for line in bad} == {400, 500}
            stats = client.simulator.stats()
            usage = [line["response"]["body"]["usage"] for line in good]
            assert stats["batch_output_tokens"] == sum(each["completion_tokens"] for each in usage)
            assert stats["batch_input_tokens"] == sum(each["prompt_tokens"] for each in usage)
            assert (stats["batches"], stats["batch_rows"], stats["batch_rows_failed"]) == (1, 200, len(bad))
            assert stats["generated"] == stats["bodies_generated_again"] == 0

    asyncio.run(main())


def test_a_row_in_a_batch_is_answered_as_it_would_be_alone() -> None:
    async def main() -> None:
        async with running() as client:
            body = orjson.loads(row(1))["body"]
            async with client.session.post(f"{client.url}/chat/completions", data=orjson.dumps(body)) as reply:
                alone = await reply.json()
            batch = await client.ended((await client.create((await client.upload(row(1)))["id"]))["id"])
            (line,) = await client.lines(batch["output_file_id"])
            assert line["response"]["body"] == alone
            assert client.simulator.stats()["bodies_generated_again"] == 1

    asyncio.run(main())


def test_an_expired_batch_keeps_what_was_finished() -> None:
    async def main() -> None:
        async with running(batch_latency_s=0.2, batch_window_s=0.1) as client:
            file = await client.upload(*(row(number) for number in range(100)))
            batch = await client.ended((await client.create(file["id"]))["id"])
            good, bad = await client.lines(batch["output_file_id"]), await client.lines(batch["error_file_id"])
            assert batch["status"] == "expired"
            assert len(good) == 50
            assert len(good) + len(bad) == 100
            assert {line["error"]["code"] for line in bad} == {"batch_expired"}
            assert batch["expired_at"] is not None
            assert batch["completed_at"] is None

    asyncio.run(main())


def test_a_cancelled_batch_keeps_what_was_finished() -> None:
    async def main() -> None:
        async with running(batch_latency_s=10) as client:
            file = await client.upload(*(row(number) for number in range(100)))
            batch = await client.create(file["id"])
            async with asyncio.timeout(30):
                while not (await client.get(f"batches/{batch['id']}"))["request_counts"]["completed"]:
                    continue
            async with client.session.post(f"{client.url}/batches/{batch['id']}/cancel") as reply:
                assert (await reply.json())["status"] == "cancelling"
            batch = await client.ended(batch["id"])
            good = await client.lines(batch["output_file_id"])
            assert batch["status"] == "cancelled"
            assert 0 < len(good) < 100
            assert batch["request_counts"]["completed"] == len(good)
            async with client.session.post(f"{client.url}/batches/{batch['id']}/cancel") as reply:
                assert reply.status == 409

    asyncio.run(main())


def test_batches_are_listed_by_pages_the_newest_first() -> None:
    async def main() -> None:
        async with running() as client:
            file = await client.upload(row(1))
            made = [(await client.create(file["id"], metadata={"n": str(n)}))["id"] for n in range(5)]
            first = await client.get("batches?limit=2")
            assert [each["id"] for each in first["data"]] == made[:2:-1]
            assert (first["has_more"], first["last_id"]) == (True, made[3])
            rest = await client.get(f"batches?limit=3&after={first['last_id']}")
            assert [each["metadata"]["n"] for each in rest["data"]] == ["2", "1", "0"]
            assert not rest["has_more"]
            for wrong in "limit=0", "limit=101", "limit=x", "after=batch_0":
                assert "error" in await client.get(f"batches?{wrong}")

    asyncio.run(main())


def test_a_batch_of_bad_lines_fails_and_says_why() -> None:
    async def main() -> None:
        async with running(batch_requests_max=3) as client:
            for rows, code in (
                ([row(1), row(1)], "duplicate_custom_id"),
                ([row(n) for n in range(4)], "too_many_requests"),
                ([b"{"], "invalid_json_line"),
                ([b""], "empty_file"),
            ):
                batch = await client.ended((await client.create((await client.upload(*rows))["id"]))["id"])
                assert batch["status"] == "failed"
                assert batch["errors"]["data"][0]["code"] == code
            assert client.simulator.stats()["batch_rows"] == 0

    asyncio.run(main())


def test_wrong_requests_are_refused() -> None:
    async def main() -> None:
        async with running() as client:
            file = (await client.upload(row(1)))["id"]
            for changed in (
                {"endpoint": "/v1/nothing"},
                {"completion_window": "1h"},
                {"metadata": {"a": 1}},
                {"metadata": {str(n): "" for n in range(17)}},
                {"input_file_id": 5},
                {"input_file_id": "file-0"},
            ):
                assert "error" in await client.create(**{"file_id": file, **changed})
            assert "error" in await client.upload(row(1), purpose="poetry")
            assert "error" in await client.get("files/file-0")
            assert "error" in await client.get("batches/batch_0")
            assert (await client.get(f"files/{file}"))["purpose"] == "batch"
            assert (await client.get("batches"))["data"] == []

    asyncio.run(main())


def test_a_file_above_the_limit_is_refused() -> None:
    async def main() -> None:
        async with running(batch_bytes_max=1000) as client:
            assert "error" in await client.upload(b"x" * 1001)
            assert (await client.upload(b"x" * 1000))["bytes"] == 1000

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["drop", "reset", "504", "malformed"])
def test_a_batch_may_exist_although_its_creation_seemed_to_fail(fault: str) -> None:
    async def main() -> None:
        async with running(faults={fault: 1.0}, faults_on=("POST /v1/batches",)) as client:
            file = await client.upload(row(1))
            with suppress(aiohttp.ClientError, ValueError):
                assert "error" in await client.create(file["id"], metadata={"run": "r"})
            (batch,) = (await client.get("batches"))["data"]
            assert batch["metadata"] == {"run": "r"}
            assert (await client.ended(batch["id"]))["status"] == "completed"
            assert client.simulator.stats()["calls"][f"POST /v1/batches: {fault}"] == 1

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["500", "429", "503", "html"])
def test_a_fault_that_comes_before_creates_nothing(fault: str) -> None:
    async def main() -> None:
        async with running(faults={fault: 1.0}, faults_on=("POST /v1/batches",)) as client:
            file = await client.upload(row(1))
            asked = {"input_file_id": file["id"], "endpoint": CHAT, "completion_window": "24h"}
            async with client.session.post(f"{client.url}/batches", json=asked) as reply:
                await reply.read()
            assert (await client.get("batches"))["data"] == []

    asyncio.run(main())


def test_poison_is_for_requests_that_a_model_answers() -> None:
    async def main() -> None:
        async with running(faults={"poison": 1.0}) as client:
            batch = await client.ended((await client.create((await client.upload(row(1)))["id"]))["id"])
            assert batch["request_counts"] == {"total": 1, "completed": 0, "failed": 1}

    asyncio.run(main())


def test_a_key_is_demanded_for_files_and_batches() -> None:
    async def main() -> None:
        async with running(key="k") as client:
            for path in "files", "batches", "files/x", "batches/x", "files/x/content":
                async with client.session.get(f"{client.url}/{path}") as reply:
                    assert reply.status == 401

    asyncio.run(main())


def life(latency_s: float, window_s: float = 1e9, count: int = 10, *, valid: bool = True) -> tuple[BatchRun, list[int]]:
    answered: list[int] = []
    run = BatchRun(
        created_s=100.0,
        latency_s=latency_s,
        window_s=window_s,
        order=range(count),
        answer=answered.append,
        valid=valid,
    )
    return run, answered


def test_phases_follow_each_other() -> None:
    run, answered = life(10.0)
    seen = []
    for tenth in range(0, 105, 5):
        run.advance(100 + tenth / 10)
        seen.append((run.phase(100 + tenth / 10).value, len(answered)))
    assert seen[:2] == [("validating", 0)] * 2
    assert seen[2][0] == "in_progress"
    assert seen[10] == ("in_progress", 5)
    assert seen[18:20] == [("finalizing", 10)] * 2
    assert seen[20] == ("completed", 10)
    assert [phase for phase, _ in Counter(phase for phase, _ in seen).items()] == [
        "validating",
        "in_progress",
        "finalizing",
        "completed",
    ]


def test_a_batch_that_takes_no_time_is_done_at_once() -> None:
    run, answered = life(0.0)
    run.advance(100.0)
    assert (run.phase(100.0), len(answered)) == (Phase.COMPLETED, 10)


def test_an_invalid_batch_answers_nothing() -> None:
    run, answered = life(10.0, valid=False)
    run.advance(1000.0)
    assert (run.phase(100.5), run.phase(102.0), answered) == (Phase.VALIDATING, Phase.FAILED, [])


@settings(max_examples=tries(100))
@given(
    st.floats(0, 100),
    st.floats(0.1, 100),
    st.none() | st.floats(0, 120),
    st.lists(st.floats(0, 250), max_size=8).map(sorted),
)
def test_rows_answered_never_go_back_and_end_with_the_batch(
    latency_s: float, window_s: float, cancel_s: float | None, looks: list[float]
) -> None:
    run, answered = life(latency_s, window_s)
    before, is_over = 0, False
    for look_s in looks:
        now_s = 100 + look_s
        if cancel_s is not None and look_s >= cancel_s and run.cancelled_s is None:
            run.cancel(now_s)
        run.advance(now_s)
        assert len(answered) >= before
        assert not (is_over and len(answered) > before)
        before = len(answered)
        is_over = run.phase(now_s) in {Phase.COMPLETED, Phase.EXPIRED, Phase.CANCELLED}
        if run.phase(now_s) is Phase.COMPLETED:
            assert len(answered) == 10
    assert answered == sorted(set(answered))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (row(1, method="GET"), "invalid_method"),
        (row(1, url="/v1/embeddings"), "mismatched_url"),
        (row(1, custom_id=5), "missing_custom_id"),
        (row(1, body=[]), "invalid_request"),
        (b"[]", "invalid_request"),
        (b"\xff", "invalid_json_line"),
    ],
)
def test_flaws_of_lines_are_told_with_their_number(line: bytes, code: str) -> None:
    rows, flaws = read_rows(row(0) + b"\n\n" + line, CHAT, 10)
    assert len(rows) == 1
    assert [(flaw["code"], flaw["line"]) for flaw in flaws] == [(code, 3)]


def test_orders_are_permutations_and_differ() -> None:
    assert sorted(shuffled(50, 1, 2)) == list(range(50))
    assert shuffled(50, 1, 2) == shuffled(50, 1, 2) != shuffled(50, 2, 2)


def form(*parts: bytes, boundary: str = "xYz") -> tuple[bytes, bytes]:
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return f'multipart/form-data; boundary="{boundary}"'.encode(), body


def test_forms_are_read() -> None:
    content = b"line\r\n--xY not the mark\r\n\r\n"
    kind, body = form(
        b'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch',
        b'content-disposition: form-data; name="file"; filename="a b.jsonl"\r\nContent-Type: x/y\r\n\r\n' + content,
    )
    assert parse_form(kind, body) == {"purpose": Part(b"batch"), "file": Part(content, "a b.jsonl")}


@settings(max_examples=tries(50))
@given(st.binary(max_size=200), st.sampled_from([b"multipart/form-data; boundary=a", b"text/plain", b"", b"\xff/\r\n"]))
def test_any_form_is_read_or_refused(body: bytes, kind: bytes) -> None:
    for each in body, b"--a\r\n" + body + b"\r\n--a--":
        with suppress(InvalidRequest):
            assert all(isinstance(name, str) for name in parse_form(kind, each))
