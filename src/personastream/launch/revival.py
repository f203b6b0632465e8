"""Dead rows are given another chance: asked again (`retry`), or their kept replies read again (`reparse`).

Reviving is one commit to a shard's dead letters: from then on the row has no end, like one that was in flight when a
run stopped, and the next sitting brings it to one. The letters stay where they are, as history.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

import anyio

from personastream.core import ranges
from personastream.core.ranges import Ranges
from personastream.errors import AttemptError, RowError
from personastream.ports import Ask, Recipe, ShardState, Sink
from personastream.records import Completion, DeadRow, Request, Row

Chosen = Callable[[int, DeadRow], bool]
"""Whether a dead row of a shard is to be revived."""


def revive(sink: Sink, states: Sequence[ShardState], chosen: Chosen) -> int:
    """Take back the chosen ones of all dead rows that a model was asked for; returns how many. Durable on return.

    `sink` must be recovered. Raises `DiskFull` or `StorageFailed`; what was revived before that stays so.
    """
    revived = 0
    for shard, state in enumerate(states):
        if state.counts.dead_total:
            rows = _rows(sink, shard, state, chosen)
            if rows:
                sink.revive(shard, rows)
                revived += sum(map(ranges.count, rows.values()))
    return revived


def with_reasons(reasons: Collection[str]) -> Chosen:
    """Rows that died for one of `reasons`; for any, if there are none."""
    return lambda _, row: not reasons or row.reason in reasons


def whose_reply_is_good(recipe: Recipe, parse: Callable[[bytes], Completion]) -> Chosen:
    """Rows that the recipe delivers with nothing but the reply that they already got."""

    def good(shard: int, row: DeadRow) -> bool:
        again = Row(shard, row.number, row.text, origin=row.origin)
        try:
            recipe(again, once(row.response)).send(None)
        except StopIteration:
            return True
        except (RowError, AttemptError):
            return False
        except anyio.NoEventLoopError:  # it does more than ask
            with suppress(RowError, AttemptError):
                anyio.run(recipe, again, once(row.response))
                return True
        return False

    def once(response: str) -> Ask:
        replies = [response.encode()]

        async def ask(request: Request) -> Completion:
            if not replies:
                raise RowError("more than one reply is needed", reason="asked_again")
            return parse(replies.pop())

        return ask

    asks_once = getattr(recipe, "requests_per_row", 1) == 1  # of several steps, nobody knows which one was kept
    return lambda shard, row: asks_once and bool(row.response) and good(shard, row)


def _rows(sink: Sink, shard: int, state: ShardState, chosen: Chosen) -> Mapping[str, Ranges]:
    """The rows to be revived, by reason. Of several letters of a row, the last one tells."""
    wanted: dict[int, str] = {}
    for row, asked in sink.letters(shard):
        if asked and not ranges.contains(state.revived, row.number) and chosen(shard, row):
            wanted[row.number] = row.reason
        else:
            wanted.pop(row.number, None)
    numbers: dict[str, list[int]] = {}
    for number, reason in wanted.items():
        numbers.setdefault(reason, []).append(number)
    return {reason: ranges.from_numbers(each) for reason, each in numbers.items()}
