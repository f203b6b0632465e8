"""Anthropic's Message Batches: requests sent at once, results read as JSON lines when all have ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orjson import Fragment, dumps, loads

from personastream.simulator.api_error import ApiError
from personastream.simulator.batch_run import ENDS, BatchRun, Phase, shuffled
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.buckets import rfc3339
from personastream.simulator.chat import json_object
from personastream.simulator.dialect import Dialect, InvalidRequest
from personastream.simulator.row_answers import RowAnswers

CUSTOM_ID_CHARS_MAX = 64
_LEFT = {Phase.EXPIRED: "expired", Phase.CANCELLED: "canceled"}


@dataclass(slots=True, kw_only=True)
class OpenMessageBatch:
    """One batch: its requests, its life, and what came of each request by its place."""

    id: str
    created_at: float
    rows: Sequence[Mapping[str, Any]]
    run: BatchRun
    results: dict[int, dict[str, Any]] = field(default_factory=dict)

    def is_ended(self, now_s: float) -> bool:
        """Whether its results may be read."""
        return self.run.phase(now_s) in ENDS

    def shown(self, now_s: float, root: str) -> dict[str, Any]:
        """What the API tells of it."""
        is_ended, moments = self.is_ended(now_s), self.run.moments()
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["processing"] = 0 if is_ended else len(self.rows)  # the others are told when all is over
        for result in self.all_results(now_s).values() if is_ended else ():
            counts[result["type"]] += 1
        is_cancelled = self.run.cancelled_s is not None
        status = "ended" if is_ended else "canceling" if is_cancelled else "in_progress"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": self._at(self.run.created_s),
            "expires_at": self._at(self.run.created_s + self.run.window_s),
            "ended_at": self._at(max(moments.values())) if is_ended else None,
            "cancel_initiated_at": self._at(self.run.cancelled_s),
            "archived_at": None,
            "results_url": f"{root}/messages/batches/{self.id}/results" if is_ended else None,
        }

    def all_results(self, now_s: float) -> dict[int, dict[str, Any]]:
        """What came of each request of a batch that has ended, in the order in which they were answered."""
        left = {"type": _LEFT.get(self.run.phase(now_s), "canceled")}
        return {place: self.results.get(place, left) for place in self.run.order}

    def _at(self, at_s: float | None) -> str | None:
        return None if at_s is None else rfc3339(self.created_at + at_s - self.run.created_s).decode()


class MessageBatches:
    """All message batches of one server, the oldest first. `tag` makes their ids."""

    def __init__(self, answers: RowAnswers, dialect: Dialect, tag: int) -> None:
        self._answers, self._dialect, self._tag = answers, dialect, tag
        self._batches: dict[str, OpenMessageBatch] = {}

    def create(self, body: bytes, behaviour: Behaviour, now_s: float, wall_s: float) -> OpenMessageBatch:
        """Begin a batch. Raises `ApiError`."""
        rows = _read(body, behaviour.batch_requests_max)
        number = len(self._batches) + 1
        batch = OpenMessageBatch(
            id=f"msgbatch_{self._tag:08x}{number:08x}",
            created_at=wall_s,
            rows=rows,
            run=BatchRun(
                created_s=now_s,
                latency_s=behaviour.batch_latency_s,
                window_s=behaviour.batch_window_s,
                order=shuffled(len(rows), number, self._tag),
                answer=lambda place: self._answer(batch, place),
            ),
        )
        self._batches[batch.id] = batch
        self._answers.stats.batches += 1
        return batch

    def get(self, batch_id: str, now_s: float) -> OpenMessageBatch:
        """A batch, up to date. Raises `ApiError`."""
        if batch_id not in self._batches:
            raise ApiError(404, f"No message batch has the id {batch_id[:100]}")
        batch = self._batches[batch_id]
        batch.run.advance(now_s)
        return batch

    def cancel(self, batch_id: str, now_s: float) -> OpenMessageBatch:
        """Cancel a batch that has not ended. Raises `ApiError`."""
        batch = self.get(batch_id, now_s)
        if not batch.run.cancel(now_s):
            raise ApiError(400, f"The message batch {batch_id} has ended.")
        return batch

    def results(self, batch_id: str, now_s: float) -> bytes:
        """The results as JSON lines. Raises `ApiError`."""
        batch = self.get(batch_id, now_s)
        if not batch.is_ended(now_s):
            raise ApiError(404, f"The message batch {batch_id} has not ended.")
        return b"".join(
            dumps({"custom_id": batch.rows[place]["custom_id"], "result": result}) + b"\n"
            for place, result in batch.all_results(now_s).items()
        )

    def page(self, limit: int, after: str | None, now_s: float, root: str) -> dict[str, Any]:
        """Batches, the newest first, from the one after `after`. Raises `ApiError`."""
        ids = list(reversed(self._batches))
        if after is not None:
            self.get(after, now_s)
            ids = ids[ids.index(after) + 1 :]
        data = [self.get(each, now_s).shown(now_s, root) for each in ids[:limit]]
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return {"data": data, "has_more": len(ids) > limit, "first_id": first, "last_id": last}

    def advance(self, now_s: float) -> None:
        """Bring all batches up to date."""
        for batch in self._batches.values():
            batch.run.advance(now_s)

    def _answer(self, batch: OpenMessageBatch, place: int) -> None:
        row = batch.rows[place]
        answer = self._answers.answer(row["custom_id"], row["params"], self._dialect)
        if answer.status == 200:
            batch.results[place] = {"type": "succeeded", "message": Fragment(answer.body)}
        else:
            batch.results[place] = {"type": "errored", "error": loads(answer.body)}


def _read(body: bytes, requests_max: int) -> list[dict[str, Any]]:
    try:
        rows = json_object(body).get("requests")
    except InvalidRequest as flaw:
        raise ApiError(400, flaw.message) from None
    if not isinstance(rows, list) or not 1 <= len(rows) <= requests_max:
        raise ApiError(400, f"requests: A list of 1 to {requests_max} requests is needed.")
    seen = set[str]()
    for place, row in enumerate(rows):
        custom_id = row.get("custom_id") if isinstance(row, dict) else None
        if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= CUSTOM_ID_CHARS_MAX:
            raise ApiError(
                400, f"requests.{place}.custom_id: A text of 1 to {CUSTOM_ID_CHARS_MAX} characters is needed."
            )
        if custom_id in seen:
            raise ApiError(400, f"requests.{place}.custom_id: It was given before.")
        if not isinstance(row.get("params"), dict):
            raise ApiError(400, f"requests.{place}.params: An object is needed.")
        seen.add(custom_id)
    return rows
