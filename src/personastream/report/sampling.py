"""Which records are looked at: all of a small run; of a large one every so-manyth line of evenly spread frames.

The law: the same run, seed and size give the same sample, and each record has the same chance of being in it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

import orjson

from personastream.core import ranges
from personastream.core.outcomes import Usage
from personastream.report.logs import Frame, FrameRead, Log, Logs
from personastream.report.records import Item, parse

T = TypeVar("T")
Watched = Callable[[Sequence[T], str], Iterable[T]]
"""Hands on the members of a sequence one by one, and may show how far it has come with what the words say."""

FRAMES_MIN = 1000
"""More frames than hold the sample: neighbours are alike, so it is drawn from many."""
LETTERS_MAX = 5_000
DROPS_MAX = 5


@dataclass(frozen=True, slots=True)
class Letter:
    """One sampled dead letter."""

    id: str
    reason: str
    detail: str
    text: str


@dataclass(slots=True)
class Sample:
    """What was drawn of a run. `spent` has each record's share of what all records cost: (tokens in, out, money)."""

    items: list[Item] = field(default_factory=list)
    spent: list[tuple[float, float, float]] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    drops: dict[str, list[str]] = field(default_factory=dict)
    frames_read: int = 0
    unreadable: int = 0

    @property
    def usage(self) -> tuple[float, float, float]:
        """What the sampled records cost together."""
        input_tokens, output_tokens, nanos = (math.fsum(column) for column in zip(*self.spent, strict=True))
        return input_tokens, output_tokens, nanos


def draw(logs: Logs, wanted: int, seed: int, watched: "Watched[Frame]") -> Sample:
    """`wanted` records, or about as many, with dead letters and the places of dropped rows."""
    sample = Sample()
    frames, stride = plan(logs.data, wanted, seed)
    skipped = Random(f"{seed}:lines").randrange(stride)
    for read in logs.read(_evenly(watched, frames, "records")):
        skipped = _take_in(sample, read, stride, skipped)
    sample.spent = _parts_of(logs.usage, [item.tokens for item in sample.items])
    frames, stride = plan(logs.dead, LETTERS_MAX, seed)
    skipped = 0
    for read in logs.read(_evenly(watched, frames, "dead letters")):
        chosen = read.lines[skipped::stride]
        skipped = (skipped - len(read.lines)) % stride
        sample.letters += filter(None, (_letter(line, logs) for line in chosen))
    return sample


def plan(log: Log, wanted: int, seed: int) -> tuple[list[Frame], int]:
    """Which frames to read, and of their lines, one after the other, every how-manyth to take."""
    if log.lines <= wanted or not log.frames:
        return log.frames, 1
    per_frame = log.lines / len(log.frames)
    count = min(len(log.frames), max(FRAMES_MIN, math.ceil(2 * wanted / per_frame)))
    start = Random(f"{seed}:frames").random()
    frames = [log.frames[int((place + start) * len(log.frames) / count)] for place in range(count)]
    return frames, max(1, round(count * per_frame / wanted))


def _evenly(watched: "Watched[Frame]", frames: Sequence[Frame], words: str) -> Iterable[Frame]:
    return watched(frames, words) if frames else ()


def _take_in(sample: Sample, read: FrameRead, stride: int, skipped: int) -> int:
    """Take every `stride`-th line of a frame; returns how many lines of the next one to pass over."""
    sample.frames_read += 1
    chosen = read.lines[skipped::stride]
    items = [item for line in chosen if (item := parse(line, read.part.shard)) is not None]
    sample.unreadable += len(chosen) - len(items)
    sample.items += items
    for reason, rows in read.commit.outcomes.dropped.items():
        known = sample.drops.setdefault(reason, [])
        if len(known) < DROPS_MAX and rows:
            known.append(f"{read.part.shard}:{rows[0][0]}")
    return (skipped - len(read.lines)) % stride


def _parts_of(usage: Usage, tokens: Sequence[int]) -> list[tuple[float, float, float]]:
    """A run's usage, asked again and again included, shared out among records by their own tokens.

    Not commit by commit: the usage of one may be of rows that another one holds.
    """
    total = sum(tokens)
    weights = [each / total for each in tokens] if total else [1 / len(tokens) for _ in tokens]
    return [
        (weight * usage.input_tokens, weight * usage.output_tokens, weight * usage.spend_nanos) for weight in weights
    ]


def _letter(line: bytes, logs: Logs) -> Letter | None:
    """The letter in a line, unless its row lives again."""
    try:
        told = orjson.loads(line)
        identity, reason, detail, text = (str(told[key]) for key in ("id", "reason", "detail", "text"))
        shard, _, number = identity.rpartition(":")
        if ranges.contains(logs.gone.get(shard, ()), int(number)):
            return None
    except (ValueError, KeyError, TypeError):
        return None
    return Letter(identity, reason, detail, text)
