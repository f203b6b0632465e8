"""What OpenAI's Batch API says of requests: the lines of its answers, and why a whole batch was not begun. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from personastream.errors import AttemptError, Refused, Throttled, Unauthorized, Unavailable, Unreachable
from personastream.providers.batch_chunk import NOTHING_DONE
from personastream.providers.chat_replies import completion
from personastream.providers.faults import BODY_BYTES_KEPT_MAX, fault, fault_inside, one_line, text
from personastream.records import Completion

NOT_RUN = frozenset({"batch_expired", "batch_cancelled"})
QUEUE_FULL = "token_limit_exceeded"
QUEUE_PAUSE_S = 60.0
"""So many tokens may wait in batches at once; there is room again when another batch ends."""
NO_HEADERS: Mapping[str, str] = {}


def outcome(line: bytes) -> Completion:
    """The completion in one line of the answers. Raises `AttemptError`."""
    try:
        told = orjson.loads(line)
        response, error = told.get("response"), told.get("error")
        body = orjson.dumps(response["body"]) if response else orjson.dumps({"error": error})
        status = response["status_code"] if response else 0
    except (ValueError, TypeError, KeyError, AttributeError) as broken:
        raise Unavailable("a line of a batch's answers makes no sense", billed=True) from broken
    if status == 200:
        return completion(body)
    if isinstance(status, int) and 100 <= status < 1000:
        raise fault(status, NO_HEADERS, body)
    if isinstance(error, dict) and text(error.get("code")) in NOT_RUN:
        raise Unreachable("its batch ended before this request was run")
    raise fault_inside(NO_HEADERS, body)


def flaws(told: Any, ids: Sequence[str]) -> tuple[dict[str, AttemptError], AttemptError]:
    """Why a batch failed as a whole: what is wrong with single requests, by custom id, and what the others are told."""
    data = told.get("data") if isinstance(told, dict) else None
    found = [flaw for flaw in data if isinstance(flaw, dict)] if isinstance(data, list) else []
    by_id: dict[str, AttemptError] = {
        ids[line - 1]: _refused(flaw) for flaw in found if (line := _line(flaw, len(ids)))
    }
    if by_id:
        return by_id, Unreachable("its batch failed for the faults of other requests")
    first = found[0] if found else {"message": "without a reason"}
    message = f"the service has failed a whole batch: {one_line(text(first.get('message')))[:300]}"
    if text(first.get("code")) == QUEUE_FULL:
        return {}, Throttled(message, pause_s=QUEUE_PAUSE_S)
    return {}, Unauthorized(message, hint=NOTHING_DONE)


def _line(flaw: Mapping[str, Any], lines: int) -> int:
    """The line that a flaw is about, from 1; 0 for none."""
    line = flaw.get("line")
    return line if type(line) is int and 1 <= line <= lines else 0


def _refused(flaw: Mapping[str, Any]) -> Refused:
    words = one_line(text(flaw.get("message")))[:300]
    return Refused(f"refused in a batch: {words}", reason="bad_request", body=orjson.dumps(flaw)[:BODY_BYTES_KEPT_MAX])
