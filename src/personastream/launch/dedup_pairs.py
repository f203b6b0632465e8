"""For sampled rows that were dropped: an earlier row that each of them is a copy of.

No index says so. But a transform that learns one frame of its journal, and nothing else, drops the rows whose
partner is in that frame; then halving the rows of the frame finds it. That works for every transform that drops a row
because of one other row. A few pairs are enough, and the first frames have most to do with all that follows: so the
search is over after these, and takes a second or two.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace
from itertools import islice
from typing import Any, cast

from personastream.launch.dedup_watch import Sample, Watched, own_records
from personastream.ports import Embedding, Source, StatefulTransform
from personastream.records import Batch, Position, Row, Shard
from personastream.sinks.checkpoints import CheckpointLog

PAIRS = 5
FRAMES_SEARCHED_MAX = 32
_NOWHERE = Shard(0, "", "", 0, "")


@dataclass(frozen=True, slots=True)
class Pair:
    """A dropped row and an earlier one that is enough for the transform to drop it, None if that was not found."""

    dropped: Sample
    copy_of: Row | None


def pairs(watched: Sequence[Watched], checkpoints: CheckpointLog, source: Source) -> list[list[Pair]]:
    """A few pairs of each transform; samples without a partner if there are no others. The log must be complete."""
    found: list[dict[Sample, Row]] = [{} for _ in watched]
    start, shards = Position(0, 0), source.shards()
    for stop, journals in islice(checkpoints.frames(watched), FRAMES_SEARCHED_MAX):
        rows: list[Row] = []
        for each, journal, known in zip(watched, journals, found, strict=True):
            if len(known) < PAIRS and isinstance(each.transform, StatefulTransform) and _can_be_tried(each.transform):
                make, left = _maker(each.transform), [sample for sample in each.samples if sample not in known]
                for sample in _met(make, own_records(journal), left)[: PAIRS - len(known)]:
                    rows = rows or list(_rows(source, shards, start, stop))
                    partner = _partner(make, rows, sample)
                    if partner is not None:
                        known[sample] = partner
        start = stop
    return [_told(each.samples, known) for each, known in zip(watched, found, strict=True)]


def _told(samples: Sequence[Sample], known: dict[Sample, Row]) -> list[Pair]:
    told = [Pair(sample, known.get(sample)) for sample in samples]
    return sorted(told, key=lambda pair: pair.copy_of is None)[:PAIRS]


def _can_be_tried(transform: StatefulTransform) -> bool:
    """Whether there can be a new one with the same settings, and to try it on rows costs no requests."""
    return not isinstance(transform, Embedding) and is_dataclass(transform)


def _maker(transform: StatefulTransform) -> Callable[[int], StatefulTransform]:
    def make(rows: int) -> StatefulTransform:
        new = cast(StatefulTransform, replace(cast(Any, transform)))
        new.expect(rows)
        return new

    return make


def _met(make: Callable[[int], StatefulTransform], records: bytes, samples: Sequence[Sample]) -> list[Sample]:
    """Those that are dropped because of a row in these records; or, at times, because of one before them here."""
    if not records:
        return []
    transform = make(len(samples))
    transform.learn(records)
    kept = set(transform(_batch([sample.text for sample in samples])).numbers)
    return [sample for place, sample in enumerate(samples) if place not in kept]


def _partner(make: Callable[[int], StatefulTransform], rows: Sequence[Row], sample: Sample) -> Row | None:
    """The row that is enough to drop the sample, if there is one."""
    rows = [row for row in rows if (row.shard, row.number) < (sample.shard, sample.number)]
    while len(rows) > 1:
        half = len(rows) // 2
        rows = rows[:half] if _drops(make, rows[:half], sample) else rows[half:]
    return rows[0] if rows and _drops(make, rows, sample) else None


def _drops(make: Callable[[int], StatefulTransform], rows: Sequence[Row], sample: Sample) -> bool:
    transform = make(len(rows))
    transform(_batch([row.text for row in rows]))
    return not transform(_batch([sample.text])).numbers


def _batch(texts: Sequence[str]) -> Batch:
    return Batch(_NOWHERE, 0, len(texts), range(len(texts)), texts)


def _rows(source: Source, shards: Sequence[Shard], start: Position, stop: Position) -> Iterator[Row]:
    """The rows that can be read from `start` to `stop`."""
    for shard in shards[start.shard : stop.shard + 1]:
        end = stop.row if shard.index == stop.shard else 1 << 62
        for batch in source.read(shard, start.row if shard.index == start.shard else 0):
            for number, text in zip(batch.numbers, batch.texts, strict=True):
                if number < end:
                    yield Row(shard.index, number, text)
            if batch.stop >= end:
                break
