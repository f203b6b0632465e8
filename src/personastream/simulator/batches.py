"""OpenAI's Batch API: what is in an input file, what a batch looks like, its output and error files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orjson import Fragment, JSONDecodeError, dumps, loads

from personastream.simulator.api_error import ApiError
from personastream.simulator.batch_run import ENDS, BatchRun, Phase, shuffled
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.dialect import Dialect
from personastream.simulator.files import File, Files
from personastream.simulator.row_answers import RowAnswer, RowAnswers

ENDPOINTS = {"/v1/chat/completions"}
PAIRS_MAX, KEY_CHARS_MAX, VALUE_CHARS_MAX = 16, 64, 512
ERRORS_TOLD_MAX = 20
_TIMES = {phase: "created_at" if phase is Phase.VALIDATING else f"{phase.value}_at" for phase in Phase}


@dataclass(slots=True, kw_only=True)
class OpenBatch:
    """One batch: what was asked, its life, and the lines of its two files."""

    id: str
    file_id: str
    endpoint: str
    metadata: Mapping[str, str] | None
    created_at: float
    rows: Sequence[Mapping[str, Any]]
    flaws: Sequence[Mapping[str, Any]]
    run: BatchRun
    output: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    output_file: File | None = None
    error_file: File | None = None
    is_written: bool = False

    def shown(self, now_s: float) -> dict[str, Any]:
        """What the API tells of it."""
        moments = {phase: at_s for phase, at_s in self.run.moments().items() if at_s <= now_s}
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.flaws} if self.run.phase(now_s) is Phase.FAILED else None,
            "input_file_id": self.file_id,
            "completion_window": "24h",
            "status": self.run.phase(now_s).value,
            "output_file_id": self.output_file.id if self.output_file else None,
            "error_file_id": self.error_file.id if self.error_file else None,
            "expires_at": int(self.created_at + self.run.window_s),
            "request_counts": {
                "total": 0 if self.run.phase(now_s) in (Phase.VALIDATING, Phase.FAILED) else len(self.rows),
                "completed": len(self.output),
                "failed": len(self.errors),
            },
            "metadata": self.metadata,
        }
        for phase, name in _TIMES.items():
            at_s = moments.get(phase)
            shown[name] = None if at_s is None else int(self.created_at + at_s - self.run.created_s)
        return shown


class Batches:
    """All batches of one server, the oldest first."""

    def __init__(self, files: Files, answers: RowAnswers, dialect: Dialect, tag: int) -> None:
        self._files, self._answers, self._dialect, self._tag = files, answers, dialect, tag
        self._batches: dict[str, OpenBatch] = {}

    def create(self, asked: Any, behaviour: Behaviour, now_s: float, wall_s: float) -> dict[str, Any]:
        """Begin a batch. Raises `ApiError`."""
        file, endpoint, metadata = self._read(asked)
        rows, flaws = read_rows(file.content, endpoint, behaviour.batch_requests_max)
        number = len(self._batches) + 1
        batch = OpenBatch(
            id=f"batch_{self._tag:08x}{number:08x}",
            file_id=file.id,
            endpoint=endpoint,
            metadata=metadata,
            created_at=wall_s,
            rows=rows,
            flaws=flaws,
            run=BatchRun(
                created_s=now_s,
                latency_s=behaviour.batch_latency_s,
                window_s=behaviour.batch_window_s,
                order=shuffled(len(rows), number, self._tag),
                answer=lambda place: self._answer(batch, place),
                valid=not flaws,
            ),
        )
        self._batches[batch.id] = batch
        self._answers.stats.batches += 1
        return batch.shown(now_s)

    def get(self, batch_id: str, now_s: float, wall_s: float) -> dict[str, Any]:
        """What becomes of a batch. Raises `ApiError`."""
        return self._known(batch_id, now_s, wall_s).shown(now_s)

    def cancel(self, batch_id: str, now_s: float, wall_s: float) -> dict[str, Any]:
        """Cancel a batch. Raises `ApiError`."""
        batch = self._known(batch_id, now_s, wall_s)
        if not batch.run.cancel(now_s):
            raise ApiError(409, f"Cannot cancel a batch with status '{batch.run.phase(now_s).value}'.")
        return batch.shown(now_s)

    def page(self, limit: int, after: str | None, now_s: float, wall_s: float) -> dict[str, Any]:
        """Batches, the newest first, from the one after `after`. Raises `ApiError`."""
        ids = list(reversed(self._batches))
        if after is not None:
            self._known(after, now_s, wall_s)
            ids = ids[ids.index(after) + 1 :]
        data = [self.get(each, now_s, wall_s) for each in ids[:limit]]
        return {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": len(ids) > limit,
        }

    def advance(self, now_s: float, wall_s: float) -> None:
        """Bring all batches up to date."""
        for batch in self._batches.values():
            self._bring_up(batch, now_s, wall_s)

    def _known(self, batch_id: str, now_s: float, wall_s: float) -> OpenBatch:
        if batch_id not in self._batches:
            raise ApiError(404, f"No batch found with id '{batch_id[:100]}'.")
        self._bring_up(self._batches[batch_id], now_s, wall_s)
        return self._batches[batch_id]

    def _bring_up(self, batch: OpenBatch, now_s: float, wall_s: float) -> None:
        if batch.is_written:
            return
        batch.run.advance(now_s)
        phase = batch.run.phase(now_s)
        if phase not in ENDS:
            return
        batch.is_written = True
        if phase is Phase.EXPIRED:
            batch.errors += [
                _line(batch, place, None, "batch_expired") for place in batch.run.order[batch.run.answered :]
            ]
        if batch.output:
            name = f"{batch.id}_output.jsonl"
            batch.output_file = self._files.add(name, "batch_output", b"".join(batch.output), wall_s)
        if batch.errors:
            name = f"{batch.id}_error.jsonl"
            batch.error_file = self._files.add(name, "batch_output", b"".join(batch.errors), wall_s)

    def _answer(self, batch: OpenBatch, place: int) -> None:
        row = batch.rows[place]
        answer = self._answers.answer(row["custom_id"], row["body"], self._dialect)
        lines = batch.output if answer.status == 200 else batch.errors
        lines.append(_line(batch, place, answer))

    def _read(self, asked: Any) -> tuple[File, str, Mapping[str, str] | None]:
        if not isinstance(asked, dict):
            raise ApiError(400, "The body must be a JSON object.")
        endpoint, metadata = asked.get("endpoint"), asked.get("metadata")
        if not isinstance(endpoint, str) or endpoint not in ENDPOINTS:
            raise ApiError(400, f"'endpoint' must be one of: {', '.join(sorted(ENDPOINTS))}.", param="endpoint")
        if asked.get("completion_window") != "24h":
            raise ApiError(400, "'completion_window' must be '24h'.", param="completion_window")
        if metadata is not None and not _is_metadata(metadata):
            raise ApiError(400, "'metadata' holds up to 16 short texts by name.", param="metadata")
        if not isinstance(asked.get("input_file_id"), str):
            raise ApiError(400, "'input_file_id' must be the id of a file.", param="input_file_id")
        file = self._files.get(asked["input_file_id"])
        if file.purpose != "batch":
            raise ApiError(400, "The file's purpose must be 'batch'.", param="input_file_id")
        return file, endpoint, metadata


def read_rows(
    content: bytes, endpoint: str, requests_max: int
) -> tuple[list[dict[str, Any]], Sequence[Mapping[str, Any]]]:
    """The rows of an input file, and its flaws, for which a whole batch fails."""
    rows: list[dict[str, Any]] = []
    flaws, seen = [], set[str]()
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        code = _flaw(line, endpoint, seen, rows)
        if code:
            flaws.append({"code": code, "message": f"Line {number}: {code}", "param": None, "line": number})
    if not rows and not flaws:
        flaws.append({"code": "empty_file", "message": "The input file is empty.", "param": None, "line": None})
    if len(rows) > requests_max:
        message = f"A batch holds up to {requests_max} requests."
        flaws.append({"code": "too_many_requests", "message": message, "param": None, "line": None})
    return rows, flaws[:ERRORS_TOLD_MAX]


def _flaw(line: bytes, endpoint: str, seen: set[str], rows: list[dict[str, Any]]) -> str | None:
    """What is wrong with a line, or None: then it is added to the rows."""
    try:
        row = loads(line)
    except JSONDecodeError:
        return "invalid_json_line"
    if not isinstance(row, dict) or not isinstance(row.get("body"), dict):
        return "invalid_request"
    custom_id = row.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        return "missing_custom_id"
    if custom_id in seen:
        return "duplicate_custom_id"
    if row.get("method") != "POST":
        return "invalid_method"
    if row.get("url") != endpoint:
        return "mismatched_url"
    seen.add(custom_id)
    rows.append(row)
    return None


def _line(batch: OpenBatch, place: int, answer: RowAnswer | None, code: str = "") -> bytes:
    line = {
        "id": f"batch_req_{batch.id[6:]}{place:08x}",
        "custom_id": batch.rows[place]["custom_id"],
        "response": answer
        and {"status_code": answer.status, "request_id": answer.request_id, "body": Fragment(answer.body)},
        "error": None if answer else {"code": code, "message": "This request was not run before the batch ended."},
    }
    return dumps(line) + b"\n"


def _is_metadata(metadata: Any) -> bool:
    return (
        isinstance(metadata, dict)
        and len(metadata) <= PAIRS_MAX
        and all(
            isinstance(value, str) and len(name) <= KEY_CHARS_MAX and len(value) <= VALUE_CHARS_MAX
            for name, value in metadata.items()
        )
    )
