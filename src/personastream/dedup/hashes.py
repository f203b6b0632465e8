"""64-bit hashes of texts and of their words, a batch at a time.

Two different values share a hash with probability 2^-64; see `exact` for what that means over a whole run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_digest

from personastream.dedup.text import normalise, split_words


@dataclass(frozen=True, slots=True)
class WordRows:
    """Word hashes of consecutive rows, one after the other: `hashes` (uint64), and words of each row in `counts`."""

    hashes: NDArray[np.uint64]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    def keep(self, mask: NDArray[np.bool_]) -> "WordRows":
        """The rows whose `mask` entry is true."""
        return WordRows(self.hashes[np.repeat(mask, self.counts)], self.counts[mask])

    def part(self, start: int, stop: int) -> "WordRows":
        """Rows `start` to `stop - 1`, without a copy."""
        first, size = int(self.counts[:start].sum()), int(self.counts[start:stop].sum())
        return WordRows(self.hashes[first : first + size], self.counts[start:stop])


def hash_texts(texts: Sequence[str]) -> NDArray[np.uint64]:
    """xxh3-64 of the UTF-8 of each text's normal form. A lone surrogate is encoded as if it were a character."""
    return _xxh3_64(normalise(text).encode("utf-8", "surrogatepass") for text in texts)


def hash_words(texts: Sequence[str]) -> WordRows:
    """xxh3-64 of each word of each text; `split_words` tells what a word is."""
    words, counts = split_words(texts)
    return WordRows(_xxh3_64(words), counts)


def _xxh3_64(values: Iterable[bytes]) -> NDArray[np.uint64]:
    """One hash a value. Joining digests costs half of turning Python integers into an array."""
    return np.frombuffer(b"".join(map(xxh3_64_digest, values)), ">u8").astype(np.uint64)
