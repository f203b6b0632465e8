"""64-bit SimHash of word rows (Charikar, STOC 2002), over words and pairs of adjacent words.

Bit j of a signature is 1 if and only if more than half of the row's features have bit j set.
"""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.hashes import WordRows

_LOW_BIT_OF_EACH_BYTE = np.uint64(0x0101_0101_0101_0101)
_SEGMENT_FEATURES = 254  # what a counter of one byte can hold, rounded down to whole (word, pair) couples

# A pair (a, b) hashes to mix(a * GOLDEN + b): with the odd multiplier, 2^64 over the golden ratio, the order counts.
# The mix is the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; constants by Stafford, variant 13).
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_MIX_1 = np.uint64(0xBF58_476D_1CE4_E5B9)
_MIX_2 = np.uint64(0x94D0_49BB_1331_11EB)


def simhash(words: WordRows) -> NDArray[np.uint64]:
    """One signature a row. Every row must have at least one word."""
    if not len(words):
        return np.empty(0, np.uint64)
    features = _interleave_pairs(words)
    counters = _count_bits(features, 2 * words.counts)
    majority = ((2 * words.counts - 1) // 2)[:, None]
    bits = (counters > majority).transpose(1, 2, 0).reshape(-1, 64)
    return np.packbits(bits, axis=-1, bitorder="little").view("<u8").ravel()


def _interleave_pairs(words: WordRows) -> NDArray[np.uint64]:
    """Each word followed by its pair with the next word; 0, which sets no bit, after the last word of a row."""
    hashes = words.hashes
    features = np.zeros(2 * len(hashes), np.uint64)
    features[0::2] = hashes
    features[1:-1:2] = _mix(hashes[:-1] * _GOLDEN + hashes[1:])
    features[2 * np.cumsum(words.counts) - 1] = 0
    return features


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


def _count_bits(features: NDArray[np.uint64], sizes: NDArray[np.int64]) -> NDArray[np.uint8] | NDArray[np.int64]:
    """How many features of each row have each bit: an array (lane, row, byte) for bit 8 * byte + lane.

    One addition counts eight bits at once, in eight counters of a byte; a longer row is counted in segments.
    """
    segments = -(-sizes // _SEGMENT_FEATURES)
    first = np.cumsum(segments) - segments
    place = np.arange(int(segments.sum())) - np.repeat(first, segments)
    starts = np.repeat(np.cumsum(sizes) - sizes, segments) + place * _SEGMENT_FEATURES
    lanes = np.stack(
        [np.add.reduceat((features >> np.uint64(lane)) & _LOW_BIT_OF_EACH_BYTE, starts) for lane in range(8)]
    )
    counters = lanes.astype("<u8", copy=False).view(np.uint8).reshape(8, -1, 8)
    if len(starts) == len(sizes):
        return counters
    return np.add.reduceat(counters, first, axis=1, dtype=np.int64)
