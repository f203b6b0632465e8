"""The loops of the feature kernels with numpy alone, for where numba is not installed: the same bits, ten times slower.

`words`, `simhash`, `sketch` and `minhash` say what they compute; `feature_kernels` is the compiled twin.
"""

import re

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import Bytes, Formed, Hashes, Starts, Table
from personastream.dedup.constants import (
    BLOCK_BEGIN,
    BLOCK_FACTOR,
    END_FACTOR,
    END_FLIP,
    PAIR_FLIP_1,
    PAIR_FLIP_2,
    SKETCH_BITS_2,
    SKETCH_SIZE_MAX,
)
from personastream.packed import Packed

_BLOCK_BYTES = 16
_LOW_HALF = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_LETTERS = rb"[a-z\x80-\xff]+"
TOKEN = re.compile(_LETTERS + rb"(?:'" + _LETTERS + rb")*|[0-9](?:[0-9]|,(?=[0-9]{3}(?![0-9]))|\.(?=[0-9]))*")
_POINTS = bytes.maketrans(b".", b"\xff")

_FOLDED = np.zeros(256, np.uint8)
for _code in range(256):
    if _code >= 128 or chr(_code).isalnum():
        _FOLDED[_code] = _code if _code >= 128 else ord(chr(_code).lower())


def fold_product(values: Hashes, others: Hashes | np.uint64) -> Hashes:
    """The two halves of each 128-bit product, xored; from the products of 32-bit halves."""
    low, high, other_low, other_high = values & _LOW_HALF, values >> _HALF, others & _LOW_HALF, others >> _HALF
    low_low, low_high, high_low, high_high = low * other_low, low * other_high, high * other_low, high * other_high
    middle = (low_low >> _HALF) + (low_high & _LOW_HALF) + (high_low & _LOW_HALF)
    top: Hashes = high_high + (low_high >> _HALF) + (high_low >> _HALF) + (middle >> _HALF)
    return top ^ (values * others)


def form_rows(data: Bytes, begins: Starts, ends: Starts, table: Table) -> Formed:
    """See `backend.Kernels`. Leaves all rows beyond ASCII out."""
    left = np.zeros(len(begins), np.bool_)
    left[Packed(data, begins, ends).beyond_ascii()] = True
    return data, begins, ends, left


def normal_rows(data: Bytes, begins: Starts, ends: Starts, table: Table) -> Formed:
    """See `backend.Kernels`. Leaves all rows out."""
    return data, begins, ends, np.ones(len(begins), np.bool_)


def hash_texts(data: Bytes, begins: Starts, ends: Starts, table: Table) -> tuple[Hashes, NDArray[np.bool_]]:
    """See `backend.Kernels`. Leaves all rows out."""
    return np.zeros(len(begins), np.uint64), np.ones(len(begins), np.bool_)


def features(
    data: Bytes, begins: Starts, ends: Starts, table: Table, pairs: bool
) -> tuple[Hashes, Hashes, Starts, NDArray[np.bool_]]:
    """See `backend.Kernels`. Leaves all rows out."""
    rows = len(begins)
    return np.zeros(rows, np.uint64), np.zeros((rows, 2), np.uint64), np.zeros(rows, np.int64), np.ones(rows, np.bool_)


def hash_words(data: Bytes, begins: Starts, ends: Starts) -> tuple[Hashes, Starts]:
    """See `backend.Kernels`."""
    starts = np.append(0, np.cumsum(ends - begins + 1))
    folded = _FOLDED[np.frombuffer(Packed(data, begins, ends).joined(), np.uint8)]
    in_word = np.concatenate([[False], folded != 0, [False]])
    edges = (in_word[1:] != in_word[:-1]).nonzero()[0]
    places, ends = edges[0::2], edges[1::2]
    folded = np.append(folded, np.zeros(_BLOCK_BYTES, np.uint8))
    hashes = np.full(len(places), BLOCK_BEGIN)
    words = np.arange(len(places))
    while len(words):
        low, high = _blocks(folded, places, ends)
        hashes[words] = fold_product(low ^ BLOCK_FACTOR, high ^ hashes[words])
        places = places + _BLOCK_BYTES
        going_on = places <= ends  # a zero byte ends a word and is part of its last block
        words, places, ends = words[going_on], places[going_on], ends[going_on]
    return fold_product(hashes ^ END_FLIP, END_FACTOR), np.searchsorted(edges[0::2], starts).astype(np.int64)


def hash_tokens(data: Bytes, begins: Starts, ends: Starts, silent: Hashes) -> tuple[Hashes, Starts]:
    """See `backend.Kernels`."""
    tokens, counts = list[bytes](), [0]
    raw = data.tobytes().lower()
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        tokens += TOKEN.findall(raw[begin:end])
        counts.append(len(tokens))
    joined = b" ".join([*tokens, b""]).translate(_POINTS, b"',")
    hashes, _ = hash_words(np.frombuffer(joined, np.uint8), np.zeros(1, np.int64), np.array([len(joined)]))
    counted = ~np.isin(hashes, silent)
    return hashes[counted], np.append(0, np.cumsum(counted))[counts]


def rehash(hashes: Hashes, flip: np.uint64, factor: np.uint64) -> Hashes:
    """See `backend.Kernels`."""
    return fold_product(hashes ^ flip, factor)


def simhash(hashes: Hashes, starts: Starts, pairs: bool) -> Hashes:
    """See `backend.Kernels`."""
    return simhash_weighted(hashes, starts, np.ones(len(hashes), np.int64), pairs)


def simhash_weighted(hashes: Hashes, starts: Starts, weights: NDArray[np.int64], pairs: bool) -> Hashes:
    """See `backend.Kernels`."""
    features, feature_weights = np.zeros((len(hashes), 2), np.uint64), np.zeros((len(hashes), 2), np.int64)
    features[:, 0], feature_weights[:, 0] = hashes, 2 * weights
    if pairs and len(hashes):
        features[:-1, 1] = fold_product(hashes[:-1] ^ PAIR_FLIP_1, hashes[1:] ^ PAIR_FLIP_2)
        feature_weights[:-1, 1] = weights[:-1] + weights[1:]
        feature_weights[starts[1:][np.diff(starts) > 0] - 1, 1] = 0
    totals = _row_sums(feature_weights.sum(axis=1), starts)
    signatures = np.zeros(len(starts) - 1, np.uint64)
    for bit in range(64):
        with_bit = ((features >> np.uint64(bit)) & _ONE).astype(np.int64) * feature_weights
        above = _row_sums(with_bit.sum(axis=1), starts) > totals // 2
        signatures |= above.astype(np.uint64) << np.uint64(bit)
    return signatures


def sketches(hashes: Hashes, starts: Starts) -> Hashes:
    """See `backend.Kernels`."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.lexsort((hashes, rows))
    hashes, rows = hashes[order], rows[order]
    distinct = np.append(True, (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1]))[: len(hashes)]
    hashes, rows = hashes[distinct], rows[distinct]
    found = np.zeros((len(starts) - 1, 2), np.uint64)
    np.bitwise_xor.at(found[:, 0], rows, _ONE << (hashes >> np.uint64(58)))
    places = ((hashes & _LOW_HALF) * np.uint64(SKETCH_BITS_2)) >> _HALF
    np.bitwise_xor.at(found[:, 1], rows, _ONE << places)
    sizes = np.minimum(np.bincount(rows, minlength=len(found)), SKETCH_SIZE_MAX).astype(np.uint64)
    found[:, 1] |= sizes << np.uint64(SKETCH_BITS_2)
    return found


def minhash(
    hashes: Hashes, starts: Starts, flips: NDArray[np.uint32], factors: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """See `backend.Kernels`."""
    found = np.full((len(starts) - 1, len(flips)), 0xFFFF_FFFF, np.uint32)
    values = (hashes ^ (hashes >> _HALF)).astype(np.uint32)
    filled = (np.diff(starts) > 0).nonzero()[0]
    for place, (flip, factor) in enumerate(zip(flips, factors, strict=True)):
        images = (values ^ flip) * factor
        images ^= images >> np.uint32(16)
        found[filled, place] = np.minimum.reduceat(images, starts[filled]) if len(filled) else 0
    return found


def _blocks(folded: NDArray[np.uint8], begins: NDArray[np.intp], ends: NDArray[np.intp]) -> tuple[Hashes, Hashes]:
    """The 16 bytes from each begin on as two uint64, with 0 for those from the end on."""
    places = begins[:, None] + np.arange(_BLOCK_BYTES)
    pairs = np.where(places < ends[:, None], folded[places], 0).astype(np.uint8).view("<u8").astype(np.uint64)
    return pairs[:, 0], pairs[:, 1]


def _row_sums(values: NDArray[np.int64], starts: Starts) -> NDArray[np.int64]:
    sums = np.append(0, np.cumsum(values))
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]], np.int64)
