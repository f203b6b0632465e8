"""The words of texts as 64-bit hashes, a batch at a time: what every near method starts from.

`text.pack_words` says what a word is. The UTF-8 of a word, with a zero byte after it and more of them up to a whole
number of blocks of 16 bytes (a, b), hashes to

    h = K2;  for each block: h = fold(a ^ K1, b ^ h);  fold(h ^ K3, K4)

where `fold` xors the two halves of a 128-bit product: the core of wyhash (Wang Yi, 2019) with its first constants.
Two different words share a hash with probability 2^-64. A word holds no zero byte, so padding never makes two alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import kernels
from personastream.dedup.text import pack_words


@dataclass(frozen=True, slots=True)
class Words:
    """Word hashes of consecutive rows, one after the other.

    `hashes` is uint64[words]; row i has `hashes[starts[i]:starts[i + 1]]`, with `starts` int64[rows + 1] from 0.
    """

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Words of each row, int64[rows]."""
        return np.diff(self.starts)

    def keep(self, mask: NDArray[np.bool_]) -> "Words":
        """The rows whose `mask` entry is true."""
        counts = self.counts
        return Words(self.hashes[np.repeat(mask, counts)], np.append(0, np.cumsum(counts[mask])))

    def part(self, start: int, stop: int) -> "Words":
        """Rows `start` to `stop - 1`; their hashes are not copied."""
        starts = self.starts[start : stop + 1]
        return Words(self.hashes[starts[0] : starts[-1]], starts - starts[0])


def hash_words(texts: Sequence[str]) -> Words:
    """The hashes of the words of each text, in order."""
    packed = pack_words(texts)
    return Words(*kernels().hash_words(packed.data, packed.begins, packed.ends))
