"""xxh3-64 of short rows with the bits of the reference implementation, compiled, of texts in normal form.

The algorithm and its constants are those of the xxHash specification (Collet, XXH3, 2019) for up to 240 bytes without
a seed. Longer rows, and those that are hard to bring into normal form (see `fold`), are told to the caller.
"""

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import Bytes, Starts, Table
from personastream.dedup.fold_kernels import normal_row
from personastream.dedup.jit import fold_product, jit, load64

SHORT_BYTES_MAX = 240

_U = np.uint64
_PADDING_BYTES = 64
_SECRET = np.frombuffer(
    bytes.fromhex(
        "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
        "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
        "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
        "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
    ),
    np.uint8,
)
_PRIME_1 = _U(0x9E37_79B1_85EB_CA87)
_PRIME_2 = _U(0xC2B2_AE3D_27D4_EB4F)
_PRIME_3 = _U(0x1656_67B1_9E37_79F9)
_AVALANCHE_FACTOR = _U(0x1656_6791_9E37_79F9)
_MIDDLE_FACTOR = _U(0x9FB2_1C65_1E98_DF25)
_LOW_HALF = _U(0xFFFF_FFFF)


@jit
def _secret(place: int) -> np.uint64:
    return load64(_SECRET, place)


@jit
def _avalanche(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> _U(37))) * _AVALANCHE_FACTOR
    return value ^ (value >> _U(32))


@jit
def _avalanche_xxh64(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> _U(33))) * _PRIME_2
    value = (value ^ (value >> _U(29))) * _PRIME_3
    return value ^ (value >> _U(32))


@jit
def _rotate(value: np.uint64, bits: int) -> np.uint64:
    return (value << _U(bits)) | (value >> _U(64 - bits))


@jit
def _swap_bytes(value: np.uint64) -> np.uint64:
    swapped = _U(0)
    for byte in range(8):
        swapped |= ((value >> _U(8 * byte)) & _U(0xFF)) << _U(56 - 8 * byte)
    return swapped


@jit
def _mix(data: Bytes, place: int, secret: int) -> np.uint64:
    return fold_product(load64(data, place) ^ _secret(secret), load64(data, place + 8) ^ _secret(secret + 8))


@jit
def _hash_to_16(data: Bytes, size: int) -> np.uint64:
    if size > 8:
        low = load64(data, 0) ^ _secret(24) ^ _secret(32)
        high = load64(data, size - 8) ^ _secret(40) ^ _secret(48)
        return _avalanche(_U(size) + _swap_bytes(low) + high + fold_product(low, high))
    if size > 3:
        keyed = ((load64(data, size - 4) & _LOW_HALF) + (load64(data, 0) << _U(32))) ^ _secret(8) ^ _secret(16)
        keyed = (keyed ^ _rotate(keyed, 49) ^ _rotate(keyed, 24)) * _MIDDLE_FACTOR
        keyed = (keyed ^ ((keyed >> _U(35)) + _U(size))) * _MIDDLE_FACTOR
        return keyed ^ (keyed >> _U(28))
    if size > 0:
        joined = (_U(data[0]) << _U(16)) | (_U(data[size >> 1]) << _U(24)) | _U(data[size - 1]) | (_U(size) << _U(8))
        return _avalanche_xxh64(joined ^ ((_secret(0) ^ _secret(4)) & _LOW_HALF))
    return _avalanche_xxh64(_secret(56) ^ _secret(64))


@jit
def _hash_short(data: Bytes, size: int) -> np.uint64:
    """xxh3-64 of the first `size` bytes, at most 240. May read 8 bytes past them."""
    if size <= 16:
        return _hash_to_16(data, size)
    total = _U(size) * _PRIME_1
    if size <= 128:
        for pair in range((size - 1) >> 5, -1, -1):
            total += _mix(data, 16 * pair, 32 * pair) + _mix(data, size - 16 * pair - 16, 32 * pair + 16)
        return _avalanche(total)
    for block in range(8):
        total += _mix(data, 16 * block, 16 * block)
    total = _avalanche(total)
    for block in range(8, size >> 4):
        total += _mix(data, 16 * block, 16 * block - 125)
    return _avalanche(total + _mix(data, size - 16, 119))


@jit
def hash_texts(data: Bytes, begins: Starts, ends: Starts, table: Table) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """See `backend.Kernels`."""
    keys = np.zeros(len(begins), np.uint64)
    left = np.zeros(len(keys), np.bool_)
    normal = np.zeros(2 * SHORT_BYTES_MAX + _PADDING_BYTES, np.uint8)
    for row in range(len(keys)):
        size = ends[row] - begins[row]
        if size <= SHORT_BYTES_MAX:
            size = normal_row(data, begins[row], ends[row], table, normal, 0)
        if 0 <= size <= SHORT_BYTES_MAX:
            keys[row] = _hash_short(normal, size)
        else:
            left[row] = True
    return keys, left
