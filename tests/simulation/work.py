"""What rows become in a simulation: any end, with lines that say whose they are and in which sitting they were made."""

import base64
from collections.abc import Sequence
from random import Random

from personastream.core import ranges
from personastream.core.frame_log import LogKind
from personastream.core.outcomes import Outcomes, Usage
from personastream.ports import Chunk
from tests.simulation.conditions import STEMS, Conditions

WINDOW_ROWS = 12
DROP_REASONS = ("exact", "near")
DEAD_REASONS = ("contract", "refused")
_NOISE = base64.b64encode(Random(0).randbytes(1 << 16))
"""Text that hardly compresses, to make frames that span many sectors."""


def take_group(waiting: list[tuple[int, int]], conditions: Conditions, chance: Random) -> list[tuple[int, int]]:
    """Some rows that finish next, as (shard, number): in any order, but not far from the front."""
    count = chance.randint(1, conditions.commit_rows_max)
    return [waiting.pop(chance.randrange(min(WINDOW_ROWS, len(waiting)))) for _ in range(min(count, len(waiting)))]


def chunks(group: Sequence[tuple[int, int]], sitting: int, conditions: Conditions, chance: Random) -> list[Chunk]:
    """The group's rows with an end each, as the engine hands them to the sink: by shard, data before dead."""
    found = []
    for shard in sorted({shard for shard, _ in group}):
        numbers = [number for other, number in group if other == shard]
        found += _of_shard(shard, numbers, sitting, conditions, chance)
    return found


def _of_shard(shard: int, numbers: Sequence[int], sitting: int, conditions: Conditions, chance: Random) -> list[Chunk]:
    lines: dict[LogKind, list[bytes]] = {"data": [], "dead": []}
    delivered: list[int] = []
    dropped: dict[str, list[int]] = {}
    dead: dict[str, list[int]] = {}
    for number in numbers:
        match chance.random():
            case end if end < 0.65:
                delivered.append(number)
                lines["data"] += _records(shard, number, sitting, conditions, chance)
            case end if end < 0.8:
                dropped.setdefault(chance.choice(DROP_REASONS), []).append(number)
            case _:
                dead.setdefault(chance.choice(DEAD_REASONS), []).append(number)
                lines["dead"].append(_line(shard, str(number), sitting, conditions, chance))
    settled: dict[LogKind, Outcomes] = {
        "data": Outcomes(delivered=ranges.from_numbers(delivered), dropped=_by_reason(dropped)),
        "dead": Outcomes(dead=_by_reason(dead)),
    }
    return [
        Chunk(shard, kind, lines[kind], outcomes, Usage(chance.randint(1, 9), chance.randint(0, 99), sitting))
        for kind, outcomes in settled.items()
        if outcomes.settled()
    ]


def _by_reason(rows: dict[str, list[int]]) -> dict[str, list[ranges.Range]]:
    return {reason: ranges.from_numbers(numbers) for reason, numbers in rows.items()}


def _records(shard: int, number: int, sitting: int, conditions: Conditions, chance: Random) -> list[bytes]:
    if chance.random() < 0.8:
        return [_line(shard, str(number), sitting, conditions, chance)]
    return [_line(shard, f"{number}#{k}", sitting, conditions, chance) for k in range(chance.randint(2, 3))]


def _line(shard: int, place: str, sitting: int, conditions: Conditions, chance: Random) -> bytes:
    size = chance.randint(500, 6000) if chance.random() < conditions.long_share else chance.randint(0, 40)
    at = chance.randrange(len(_NOISE) - size)
    head = f'{{"id":"{STEMS[shard]}:{place}","sitting":{sitting},"text":"'.encode()
    return head + _NOISE[at : at + size] + b'"}'
