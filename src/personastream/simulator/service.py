"""What the simulated service answers to a chat request. No I/O and no clock: time is an argument."""

import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass

from xxhash import xxh3_64_intdigest

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.buckets import RateLimits, Refusal, go_duration, retry_headers
from personastream.simulator.census import Census
from personastream.simulator.chat import ChatRequest, InvalidRequest, completion_body, error_body, parse_request
from personastream.simulator.draws import QUANTILES, draw, lognormal
from personastream.simulator.faults import FAULTS, POISON, FaultPlan
from personastream.simulator.replies import Prompt, Reply, Writer, shipped_openings, take_apart

UNAUTHORIZED = error_body("The API key is missing or wrong.", "invalid_request_error", code="invalid_api_key")
_ERRORS = {
    "500": (500, error_body("The server had an error while answering.", "server_error")),
    "503": (503, error_body("The engine is overloaded for now.", "service_unavailable_error")),
    "badrequest": (400, error_body("This request is refused once.", "invalid_request_error")),
    POISON: (400, error_body("This request is always refused.", "invalid_request_error", code="invalid_prompt")),
}
_MEASURES = {"requests": "requests per min (RPM)", "tokens": "tokens per min (TPM)"}


@dataclass(slots=True)
class Answer:
    """What becomes of one request: its outcome, the reply, and after how many seconds it is sent.

    `key` is the body's 64-bit hash; `asked_before` and `answered_before` tell whether this body is new. The
    outcomes are `ok`, `429`, `invalid`, `unauthorized` and the names in `faults.FAULTS`. The token counts are 0
    unless the reply is a whole completion, for which a client pays.
    """

    key: int
    asked_before: int
    answered_before: bool
    headers: bytes
    outcome: str = "ok"
    status: int = 200
    body: bytes = b""
    delay_s: float = 0.0
    persona: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


class Service:
    """One simulated model service with its own limits and memory of what was asked."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._seed = behaviour.seed
        self._bearer = None if behaviour.key is None else b"Bearer " + behaviour.key.encode()
        self._fingerprint = b"fp_%010x" % (draw(0, 0, behaviour.seed) >> 24)
        openings = (*shipped_openings(), *behaviour.openings)
        self._writer = Writer(behaviour.seed, behaviour.output_tokens, openings)
        self._limits = RateLimits(behaviour.requests_per_minute, behaviour.tokens_per_minute, behaviour.burst_s)
        self._faults = FaultPlan(behaviour.faults, behaviour.seed)
        self._delays_s = lognormal(behaviour.latency_s, behaviour.latency_sigma)
        self._census = Census()

    def is_authorized(self, authorization: bytes) -> bool:
        """Whether the value of an Authorization header carries the key, if one is demanded."""
        return self._bearer is None or hmac.compare_digest(authorization, self._bearer)

    def answer(self, body: bytes, authorization: bytes, now_s: float) -> Answer:
        """Decide on one request that arrives at `now_s`, seconds on any monotonic clock."""
        key = xxh3_64_intdigest(body, seed=self._seed)
        before, answered_before = self._census.ask(key)
        answer = Answer(key, before, answered_before, b"x-request-id: req_%016x%04x\r\n" % (key, before))
        if not self.is_authorized(authorization):
            answer.outcome, answer.status, answer.body = "unauthorized", 401, UNAUTHORIZED
            return answer
        try:
            asked = parse_request(body)
        except InvalidRequest as flaw:
            answer.outcome, answer.status = "invalid", 400
            answer.body = error_body(flaw.message, "invalid_request_error", param=flaw.param)
            return answer
        self._complete(answer, asked, now_s)
        return answer

    def mark_answered(self, answer: Answer) -> None:
        """The client has been sent this completion; asking for it again would be paying twice."""
        self._census.mark_answered(answer.key)

    def _complete(self, answer: Answer, asked: ChatRequest, now_s: float) -> None:
        prompt = take_apart(asked.system, asked.user)
        answer.persona = prompt.persona
        replies = self._replies(answer.key, asked, prompt)
        if self._limits and not self._admit(answer, asked, _tokens(replies), now_s):
            return
        attempt = draw(answer.key, answer.asked_before, self._seed)
        fault = self._faults.choose(answer.key, attempt)
        if fault is None:
            self._fill(answer, asked, replies)
        else:
            self._fill_faulty(answer, asked, replies, fault)
        if fault is None or not FAULTS[fault].at_once:
            answer.delay_s = self._delays_s[attempt % QUANTILES]

    def _replies(self, key: int, asked: ChatRequest, prompt: Prompt) -> list[Reply]:
        keys = [key] if asked.choices == 1 else [draw(key, index, self._seed) for index in range(asked.choices)]
        return [self._writer.write(each, prompt, asked.tokens_max) for each in keys]

    def _admit(self, answer: Answer, asked: ChatRequest, output_tokens: int, now_s: float) -> bool:
        refusal = self._limits.admit(asked.input_tokens + output_tokens, now_s)
        answer.headers += self._limits.headers(now_s)
        if refusal is None:
            return True
        answer.outcome, answer.status, answer.body = "429", 429, _too_many(asked.model, refusal)
        answer.headers += retry_headers(refusal.wait_s)
        return False

    def _fill(self, answer: Answer, asked: ChatRequest, replies: Sequence[Reply]) -> None:
        answer.input_tokens, answer.output_tokens = asked.input_tokens, _tokens(replies)
        answer.body = completion_body(
            asked, replies, answer.output_tokens, key=answer.key, fingerprint=self._fingerprint
        )

    def _fill_faulty(self, answer: Answer, asked: ChatRequest, replies: Sequence[Reply], fault: str) -> None:
        answer.outcome = fault
        if fault in _ERRORS:
            answer.status, answer.body = _ERRORS[fault]
        elif fault == "refuse":
            self._fill(answer, asked, [Reply(None, "content_filter", 1)])
        elif fault == "empty":
            self._fill(answer, asked, [Reply("\n", "stop", 1)])
        else:
            self._fill(answer, asked, replies)
            answer.input_tokens = answer.output_tokens = 0
            if fault == "malformed":
                answer.body = answer.body[: len(answer.body) // 2]


def _tokens(replies: Sequence[Reply]) -> int:
    return sum([reply.tokens for reply in replies])


def _too_many(model: str, refusal: Refusal) -> bytes:
    """The body of a 429, with the sentence that clients have learnt to read."""
    measure, limit = _MEASURES[refusal.kind], refusal.per_minute
    if math.isinf(refusal.wait_s):
        message = f"Request too large for {model} on {measure}: Limit {limit}, Requested {refusal.requested}."
    else:
        message = (
            f"Rate limit reached for {model} on {measure}: Limit {limit}, Used {limit - refusal.remaining}, "
            f"Requested {refusal.requested}. Please try again in {go_duration(refusal.wait_s).decode()}."
        )
    return error_body(message, refusal.kind, code="rate_limit_exceeded")
