"""A chat server in a thread that answers only when it is let: a test can stop the world with requests in flight."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import orjson

WAIT_S = 60.0
"""Long enough for a slow machine; a test that waits so long has failed."""


class Answer(NamedTuple):
    """What to send: a status, a body, more headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Asked(NamedTuple):
    """What came in; names of headers are lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def math_problem(_: Asked) -> Answer:
    """A reply that keeps the contract of the template `math`."""
    message = {"role": "assistant", "content": "Math problem: what is left?"}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Answer(200, orjson.dumps({"model": "m", "choices": [choice], "usage": usage}))


class HeldServer:
    """`asked` are the requests so far, answered or not."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.asked: list[Asked] = []
        self._arrived = threading.Semaphore(0)
        self._open = threading.Event()

    def wait_for(self, requests: int) -> None:
        """Return when so many more requests have arrived."""
        for _ in range(requests):
            assert self._arrived.acquire(timeout=WAIT_S), f"{len(self.asked)} requests came, no more"

    def let_go(self) -> None:
        """Answer all requests, those that wait and those to come."""
        self._open.set()

    def take(self, asked: Asked) -> None:
        """Note a request and keep it until it may be answered."""
        self.asked.append(asked)
        self._arrived.release()
        self._open.wait(WAIT_S)


@contextmanager
def held_server(answer: Callable[[Asked], Answer] = math_problem, *, held: bool = True) -> Iterator[HeldServer]:
    """Serve on 127.0.0.1 while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.path, headers, self.rfile.read(int(headers["content-length"])))
            server.take(asked)
            status, body, more = answer(asked)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    class Listening(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that was killed is no error."""

    with Listening(("127.0.0.1", 0), Handler) as listening:
        server = HeldServer(listening.server_port)
        if not held:
            server.let_go()
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.let_go()
            listening.shutdown()
