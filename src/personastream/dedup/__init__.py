"""Numeric kernels and in-memory indexes for exact and near deduplication, over numpy arrays of a batch.

    keys = hash_texts(texts)                     # exact: one key a text
    new = ExactIndex(rows_expected=1_000_000).insert(keys)

    signatures, evidence, _ = signatures_and_sketches(texts)                       # near, by SimHash
    new = SimhashIndex(rows_expected=1_000_000, distance_max=3).insert(signatures, evidence)

    words = hash_words(texts)                                                      # near, by Jaccard similarity
    new = JaccardIndex(rows_expected=1_000_000, similarity_min=0.9).insert(words)

Nothing here reads a file, a clock or a random number; images go to and come from a binary file handed in.
"""

from personastream.dedup.exact_index import ExactIndex
from personastream.dedup.image import ImageDamaged
from personastream.dedup.jaccard_index import JaccardIndex
from personastream.dedup.keys import hash_texts, hash_texts_128
from personastream.dedup.minhash import minhash
from personastream.dedup.minhash_index import MinhashIndex
from personastream.dedup.scripts import is_unspaced
from personastream.dedup.simhash import WordWeights, simhash, simhash_128
from personastream.dedup.simhash_index import SimhashIndex
from personastream.dedup.sketch import signatures_and_sketches, sketches
from personastream.dedup.text import normalise, split_words
from personastream.dedup.words import Words, hash_words

__all__ = [
    "ExactIndex",
    "ImageDamaged",
    "JaccardIndex",
    "MinhashIndex",
    "SimhashIndex",
    "WordWeights",
    "Words",
    "hash_texts",
    "hash_texts_128",
    "hash_words",
    "is_unspaced",
    "minhash",
    "normalise",
    "signatures_and_sketches",
    "simhash",
    "simhash_128",
    "sketches",
    "split_words",
]
