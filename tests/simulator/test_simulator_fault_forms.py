"""What each fault looks like: headers, bodies, bytes on the wire."""

import gzip
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import urlsplit

import orjson
import pytest

from personastream.errors import ConfigError
from personastream.simulator import endings
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.endings import Parcel
from personastream.simulator.fault_errors import ERRORS
from personastream.simulator.fault_replies import BOMB_BYTES, spoil
from personastream.simulator.faults import FAULTS, GROUPS, POISON, Group, expanded
from personastream.simulator.server import serve_in_thread
from personastream.simulator.service import Answer, Service

WALL_S = 1_800_000_000.25
ASKED = orjson.dumps({"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "A nurse"}]})


def faulty(name: str, *, anthropic: bool = False, **more: Any) -> Answer:
    service = Service(Behaviour(faults={name: 1.0}, **more))
    dialect = service.messages if anthropic else service.chat
    return service.answer(ASKED, {b"anthropic-version": b"1"}, 0.0, dialect=dialect, wall_s=WALL_S)


def headers(answer: Answer) -> dict[str, str]:
    lines = answer.headers.decode("latin-1").split("\r\n")[:-1]
    return dict(line.split(": ", 1) for line in lines if not line.startswith("x-request-id"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("429", {"retry-after": "2.500"}),
        ("429-ms", {"retry-after-ms": "2500"}),
        ("429-reset", {"x-ratelimit-reset-requests": "1.25s", "x-ratelimit-reset-tokens": "2.5s"}),
        ("429-seconds", {"x-ratelimit-reset": "3"}),
        ("429-epoch", {"x-ratelimit-reset": "1800000003"}),
        ("429-bare", {}),
        ("429-quota", {}),
        ("429-daily", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6h0m0s"}),
        (
            "429-anthropic",
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:03Z",
                "anthropic-ratelimit-input-tokens-reset": "2027-01-15T08:00:03Z",
            },
        ),
        ("redirect", {"location": "http://redirected.invalid/v1/chat/completions"}),
    ],
)
def test_headers_of_errors(name: str, told: dict[str, str]) -> None:
    assert headers(faulty(name, retry_after_s=2.5)) == told


def test_a_whole_pause_is_a_whole_number() -> None:
    assert headers(faulty("429", retry_after_s=2)) == {"retry-after": "2"}


def test_a_date_is_never_too_early() -> None:
    told = parsedate_to_datetime(headers(faulty("429-date", retry_after_s=2.5))["retry-after"])
    assert int(WALL_S) + 2.5 <= told.timestamp() <= WALL_S + 3


@pytest.mark.parametrize("name", [name for name in ERRORS if not ERRORS[name].page])
def test_errors_have_the_shape_of_their_api(name: str) -> None:
    error = orjson.loads(faulty(name).body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    document = orjson.loads(faulty(name, anthropic=True).body)
    assert document["type"] == "error"
    assert {"type", "message"} <= set(document["error"]) <= {"type", "message", "details"}


@pytest.mark.parametrize("name", [name for name in ERRORS if ERRORS[name].page])
def test_pages_are_html(name: str) -> None:
    answer = faulty(name)
    assert answer.content_type.startswith(b"text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_codes_that_decide_what_follows() -> None:
    codes = {name: orjson.loads(faulty(name).body)["error"]["code"] for name in ("429-quota", "too-long", "404")}
    assert codes == {
        "429-quota": "insufficient_quota",
        "too-long": "context_length_exceeded",
        "404": "model_not_found",
    }
    spend = orjson.loads(faulty("429-spend", anthropic=True).body)["error"]
    assert spend["details"]["error_code"] == "enforced_spend_limit_reached"
    inside = orjson.loads(faulty("200-overloaded", anthropic=True).body)["error"]
    assert inside["type"] == "overloaded_error"


def choice(name: str) -> Any:
    return orjson.loads(faulty(name).body)["choices"][0]


def test_texts_that_are_none() -> None:
    seen = {name: (choice(name)["message"]["content"], choice(name)["finish_reason"]) for name in ("null", "refuse")}
    assert seen == {"null": (None, "stop"), "refuse": (None, "content_filter")}
    assert choice("empty")["message"]["content"].strip() == ""
    assert choice("refusal")["message"]["refusal"]
    assert choice("whitespace")["message"]["content"].split() == ["{"]
    assert choice("reasoning")["message"]["reasoning_content"]
    assert (choice("reasoning")["message"]["content"], choice("reasoning")["finish_reason"]) == ("", "length")
    whole = orjson.loads(Service(Behaviour()).answer(ASKED, {}, 0.0).body)["choices"][0]["message"]["content"]
    assert whole.startswith(choice("length")["message"]["content"])
    assert choice("length")["finish_reason"] == "length"
    assert choice("finish-error")["finish_reason"] == "error"


def test_choices_and_usage_that_are_wrong() -> None:
    documents = {name: orjson.loads(faulty(name).body) for name in FAULTS if FAULTS[name].group is Group.ODD}
    assert len(documents["two-choices"]["choices"]) == 2
    assert "usage" not in documents["no-usage"]
    assert documents["negative-usage"]["usage"]["completion_tokens"] < 0
    assert documents["huge-usage"]["usage"]["prompt_tokens"] == 2**63
    assert documents["wrong-model"]["model"] != "m"
    assert orjson.loads(faulty("no-choices").body)["choices"] is None
    assert orjson.loads(faulty("empty-choices").body)["choices"] == []


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_does_for_messages_as_well(name: str) -> None:
    answer = faulty(name, anthropic=True)
    assert answer.outcome == name
    assert answer.work is FAULTS[name].work


def test_messages_without_text() -> None:
    seen = {name: orjson.loads(faulty(name, anthropic=True).body) for name in ("null", "refuse", "reasoning", "length")}
    assert (seen["null"]["content"], seen["null"]["stop_reason"]) == ([], "end_turn")
    assert seen["refuse"]["stop_reason"] == "refusal"
    assert seen["length"]["stop_reason"] == "max_tokens"
    assert [block["type"] for block in seen["reasoning"]["content"]] == ["thinking"]


def test_a_truncated_prompt_shows_in_usage_and_is_charged_so() -> None:
    answer = faulty("truncated")
    usage = orjson.loads(answer.body)["usage"]
    assert usage["prompt_tokens"] == answer.tokens.input <= 10


def test_a_bomb_is_small_and_grows() -> None:
    parcel = spoil(Parcel(200, b"{}"), "gzip-bomb")
    assert b"content-encoding: gzip" in parcel.headers
    assert len(parcel.body) < 200_000
    assert len(gzip.decompress(parcel.body)) > BOMB_BYTES


def test_bytes_that_are_spoilt() -> None:
    whole = Parcel(200, b'{"a": "b c"}')
    assert len(spoil(whole, "oversized").body) > 8 << 20
    assert orjson.loads(spoil(whole, "oversized").body) == orjson.loads(whole.body)
    with pytest.raises(UnicodeDecodeError):
        spoil(whole, "not-utf8").body.decode()
    assert len(spoil(whole, "huge-headers").headers) > 200_000
    assert spoil(whole, "drop") == whole


def test_a_group_shares_its_rate_among_its_members() -> None:
    rates = expanded({"any-endpoint-fault": 0.3, "429": 0.0, "poison": 0.1})
    assert rates["429"] == 0.0
    assert rates["503"] == pytest.approx(0.3 / (len(GROUPS["any-endpoint-fault"]) - 1))
    assert sum(rates.values()) == pytest.approx(0.4)
    assert POISON not in GROUPS["any-dead-fault"]
    with pytest.raises(ConfigError, match="add up"):
        expanded({"any-row-fault": 0.6, "any-endpoint-fault": 0.6})
    assert sum(expanded({f"any-{group.value}-fault": 0.2 for group in Group}).values()) == pytest.approx(1.0)


@contextmanager
def asked(name: str, requests: int = 1) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    """A raw connection over which so many requests were sent."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(ASKED)
    with serve_in_thread(Behaviour(faults={name: 1.0})) as simulator:
        port = urlsplit(simulator.base_url).port
        with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as client, client.makefile("rb") as replies:
            client.sendall((head + ASKED) * requests)
            yield client, replies


@pytest.mark.parametrize(
    ("name", "length_line"), [("cut", b"content-length"), ("cut-chunked", b"transfer-encoding"), ("cut-close", b"date")]
)
def test_cut_bodies_on_the_wire(name: str, length_line: bytes) -> None:
    with asked(name) as (_, replies):
        head, _, half = replies.read().partition(b"\r\n\r\n")
    assert length_line in head
    assert (b"content-length" in head, b"transfer-encoding" in head) == (name == "cut", name == "cut-chunked")
    assert 50 < len(half) < 1000
    assert half.startswith(b'{"id"') == (name != "cut-chunked")
    assert not half.endswith(b"0\r\n\r\n")


def test_a_reset_is_a_reset() -> None:
    with asked("reset") as (client, _), pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_stale_connection_dies_at_its_next_use() -> None:
    with asked("stale") as (client, replies):
        head = iter(replies.readline, b"\r\n")
        length = next(int(line[16:]) for line in list(head) if line.startswith(b"content-length"))
        assert orjson.loads(replies.read(length))["choices"]
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert replies.read() == b""


def test_a_trickle_comes_byte_by_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "TRICKLE_S", 0.001)
    with asked("trickle") as (_, replies):
        head = list(iter(replies.readline, b"\r\n"))
        length = next(int(line[16:]) for line in head if line.startswith(b"content-length"))
        assert orjson.loads(replies.read(length))["choices"]
        assert replies.read() == b""


def test_a_client_that_leaves_a_trickle_does_no_harm() -> None:
    with asked("trickle") as (client, replies):
        replies.readline()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
