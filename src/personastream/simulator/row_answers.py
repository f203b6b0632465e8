"""What a batch's rows are answered, and what they cost. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from orjson import dumps
from xxhash import xxh3_64_intdigest

from personastream.simulator.census import Census
from personastream.simulator.dialect import Dialect, InvalidRequest
from personastream.simulator.draws import draw
from personastream.simulator.faults import Work
from personastream.simulator.service import Service


class RowAnswer(NamedTuple):
    """The status and the body that a request of its own would have got."""

    status: int
    body: bytes
    request_id: str


@dataclass(slots=True)
class RowStats:
    """Rows answered in batches, and the tokens of their completions: a service charges for them apart."""

    batches: int = 0
    batch_rows: int = 0
    batch_rows_failed: int = 0
    batch_input_tokens: int = 0
    batch_cached_tokens: int = 0
    batch_output_tokens: int = 0


class RowAnswers:
    """Answers rows with the service's replies. A share of them fails, anew for each try of a `custom_id`."""

    def __init__(self, service: Service, seed: int, failures: Callable[[], float]) -> None:
        self.stats = RowStats()
        self._service = service
        self._seed = seed
        self._failures = failures
        self._tries = Census()

    def answer(self, custom_id: str, body: Any, dialect: Dialect) -> RowAnswer:
        """One row's answer."""
        self.stats.batch_rows += 1
        key = xxh3_64_intdigest(custom_id.encode())
        number = draw(key, self._tries.ask(key)[0], self._seed)
        request_id = f"req_{number:016x}"
        if number < self._failures() * 2**64:
            status = 500 if number & 1 else 400
            return self._failed(status, "This row was chosen to fail.", dialect, request_id)
        try:
            answer = self._service.row_answer(dumps(body), dialect)
        except InvalidRequest as flaw:
            return self._failed(400, flaw.message, dialect, request_id)
        if answer.work is Work.NONE:
            self.stats.batch_rows_failed += 1
            return RowAnswer(answer.status, answer.body, request_id)
        self._service.mark_made(answer)
        self.stats.batch_input_tokens += answer.tokens.input
        self.stats.batch_cached_tokens += answer.tokens.cached
        self.stats.batch_output_tokens += answer.tokens.output
        return RowAnswer(answer.status, answer.body, request_id)

    def _failed(self, status: int, message: str, dialect: Dialect, request_id: str) -> RowAnswer:
        self.stats.batch_rows_failed += 1
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return RowAnswer(status, dialect.error(status, message, kind), request_id)
