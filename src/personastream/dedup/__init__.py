"""Numeric kernels and in-memory indexes for exact and near deduplication, over numpy arrays of a batch.

    keys = hash_texts(texts)                     # exact: one key a text
    new = KeyTable().insert(keys)

    words = hash_words(texts)                    # near: word hashes, a signature, a verdict
    new = BlockIndex(distance_max=3, similarity_min=0.8).insert(simhash(words), words)

Nothing here reads a file, a clock or a random number; snapshots go to and come from a binary file handed in.
"""

from personastream.dedup.exact import ExactIndex, KeyTable
from personastream.dedup.hashes import WordRows, hash_texts, hash_words
from personastream.dedup.near import BlockIndex, NearIndex
from personastream.dedup.simhash import simhash
from personastream.dedup.snapshot import SnapshotDamaged
from personastream.dedup.text import is_unspaced, normalise, split_words

__all__ = [
    "BlockIndex",
    "ExactIndex",
    "KeyTable",
    "NearIndex",
    "SnapshotDamaged",
    "WordRows",
    "hash_texts",
    "hash_words",
    "is_unspaced",
    "normalise",
    "simhash",
    "split_words",
]
