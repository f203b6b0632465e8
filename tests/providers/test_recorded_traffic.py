"""Traffic recorded by others from real services: each body is read or becomes a typed error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from personastream.errors import AttemptError, Refused, Throttled, Unauthorized
from personastream.providers.chat_replies import completion, fault

TRAFFIC = Path(__file__).parents[3] / "shared" / "data" / "llm_traffic"

pytestmark = pytest.mark.skipif(not TRAFFIC.is_dir(), reason=f"no recorded traffic in {TRAFFIC}")


def recorded(name: str) -> Iterator[dict[str, Any]]:
    with (TRAFFIC / f"{name}.jsonl.zst").open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    yield from map(orjson.loads, filter(None, text.split(b"\n")))


def outcome(row: dict[str, Any]) -> str:
    """The name of what a row's body becomes."""
    body = (row["body"] or "").encode()
    headers = {name.lower(): value for name, value in row["headers"].items()}
    if row["status"] != 200:
        return type(fault(row["status"], headers, body)).__name__
    try:
        return completion(body).finish_reason
    except AttemptError as error:
        return type(error).__name__


@pytest.mark.parametrize("name", ["responses_200", "errors_recorded", "batches_200"])
def test_every_recorded_body_is_read_or_becomes_a_typed_error(name: str) -> None:
    assert [outcome(row) for row in recorded(name)]


def test_recorded_chat_completions_are_completions_with_their_counts() -> None:
    rows = [row for row in recorded("responses_200") if row["kind"] == "chat.completions" and row["category"] != "sse"]
    sound = [row for row in rows if row["category"].startswith("fr=")]
    assert len(sound) > 100
    for row in sound:
        read = completion(row["body"].encode())
        usage = orjson.loads(row["body"])["usage"]
        assert (read.input_tokens, read.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])


def test_a_recorded_filter_and_a_recorded_refusal_are_told_apart_from_empty_text() -> None:
    rows = [row for row in recorded("responses_200") if row["kind"] == "chat.completions"]
    assert {outcome(row) for row in rows if "content_filter" in row["category"]} == {"content_filter"}
    assert {outcome(row) for row in rows if "refusal" in row["category"]} == {"refusal"}
    assert {outcome(row) for row in rows if row["category"] == "other"} == {"Refused"}  # an error inside a 200


def test_recorded_errors_have_the_consequences_of_their_status() -> None:
    kinds: dict[int, type[AttemptError]] = {400: Refused, 429: Throttled}
    kinds |= dict.fromkeys((401, 403, 404), Unauthorized)
    for row in recorded("errors_recorded"):
        assert outcome(row) == kinds[row["status"]].__name__
