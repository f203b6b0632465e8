"""The running simulator: routes, requests in flight, statistics and the request log.

async with serve(Behaviour(latency_s=0.2)) as simulator:
    ...  # ask simulator.base_url, read simulator.stats()
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import IO, Any

import orjson
from anyio.from_thread import start_blocking_portal

from personastream.errors import CannotCreate, ConfigError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.census import Stats
from personastream.simulator.chat import error_body, models_body
from personastream.simulator.protocol import Connection, HttpRequest
from personastream.simulator.service import UNAUTHORIZED, Answer, Service

BACKLOG = 4096
"""Connections the kernel may hold for us: a client may open thousands at once."""

_Respond = Callable[[Connection, HttpRequest], None]


class Simulator:
    """Answers on all connections of one listening socket. Everything runs on one event loop."""

    def __init__(self, behaviour: Behaviour, base_url: str, log: IO[bytes] | None = None) -> None:
        self.base_url = base_url
        self._behaviour = behaviour
        self._service = Service(behaviour)
        self._stats = Stats()
        self._log = log
        self._connections: set[Connection] = set()
        self._loop = asyncio.get_running_loop()
        self._routes: Mapping[bytes, tuple[bytes, _Respond]] = {
            b"/v1/chat/completions": (b"POST", self._chat),
            b"/v1/models": (b"GET", self._models),
            b"/stats": (b"GET", self._show_stats),
        }

    def stats(self) -> dict[str, Any]:
        """Counters so far, as `GET /stats` shows them; times are seconds on the monotonic clock."""
        return {"now_s": monotonic(), **self._stats.snapshot()}

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._stats.connected(+1)

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._stats.connected(-1)

    def answer(self, connection: Connection, request: HttpRequest) -> None:
        if request.flaw:
            _refuse(connection, request.flaw, HTTPStatus(request.flaw).description or "This is not HTTP.")
            return
        method, respond = self._routes.get(request.target.partition(b"?")[0], (b"", None))
        if respond is None:
            _refuse(connection, 404, f"Invalid URL ({_shown(request)})")
        elif request.method != method:
            _refuse(connection, 405, f"Not allowed to {_shown(request)}", b"allow: %b\r\n" % method)
        else:
            respond(connection, request)

    def abort(self) -> None:
        """Cut all connections."""
        for connection in list(self._connections):
            connection.abort()

    def _models(self, connection: Connection, request: HttpRequest) -> None:
        if self._service.is_authorized(request.authorization):
            connection.send(200, models_body(self._behaviour.model))
        else:
            connection.send(401, UNAUTHORIZED)

    def _show_stats(self, connection: Connection, _: HttpRequest) -> None:
        connection.send(200, orjson.dumps(self.stats()))

    def _chat(self, connection: Connection, request: HttpRequest) -> None:
        now_s = monotonic()
        answer = self._service.answer(request.body, request.authorization, now_s)
        self._stats.arrived(now_s, answer.asked_before > 0, answer.answered_before)
        if answer.outcome == "hang":
            connection.on_lost = partial(self._end, answer, now_s, "hang")
        elif answer.delay_s > 0:
            timer = self._loop.call_later(answer.delay_s, self._deliver, connection, answer, now_s)
            connection.on_lost = partial(self._abandon, timer, answer, now_s)
        else:
            self._deliver(connection, answer, now_s)

    def _deliver(self, connection: Connection, answer: Answer, arrived_s: float) -> None:
        if answer.outcome == "drop":
            connection.drop()
        elif answer.outcome == "cut":
            connection.cut(answer.status, answer.body, answer.headers)
        else:
            connection.send(answer.status, answer.body, answer.headers)
        if answer.output_tokens > 0:
            self._service.mark_answered(answer)
        self._end(answer, arrived_s, answer.outcome, answer.input_tokens, answer.output_tokens)

    def _abandon(self, timer: asyncio.TimerHandle, answer: Answer, arrived_s: float) -> None:
        timer.cancel()
        self._end(answer, arrived_s, "gone")

    def _end(
        self, answer: Answer, arrived_s: float, outcome: str, input_tokens: int = 0, output_tokens: int = 0
    ) -> None:
        self._stats.ended(outcome, input_tokens, output_tokens)
        if self._log is not None:
            self._log.write(_log_line(answer, arrived_s, outcome))


@asynccontextmanager
async def serve(behaviour: Behaviour, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Simulator]:
    """Run a simulator on the running asyncio loop; port 0 takes any free one.

    Raises `ConfigError` for a host that is not loopback, `CannotCreate` for a port in use or a log not writable.
    """
    with _listening_socket(host, port) as listener, _opened_log(behaviour.log) as log:
        address, bound_port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        simulator = Simulator(behaviour, f"http://{shown}:{bound_port}/v1", log)
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(simulator, behaviour.body_bytes_max), sock=listener, backlog=BACKLOG
        )
        try:
            yield simulator
        finally:
            server.close()
            simulator.abort()
            await server.wait_closed()


@contextmanager
def serve_in_thread(behaviour: Behaviour, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Simulator]:
    """Run a simulator on a uvloop of its own, in a thread, for blocking callers. Raises as `serve` does."""
    with (
        start_blocking_portal(backend_options={"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(serve(behaviour, host=host, port=port)) as simulator,
    ):
        yield simulator


def _listening_socket(host: str, port: int) -> socket.socket:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ConfigError(f"{host!r} is no IP address", hint="Use 127.0.0.1, ::1 or localhost.") from None
    if not address.is_loopback:
        hint = "The simulator has no protection: it listens on this machine only, as 127.0.0.1 or ::1."
        raise ConfigError(f"{host} is not a loopback address", hint=hint)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        return socket.create_server((str(address), port), family=family, backlog=BACKLOG)
    except OSError as error:
        message = f"cannot listen on {host} port {port}: {error.strerror or error}"
        raise CannotCreate(message, hint="Choose another port, or 0 for any free one.") from None


@contextmanager
def _opened_log(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    try:
        log = path.open("ab", buffering=0)  # one write per line: the log is complete even after SIGKILL
    except OSError as error:
        raise CannotCreate(f"cannot write {path}: {error.strerror}", hint="Choose another file for the log.") from None
    with log:
        yield log


def _log_line(answer: Answer, arrived_s: float, outcome: str) -> bytes:
    line = {
        "arrived_s": arrived_s,
        "ended_s": monotonic(),
        "body": f"{answer.key:016x}",
        "asked_before": answer.asked_before,
        "persona": answer.persona,
        "outcome": outcome,
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _refuse(connection: Connection, status: int, message: str, headers: bytes = b"") -> None:
    connection.send(status, error_body(message, "invalid_request_error"), headers)


def _shown(request: HttpRequest) -> str:
    return f"{request.method.decode()} {request.target[:200].decode(errors='replace')}"
