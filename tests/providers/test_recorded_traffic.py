"""Traffic recorded by others from real services: each body is read or becomes a typed error, and always the same one.

`recorded_classes.txt` keeps what each becomes, by a hash of the row. After a change that is meant:
`python -m tests.providers.test_recorded_traffic` writes it anew.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from xxhash import xxh3_64_hexdigest

from personastream.errors import AttemptError, NotFound, Refused, Throttled, Unauthorized, Unavailable
from personastream.providers.anthropic import message
from personastream.providers.chat_replies import completion
from personastream.providers.embeddings import vectors
from personastream.providers.faults import fault
from personastream.records import Completion

TRAFFIC = Path(__file__).parents[3] / "shared" / "data" / "llm_traffic"
SNAPSHOT = Path(__file__).with_name("recorded_classes.txt")
FILES = ("errors_recorded", "responses_200", "batches_200")
ENDS = {"stop", "length", "content_filter", "refusal", "tool_calls", "tool_use", "function_call"}

pytestmark = pytest.mark.skipif(not TRAFFIC.is_dir(), reason=f"no recorded traffic in {TRAFFIC}")


def lines(name: str) -> Iterator[bytes]:
    with (TRAFFIC / f"{name}.jsonl.zst").open("rb") as file:
        content = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    yield from filter(None, content.split(b"\n"))


def recorded(name: str) -> Iterator[dict[str, Any]]:
    yield from map(orjson.loads, lines(name))


def read_embeddings(body: bytes) -> str:
    vectors(body, len(orjson.loads(body)["data"]))
    return "vectors"


READERS: dict[str, Callable[[bytes], Completion | str]] = {"messages": message, "embeddings": read_embeddings}


def outcome(row: dict[str, Any]) -> str:
    """What a row's body becomes, in our own words."""
    body = (row["body"] or "").encode()
    try:
        if row["status"] != 200:
            raise fault(row["status"], {name.lower(): value for name, value in row["headers"].items()}, body)
        read = READERS.get(row["kind"], completion)(body)
    except Refused as refused:
        return f"Refused {refused.reason}"
    except Unavailable as error:
        return "Unavailable" + (" billed" if error.billed else "")
    except AttemptError as error:
        return type(error).__name__
    if isinstance(read, str):
        return read
    return f"Completion {read.finish_reason if read.finish_reason in ENDS else 'other'}"


def table() -> str:
    """A line for each row of each file: a hash of it, and what it becomes."""
    rows = [(xxh3_64_hexdigest(line), outcome(orjson.loads(line))) for name in FILES for line in lines(name)]
    return "".join(f"{key} {found}\n" for key, found in sorted(rows))


def test_every_recorded_body_becomes_what_it_became_before() -> None:
    found, kept = table().splitlines(), SNAPSHOT.read_text("ascii").splitlines()
    assert len(kept) == 280
    assert Counter(found) == Counter(kept)


def test_recorded_completions_have_their_counts() -> None:
    sound = [row for row in recorded("responses_200") if row["kind"] == "chat.completions"]
    sound = [row for row in sound if row["category"].startswith("fr=") and row["category"] != "fr=None"]
    assert len(sound) > 100
    for row in sound:
        read = completion(row["body"].encode())
        usage = orjson.loads(row["body"])["usage"]
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        counted = (read.input_tokens, read.output_tokens, read.cached_tokens)
        assert counted == (usage["prompt_tokens"], usage["completion_tokens"], cached)


def test_recorded_messages_have_text_and_counts() -> None:
    rows = [row for row in recorded("responses_200") if row["kind"] == "messages"]
    sound = [row for row in rows if row["category"] in ("stop=end_turn", "stop=max_tokens", "stop=stop_sequence")]
    assert len(sound) >= 4
    for row in sound:
        read = message(row["body"].encode())
        assert read.text
        assert read.input_tokens >= orjson.loads(row["body"])["usage"]["input_tokens"] > 0
        assert read.output_tokens > 0


def test_a_recorded_filter_and_a_recorded_refusal_are_told_apart_from_empty_text() -> None:
    rows = [row for row in recorded("responses_200") if row["kind"] == "chat.completions"]
    assert {outcome(row) for row in rows if "content_filter" in row["category"]} == {"Completion content_filter"}
    assert {outcome(row) for row in rows if "refusal" in row["category"]} == {"Completion refusal"}
    assert {outcome(row) for row in rows if row["category"] == "other"} == {"Refused refused"}  # an error inside a 200


def test_a_recorded_stream_of_events_is_no_completion() -> None:
    streams = [row for row in recorded("responses_200") if row["category"] == "sse"]
    assert len(streams) > 20
    assert {outcome(row) for row in streams} <= {"Unavailable billed", "Unavailable"}


def test_recorded_errors_have_the_consequences_of_their_status_unless_a_code_says_more() -> None:
    kinds: dict[int, set[type[AttemptError]]] = {
        400: {Refused, NotFound},
        401: {Unauthorized},
        403: {Unauthorized},
        404: {NotFound},
        429: {Throttled},
    }
    for row in recorded("errors_recorded"):
        assert outcome(row).split()[0] in {kind.__name__ for kind in kinds[row["status"]]}


if __name__ == "__main__":
    SNAPSHOT.write_text(table(), "ascii")
