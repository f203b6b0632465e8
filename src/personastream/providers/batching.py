"""Requests are collected, sent as batches, and answered hours later, at whatever moment the process dies.

A chunk is carried through its life by one of those who wait for it. If that one leaves, the next goes on from what is
on the disk, as another process does after a kill: nothing is lost, and nothing is sent that may have been sent.
"""

import math
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic, time
from typing import Protocol, TypeVar

import anyio
from anyio.to_thread import run_sync

from personastream.errors import AttemptError, Refused, Unauthorized, Unavailable, Unreachable
from personastream.providers.batch_chunk import NOTHING_DONE, Chunk, FreePlaces, Place, Span, key_of
from personastream.providers.batch_patience import until_heard
from personastream.providers.batch_store import PREFIX, BatchStore
from personastream.records import Completion

T = TypeVar("T")

COLLECT_TIMES_MAX = 12
"""A chunk into which rows keep dripping is sent after so many times `collect_s`."""
LINE_BYTES = 300
"""More than a line holds besides the request's body."""
POLL_AGE_SHARE, POLL_TIMES_MAX = 0.05, 10
"""Looking again after a share of the time that a batch has taken wastes no more than that; at most so many `poll_s`."""
SUBMIT_TRIES = 6
SHORT_MAX = 8
"""Fewer answers than the service counts were cut on the way, or hidden by a page of some gateway; or it miscounts."""


class BatchService(Protocol):
    """A service that takes batches, and its settings. All that is async raises `AttemptError`."""

    base_url: str
    batch_requests: int
    batch_bytes_max: int
    collect_s: float
    poll_s: float
    rows_kept: int
    reply_bytes_max: int

    def line(self, custom_id: str, body: bytes) -> bytes:
        """A request as it is put into a batch, with a line feed at its end."""

    async def find(self, chunk: Chunk) -> str:
        """The id of the batch that was made of a chunk; empty if there is none."""

    async def submit(self, chunk: Chunk, requests: bytes) -> str:
        """Make a batch; its id. Sets `in_doubt` before anything is sent that may make one."""

    async def fetch(self, chunk: Chunk, answers: Path) -> int | None:
        """None until its batch has ended; then how many good answers it has, and all that came is in file `answers`.

        A batch of which nothing was done has empty `answers` in the chunk instead, and `flaws` and `otherwise`.
        """

    def outcome(self, line: bytes) -> Completion:
        """What a line of the answers says. Raises `AttemptError`."""


class Batching:
    """The requests of one service on their way through batches, which are kept in `folder`."""

    def __init__(self, service: BatchService, folder: Path) -> None:
        self._service = service
        self._store = BatchStore(folder, service.reply_bytes_max)
        self._free = FreePlaces()
        self._open: Chunk | None = None
        self._is_loaded = False
        self._loading = anyio.Lock()

    async def complete(self, body: bytes) -> Completion:
        """The answer to a request, when its batch has ended. Raises `AttemptError`."""
        await self._load()
        place = self._place(body)
        place.chunk.waiters += 1
        try:
            await self._until_ended(place.chunk)
        except BaseException:
            self._leave(place)
            raise
        else:
            return self._answer(place)
        finally:
            place.chunk.waiters -= 1

    async def forget_answers(self) -> None:
        """Remove all batches that have ended, as far as their folders are sound."""
        with suppress(AttemptError), _faults_of_the_disk():
            await self._load()
            for chunk in self._store.take_ended():
                self._free.drop(chunk, chunk.ids)
                await run_sync(self._store.forget, chunk)

    async def _load(self) -> None:
        if self._is_loaded:
            return
        async with self._loading:
            if not self._is_loaded:
                with _faults_of_the_disk():
                    for place in await run_sync(self._kept_places):
                        self._free.add(place)
                self._is_loaded = True

    def _kept_places(self) -> list[Place]:
        """What earlier lives have left: answers, and requests in batches under way."""
        places = []
        for chunk in self._store.load():
            if chunk.answers is not None:  # of what failed, nothing is kept: it may be asked for again
                places += [Place(chunk, each) for each in chunk.answers if self._is_good(Place(chunk, each))]
            else:
                if chunk.service != self._service.base_url:
                    chunk.answers, chunk.otherwise = {}, self._elsewhere(chunk)
                places += [Place(chunk, each) for each in chunk.ids]
        return places

    def _is_good(self, place: Place) -> bool:
        try:
            self._answer(place)
        except AttemptError:
            return False
        return True

    def _place(self, body: bytes) -> Place:
        """A request's place in a chunk: one that it has already, or a new one."""
        key, service = key_of(body), self._service
        place = self._free.take(key)
        if place is not None:
            return place
        if len(body) + LINE_BYTES > service.batch_bytes_max:
            raise Refused("the request is larger than batch_bytes_max", reason="too_long")
        if self._open is not None and self._open.size_bytes + len(body) + LINE_BYTES > service.batch_bytes_max:
            self._close(self._open)
        if self._open is None:
            self._open = Chunk(f"{PREFIX}{uuid.uuid4().hex}", service.base_url, time())
        chunk = self._open
        custom_id = chunk.next_id(key)
        chunk.add(custom_id, service.line(custom_id, body), monotonic())
        if len(chunk.lines) >= service.batch_requests:
            self._close(chunk)
        return Place(chunk, custom_id)

    def _leave(self, place: Place) -> None:
        """Whoever waited here is gone. What is not on its way yet need not be sent."""
        if place.chunk is self._open:
            place.chunk.remove(place.custom_id)
        else:
            self._free.add(place)

    def _answer(self, place: Place) -> Completion:
        chunk = place.chunk
        assert chunk.answers is not None
        span = chunk.answers.get(place.custom_id)
        if span is None:
            raise chunk.flaws.get(place.custom_id, chunk.otherwise).with_traceback(None)
        with _faults_of_the_disk():
            line = self._store.answer(chunk, span)
        return self._service.outcome(line)

    async def _until_ended(self, chunk: Chunk) -> None:
        """Wait for the end of a batch, or see to it oneself. Raises `AttemptError`."""
        failures = chunk.failures
        while chunk.answers is None:
            async with chunk.turn:
                if chunk.failure is not None and chunk.failures != failures:
                    raise chunk.failure.with_traceback(None)
                if chunk.answers is None:
                    await self._carry(chunk)

    async def _carry(self, chunk: Chunk) -> None:
        """Take a chunk from where it is to its end."""
        try:
            await self._collect(chunk)
            with _faults_of_the_disk():
                if chunk.lines:
                    await run_sync(self._store.write, chunk)
                if not chunk.batch:
                    await self._submit(chunk)
                if chunk.answers is None:
                    await self._see_end(chunk)
        except AttemptError as error:
            chunk.failures += 1
            chunk.failure = error
            raise

    async def _collect(self, chunk: Chunk) -> None:
        while self._open is chunk:
            latest_s = min(chunk.last_s, chunk.first_s + (COLLECT_TIMES_MAX - 1) * self._service.collect_s)
            wait_s = latest_s + self._service.collect_s - monotonic()
            if wait_s <= 0:
                self._close(chunk)
            with anyio.move_on_after(wait_s):
                await chunk.full.wait()

    def _close(self, chunk: Chunk) -> None:
        self._open = None
        chunk.full.set()

    async def _submit(self, chunk: Chunk) -> None:
        requests = await run_sync(self._store.requests, chunk)

        async def submit() -> str:
            if chunk.in_doubt and (found := await self._service.find(chunk)):
                return found
            try:
                return await self._service.submit(chunk, requests)
            except Refused as error:
                await self._give_up(chunk, Unauthorized(error.message, hint=NOTHING_DONE))
                return ""

        batch = await self._heard(submit, chunk, SUBMIT_TRIES)
        if batch:
            await run_sync(self._store.record_batch, chunk, batch)
            chunk.batch = batch

    async def _see_end(self, chunk: Chunk) -> None:
        began_s, poll_s = monotonic(), self._service.poll_s
        while True:
            answers = await self._heard(partial(self._look, chunk), chunk)
            if answers is not None:
                break
            await anyio.sleep(min(POLL_TIMES_MAX * poll_s, max(poll_s, POLL_AGE_SHARE * (monotonic() - began_s))))
        if chunk.answers is not None:
            await self._give_up(chunk, chunk.otherwise)
            return
        await run_sync(self._store.ended, chunk)
        chunk.answers = answers
        for old in self._store.superfluous(chunk, self._service.rows_kept):
            self._free.drop(old, old.ids)
            await run_sync(self._store.forget, old)

    async def _look(self, chunk: Chunk) -> Mapping[str, Span] | None:
        """Where the answers of a batch that has ended are. Raises `AttemptError`."""
        incoming = self._store.incoming(chunk)
        good = await self._service.fetch(chunk, incoming)
        if good is None or chunk.answers is not None:
            return chunk.answers
        answers = await run_sync(self._store.index, chunk, incoming)
        if len(answers) < good and chunk.downloads_short < SHORT_MAX:
            chunk.downloads_short += 1
            raise Unavailable(f"only {len(answers)} of {good} answers have come")
        return answers

    async def _give_up(self, chunk: Chunk, error: AttemptError) -> None:
        """Nothing was done of this chunk, nor will be."""
        await run_sync(self._store.forget, chunk)
        chunk.otherwise, chunk.answers = error, {}

    async def _heard(self, call: Callable[[], Awaitable[T]], chunk: Chunk, tries: float = math.inf) -> T:
        hint = (
            "Check base_url, and that the key is of the same project as before. If the batch is lost, remove "
            f"{self._store.folder / chunk.name}: then its rows are asked, and paid for, again."
        )
        return await until_heard(call, lost_hint=hint, pause_s=self._service.poll_s, tries=tries)

    def _elsewhere(self, chunk: Chunk) -> Unauthorized:
        """Nobody knows here what became of it."""
        return Unauthorized(
            f"a batch is under way at {chunk.service}, and base_url is {self._service.base_url} now",
            hint="Set base_url as it was, and give each provider a batch_dir of its own. "
            f"If the batch is lost, remove {self._store.folder / chunk.name}: "
            "then its rows are asked, and paid for, again.",
        )


@contextmanager
def _faults_of_the_disk() -> Iterator[None]:
    """A disk that is full, or refuses, is no fault of the rows: they wait, and the run ends if that lasts."""
    try:
        yield
    except OSError as error:
        raise Unreachable(f"batches cannot be kept: {error}") from error
