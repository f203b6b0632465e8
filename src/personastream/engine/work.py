"""Work: N identical tasks, each carrying one row at a time through the recipe to its end."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import orjson

from personastream.engine.feed import Feed
from personastream.engine.pool import Abandoned
from personastream.engine.screening import Screening
from personastream.engine.settle import Settle
from personastream.engine.stop import Stop
from personastream.errors import AttemptError, RowError, RunError, ScreenedOut, Unavailable, Unscreened
from personastream.ports import Ask, Recipe
from personastream.records import Completion, DeadRow, Request, Row

RESPONSE_BYTES_KEPT_MAX = 1 << 20

Parse = Callable[[bytes], Completion]
"""Reads a raw reply again. Raises `AttemptError` for one that makes no sense."""


def no_parse(body: bytes) -> Completion:
    """For a provider that cannot read kept replies: all are asked for again."""
    raise Unavailable("kept replies are not read")


async def work(
    feed: Feed,
    recipe: Recipe,
    ask: Ask,
    parse: Parse,
    settle: Settle,
    stop: Stop,
    screening: Screening | None = None,
) -> None:
    """Take rows until there are none. A `RunError` drains the run; the row is left unsettled, to be asked again."""
    while (row := await feed.next()) is not None:
        asking = ask if screening is None else Remembering(ask, row.reply.encode())
        try:
            if screening is not None:
                row, marks = await screening.row(row, ask)
            from_kept = row.reply and _asks_once(recipe)
            records = await _from_kept(row, recipe, asking, parse) if from_kept else await recipe(row, asking)
            if screening is not None:
                records = await screening.records(row, records, marks, ask)
            lines = encode(row.id, records)
        except ScreenedOut as screened:
            settle.screened(row, screened.reason)
        except RowError as error:
            if isinstance(error, Unscreened) and isinstance(asking, Remembering) and _asks_once(recipe):
                error.response = asking.reply  # paid for, and to be judged when the row is asked again
            settle.dead(row.shard, _dead(row, error))
        except RunError as error:
            stop.fail(error)
        except Abandoned:
            return
        else:
            settle.delivered(row, lines)


@dataclass(slots=True)
class Remembering:
    """An `ask` that keeps the last raw reply: that of an earlier sitting, as long as there is no other."""

    ask: Ask
    reply: bytes

    async def __call__(self, request: Request) -> Completion:
        completion = await self.ask(request)
        self.reply = completion.body
        return completion


def _asks_once(recipe: Recipe) -> bool:
    """Whether a row's kept reply answers for all of it: of several steps, nobody knows which one it was."""
    return getattr(recipe, "requests_per_row", 1) == 1


async def _from_kept(row: Row, recipe: Recipe, ask: Ask, parse: Parse) -> Sequence[dict[str, object]]:
    """The row's records, of the reply that is paid for already if it is good now; else all is asked for again."""
    kept, asked = [row.reply], False

    async def ask_once_less(request: Request) -> Completion:
        nonlocal asked
        while kept:
            with suppress(AttemptError):
                return parse(kept.pop().encode())
        asked = True
        return await ask(request)

    try:
        return await recipe(row, ask_once_less)
    except RowError:
        if asked:
            raise
    return await recipe(row, ask)


def encode(identity: str, records: Sequence[dict[str, object]]) -> list[bytes]:
    """Records as JSON lines with their ids: the row's, then `#k` for the k-th of several.

    Raises `RowError` for what JSON cannot hold, `ValueError` for what a recipe must not do.
    """
    if not records or "id" in records[0]:
        raise ValueError("a recipe must give one record or more, and leave `id` to the engine")
    try:
        if len(records) == 1:
            return [orjson.dumps({"id": identity, **records[0]})]
        return [orjson.dumps({"id": f"{identity}#{k}", **record}) for k, record in enumerate(records)]
    except orjson.JSONEncodeError as error:
        raise RowError(f"a record cannot be written as JSON: {error}", reason="unwritable_record") from error


def _dead(row: Row, error: RowError) -> DeadRow:
    response = error.response[:RESPONSE_BYTES_KEPT_MAX].decode("utf-8", "replace")
    return DeadRow(row.number, error.reason, error.message, row.text, response, row.origin, row.licence)
