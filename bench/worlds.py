"""Endpoints as they are met, simulated on a virtual clock, and a client with endless work before them.

* `Hosted`: requests per second by a token bucket that holds 5 s of them; what is above is turned away after 50 ms.
  Service takes lognormal time, median 8 s, 99 % below 25 s, however many are served. The rate may change with time.
* `Flaky`: turns some requests away whatever their rate.
* `Batched`: a server like vLLM that never turns a request away. It works on at most `slots` requests at once, the
  others queue; a step of all slots makes a token for each and takes 20 ms and 0.12 ms more for each request in it.
  Answers have lognormal lengths, median 300 tokens.

Discrete events, no threads, no real time; a world is the same each time for the same seed.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

SERVICE_S_MEDIAN = 8.0
SERVICE_SIGMA = math.log(25 / 8) / 2.326
REFUSED_AFTER_S = 0.05
SERVICE_S_FLAKY = 0.1
BURST_S = 5.0
TOKENS_PER_S = 50.0
TOKENS_MEDIAN = 300.0
TOKENS_SIGMA = 0.6
STEP_S = 0.020
STEP_S_EACH = 0.00012
DIP_S = (600.0, 1200.0)


class Limiter(Protocol):
    """What decides when to send: `Pace`, or one of those it is compared with."""

    @property
    def limit(self) -> int: ...
    def wait_s(self, now_s: float, in_flight: int) -> float: ...
    def sent(self, now_s: float) -> None: ...
    def answered(self, now_s: float, sent_s: float, output_tokens: int, headers: Mapping[str, str] | None) -> None: ...
    def throttled(self, now_s: float, sent_s: float, pause_s: float | None) -> None: ...


class Reply(NamedTuple):
    """How a request ended. Refused: 0 tokens, and perhaps the pause that is asked for."""

    at_s: float
    sent_s: float
    service_s: float
    tokens: int
    pause_s: float | None = None
    headers: Mapping[str, str] | None = None


class Server(Protocol):
    """One simulated endpoint. `ideal` is the best goodput possible between two times: requests or tokens."""

    in_tokens: bool

    def arrive(self, now_s: float) -> None: ...
    def next_s(self) -> float: ...
    def pop(self) -> Reply: ...
    def ideal(self, start_s: float, stop_s: float) -> float: ...


class Hosted:
    """A token bucket before servers without number. `rate` gives requests per second at a time.

    A refusal names a pause if `retry_after`, in whole seconds as usual; answers carry headers if `headers`.
    """

    in_tokens = False

    def __init__(
        self, seed: int, rate: Callable[[float], float], *, retry_after: bool = False, headers: bool = False
    ) -> None:
        self._draws = random.Random(seed)
        self._rate = rate
        self._retry_after = retry_after
        self._headers = headers
        self._held = rate(0.0) * BURST_S
        self._filled_s = 0.0
        self._replies: list[Reply] = []

    def arrive(self, now_s: float) -> None:
        rate = self._rate(now_s)
        self._held = min(rate * BURST_S, self._held + (now_s - self._filled_s) * rate)
        self._filled_s = now_s
        if self._held < 1.0:
            pause_s = float(math.ceil((1.0 - self._held) / rate)) if self._retry_after else None
            self._push(Reply(now_s + REFUSED_AFTER_S, now_s, 0.0, 0, pause_s))
            return
        self._held -= 1.0
        service_s = self._draws.lognormvariate(math.log(SERVICE_S_MEDIAN), SERVICE_SIGMA)
        tokens = max(1, int(service_s * TOKENS_PER_S))
        self._push(
            Reply(now_s + service_s, now_s, service_s, tokens, None, self._told(rate) if self._headers else None)
        )

    def next_s(self) -> float:
        return self._replies[0].at_s if self._replies else math.inf

    def pop(self) -> Reply:
        return heapq.heappop(self._replies)

    def ideal(self, start_s: float, stop_s: float) -> float:
        steps = int(stop_s - start_s)
        return math.fsum(self._rate(start_s + step) for step in range(steps))

    def _push(self, reply: Reply) -> None:
        heapq.heappush(self._replies, reply)

    def _told(self, rate: float) -> Mapping[str, str]:
        size = rate * BURST_S
        return {
            "x-ratelimit-limit-requests": str(int(size)),
            "x-ratelimit-remaining-requests": str(int(self._held)),
            "x-ratelimit-reset-requests": f"{(size - self._held) / rate:.3f}s",
        }


class Flaky:
    """An endpoint without any limit that turns a share of all requests away, as one bad replica behind a balancer does.

    Service takes 0.1 s; a refusal names `pause_s`, if that is not None.
    """

    in_tokens = False

    def __init__(self, seed: int, share: float, pause_s: float | None, in_flight_max: int) -> None:
        self._draws = random.Random(seed)
        self._share = share
        self._pause_s = pause_s
        self._rate_max = in_flight_max / SERVICE_S_FLAKY
        self._replies: list[Reply] = []

    def arrive(self, now_s: float) -> None:
        if self._draws.random() < self._share:
            reply = Reply(now_s + REFUSED_AFTER_S, now_s, 0.0, 0, self._pause_s)
        else:
            reply = Reply(now_s + SERVICE_S_FLAKY, now_s, SERVICE_S_FLAKY, 100)
        heapq.heappush(self._replies, reply)

    def next_s(self) -> float:
        return self._replies[0].at_s if self._replies else math.inf

    def pop(self) -> Reply:
        return heapq.heappop(self._replies)

    def ideal(self, start_s: float, stop_s: float) -> float:
        return (1 - self._share) * self._rate_max * (stop_s - start_s)


class Batched:
    """Continuous batching before an endless queue, first come first served.

    All running requests advance together, so time is counted in steps: one that needs k tokens ends k steps after it
    began, and a step takes as long as the requests in it make it.
    """

    in_tokens = True

    def __init__(self, seed: int, slots: int) -> None:
        self._draws = random.Random(seed)
        self._slots = slots
        self._steps = 0.0
        self._now_s = 0.0
        self._running: list[tuple[float, float, float, int]] = []  # (last step, sent, began, tokens)
        self._queue: deque[tuple[float, int]] = deque()

    def arrive(self, now_s: float) -> None:
        self._advance(now_s)
        tokens = max(1, int(self._draws.lognormvariate(math.log(TOKENS_MEDIAN), TOKENS_SIGMA)))
        if len(self._running) < self._slots:
            self._start(now_s, tokens)
        else:
            self._queue.append((now_s, tokens))

    def next_s(self) -> float:
        if not self._running:
            return math.inf
        return self._now_s + max(0.0, self._running[0][0] - self._steps) * self._step_s(len(self._running))

    def pop(self) -> Reply:
        self._advance(self.next_s())
        _, sent_s, began_s, tokens = heapq.heappop(self._running)
        if self._queue:
            self._start(*self._queue.popleft())
        return Reply(self._now_s, sent_s, self._now_s - began_s, tokens)

    def ideal(self, start_s: float, stop_s: float) -> float:
        return (stop_s - start_s) * self._slots / self._step_s(self._slots)

    def _start(self, sent_s: float, tokens: int) -> None:
        heapq.heappush(self._running, (self._steps + tokens, sent_s, self._now_s, tokens))

    def _advance(self, now_s: float) -> None:
        if self._running:
            self._steps += (now_s - self._now_s) / self._step_s(len(self._running))
        self._now_s = now_s

    @staticmethod
    def _step_s(running: int) -> float:
        return STEP_S + STEP_S_EACH * running


class Sample(NamedTuple):
    """How things stood: the limit, requests in flight, and what was counted since the start."""

    at_s: float
    limit: int
    in_flight: int
    answered: int
    tokens: int
    refused: int


@dataclass(slots=True)
class Seen:
    """What a client has seen of a world. `in_flight_s` is the integral of the requests in flight over time."""

    answered: int = 0
    tokens: int = 0
    refused: int = 0
    in_flight_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    services_s: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def count(self, reply: Reply) -> None:
        if not reply.tokens:
            self.refused += 1
            return
        self.answered += 1
        self.tokens += reply.tokens
        self.latencies_s.append(reply.at_s - reply.sent_s)
        self.services_s.append(reply.service_s)


def simulate(
    server: Server, limiter: Limiter, stop_s: float, *, start_s: float = 0.0, sample_s: float = math.inf
) -> Seen:
    """Send as `limiter` allows, with work without end, until `stop_s`; a sample each `sample_s`.

    Only what happens from `start_s` on is counted, except in the samples.
    """
    seen, all_seen = Seen(), Seen()
    now_s, in_flight, next_sample_s = 0.0, 0, sample_s
    while True:
        while (wait_s := limiter.wait_s(now_s, in_flight)) == 0.0:
            limiter.sent(now_s)
            server.arrive(now_s)
            in_flight += 1
        event_s = min(server.next_s(), now_s + wait_s, next_sample_s, stop_s)
        seen.in_flight_s += in_flight * max(0.0, event_s - max(now_s, start_s))
        now_s = event_s
        if now_s >= stop_s:
            return seen
        if now_s >= next_sample_s:
            next_sample_s += sample_s
            counts = (all_seen.answered, all_seen.tokens, all_seen.refused)
            seen.samples.append(Sample(now_s, limiter.limit, in_flight, *counts))
        elif now_s >= server.next_s():
            reply = server.pop()
            in_flight -= 1
            _tell(limiter, reply)
            all_seen.count(reply)
            if now_s >= start_s:
                seen.count(reply)


def _tell(limiter: Limiter, reply: Reply) -> None:
    if reply.tokens:
        limiter.answered(reply.at_s, reply.sent_s, reply.tokens, reply.headers)
    else:
        limiter.throttled(reply.at_s, reply.sent_s, reply.pause_s)


def ten(_: float) -> float:
    """Ten requests a second."""
    return 10.0


def dip(now_s: float) -> float:
    """Forty requests a second, but ten from 600 to 1,200 s."""
    return 10.0 if DIP_S[0] <= now_s < DIP_S[1] else 40.0


class World(NamedTuple):
    """A world by name: how to make its server from a seed, and how many requests may be in flight at most."""

    title: str
    make: Callable[[int], Server]
    in_flight_max: int


WORLDS = {
    "hosted": World("Hosted, 10 requests/s", lambda seed: Hosted(seed, ten), 512),
    "hosted_retry_after": World(
        "Hosted, 10 requests/s, Retry-After", lambda seed: Hosted(seed, ten, retry_after=True), 512
    ),
    "changing": World("Changing, 40, 10, 40 requests/s", lambda seed: Hosted(seed, dip), 512),
    "batched_64": World("Batched, 64 slots", lambda seed: Batched(seed, 64), 4096),
    "batched_256": World("Batched, 256 slots", lambda seed: Batched(seed, 256), 4096),
}
