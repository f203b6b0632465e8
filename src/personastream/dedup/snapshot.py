"""Index snapshots: a few arrays of uint64 under a label, protected against damage and against mix-ups.

    magic 8 bytes · version u32 · label bytes u32 · arrays u32 · label · length of each array u64 · xxh3-64 so far
    the arrays, little-endian · xxh3-64 of them

The head has its own checksum, so that a damaged length is never believed. The label names the kind of index and its
settings: state that was built under others is refused. A snapshot ends where its lengths say; it may be followed by
another one.
"""

import struct
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64

_MAGIC = b"psdedup\n"
_VERSION = 1
_HEAD = struct.Struct("<8sIII")
_CHECKSUM_BYTES = 8
_LABEL_BYTES_MAX = 4096
_ARRAYS_MAX = 64
_CHUNK_WORDS = 1 << 21  # 16 MiB a read


class SnapshotDamaged(ValueError):
    """This is not a whole snapshot of this index under these settings: build the state anew."""


def write_snapshot(file: BinaryIO, label: str, arrays: Sequence[NDArray[np.uint64]]) -> None:
    """Append one snapshot to `file`."""
    name = label.encode()
    lengths = struct.pack(f"<{len(arrays)}Q", *map(len, arrays))
    head = _HEAD.pack(_MAGIC, _VERSION, len(name), len(arrays)) + name + lengths
    file.write(head + xxh3_64(head).digest())
    checksum = xxh3_64()
    for array in arrays:
        data = np.ascontiguousarray(array, "<u8").data
        checksum.update(data)
        file.write(data)
    file.write(checksum.digest())


def read_snapshot(file: BinaryIO, label: str, arrays: int) -> list[NDArray[np.uint64]]:
    """The arrays written under the same label. Raises `SnapshotDamaged`; leaves `file` at the snapshot's end."""
    lengths = _read_head(file, label, arrays)
    checksum = xxh3_64()
    loaded = [_read_array(file, length, checksum) for length in lengths]
    if _read(file, _CHECKSUM_BYTES) != checksum.digest():
        raise SnapshotDamaged("a checksum of a dedup snapshot is wrong")
    return loaded


def _read_head(file: BinaryIO, label: str, arrays: int) -> list[int]:
    fixed = _read(file, _HEAD.size)
    magic, version, label_bytes, count = _HEAD.unpack(fixed)
    if magic != _MAGIC or version != _VERSION or label_bytes > _LABEL_BYTES_MAX or count > _ARRAYS_MAX:
        raise SnapshotDamaged("this is not a dedup snapshot of this version")
    name, lengths = _read(file, label_bytes), _read(file, 8 * count)
    if _read(file, _CHECKSUM_BYTES) != xxh3_64(fixed + name + lengths).digest():
        raise SnapshotDamaged("the head of a dedup snapshot is damaged")
    if name != label.encode() or count != arrays:
        raise SnapshotDamaged(f"the snapshot holds {name.decode(errors='replace')}, not {label}")
    return list(struct.unpack(f"<{count}Q", lengths))


def _read_array(file: BinaryIO, length: int, checksum: xxh3_64) -> NDArray[np.uint64]:
    """Read piece by piece, so that memory is taken only for what is really there."""
    pieces = []
    for start in range(0, length, _CHUNK_WORDS):
        data = _read(file, 8 * min(_CHUNK_WORDS, length - start))
        checksum.update(data)
        pieces.append(np.frombuffer(data, "<u8"))
    return np.concatenate([np.empty(0, np.uint64), *pieces]).astype(np.uint64, copy=False)


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise SnapshotDamaged(f"a dedup snapshot ends {size - len(data)} bytes early")
    return data
