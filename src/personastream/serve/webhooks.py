"""Webhooks: telling others what happens to jobs, signed, again and again until they have heard it.

Law: a message is on the disk before the teller goes on, and until it was answered with 2xx. So each is delivered at
least once, in whatever order; its `webhook-id` tells a repeated one. Signatures are those of Standard Webhooks, which
libraries for most languages verify. Nothing of rows, prompts or replies is in a message, and no key.
"""

import base64
import hashlib
import hmac
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import anyio
import anyio.to_thread
import orjson

from personastream import __version__
from personastream.serve.happenings import Happening, Kind
from personastream.serve.log import Log
from personastream.serve.outbox import MESSAGE_BYTES_MAX, MESSAGES_MAX, Message, Outbox
from personastream.serve.plain import plain, words
from personastream.serve.view import ServiceView
from personastream.serve.webhook_settings import Target

RETRY_S_MAX = 600.0
SIGNATURE = "v1,"

_SAID: dict[Kind, str] = {
    Kind.DONE: "is done",
    Kind.PAUSED: "is paused",
    Kind.FAILED: "has failed",
    Kind.WAITING: "waits, and tries again by itself",
    Kind.BUDGET_80: "has spent 80 % of its budget",
    Kind.BUDGET_100: "has spent its budget",
}

Describe = Callable[[str], Mapping[str, object]]
"""Figures of a job, or of the service if the name is empty; they go into the message."""


def signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    """What proves that a message comes from whoever has the key, and has not been changed."""
    signed = b".".join((id.encode(), timestamp.encode(), body))
    return SIGNATURE + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def nothing(_: str) -> Mapping[str, object]:
    """No figures."""
    return {}


@dataclass(slots=True)
class Webhooks:
    """Tells `targets` what they want to hear. Listen with `hear`; `deliver` works until it is cancelled."""

    targets: Sequence[Target]
    folder: Path
    log: Log
    describe: Describe = nothing
    chance: random.Random = field(default_factory=random.Random)
    _outbox: Outbox = field(init=False)
    _queues: dict[str, list[Message]] = field(init=False)
    _news: anyio.Event = field(init=False, default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self._outbox = Outbox(self.folder)
        self._queues = {target.id: [] for target in self.targets}
        self.log.secrets.add(*(secret for target in self.targets for secret in target.secrets))

    def hear(self, happening: Happening) -> None:
        """Keep a message for each target that wants to know of it; it is on the disk on return."""
        wanted = [target.id for target in self.targets if happening.kind.value in target.events]
        if not wanted:
            return
        for message in self._outbox.put(self._body(happening), wanted):
            self._queue(message)
        self._wake()

    async def deliver(self) -> None:
        """Until cancelled. What is left then waits on the disk for the next start."""
        for message in await anyio.to_thread.run_sync(self._outbox.waiting):
            known = message.target in self._queues
            if known and all(message != other for other in self._queues[message.target]):
                self._queue(message)
            elif not known:
                self._give_up(message, "nobody is told at this address any more")
        async with (
            aiohttp.ClientSession(
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"personastream/{__version__}"},
            ) as web,
            anyio.create_task_group() as deliveries,
        ):
            for target in self.targets:
                deliveries.start_soon(self._serve, web, target)

    async def _serve(self, web: aiohttp.ClientSession, target: Target) -> None:
        """One target: one message at a time, those that have failed least and are oldest first."""
        queue = self._queues[target.id]
        while True:
            message = min(queue, key=lambda each: (each.due_s, each.id), default=None)
            wait_s = message.due_s - time.monotonic() if message is not None else None
            if message is None or (wait_s is not None and wait_s > 0):
                with anyio.move_on_after(wait_s):
                    await self._news.wait()
                continue
            why = await self._attempt(web, target, message)
            if not why:
                self._drop(message)
            elif time.time() - message.at_s > target.give_up_s:
                self._give_up(message, why)
            else:
                await self._postpone(target, message, why)

    async def _attempt(self, web: aiohttp.ClientSession, target: Target, message: Message) -> str:
        """Empty if it was taken, else why not."""
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(target.key, message.id, timestamp, message.body),
        }
        limit = aiohttp.ClientTimeout(total=target.timeout_s)
        try:
            async with web.post(
                target.url, data=message.body, headers=headers, allow_redirects=False, timeout=limit
            ) as reply:
                return "" if 200 <= reply.status < 300 else f"status {reply.status}"
        except TimeoutError:
            return f"no answer within {target.timeout_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__  # their words may hold the address

    async def _postpone(self, target: Target, message: Message, why: str) -> None:
        message.tries += 1
        pause_s = min(RETRY_S_MAX, target.retry_s * 2 ** min(message.tries - 1, 20))
        message.due_s = time.monotonic() + pause_s * self.chance.uniform(0.5, 1.0)
        self.log.warning("webhook_failed", host=target.shown, id=message.id, why=why, tries=message.tries)
        if message.tries == 1:  # it may wait for long: now it is worth a sync
            await anyio.to_thread.run_sync(self._outbox.sync, [message])

    def _queue(self, message: Message) -> None:
        queue = self._queues[message.target]
        queue.append(message)
        if len(queue) > MESSAGES_MAX:
            self._give_up(min(queue, key=lambda each: each.id), f"more than {MESSAGES_MAX} messages wait")

    def _give_up(self, message: Message, why: str) -> None:
        self._drop(message)
        self.log.error("webhook_given_up", id=message.id, target=message.target, why=why, tries=message.tries)

    def _drop(self, message: Message) -> None:
        queue = self._queues.get(message.target, [])
        if message in queue:  # it may have been given up while it was sent
            queue.remove(message)
        self._outbox.drop(message)

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    def _body(self, happening: Happening) -> bytes:
        secrets, job = self.log.secrets, words(happening.job, self.log.secrets)
        facts = {**self.describe(happening.job), **happening.details}
        data = plain(facts, secrets)
        assert isinstance(data, dict)
        said = f"personastream: {f'job {job}' if job else 'the service'} {_SAID.get(happening.kind, happening.kind)}"
        why = facts.get("why")
        document = {
            "type": f"{'job' if job else 'service'}.{happening.kind.value}",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "text": f"{said}: {words(str(why), secrets)}" if why else said,
            "data": {**({"job": job} if job else {}), **data},
        }
        body = orjson.dumps(document)
        return body if len(body) <= MESSAGE_BYTES_MAX else orjson.dumps({**document, "data": {"job": job}})


def figures(view: Callable[[], ServiceView]) -> Describe:
    """Tells of a job how far it is and what it has cost; of the service, what all have cost."""

    def told(name: str) -> Mapping[str, object]:
        seen = view()
        job = next((each for each in seen.jobs if each.name == name), None)
        if job is None:
            return {"spend": seen.spend, "spend_max": seen.spend_max}
        kept = ("why", "hint", "exit_code", "directory", "stage", "delivered", "spend", "spend_max")
        counts = {"dropped": sum(job.dropped.values()), "dead": sum(job.dead.values())}
        return {**{each: getattr(job, each) for each in kept}, **counts}

    return told
