"""What the simulated service answers to a request. No I/O and no clock: time is an argument."""

import hmac
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orjson import dumps
from xxhash import xxh3_64_intdigest

from personastream.simulator.batching import Batch
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.buckets import RateLimits, Refusal, go_duration, retry_headers
from personastream.simulator.census import Census
from personastream.simulator.chat import Chat
from personastream.simulator.connection import JSON
from personastream.simulator.dialect import NO_TOKENS, ChatRequest, Dialect, InvalidRequest, Tokens
from personastream.simulator.draws import FOR_TRACE, QUANTILES, draw, lognormal
from personastream.simulator.endings import Parcel
from personastream.simulator.fault_errors import ERRORS, HTML, ErrorReply, html_page
from personastream.simulator.fault_replies import TRUNCATED_TOKENS, spoil
from personastream.simulator.faults import FAULTS, POISON, FaultPlan, Work
from personastream.simulator.messages import VERSION_HEADER, Messages
from personastream.simulator.people import labels_in, people_for
from personastream.simulator.prompt_cache import PromptCache
from personastream.simulator.replies import (
    BYTES_PER_TOKEN,
    Prompt,
    Reply,
    Writer,
    cut_reply,
    shipped_openings,
    take_apart,
)
from personastream.simulator.scripted import read_replies
from personastream.simulator.structured import conforming
from personastream.simulator.trace import Sample, read_trace

MODELS = "GET /v1/models"
MESSAGES = "/v1/messages"

_CHAT_LINE, _MESSAGES_LINE = "POST /v1/chat/completions", f"POST {MESSAGES}"

CALLS_REMEMBERED = 100_000
"""Requests of other kinds than chat, of which it is known how often they came."""

_UNAUTHORIZED = ERRORS["401"]
_VERSIONLESS = ErrorReply(400, "anthropic-version: header is required", "invalid_request_error")
_MEASURES = {
    "requests": "requests per min (RPM)",
    "tokens": "tokens per min (TPM)",
    "input-tokens": "input tokens per min (ITPM)",
    "output-tokens": "output tokens per min (OTPM)",
}


@dataclass(slots=True)
class Answer:
    """What becomes of one request: its outcome, the reply, and after how many seconds it is sent.

    `key` is the body's 64-bit hash; `asked_before` and `answered_before` tell whether this body is new. The
    outcomes are `ok`, `429`, `invalid`, `unauthorized` and the names in `faults.FAULTS`; the simulator adds `gone` and
    `dead`. `work` says whether a
    completion is generated, of so many `tokens`; one that is `queued` takes its place in the batch after that time.
    """

    key: int
    asked_before: int
    answered_before: bool
    headers: bytes
    outcome: str = "ok"
    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    delay_s: float = 0.0
    queued: bool = False
    persona: str = ""
    work: Work = Work.NONE
    tokens: Tokens = NO_TOKENS


class Service:
    """One simulated model service with its own limits and memory of what was asked."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.census = Census()
        self.batch = Batch()
        self.chat = Chat(b"fp_%010x" % (draw(0, 0, behaviour.seed) >> 24))
        self.messages = Messages()
        self._behaviour = behaviour
        self._seed = behaviour.seed
        self._key = None if behaviour.key is None else behaviour.key.encode()
        self._openings = (*shipped_openings(), *behaviour.openings)
        self._trace: Sequence[Sample] = read_trace(behaviour.trace) if behaviour.trace else ()
        self._scripted = read_replies(behaviour.replies) if behaviour.replies else {}
        self._calls = Census(CALLS_REMEMBERED)
        self._cache = PromptCache()
        self._limits = RateLimits(behaviour.per_minute, behaviour.burst_s)
        self.adopt(behaviour, 0.0)

    def adopt(self, behaviour: Behaviour, now_s: float) -> None:
        """Behave like this from now on; what was asked is not forgotten, and limits keep what they hold."""
        old, self._behaviour = self._behaviour, behaviour
        self._writer = Writer(self._seed, behaviour.output_tokens, self._openings, behaviour.wrong_solutions)
        self._faults = FaultPlan(behaviour.faults, self._seed)
        self._delays_s = lognormal(behaviour.latency_s, behaviour.latency_sigma)
        if (old.per_minute, old.burst_s) != (behaviour.per_minute, behaviour.burst_s):
            self._limits.change(behaviour.per_minute, behaviour.burst_s, now_s)
        self.batch.change(
            slots=behaviour.slots,
            queue_max=behaviour.queue_max,
            step_s=behaviour.step_s / behaviour.speed,
            growth_s=behaviour.step_growth_s / behaviour.speed,
        )

    def is_authorized(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the headers carry the key, if one is demanded: as a bearer token or as `x-api-key`."""
        if self._key is None:
            return True
        bearer = hmac.compare_digest(headers.get(b"authorization", b""), b"Bearer " + self._key)
        return bearer or hmac.compare_digest(headers.get(b"x-api-key", b""), self._key)

    def answer(
        self,
        body: bytes,
        headers: Mapping[bytes, bytes],
        now_s: float,
        *,
        dialect: Dialect | None = None,
        wall_s: float = 0.0,
    ) -> Answer:
        """Decide on one chat request that arrives at `now_s`, seconds on any monotonic clock; `wall_s` since 1970."""
        dialect = dialect or self.chat
        key = xxh3_64_intdigest(body, seed=self._seed)
        answer = Answer(key, *self.census.ask(key), b"")
        answer.headers = b"%b: req_%016x%04x\r\n" % (dialect.id_header, key, answer.asked_before)
        if not self.is_authorized(headers):
            self._refuse(answer, dialect, _UNAUTHORIZED, wall_s, "unauthorized")
        elif dialect is self.messages and VERSION_HEADER not in headers:
            self._refuse(answer, dialect, _VERSIONLESS, wall_s, "invalid")
        else:
            try:
                asked = dialect.parse(body)
            except InvalidRequest as flaw:
                answer.outcome, answer.status = "invalid", 400
                answer.body = dialect.error(400, flaw.message, "invalid_request_error", param=flaw.param)
            else:
                self._complete(answer, dialect, asked, now_s, wall_s)
        return answer

    def call(
        self,
        line: str,
        material: bytes,
        headers: Mapping[bytes, bytes],
        make: Callable[[], Parcel],
        wall_s: float,
    ) -> Answer:
        """Decide on a request of another kind: `line` names it, `material` is all it holds, `make` does what it asks.

        A fault may come before that is done, or after, so that the client does not learn of it.
        """
        key = xxh3_64_intdigest(line.encode() + material, seed=self._seed)
        before, _ = self._calls.ask(key)
        dialect: Dialect = self.messages if MESSAGES in line else self.chat
        answer = Answer(key, before, False, b"%b: req_%016x%04x\r\n" % (dialect.id_header, key, before))
        if not self.is_authorized(headers):
            self._refuse(answer, dialect, _UNAUTHORIZED, wall_s, "unauthorized")
            return answer
        attempt = draw(key, before, self._seed)
        fault = self._faults.pick(attempt) if self._is_faulty(line) else None
        if fault is None or not FAULTS[fault].at_once:
            answer.delay_s = self._delays_s[attempt % QUANTILES]
        if fault is None or _is_done(fault):
            parcel = make()
            answer.status, answer.body, answer.content_type = parcel.status, parcel.body, parcel.content_type
            answer.headers += parcel.headers
        if fault is not None:
            self._spoil(answer, dialect, fault, wall_s)
        return answer

    def row_answer(self, body: bytes, dialect: Dialect) -> Answer:
        """The answer to a request that came in a batch: without limits, delays and faults, but for poison.

        Raises `InvalidRequest`.
        """
        key = xxh3_64_intdigest(body, seed=self._seed)
        answer = Answer(key, *self.census.ask(key), b"")
        asked = dialect.parse(body)
        if self._faults.is_poisoned(key):
            self._spoil(answer, dialect, POISON, 0.0)
        else:
            self._fill(answer, dialect, asked, self._replies(key, asked, take_apart(asked.system, asked.user)))
        return answer

    def mark_made(self, answer: Answer) -> None:
        """A completion was made for this request; asking for it again would be paying twice."""
        self.census.mark(answer.key, answered=answer.work is Work.WHOLE)

    def _complete(self, answer: Answer, dialect: Dialect, asked: ChatRequest, now_s: float, wall_s: float) -> None:
        behaviour = self._behaviour
        if 0 < behaviour.context_tokens < asked.input_tokens:
            if not behaviour.truncates:
                self._spoil(answer, dialect, "too-long", wall_s)
                return
            asked = _truncated(asked, behaviour.context_tokens)
        prompt = take_apart(asked.system, asked.user)
        answer.persona = prompt.persona
        if behaviour.slots and self.batch.is_full():
            self._spoil(answer, dialect, "503-queue", wall_s)
            return
        replies = self._replies(answer.key, asked, prompt)
        if self._limits and not self._admit(answer, dialect, asked, replies, now_s, wall_s):
            return
        attempt = draw(answer.key, answer.asked_before, self._seed)
        line = _CHAT_LINE if dialect is self.chat else _MESSAGES_LINE
        fault = self._faults.choose(answer.key, attempt) if self._is_faulty(line) else None
        if fault is None or _is_done(fault):
            self._fill(answer, dialect, asked, replies)
        if fault is not None:
            self._spoil(answer, dialect, fault, wall_s)
        if fault is None or not FAULTS[fault].at_once:
            answer.queued = behaviour.slots > 0
            answer.delay_s = self._latency_s(answer.key, attempt)

    def _is_faulty(self, line: str) -> bool:
        wanted = self._behaviour.faults_on
        return line.startswith(wanted) if wanted else not line.startswith(MODELS)

    def _sample(self, key: int) -> Sample:
        return self._trace[draw(key, FOR_TRACE, self._seed) % len(self._trace)]

    def _latency_s(self, key: int, attempt: int) -> float:
        recorded_s = self._sample(key).latency_s if self._trace and not self._behaviour.slots else None
        return self._delays_s[attempt % QUANTILES] if recorded_s is None else recorded_s

    def _replies(self, key: int, asked: ChatRequest, prompt: Prompt) -> list[Reply]:
        keys = [key] if asked.choices == 1 else [draw(key, index, self._seed) for index in range(asked.choices)]
        if self._scripted and (text := self._scripted.get(prompt.persona.strip())) is not None:
            return [cut_reply(text, asked.tokens_max)] * len(keys)
        if asked.schema is not None:
            return [self._structured(each, asked, prompt, asked.schema) for each in keys]
        if not self._trace:
            return [self._writer.write(each, prompt, asked.tokens_max) for each in keys]
        return [self._writer.write(each, prompt, asked.tokens_max, self._sample(each).output_tokens) for each in keys]

    def _structured(self, key: int, asked: ChatRequest, prompt: Prompt, schema: Mapping[str, Any]) -> Reply:
        text = self._writer.write(key, prompt, None).text or ""
        people = people_for(labels_in(prompt.instructions), key)
        return cut_reply(dumps(conforming(schema, text, key, people)).decode(), asked.tokens_max)

    def _admit(
        self,
        answer: Answer,
        dialect: Dialect,
        asked: ChatRequest,
        replies: Sequence[Reply],
        now_s: float,
        wall_s: float,
    ) -> bool:
        refusal = self._limits.admit(asked.input_tokens, _output_tokens(replies), now_s)
        if dialect is self.messages:
            answer.headers += self._limits.anthropic_headers(now_s, wall_s)
        else:
            answer.headers += self._limits.openai_headers(now_s)
        if refusal is None:
            return True
        answer.outcome, answer.status = "429", 429
        answer.body = dialect.error(429, _words(asked.model, refusal), refusal.kind, code="rate_limit_exceeded")
        answer.headers += retry_headers(refusal.wait_s)
        return False

    def _fill(self, answer: Answer, dialect: Dialect, asked: ChatRequest, replies: Sequence[Reply]) -> None:
        tokens_min = self._behaviour.cache_tokens_min
        cached = self._cache.known(asked, tokens_min) if asked.input_tokens >= tokens_min else 0
        answer.work, answer.tokens = Work.WHOLE, Tokens(asked.input_tokens, cached, _output_tokens(replies))
        answer.body = dialect.completion(asked, replies, answer.tokens, answer.key)

    def _spoil(self, answer: Answer, dialect: Dialect, fault: str, wall_s: float) -> None:
        if fault in ERRORS:
            self._refuse(answer, dialect, ERRORS[fault], wall_s, fault)
        else:
            parcel = Parcel(answer.status, answer.body, answer.headers, answer.content_type)
            answer.status, answer.body, answer.headers, answer.content_type = spoil(parcel, fault)
        answer.outcome, answer.work = fault, FAULTS[fault].work
        if answer.work is Work.NONE:
            answer.tokens = NO_TOKENS
        elif fault == "truncated":
            answer.tokens = answer.tokens._replace(input=min(answer.tokens.input, TRUNCATED_TOKENS), cached=0)

    def _refuse(self, answer: Answer, dialect: Dialect, error: ErrorReply, wall_s: float, outcome: str) -> None:
        answer.outcome, answer.status = outcome, error.status
        if error.page:
            answer.body, answer.content_type = html_page(error.page), HTML
        else:
            answer.body = dialect.error(error.status, error.message, error.kind, code=error.code)
        if error.headers is not None:
            answer.headers += error.headers(self._behaviour.retry_after_s, wall_s)


def _is_done(fault: str) -> bool:
    """Whether the service does what is asked before it meets this fault."""
    return FAULTS[fault].work is not Work.NONE or fault not in ERRORS


def _output_tokens(replies: Sequence[Reply]) -> int:
    return sum([reply.tokens for reply in replies])


def _truncated(asked: ChatRequest, tokens: int) -> ChatRequest:
    """What an Ollama server keeps of a prompt that is too long: its end."""
    kept = asked.user.encode()[-tokens * BYTES_PER_TOKEN :].decode(errors="ignore")
    return asked._replace(system="", user=kept, input_tokens=tokens)


def _words(model: str, refusal: Refusal) -> str:
    """What a 429 says, in the sentence that clients have learnt to read."""
    measure, limit = _MEASURES[refusal.kind], refusal.per_minute
    if math.isinf(refusal.wait_s):
        return f"Request too large for {model} on {measure}: Limit {limit}, Requested {refusal.requested}."
    return (
        f"Rate limit reached for {model} on {measure}: Limit {limit}, Used {limit - refusal.remaining}, "
        f"Requested {refusal.requested}. Please try again in {go_duration(refusal.wait_s).decode()}."
    )
