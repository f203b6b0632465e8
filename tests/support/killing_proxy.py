"""A proxy that kills the client's process at a certain call: before the call is passed on, or before its answer is."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

Moment = Literal["before", "after"]
IDS = re.compile(r"/(file-|batch_|msgbatch_)\w+")


class Point(NamedTuple):
    """The `nth` call of its kind, such as `GET /v1/batches/*`, from 1; or the `nth` of all, for the kind `any`."""

    call: str
    nth: int
    moment: Moment


class KillingProxy:
    """`calls` counts by kind since `arm`; `reached` tells whether the point was."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.calls: Counter[str] = Counter()
        self.reached = False
        self._point: Point | None = None
        self._kill: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def arm(self, point: Point | None, kill: Callable[[], None] = lambda: None) -> None:
        """From now on, `kill` at this point."""
        self.calls, self.reached, self._point, self._kill = Counter(), False, point, kill

    def count(self, call: str) -> Moment | None:
        """Count a call; when it is to kill, if it is the one."""
        with self._lock:
            self.calls.update([call, "any"])
            point = self._point
            hit = point is not None and point.call in (call, "any") and self.calls[point.call] == point.nth
            return point.moment if hit and point is not None else None

    def kill(self) -> None:
        """Do it."""
        self.reached = True
        self._kill()


@contextmanager
def killing_proxy(base_url: str) -> Iterator[KillingProxy]:
    """Pass all calls on to the server at `base_url` while the block lasts."""
    upstream = urlsplit(base_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            moment = proxy.count(f"{self.command} {IDS.sub('/*', self.path.partition('?')[0])}")
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if moment == "before":
                return self._kill()
            connection = HTTPConnection(upstream.hostname or "", upstream.port)
            connection.request(self.command, self.path, body, dict(self.headers))
            reply = connection.getresponse()
            content = reply.read()
            connection.close()
            if moment == "after":
                return self._kill()
            self.send_response(reply.status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return None

        do_POST = do_GET

        def _kill(self) -> None:
            proxy.kill()
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    class Listening(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that was killed is no error."""

    with Listening(("127.0.0.1", 0), Handler) as listening:
        proxy = KillingProxy(listening.server_port)
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            listening.shutdown()
