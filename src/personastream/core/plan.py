"""Which rows of a shard survive, decided beforehand: one bit a row.

    magic 16 bytes · rows u64 · bytes of the fingerprint u64 · fingerprint · bits, the first row lowest · xxh3-128

The fingerprint is that of the shard the plan was made for; the digest is of everything before it.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import xxhash
from numpy.typing import NDArray

from personastream.core.ranges import Ranges

_MAGIC = b"personastream 1\n"
_HEAD = struct.Struct("<16sQQ")
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """`kept` has one entry per row of the shard with this fingerprint."""

    fingerprint: str
    kept: NDArray[np.bool_]


def plan_of(fingerprint: str, rows: int, kept: Iterable[Ranges]) -> Plan:
    """The plan that keeps some of `rows` rows, told in any number of parts."""
    mask = np.zeros(rows, np.bool_)
    for start, stop in chain.from_iterable(kept):
        mask[start:stop] = True
    return Plan(fingerprint, mask)


def encode(plan: Plan) -> bytes:
    """The plan as bytes."""
    name = plan.fingerprint.encode()
    bits = np.packbits(plan.kept, bitorder="little").tobytes()
    body = _HEAD.pack(_MAGIC, len(plan.kept), len(name)) + name + bits
    return body + xxhash.xxh3_128_digest(body)


def decode(data: bytes) -> Plan:
    """What `encode` wrote. Raises `ValueError` for anything else."""
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if len(body) < _HEAD.size or xxhash.xxh3_128_digest(body) != digest:
        raise ValueError("its checksum is wrong")
    magic, rows, name_bytes = _HEAD.unpack_from(body)
    if magic != _MAGIC:
        raise ValueError("it is of another version")
    name, bits = body[_HEAD.size : _HEAD.size + name_bytes], body[_HEAD.size + name_bytes :]
    packed = np.frombuffer(bits, np.uint8)
    return Plan(name.decode(), np.unpackbits(packed, count=rows, bitorder="little").astype(np.bool_))
