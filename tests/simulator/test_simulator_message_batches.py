"""Anthropic's message batches, without a network."""

from typing import Any

import orjson
import pytest

from personastream.simulator.api_error import ApiError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.message_batches import MessageBatches
from personastream.simulator.row_answers import RowAnswers
from personastream.simulator.service import Service

ROOT = "http://127.0.0.1:1/v1"


def row(number: int, **changed: Any) -> dict[str, Any]:
    params = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": f"Person {number}"}]}
    return {"custom_id": f"row-{number}", "params": params} | changed


def batches(**behaviour: Any) -> tuple[MessageBatches, Behaviour, RowAnswers]:
    behaves = Behaviour(**{"batch_latency_s": 10.0, **behaviour})
    service = Service(behaves)
    answers = RowAnswers(service, 0, lambda: behaves.batch_failures)
    return MessageBatches(answers, service.messages, 7), behaves, answers


def sent(*rows: Any) -> bytes:
    return orjson.dumps({"requests": rows})


def kinds(made: MessageBatches, batch_id: str, now_s: float) -> list[str]:
    lines = made.results(batch_id, now_s).splitlines()
    assert [orjson.loads(line)["custom_id"] for line in lines] != sorted(
        orjson.loads(line)["custom_id"] for line in lines
    )
    return [orjson.loads(line)["result"]["type"] for line in lines]


def test_results_can_be_read_when_all_is_over() -> None:
    made, behaviour, answers = batches(batch_failures=0.3)
    batch = made.create(sent(*(row(n) for n in range(100))), behaviour, 0.0, 1_800_000_000.0)
    early = made.get(batch.id, 5.0).shown(5.0, ROOT)
    assert early["processing_status"] == "in_progress"
    assert early["request_counts"]["processing"] == 100
    with pytest.raises(ApiError, match="not ended"):
        made.results(batch.id, 5.0)
    shown = made.get(batch.id, 10.0).shown(10.0, ROOT)
    seen = kinds(made, batch.id, 10.0)
    assert (shown["processing_status"], shown["results_url"]) == (
        "ended",
        f"{ROOT}/messages/batches/{batch.id}/results",
    )
    assert (shown["created_at"], shown["ended_at"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:00:10Z")
    assert shown["request_counts"]["succeeded"] == seen.count("succeeded") > 50
    assert shown["request_counts"]["errored"] == seen.count("errored") == answers.stats.batch_rows_failed > 10
    assert answers.stats.batch_output_tokens > 0


@pytest.mark.parametrize(("window_s", "cancel_s", "kind"), [(5.0, None, "expired"), (1e4, 5.0, "canceled")])
def test_what_was_finished_is_kept(window_s: float, cancel_s: float | None, kind: str) -> None:
    made, behaviour, answers = batches(batch_window_s=window_s)
    batch = made.create(sent(*(row(n) for n in range(100))), behaviour, 0.0, 1_800_000_000.0)
    if cancel_s is not None:
        assert made.cancel(batch.id, cancel_s).shown(cancel_s, ROOT)["processing_status"] == "canceling"
    made.get(batch.id, 50.0)
    seen = kinds(made, batch.id, 50.0)
    assert (seen.count("succeeded"), seen.count(kind)) == (50, 50)
    assert answers.stats.batch_rows == 50
    assert made.get(batch.id, 50.0).shown(50.0, ROOT)["request_counts"][kind] == 50
    with pytest.raises(ApiError, match="ended"):
        made.cancel(batch.id, 50.0)


@pytest.mark.parametrize(
    "wrong",
    [
        b"{",
        b"[]",
        b"{}",
        sent(),
        sent(*(row(n) for n in range(4))),
        sent(5),
        sent(row(1), row(1)),
        sent(row(1, custom_id="x" * 65)),
        sent(row(1, params=None)),
    ],
)
def test_a_wrong_batch_is_refused(wrong: bytes) -> None:
    made, behaviour, _ = batches(batch_requests_max=3)
    with pytest.raises(ApiError):
        made.create(wrong, behaviour, 0.0, 0.0)
    assert made.page(10, None, 0.0, ROOT)["data"] == []


def test_pages_go_from_the_newest_to_the_oldest() -> None:
    made, behaviour, _ = batches()
    ids = [made.create(sent(row(n)), behaviour, 0.0, 0.0).id for n in range(5)]
    first = made.page(2, None, 0.0, ROOT)
    assert [each["id"] for each in first["data"]] == ids[:2:-1]
    assert first["has_more"]
    assert [each["id"] for each in made.page(9, first["last_id"], 0.0, ROOT)["data"]] == ids[2::-1]
    with pytest.raises(ApiError):
        made.page(9, "msgbatch_0", 0.0, ROOT)
