"""Drops rows whose text was seen before, apart from case, width and spacing."""

from dataclasses import dataclass, field
from typing import Literal

from personastream.dedup import ExactIndex, hash_texts, hash_texts_128
from personastream.dedup.key_set import KEYS_MAX, KeySet
from personastream.errors import ConfigError
from personastream.records import Batch
from personastream.settings import setting


@dataclass
class Dedup:
    """Exact deduplication on xxh3 of the normal form of a text; the earliest row survives.

    The normal form is NFKC, case folded, with whitespace runs as one space. Costs about 0.3 us and 6 bytes a row (7
    where fewer than 178 million are expected, some 100 and 2 us up to a million). `dedup.exact_index` has the odds of
    a wrong drop: 1 in 33 in a billion rows, none to speak of with `wide_keys`.
    """

    wide_keys: bool = setting("Keys of 128 bits instead of 64, at 15 bytes a row.", default=False)
    _rows_expected: int = field(init=False, repr=False, default=0)
    _index: KeySet | ExactIndex | None = field(init=False, repr=False, default=None)
    _pending: bytes = field(init=False, repr=False, default=b"")

    @property
    def index_bytes(self) -> int:
        """Memory of the index."""
        return self._index_for(0).size_bytes

    def __call__(self, batch: Batch) -> Batch:
        index = self._index_for(len(batch.texts))
        hashes = hash_texts_128 if self.wide_keys else hash_texts
        keys = hashes(batch.texts, few=isinstance(index, KeySet))
        return batch.keep(index.insert(keys).tobytes(), "dedup")

    def expect(self, rows: int) -> None:
        self._rows_expected = rows

    def learnt(self) -> bytes:
        pending, self._pending = self._pending, b""
        return pending + self._index_for(0).learnt()

    def learn(self, records: bytes) -> None:
        self._index_for(len(records) // (16 if self.wide_keys else 8)).learn(records)

    def _index_for(self, more: int) -> KeySet | ExactIndex:
        """The index, with room for so many more keys: a set as long as there are few."""
        index = self._index
        if index is None:
            index = KeySet(self._bits) if self._rows_expected <= self._few else self._large_index()
        if isinstance(index, KeySet) and len(index) + more > self._few:
            large = self._large_index()
            large.learn(index.records())
            self._pending += index.learnt()
            index = large
        self._index = index
        return index

    def _large_index(self) -> ExactIndex:
        try:
            return ExactIndex(self._rows_expected, self._bits)
        except MemoryError as error:
            raise ConfigError(
                f"there is no memory for a dedup index of {self._rows_expected:,} rows: {error}",
                hint="It takes 6 bytes a row, or 15 with `wide_keys`. Split the input into several runs.",
            ) from error

    @property
    def _few(self) -> int:
        """How many keys a set may hold."""
        return KEYS_MAX // 2 if self.wide_keys else KEYS_MAX

    @property
    def _bits(self) -> Literal[64, 128]:
        return 128 if self.wide_keys else 64
