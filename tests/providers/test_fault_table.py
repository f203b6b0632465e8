"""Each line of docs/faults.md, over a real socket: what one attempt becomes, and what the retry policy makes of it."""

import gzip
import math
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from personastream.core.retry import UNTRIED, Health, RetryPolicy, after_failure
from personastream.core.template import parse_template
from personastream.errors import (
    AttemptError,
    ExitCode,
    ProviderRejected,
    QuotaSpent,
    Refused,
    RowError,
    Unavailable,
)
from personastream.providers import http as service
from personastream.providers.anthropic import Anthropic
from personastream.providers.openai import Openai
from personastream.recipes.generate import Generate
from personastream.records import Completion, Request
from personastream.testing import ScriptedProvider
from tests.support.raw_server import Talk, after, endlessly, hang_up, http, raw_server, reset, silence
from tests.support.virtual import Bench

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
LINE = re.compile(r"^\| (.+?) \| .+ \| (.+?) \| (.+?) \|$", re.MULTILINE)
ASK = Request("", "a baker in Ghent", {})
TOML = """\
description = "a problem"
user = '''
Start with Problem:
<persona>
{persona}
</persona>'''
[reply]
opening = "Problem:"
[parameters]
max_tokens = 50
"""
TEMPLATE = parse_template(TOML, "t.toml")
DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Fault:
    """What the server answers (None: it is gone), and whatever else makes the case."""

    answer: bytes | Talk | None
    api: type[Openai | Anthropic] = Openai
    settings: Mapping[str, Any] = field(default_factory=dict)
    request: Request = ASK
    pause_s: float | None = None
    answered_before: bool = False


def error(status: int, /, *headers: str, **keys: Any) -> bytes:
    return http(status, orjson.dumps({"error": {"message": "no", **keys}}), *headers)


def reply(content: Any = "Problem: one.", finish_reason: str = "stop", usage: Any = None, **message: Any) -> bytes:
    choice = {"message": {"content": content, **message}, "finish_reason": finish_reason}
    return http(200, orjson.dumps({"model": "other", "choices": [choice], "usage": usage}))


def ok(**keys: Any) -> bytes:
    return http(200, orjson.dumps(keys))


BODY = reply().partition(b"\r\n\r\n")[2]
NONSENSE = ("1e308", "-5", "NaN", "99999999")
RETRY_INFO = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
ANTHROPIC_RESET = "anthropic-ratelimit-requests-reset: 2026-10-21T07:28:09Z"
SPENT = {"error_code": "enforced_spend_limit_reached"}

LIMITS = {
    "429 seconds": Fault(error(429, "retry-after: 7"), pause_s=7.0),
    "429 milliseconds": Fault(error(429, "retry-after-ms: 250", "retry-after: 7"), pause_s=0.25),
    "429 date": Fault(error(429, "retry-after: Wed, 21 Oct 2026 07:28:30 GMT", f"date: {DATE}"), pause_s=30.0),
    "429 resets": Fault(
        error(429, "x-ratelimit-reset-requests: 17ms", "x-ratelimit-reset-tokens: 6m0s"), pause_s=360.0
    ),
    "429 anthropic resets": Fault(error(429, ANTHROPIC_RESET, f"date: {DATE}"), api=Anthropic, pause_s=9.0),
    "429 body": Fault(error(429, status="RESOURCE_EXHAUSTED", details=RETRY_INFO), pause_s=34.0),
    "429 forwarded": Fault(error(429, "LLM_Provider-Retry-After: 7"), pause_s=7.0),
    "429 bare": Fault(http(429)),
    **{f"429 nonsense {value}": Fault(error(429, f"retry-after: {value}")) for value in NONSENSE},
    "429 hours": Fault(error(429, "x-ratelimit-reset-requests: 23h47m36.648s"), pause_s=85_656.648),
    "429 quota": Fault(error(429, code="insufficient_quota")),
    "429 quota credit": Fault(error(429, type="credit_balance_exhausted")),
    "budget 422": Fault(error(422, type="budget_exceeded")),
    "budget 429": Fault(error(429, type="budget_exceeded")),
    "429 spend limit": Fault(error(429, type="rate_limit_error", details=SPENT), api=Anthropic),
    "402": Fault(error(402)),
}
TROUBLE = {
    "529": Fault(error(529)),
    "overloaded 500": Fault(error(500, type="overloaded_error"), api=Anthropic),
    "overloaded stream": Fault(
        http(200, b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'), api=Anthropic
    ),
    "503 loading": Fault(error(503, type="unavailable_error", code=503)),
    "503 queue": Fault(http(503, b'{"error": "server busy, please try again"}')),
    **{f"500 {status}": Fault(error(status)) for status in (500, 502, 520, 521, 522, 523, 525, 526)},
    **{f"504 {status}": Fault(error(status)) for status in (504, 524)},
    **{f"408 {status}": Fault(error(status)) for status in (408, 409, 424, 425, 499)},
    **{f"404 {status}": Fault(error(status)) for status in (404, 405, 410)},
    "404 later": Fault(error(404, code="model_not_found"), answered_before=True),
    **{f"401 {status}": Fault(error(status)) for status in (401, 407)},
    "403": Fault(error(403)),
    "403 firewall": Fault(http(403, b"<!DOCTYPE html><title>Attention Required!</title>")),
    "bad key 400": Fault(error(400, status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}])),
    **{f"redirect {status}": Fault(http(status, b"", "location: http://127.0.0.1:9/")) for status in (301, 302, 307)},
}
REFUSALS = {
    **{f"400 {status}": Fault(error(status)) for status in (400, 422)},
    "too long": Fault(error(400, code="context_length_exceeded")),
    "too long 500": Fault(error(500, type="exceed_context_size_error", code=500)),
    "413": Fault(error(413, type="request_too_large"), api=Anthropic),
    "cut prompt": Fault(
        reply(usage={"prompt_tokens": 2050, "completion_tokens": 9}), request=Request("", "words " * 10_000, {})
    ),
    "filter 400": Fault(error(400, code="content_filter")),
    "filter inner": Fault(error(400, code="x", innererror={"code": "ResponsibleAIPolicyViolation"})),
    "filter 403": Fault(error(403, code=403, metadata={"reasons": ["x"], "flagged_input": "x"})),
    "filter 200": Fault(ok(choices=[{"finish_reason": "content_filter", "index": 0}])),
    "refusal": Fault(reply(None, refusal="No.")),
    "anthropic refusal": Fault(ok(type="message", content=[], stop_reason="refusal"), api=Anthropic),
}
NO_ANSWERS = {
    "200 error code": Fault(ok(error={"code": 429, "message": "upstream is busy"})),
    "200 error": Fault(ok(error={"message": "something"})),
    "200 broken off": Fault(reply("Problem: o", "error")),
    "no choices": Fault(ok(choices=None)),
    "200 page": Fault(http(200, b"<!DOCTYPE html><title>Just a moment...</title>", "content-type: text/html")),
    "200 half": Fault(http(200, BODY[: len(BODY) // 2])),
    "200 stream": Fault(http(200, b'data: {"choices": [{"delta": {"content": "Pro"}}]}\n\ndata: [DONE]\n\n')),
    "empty choices": Fault(ok(choices=[])),
    "null content": Fault(reply(None)),
    "blank content": Fault(reply(" \n\t ")),
    "length": Fault(reply("Problem: how many", "length")),
    "length empty": Fault(reply(None, "length", reasoning_content="Hm.")),
    "contract": Fault(reply("Sure! Here is one.")),
    "other model": Fault(reply()),
    "odd usage": Fault(reply(usage={"prompt_tokens": -1, "completion_tokens": "9" * 99})),
}
SHORT = {"reply_bytes_max": 9999}
CONNECTION = {
    "refused": Fault(None),
    "no name": Fault(None, settings={"base_url": "http://no-such-host.invalid/v1"}),
    "closed": Fault(hang_up),
    "reset": Fault(reset),
    "closed late": Fault(hang_up),
    "body cut": Fault(after(http(200, BODY[:9], length=90), hang_up)),
    "chunks cut": Fault(after(CHUNKED + b"40\r\n" + BODY[:9], hang_up)),
    "body cut unseen": Fault(after(HEAD + b"\r\n" + BODY[:20], hang_up)),
    "hang": Fault(silence, settings={"timeout_s": 0.1}),
    "trickle": Fault(after(http(200, length=1 << 20), endlessly(b" ", 0.01)), settings={"timeout_s": 0.1}),
    "compressed": Fault(http(200, gzip.compress(bytes(1 << 20)), "content-encoding: gzip")),
    "too much": Fault(after(CHUNKED, endlessly(b"1000\r\n" + b" " * 4096 + b"\r\n", 0)), settings=SHORT),
    "long headers": Fault(HEAD + b"x: " + b"a" * 200_000 + b"\r\ncontent-length: 0\r\n\r\n"),
    "another protocol": Fault(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
}  # fmt: skip
FAULTS = {**LIMITS, **TROUBLE, **REFUSALS, **NO_ANSWERS, **CONNECTION}
ELSEWHERE = {"handshake", "certificate"}
"""Lines whose tests stand in test_tls.py."""


def documented() -> dict[str, tuple[str, str]]:
    """(becomes, then) of each line of the document."""
    heads = ("fault", "then", "---")
    lines = LINE.findall(DOCUMENT.read_text("utf-8").partition("## Limits")[2])
    return {name: (becomes, then) for name, becomes, then in lines if name not in heads}


def line_of(name: str) -> str:
    """The line that a case belongs to: the longest that its name starts with."""
    return max((line for line in documented() if f"{name} ".startswith(f"{line} ")), key=len, default="none")


async def outcome(fault: Fault) -> Completion | AttemptError:
    """What one attempt becomes."""
    async with AsyncExitStack() as serving:
        server = await serving.enter_async_context(raw_server(fault.answer or b""))
        if fault.answer is None:
            await serving.aclose()
        settings: dict[str, Any] = {"base_url": server.base_url, "model": "m", "timeout_s": 20.0, **fault.settings}
        provider = fault.api(api_key_env="NO_SUCH_KEY", **settings)
        try:
            with anyio.fail_after(30):
                return await provider.complete(fault.request)
        except AttemptError as error:
            return error
        finally:
            await provider.aclose()


def becomes(found: Completion | AttemptError) -> str:
    if isinstance(found, Completion):
        return "a completion"
    return type(found).__name__ + (", billed" if isinstance(found, Unavailable) and found.billed else "")


def then(found: Completion | AttemptError, fault: Fault) -> str:
    """What follows from the first attempt of a row, in the words of the document."""
    if isinstance(found, Completion):
        problem = TEMPLATE.contract.problem(found.text, found.finish_reason)
        return f"dead: {problem}" if problem else "delivered"
    health = Health(RetryPolicy(), last_success_s=0.0, answered=fault.answered_before)
    try:
        verdict = after_failure(found, UNTRIED, health, now_s=1.0, chance=0.5)
    except RowError as dead:
        assert isinstance(found, Refused)
        return f"dead: {dead.reason}"
    if verdict.out is not None:
        return "out for now" if verdict.out.exit_code == ExitCode.WORK_LEFT else "out"
    if verdict.pause_s is not None:
        return "pause"
    if verdict.trial.stale:
        return "at once"
    return "again" if verdict.trial.faults else "wait"


@pytest.fixture(autouse=True)
def late(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes any time a long time, for the case that needs one."""
    if "closed late" in request.node.name:
        monkeypatch.setattr(service, "STALE_S_MAX", 0.0)


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=FAULTS.keys())
async def test_a_fault_becomes_what_the_table_says(name: str, fault: Fault) -> None:
    found = await outcome(fault)
    assert (becomes(found), then(found, fault)) == documented()[line_of(name)]
    if fault.pause_s is not None:
        assert getattr(found, "retry_after_s", None) == fault.pause_s


ROWS = 30
VICTIM = 7
ATTEMPTS = {"again": 2, "at once": 2, "wait": 2, "pause": 2, "out": 1, "out for now": 1, "delivered": 1}
ATTEMPTS |= {"dead: empty_content": 3, "dead: contract": 3, "length empty": 2}
"""Of a row that meets a fault once, or each time if it is dead. Any other dead row was asked once."""
ATTEMPTS_OF_THE_UNLUCKY = {"again": 4, "at once": 7}


@dataclass
class Replayed(ScriptedProvider):
    """One row meets what a socket gave, `times` times or, if it is out, all rows do; the others are answered."""

    found: Completion | AttemptError = field(default_factory=lambda: Unavailable(""))
    times: float = math.inf
    everybody: bool = False

    async def complete(self, request: Request) -> Completion:
        unmet = self._asked.get(request.user, 0) < self.times
        answer = await super().complete(request)
        if not (self.everybody or (unmet and f"row {VICTIM}\n" in request.user)):
            return answer._replace(text="Problem: one.")
        if isinstance(self.found, AttemptError):
            raise self.found
        return self.found


def sat(folder: Path, provider: Replayed) -> tuple[int, str]:
    """(attempts of the row, what it became) in a run of the whole engine, on a virtual clock."""
    file = folder / "t.toml"
    file.write_text(TOML, "utf-8")
    bench = Bench([[f"row {row}" for row in range(ROWS)]], provider=provider, recipe=Generate(template=str(file)))
    end = "left"
    try:
        assert bench.sit().finished
        end = bench.dead().get(f"shard-0:{VICTIM}", "delivered")
        assert len(bench.delivered()) == ROWS - (end != "delivered"), "others are not harmed"
    except (ProviderRejected, QuotaSpent) as stopped:
        end = f"left, exit {stopped.exit_code:d}"
    return sum(f"row {VICTIM}\n" in request.user for request in provider.requests), end


@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=FAULTS.keys())
@pytest.mark.slow
def test_a_row_that_meets_a_fault_ends_as_the_table_says(name: str, fault: Fault, tmp_path: Path) -> None:
    what = documented()[line_of(name)][1]
    found = anyio.run(outcome, fault)
    if what.startswith("out"):
        expected = f"left, exit {75 if what == 'out for now' else 77}"
        assert sat(tmp_path, Replayed(latency_s=1.0, found=found, everybody=True))[1] == expected
        return
    dead = what.startswith("dead: ")
    assert sat(tmp_path, Replayed(latency_s=1.0, found=found, times=math.inf if dead else 1)) == (
        ATTEMPTS.get(name, ATTEMPTS.get(what, 1)),
        what.removeprefix("dead: ") if dead else "delivered",
    )
    if what in ATTEMPTS_OF_THE_UNLUCKY:
        unlucky = Replayed(latency_s=1.0, found=found)
        assert sat(tmp_path, unlucky) == (ATTEMPTS_OF_THE_UNLUCKY[what], "retries_exhausted")


def test_each_line_of_the_table_has_a_case_and_each_case_a_line() -> None:
    assert {line_of(name) for name in FAULTS} | ELSEWHERE == documented().keys()
