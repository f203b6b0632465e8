"""The simulator at work: requests in flight, what they ask for, and how they end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from time import monotonic, time
from typing import IO, Any

from personastream.simulator.admin import Admin
from personastream.simulator.api_calls import Make
from personastream.simulator.batch_routes import BatchRoutes
from personastream.simulator.batches import Batches
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.census import Stats
from personastream.simulator.chat import error_body
from personastream.simulator.connection import Connection
from personastream.simulator.course import Course
from personastream.simulator.death import DROP, HANG, REFUSE, Death
from personastream.simulator.dialect import Dialect
from personastream.simulator.draws import FOR_IDS, draw
from personastream.simulator.endings import ENDINGS, Parcel
from personastream.simulator.faults import HANG as NO_ANSWER
from personastream.simulator.faults import Work
from personastream.simulator.files import Files
from personastream.simulator.message_batch_routes import MessageBatchRoutes
from personastream.simulator.message_batches import MessageBatches
from personastream.simulator.model_routes import ModelRoutes
from personastream.simulator.queueing import Queueing
from personastream.simulator.request_log import log_line
from personastream.simulator.request_reader import HttpRequest
from personastream.simulator.routes import Respond, Routes
from personastream.simulator.row_answers import RowAnswers
from personastream.simulator.script import Step
from personastream.simulator.service import Answer, Service


class Simulator:
    """Answers on all connections of one server. Everything runs on one event loop.

    `pause` is called to take no connection for so many seconds.
    """

    def __init__(
        self, behaviour: Behaviour, script: Sequence[Step], log: IO[bytes] | None, pause: Callable[[float], None]
    ) -> None:
        self.base_url = ""
        self._service = Service(behaviour)
        self._stats = Stats()
        self._log = log
        self._pause = pause
        self._connections: set[Connection] = set()
        self._loop = asyncio.get_running_loop()
        self._queue = Queueing(self._service.batch, self._loop)
        self._course = Course(behaviour, script, adopt=self._adopt, die=self._die)
        self._death = REFUSE
        self._dead_until_s = 0.0
        tag = draw(0, FOR_IDS, behaviour.seed) >> 32
        files = Files(tag)
        self._rows = RowAnswers(self._service, behaviour.seed, lambda: self.behaviour.batch_failures)
        self._batches = Batches(files, self._rows, self._service.chat, tag)
        self._message_batches = MessageBatches(self._rows, self._service.messages, tag)
        message_routes = MessageBatchRoutes(self._message_batches, lambda: self.behaviour, lambda: self.base_url)
        calls: Mapping[str, Make] = {
            **ModelRoutes(behaviour.model).calls(),
            **BatchRoutes(files, self._batches, lambda: self.behaviour).calls(),
            **message_routes.calls(self._service.messages),
        }
        self._routes = Routes(
            {
                "POST /v1/chat/completions": partial(self._chat, self._service.chat),
                "POST /v1/messages": partial(self._chat, self._service.messages),
                **{line: self._call(line, make) for line, make in calls.items()},
                **Admin(self._course, self._service.census, self._service.batch, self.stats).routes(),
            }
        )

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves now."""
        return self._course.behaviour

    def stats(self) -> dict[str, Any]:
        """Counters so far, as `GET /stats` shows them; times are seconds on the monotonic clock."""
        census, batch = self._service.census, self._service.batch
        self._batches.advance(monotonic(), time())
        self._message_batches.advance(monotonic())
        return {
            "now_s": monotonic(),
            **self._stats.snapshot(),
            **asdict(self._rows.stats),
            "bodies": census.bodies,
            "bodies_generated": census.bodies_generated,
            "bodies_generated_again": census.bodies_generated_again,
            "running": batch.running,
            "waiting": batch.waiting,
        }

    def change(self, **changes: Any) -> None:
        """Behave otherwise from now on, as `POST /admin/behaviour` does. Raises `ConfigError`."""
        self._course.change(changes)

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._stats.connected(+1)
        if self._is_dead() and self._death == DROP:
            connection.abort()

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._stats.connected(-1)

    def answer(self, connection: Connection, request: HttpRequest) -> None:
        if request.flaw:
            _refuse(connection, request.flaw, HTTPStatus(request.flaw).description or "This is not HTTP.")
            return
        found = self._routes.find(request)
        if found.respond is not None:
            found.respond(connection, request, found.stars)
        elif found.allowed:
            _refuse(connection, 405, f"Not allowed to {_shown(request)}", b"allow: %b\r\n" % found.allowed)
        else:
            _refuse(connection, 404, f"Invalid URL ({_shown(request)})")

    def abort(self) -> None:
        """Cut all connections."""
        for connection in list(self._connections):
            connection.abort()

    # What the course orders.

    def _adopt(self, behaviour: Behaviour) -> None:
        self._queue.catch_up()
        self._service.adopt(behaviour, monotonic())
        self._queue.set_timer()

    def _die(self, death: Death) -> None:
        self._death, self._dead_until_s = death.way, monotonic() + death.dead_s
        self._pause(death.dead_s if death.way == REFUSE else 0.0)
        if death.dead_s > 0 and death.way != HANG:
            self._loop.call_soon(self.abort)  # after the answer to the order itself

    def _is_dead(self) -> bool:
        return self._dead_until_s > 0 and monotonic() < self._dead_until_s

    # Chat requests.

    def _chat(self, dialect: Dialect, connection: Connection, request: HttpRequest, _: Sequence[str]) -> None:
        stats, now_s = self._stats, monotonic()
        if stats.arrivals >= self._course.next_arrivals:
            self._course.reach(stats.arrivals)
        answer = self._service.answer(request.body, request.headers, now_s, dialect=dialect, wall_s=time())
        stats.arrived(now_s, answer.asked_before > 0, answer.answered_before)
        if answer.outcome == NO_ANSWER or self._is_dead():
            outcome = "dead" if self._is_dead() else NO_ANSWER
            connection.on_lost = partial(self._end, answer, now_s, outcome)
        elif answer.delay_s > 0:
            timer = self._loop.call_later(answer.delay_s, self._generate, connection, answer, now_s)
            connection.on_lost = partial(self._abandon, timer.cancel, answer, now_s)
        else:
            self._generate(connection, answer, now_s)

    def _generate(self, connection: Connection, answer: Answer, arrived_s: float) -> None:
        if answer.queued:
            ticket = self._queue.add(answer.tokens.output, partial(self._deliver, connection, answer, arrived_s))
            connection.on_lost = partial(self._abandon, partial(self._queue.remove, ticket), answer, arrived_s)
        else:
            self._deliver(connection, answer, arrived_s)

    def _deliver(self, connection: Connection, answer: Answer, arrived_s: float) -> None:
        if answer.work is not Work.NONE:
            self._service.mark_made(answer)
            self._stats.made(answer.tokens, whole=answer.work is Work.WHOLE)
        self._end(answer, arrived_s, answer.outcome)
        _send(connection, answer)

    def _abandon(self, cancel: Callable[[], None], answer: Answer, arrived_s: float) -> None:
        cancel()
        self._stats.left(answer.tokens)
        self._end(answer, arrived_s, "gone")

    def _end(self, answer: Answer, arrived_s: float, outcome: str) -> None:
        self._stats.ended(outcome)
        if self._log is not None:
            self._log.write(log_line(answer, arrived_s, outcome))

    # All others.

    def _call(self, line: str, make: Make) -> Respond:
        def respond(connection: Connection, request: HttpRequest, stars: Sequence[str]) -> None:
            if self._is_dead():
                return
            material = request.target + b"\n" + request.body
            answer = self._service.call(line, material, request.headers, lambda: make(request, stars), time())
            self._stats.calls[line if answer.outcome == "ok" else f"{line}: {answer.outcome}"] += 1
            if answer.outcome == NO_ANSWER:
                return
            if answer.delay_s > 0:
                timer = self._loop.call_later(answer.delay_s, _send, connection, answer)
                connection.on_lost = timer.cancel
            else:
                _send(connection, answer)

        return respond


def _send(connection: Connection, answer: Answer) -> None:
    if end := ENDINGS.get(answer.outcome):
        connection.on_lost = None
        end(connection, Parcel(answer.status, answer.body, answer.headers, answer.content_type))
    else:
        connection.send(answer.status, answer.body, answer.headers, answer.content_type)


def _refuse(connection: Connection, status: int, message: str, headers: bytes = b"") -> None:
    connection.send(status, error_body(message, "invalid_request_error"), headers)


def _shown(request: HttpRequest) -> str:
    return f"{request.method.decode()} {request.target[:200].decode(errors='replace')}"
