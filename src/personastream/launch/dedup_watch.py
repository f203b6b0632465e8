"""What a dedup job tells of dropped rows: how large groups of duplicates are, and samples. In bounded memory.

Both are samples by hash, so that they depend on the rows alone, not on their order or on how often the job was
killed; and both are kept in the transform's journal, as decisions are.
"""

import struct
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson
from numpy.typing import NDArray

from personastream.core.outcomes import Counts
from personastream.dedup import hash_texts
from personastream.packed import as_array
from personastream.ports import StatefulTransform, Transform
from personastream.records import Batch
from personastream.transforms.dedup import Dedup

SAMPLES = 50
"""More than are told: not of every one of them is a partner found."""
GROUPS_MAX = 1 << 16
_ALL = 1 << 64
_HEAD = struct.Struct("<QQ")
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that the product differs for every row


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """A dropped row. `rank` is a hash of its place; the lowest ranks of all dropped rows are kept."""

    rank: int
    shard: int
    number: int
    text: str


@dataclass(slots=True)
class Groups:
    """How often keys were seen, of a share of all keys that is halved whenever there are too many."""

    limit: int = _ALL
    sizes: Counter[int] = field(default_factory=Counter)

    def add(self, keys: NDArray[np.uint64]) -> bytes:
        """Count keys; returns those that count, as records."""
        counted = keys[keys < self.limit] if self.limit < _ALL else keys
        self.sizes.update(counted.tolist())
        while len(self.sizes) > GROUPS_MAX:
            self.limit //= 2
            self.sizes = Counter({key: size for key, size in self.sizes.items() if key < self.limit})
        return counted.astype("<u8").tobytes()

    @property
    def share(self) -> float:
        """The share of all groups that is counted here."""
        return self.limit / _ALL


@dataclass(slots=True)
class Watched:
    """A transform that is looked at while it works; to a run, it is a stateful transform like any other.

    Shards before `first_shard` only teach it: nothing is told of their rows but `known`, for each of these shards how
    many could be read, and why others could not.
    """

    transform: Transform
    first_shard: int = 0
    known: dict[int, Counts] = field(default_factory=dict)
    groups: Groups | None = None
    samples: list[Sample] = field(default_factory=list)
    _keys: list[bytes] = field(default_factory=list)
    _new: list[Sample] = field(default_factory=list)
    _new_known: dict[int, Counts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.transform, Dedup):
            self.groups = Groups()

    def __call__(self, batch: Batch) -> Batch:
        after = self.transform(batch)
        if batch.shard.index < self.first_shard:
            self._count(batch)
        if len(after.numbers) < len(batch.numbers) and batch.shard.index >= self.first_shard:
            self._look(batch, after)
        return after

    def expect(self, rows: int) -> None:
        if isinstance(self.transform, StatefulTransform):
            self.transform.expect(rows)

    def learnt(self) -> bytes:
        inner = self.transform.learnt() if isinstance(self.transform, StatefulTransform) else b""
        keys = b"".join(self._keys)
        samples = [(each.rank, each.shard, each.number, each.text) for each in self._new]
        known = [(shard, counts.delivered, counts.dead) for shard, counts in self._new_known.items()]
        self._keys, self._new, self._new_known = [], [], {}
        told = orjson.dumps({"samples": samples, "known": known})
        return _HEAD.pack(len(inner), len(keys)) + inner + keys + told

    def learn(self, records: bytes) -> None:
        inner_bytes, keys_bytes = _HEAD.unpack_from(records)
        rest = records[_HEAD.size + inner_bytes :]
        if isinstance(self.transform, StatefulTransform):
            self.transform.learn(own_records(records))
        if self.groups is not None:
            self.groups.add(np.frombuffer(rest[:keys_bytes], "<u8").astype(np.uint64))
        told = orjson.loads(rest[keys_bytes:])
        if not isinstance(told, dict):
            raise ValueError("they are those of an earlier version")
        for each in told["samples"]:
            self._take(Sample(*each))
        for shard, read, dead in told["known"]:
            _add(self.known, shard, Counts(read, {}, dead))

    def _count(self, batch: Batch) -> None:
        dead = Counter(row.reason for row in batch.dead)
        counts = Counts(batch.stop - batch.start - len(batch.dead), {}, dict(dead))
        for to in (self.known, self._new_known):
            _add(to, batch.shard.index, counts)

    def _look(self, before: Batch, after: Batch) -> None:
        dropped = np.ones(before.stop - before.start, np.bool_)
        dropped[as_array(after.numbers) - before.start] = False
        gone = before.only(dropped[as_array(before.numbers) - before.start].tobytes())
        if self.groups is not None:
            self._keys.append(self.groups.add(hash_texts(gone.texts)))
        ranks = _ranks(before.shard.index, as_array(gone.numbers))
        highest = self.samples[-1].rank if len(self.samples) == SAMPLES else _ALL - 1
        for at in np.flatnonzero(ranks <= np.uint64(highest)).tolist():
            sample = Sample(int(ranks[at]), before.shard.index, gone.numbers[at], gone.texts[at])
            if self._take(sample):
                self._new.append(sample)

    def _take(self, sample: Sample) -> bool:
        """Whether it is among the lowest ranks, and new there."""
        place = bisect_left(self.samples, sample)
        if place == SAMPLES or self.samples[place : place + 1] == [sample]:
            return False
        self.samples.insert(place, sample)
        del self.samples[SAMPLES:]
        return True


def _add(to: dict[int, Counts], shard: int, counts: Counts) -> None:
    to[shard] = to.get(shard, Counts()) + counts


def own_records(journal: bytes) -> bytes:
    """Of what a watched transform has learnt, what the transform itself has."""
    return journal[_HEAD.size :][: _HEAD.unpack_from(journal)[0]]


def _ranks(shard: int, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    mixed = (numbers.astype(np.uint64) + np.uint64(shard << 40 & 0xFFFF_FFFF_FFFF_FFFF)) * _MIX
    return (mixed ^ (mixed >> np.uint64(32))) * _MIX


def histogram(sizes: Sequence[int]) -> dict[str, int]:
    """Groups by their size: 2, 3, 4, then from each power of two to the next."""
    found: Counter[str] = Counter()
    for size in sorted(sizes):
        power = 1 << (size.bit_length() - 1)
        found[str(size) if size < 5 else f"{power if power > 4 else 5}-{2 * power - 1}"] += 1
    return dict(found)
