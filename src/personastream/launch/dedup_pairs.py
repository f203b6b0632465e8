"""For sampled rows that were dropped: an earlier row that each of them is a copy of.

No index says so. But a transform that learns one frame of its journal, and nothing else, drops the rows whose
partner is in that frame; then halving the rows of the frame finds it. That works for every transform that drops a row
because of one other row. A few pairs are enough, and the first frames have most to do with all that follows: so the
search is over after these.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.text import pack_texts
from personastream.launch.dedup_watch import Sample, Watched, own_records
from personastream.packed import Packed, Places, Texts, as_array
from personastream.ports import Embedding, Source, StatefulTransform
from personastream.records import Batch, Position, Row, Shard
from personastream.sinks.checkpoints import CheckpointLog

PAIRS = 5
FRAMES_SEARCHED_MAX = 32
Delivered = Callable[[int, int], NDArray[np.bool_] | None]
"""Which of the first so many rows of a shard of the source were delivered; None for one known beforehand."""
_NOWHERE = Shard(0, "", "", 0, "")


@dataclass(frozen=True, slots=True)
class Pair:
    """A dropped row and an earlier one that is enough for the transform to drop it, None if that was not found."""

    dropped: Sample
    copy_of: Row | None


@dataclass(frozen=True, slots=True)
class _Rows:
    """Consecutive rows, as columns."""

    shards: Places
    numbers: Places
    texts: Texts

    def __len__(self) -> int:
        return len(self.numbers)

    def before(self, sample: Sample) -> int:
        """How many of them come before it."""
        same = self.shards == sample.shard
        return int(np.count_nonzero((self.shards < sample.shard) | (same & (self.numbers < sample.number))))

    def only(self, chosen: NDArray[np.bool_]) -> "_Rows":
        return _Rows(self.shards[chosen], self.numbers[chosen], self.texts.only(chosen.tobytes()))

    def row(self, at: int) -> Row:
        return Row(int(self.shards[at]), int(self.numbers[at]), self.texts[at])


def pairs(
    watched: Sequence[Watched], checkpoints: CheckpointLog, source: Source, delivered: Delivered
) -> list[list[Pair]]:
    """A few pairs of each transform; samples without a partner if there are no others. The log must be complete.

    Partners are sought among rows that were `delivered`, and among others only if none of those will do.
    """
    found: list[dict[Sample, Row]] = [{} for _ in watched]
    start, shards = Position(0, 0), source.shards()
    for stop, journals in islice(checkpoints.frames(watched), FRAMES_SEARCHED_MAX):
        searched: list[_Rows] = []
        for each, journal, known in zip(watched, journals, found, strict=True):
            if len(known) < PAIRS and isinstance(each.transform, StatefulTransform) and _can_be_tried(each.transform):
                make, left = _maker(each.transform), [sample for sample in each.samples if sample not in known]
                for sample in _met(make, own_records(journal), left):
                    searched = searched or _searched(_rows(source, shards, start, stop), delivered)
                    partner = next(filter(None, (_partner(make, rows, sample) for rows in searched)), None)
                    if partner is not None:
                        known[sample] = partner
                    if len(known) == PAIRS:
                        break
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


def _met(make: Callable[[int], StatefulTransform], records: bytes, samples: Sequence[Sample]) -> Iterator[Sample]:
    """Those that are dropped because of a row in these records."""
    if not records:
        return
    suspects = _dropped(make, records, [sample.text for sample in samples])
    for sample, suspect in zip(samples, suspects, strict=True):
        if suspect and _dropped(make, records, [sample.text])[0]:  # and not because of a sample before it
            yield sample


def _dropped(make: Callable[[int], StatefulTransform], records: bytes, texts: Sequence[str]) -> list[bool]:
    transform = make(len(texts))
    transform.learn(records)
    kept = set(transform(_batch(texts)).numbers)
    return [place not in kept for place in range(len(texts))]


def _partner(make: Callable[[int], StatefulTransform], rows: _Rows, sample: Sample) -> Row | None:
    """The row that is enough to drop the sample, if there is one."""
    first, stop = 0, rows.before(sample)
    while stop - first > 1:
        half = (first + stop) // 2
        first, stop = (first, half) if _drops(make, rows.texts[first:half], sample) else (half, stop)
    return rows.row(first) if stop > first and _drops(make, rows.texts[first:stop], sample) else None


def _drops(make: Callable[[int], StatefulTransform], texts: Sequence[str], sample: Sample) -> bool:
    transform = make(len(texts))
    transform(_batch(texts))
    return not transform(_batch([sample.text])).numbers


def _batch(texts: Sequence[str]) -> Batch:
    return Batch(_NOWHERE, 0, len(texts), range(len(texts)), texts)


def _searched(rows: _Rows, delivered: Delivered) -> list[_Rows]:
    """Those of the rows that were delivered, or known beforehand; then all of them."""
    kept = np.ones(len(rows), np.bool_)
    for shard in np.unique(rows.shards).tolist():
        here = rows.shards == shard
        numbers = rows.numbers[here]
        mask = delivered(shard, int(numbers[-1]) + 1)
        if mask is not None:
            kept[here] = mask[numbers]
    return [rows.only(kept), rows]


def _rows(source: Source, shards: Sequence[Shard], start: Position, stop: Position) -> _Rows:
    """The rows that can be read from `start` to `stop`."""
    places, numbers, texts = list[Places](), list[Places](), list[Packed]()
    for shard in shards[start.shard : stop.shard + 1]:
        end = stop.row if shard.index == stop.shard else 1 << 62
        for batch in source.read(shard, start.row if shard.index == start.shard else 0):
            read = as_array(batch.numbers)
            count = int(np.searchsorted(read, end))
            numbers.append(read[:count])
            places.append(np.full(count, shard.index))
            texts.append(pack_texts(batch.texts).at(slice(count)))
            if batch.stop >= end:
                break
    none = np.empty(0, np.int64)
    return _Rows(np.concatenate([none, *places]), np.concatenate([none, *numbers]), Texts(Packed.join(texts)))
