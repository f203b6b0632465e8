"""What may be asked and told beside the API: counters, gauges, bodies; another behaviour, another script."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from personastream.errors import ConfigError
from personastream.simulator.batching import Batch
from personastream.simulator.behaviour import CHANGEABLE
from personastream.simulator.census import Census
from personastream.simulator.chat import error_body
from personastream.simulator.connection import Connection
from personastream.simulator.course import Course
from personastream.simulator.request_reader import HttpRequest
from personastream.simulator.routes import Respond

GAUGES = b"text/plain; version=0.0.4; charset=utf-8"


class Admin:
    """The routes of the simulator's own."""

    def __init__(self, course: Course, census: Census, batch: Batch, stats: Callable[[], Mapping[str, Any]]) -> None:
        self._course, self._census, self._batch, self._stats = course, census, batch, stats

    def routes(self) -> dict[str, Respond]:
        """By method and path."""
        return {
            "GET /stats": self._show_stats,
            "GET /admin/stats": self._show_stats,
            "GET /metrics": self._show_gauges,
            "GET /admin/behaviour": self._show_behaviour,
            "POST /admin/behaviour": self._change_behaviour,
            "POST /admin/script": self._change_script,
            "GET /admin/bodies": self._show_bodies,
        }

    def _show_stats(self, connection: Connection, _: HttpRequest, __: Sequence[str]) -> None:
        connection.send(200, orjson.dumps(self._stats()))

    def _show_gauges(self, connection: Connection, _: HttpRequest, __: Sequence[str]) -> None:
        """The two gauges of vLLM that tell how long its queue is."""
        lines = (
            "# TYPE vllm:num_requests_running gauge",
            f"vllm:num_requests_running {self._batch.running}",
            "# TYPE vllm:num_requests_waiting gauge",
            f"vllm:num_requests_waiting {self._batch.waiting}",
            "",
        )
        connection.send(200, "\n".join(lines).encode(), content_type=GAUGES)

    def _show_behaviour(self, connection: Connection, _: HttpRequest, __: Sequence[str]) -> None:
        shown = {name: getattr(self._course.behaviour, name) for name in CHANGEABLE}
        connection.send(200, orjson.dumps(shown))

    def _change_behaviour(self, connection: Connection, request: HttpRequest, _: Sequence[str]) -> None:
        self._order(connection, request, self._course.change)

    def _change_script(self, connection: Connection, request: HttpRequest, _: Sequence[str]) -> None:
        self._order(connection, request, self._course.follow)

    def _order(self, connection: Connection, request: HttpRequest, obey: Callable[[Any], None]) -> None:
        try:
            told = orjson.loads(request.body)
            if obey == self._course.change and not isinstance(told, dict):
                raise ConfigError("a change is a JSON object")
            obey(told)
        except (orjson.JSONDecodeError, ConfigError) as error:
            connection.send(400, error_body(str(error), "invalid_request_error"))
        else:
            self._show_behaviour(connection, request, ())

    def _show_bodies(self, connection: Connection, _: HttpRequest, __: Sequence[str]) -> None:
        shown = {f"{key:016x}": seen._asdict() for key, seen in self._census}
        connection.send(200, orjson.dumps(shown))
