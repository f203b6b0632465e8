"""Somebody on loopback who takes in whatever is POSTed: a webhook's receiver, a collector of telemetry."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Collector:
    """What was sent, by path: headers and body."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[tuple[str, dict[str, str], bytes]] = []

    def bodies(self, path: str) -> list[bytes]:
        return [body for where, _, body in self.sent if where == path]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.sent.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()
