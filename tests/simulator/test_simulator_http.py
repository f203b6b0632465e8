"""The HTTP side of the simulator, byte by byte over real sockets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import pytest

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.server import serve_in_thread
from personastream.simulator.simulator import Simulator


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with serve_in_thread(Behaviour(body_bytes_max=20_000)) as simulator:
        yield simulator


@contextmanager
def connected(simulator: Simulator) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    port = urlsplit(simulator.base_url).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=20) as client, client.makefile("rb") as replies:
        yield client, replies


def request(number: int = 0, *headers: str, padding: int = 0) -> bytes:
    content = f'Say "Name:"{" " * padding}\n<persona>\nPerson {number}\n</persona>'
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}]})
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def read(replies: IO[bytes]) -> Reply:
    status = int(replies.readline().split()[1])
    headers: dict[str, str] = {}
    while line := replies.readline().strip().decode():
        name, _, value = line.partition(": ")
        headers[name] = value
    return Reply(status, headers, replies.read(int(headers.get("content-length", 0))))


def ask_stats(simulator: Simulator, times: int = 1) -> dict[str, Any]:
    """Counters as another client sees them, the last of `times`: the event loop has turned as often meanwhile."""
    with connected(simulator) as (client, replies):
        client.sendall(b"GET /stats HTTP/1.1\r\nHost: x\r\n\r\n" * times)
        stats: list[dict[str, Any]] = [orjson.loads(read(replies).body) for _ in range(times)]
        return stats[-1]


def text(reply: Reply) -> str:
    assert reply.status == 200, reply
    content = orjson.loads(reply.body)["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


def test_a_connection_is_kept_open_for_the_next_request(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        for number in range(5):
            client.sendall(request(number))
            reply = read(replies)
            assert f"Person {number}." in text(reply)
            assert reply.headers["connection"] == "keep-alive"


def test_pipelined_requests_are_answered_in_order(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(b"".join(request(number) for number in range(300)))
        for number in range(300):
            assert f"Person {number}." in text(read(replies))
        client.sendall(request(300))
        assert "Person 300." in text(read(replies))


def test_pipelined_requests_keep_their_order_under_latency() -> None:
    with (
        serve_in_thread(Behaviour(latency_s=0.005, latency_sigma=1.5)) as simulator,
        connected(simulator) as (client, replies),
    ):
        client.sendall(b"".join(request(number) for number in range(30)))
        assert all(f"Person {number}." in text(read(replies)) for number in range(30))


def test_one_request_of_a_connection_is_answered_at_a_time() -> None:
    with serve_in_thread(Behaviour(latency_s=600)) as simulator, connected(simulator) as (client, _):
        for number in range(3):
            client.sendall(request(number))
            assert ask_stats(simulator)["in_flight"] == 1


def test_a_request_may_come_byte_by_byte(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(7):
            client.sendall(bytes([byte]))
        assert "Person 7." in text(read(replies))


@pytest.mark.parametrize("piece_bytes", [1, 7, 100_000])
def test_chunked_bodies_are_read(simulator: Simulator, piece_bytes: int) -> None:
    body = request(8).partition(b"\r\n\r\n")[2]
    pieces = [body[start : start + piece_bytes] for start in range(0, len(body), piece_bytes)]
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(simulator) as (client, replies):
        client.sendall(head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n")
        assert "Person 8." in text(read(replies))
        client.sendall(request(9))
        assert "Person 9." in text(read(replies))


@pytest.mark.parametrize("old", [b"HTTP/1.0", b"HTTP/1.1\r\nConnection: close"])
def test_a_connection_is_closed_when_the_client_wants_it(simulator: Simulator, old: bytes) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(request().replace(b"HTTP/1.1", old, 1))
        assert read(replies).headers["connection"] == "close"
        assert replies.read() == b""


def test_what_follows_a_last_request_is_not_answered(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(request(1, "Connection: close") + request(2))
        assert "Person 1." in text(read(replies))
        assert replies.read() == b""


def test_a_client_may_ask_first_whether_to_send_the_body(simulator: Simulator) -> None:
    head, _, body = request(3, "Expect: 100-continue").partition(b"\r\n\r\n")
    with connected(simulator) as (client, replies):
        client.sendall(head + b"\r\n\r\n")
        assert replies.readline() + replies.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert "Person 3." in text(read(replies))


def test_an_offer_to_upgrade_is_ignored_and_the_connection_closed(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2")
        assert read(replies).status == 200
        assert replies.read() == b""


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /v1/models?x=1", 200),
        ("GET /nothing", 404),
        ("GET /v1/models/", 404),
        ("GET /v1/chat/completions", 405),
        ("POST /stats", 405),
        ("OPTIONS /v1/models", 405),
        ("GET /" + "a" * 10_000, 404),
    ],
)
def test_other_paths_and_methods_get_an_error_of_the_known_shape(simulator: Simulator, line: str, status: int) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(f"{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        reply = read(replies)
        assert reply.status == status
        assert ("allow" in reply.headers) == (status == 405)
        if status != 200:
            assert set(orjson.loads(reply.body)["error"]) == {"message", "type", "param", "code"}
            assert len(reply.body) < 500
        client.sendall(request(1))
        assert "Person 1." in text(read(replies))


def test_head_gets_no_body(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(b"HEAD /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = replies.read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 405 ")
        assert body == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00",
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_400(simulator: Simulator, garbage: bytes) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(request(1) + garbage)
        assert "Person 1." in text(read(replies))
        reply = read(replies)
        assert (reply.status, reply.headers["connection"]) == (400, "close")
        assert replies.read() == b""


def test_a_body_up_to_the_cap_passes_and_one_byte_more_gets_413(simulator: Simulator) -> None:
    room = 20_000 - len(request().partition(b"\r\n\r\n")[2])
    with connected(simulator) as (client, replies):
        client.sendall(request(padding=room))
        assert read(replies).status == 200
        client.sendall(request(padding=room + 1))
        assert read(replies).status == 413
        assert replies.read() == b""


def test_a_client_still_sending_a_huge_body_can_read_why_it_is_refused(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(request(padding=30_000_000))
        assert read(replies).status == 413


def test_endless_headers_get_431(simulator: Simulator) -> None:
    with connected(simulator) as (client, replies):
        client.sendall(b"GET /v1/models HTTP/1.1\r\n" + b"X-Filler: y\r\n" * 20_000)
        assert read(replies).status == 431


def test_clients_that_leave_at_any_moment_do_no_harm(simulator: Simulator) -> None:
    whole = request(5)
    for length in range(0, len(whole), 9):
        with connected(simulator) as (client, _):
            client.sendall(whole[:length])
    with connected(simulator) as (client, replies):
        client.sendall(whole)
        assert "Person 5." in text(read(replies))


def test_a_client_that_does_not_read_is_waited_for() -> None:
    with (
        serve_in_thread(Behaviour(output_tokens=100_000)) as simulator,
        connected(simulator) as (client, replies),
    ):
        client.sendall(b"".join(request(number) for number in range(150)))
        assert 0 < ask_stats(simulator, times=200)["arrivals"] < 150  # it does not pile up 60 MB of replies
        assert all(f"Person {number}." in text(read(replies)) for number in range(150))
