"""Compiled loops: numba's decorator and the few machine instructions it does not offer.

Importing this module imports numba, which takes half a second; so only modules of kernels do it, and they are
imported by the function that first needs them. Machine code is kept beside the module, or in the user's cache folder,
or, where neither can be written, compiled anew by each process.

In kernels, a `uint64` and a plain integer make a float: every constant that meets one must be a `np.uint64`.
"""

import mmap
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.core import event, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from personastream.dedup import backend

Function = TypeVar("Function", bound=Callable[..., Any])
cgutils: Any = untyped_cgutils
njit: Any = numba.njit  # its types leave options out

LINE_BYTES = 64
_LINE_WORDS = LINE_BYTES // 4
_HUGE_PAGE_BYTES = 2 << 20
_WORD = ir.IntType(64)
_WRITE_ALL_CACHES_DATA = (1, 3, 1)


def jit(function: Function) -> Function:
    """`function`, compiled for the types it is first called with; it runs without the interpreter lock."""
    return _kept(function)


def jit_bare(function: Function) -> Function:
    """As `jit`, for loops that make no array and return none: they do not count references to those they are given.

    numba counts them at each call of a part that is not plain, with atomic instructions: as long as a look-up takes.
    """
    return _kept(function, _nrt=False)


def inlined(function: Function) -> Function:
    """As `jit_bare`, for a part of such a loop: there is no call, which would pass each array as seven numbers."""
    return cast(Function, njit(nogil=True, _nrt=False, forceinline=True)(function))


def pasted(function: Function) -> Function:
    """As `jit`, for a part of a loop whose callers are compiled as if its source stood there."""
    return cast(Function, njit(nogil=True, inline="always")(function))


def _kept(function: Function, **options: bool) -> Function:
    try:
        return cast(Function, njit(cache=True, nogil=True, **options)(function))
    except RuntimeError:  # no folder to keep machine code in
        return cast(Function, njit(nogil=True, **options)(function))


class _Compilation(event.Listener):
    """Machine code that is kept already makes no such event."""

    def on_start(self, event: Any) -> None:
        backend.compiling()

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Compilation())  # type: ignore[no-untyped-call]


def empty_lines(count: int) -> NDArray[np.uint32]:
    """`count` zeroed lines of 64 bytes, the first at the start of a page. Memory is taken when it is first written.

    In pages of 2 MiB where there are such: of small ones a processor knows too few to find its way in a large table.
    Raises `MemoryError`.
    """
    size_bytes = max(1, count) * LINE_BYTES
    if size_bytes > _HUGE_PAGE_BYTES // 2:
        size_bytes += -size_bytes % _HUGE_PAGE_BYTES
    try:
        memory = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size_bytes:,} bytes: {error}") from error
    with suppress(OSError, AttributeError):  # a kernel or a system without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint32, count * _LINE_WORDS).reshape(count, _LINE_WORDS)


def _load64(typing: Any, data: Any, place: Any) -> Any:
    def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = lower.make_array(signature.args[0])(lower, builder, arguments[0])
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), _WORD.as_pointer())
        return builder.load(address, align=1)

    return types.uint64(data, types.intp), generate


def _compare_bytes(relation: str) -> Any:
    def compare(typing: Any, data: Any, place: Any, value: Any) -> Any:
        def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start = lower.make_array(signature.args[0])(lower, builder, arguments[0]).data
            lanes, first = LINE_BYTES // 2, ir.IntType(32)(0)
            half, found = ir.VectorType(ir.IntType(8), lanes), _WORD(0)
            undefined, all_alike = ir.Constant(half, ir.Undefined), ir.VectorType(first.type, lanes)
            wanted = builder.insert_element(undefined, builder.trunc(arguments[2], half.element), first)
            wanted = builder.shuffle_vector(wanted, undefined, ir.Constant(all_alike, [0] * lanes))
            for shift in (0, lanes):  # by halves: of all 64 at once, code for processors without AVX-512 is slow
                address = builder.gep(start, [builder.add(arguments[1], arguments[1].type(shift))])
                bytes_there = builder.load(builder.bitcast(address, half.as_pointer()), align=1)
                bits = builder.bitcast(builder.icmp_unsigned(relation, bytes_there, wanted), ir.IntType(lanes))
                found = builder.or_(found, builder.shl(builder.zext(bits, _WORD), _WORD(shift)))
            return found

        return types.uint64(data, types.intp, types.uint64), generate

    return intrinsic(compare)


def _prefetch(typing: Any, table: Any, row: Any) -> Any:
    def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = lower.make_array(signature.args[0])(lower, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, view.strides)[0]
        start = builder.ptrtoint(view.data, _WORD)
        address = builder.inttoptr(builder.add(start, builder.mul(arguments[1], stride)), ir.IntType(8).as_pointer())
        flags = [ir.IntType(32)(flag) for flag in _WRITE_ALL_CACHES_DATA]
        kind = ir.FunctionType(ir.VoidType(), [address.type, *(flag.type for flag in flags)])
        callee = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(callee, [address, *flags])
        return lower.get_dummy_value()

    return types.void(table, types.intp), generate


def _trailing_zeros(typing: Any, value: Any) -> Any:
    def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.intp(types.uint64), generate


def _count_ones(typing: Any, value: Any) -> Any:
    def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.intp(types.uint64), generate


def _fold_product(typing: Any, value: Any, other: Any) -> Any:
    def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        high = builder.trunc(builder.lshr(product, wide(64)), _WORD)
        return builder.xor(high, builder.trunc(product, _WORD))

    return types.uint64(types.uint64, types.uint64), generate


def _match_fields(typing: Any, lines: Any, line: Any, value: Any) -> Any:
    def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = signature.args[0].dtype.bitwidth
        lanes = 8 * LINE_BYTES // width
        fields = ir.VectorType(ir.IntType(width), lanes)
        undefined, first = ir.Constant(fields, ir.Undefined), ir.IntType(32)(0)
        data = lower.make_array(signature.args[0])(lower, builder, arguments[0]).data
        start = builder.gep(data, [builder.mul(arguments[1], arguments[1].type(lanes))])
        found = builder.load(builder.bitcast(start, fields.as_pointer()), align=1)
        wanted = arguments[2] if width == _WORD.width else builder.trunc(arguments[2], fields.element)
        wanted = builder.insert_element(undefined, wanted, first)
        wanted = builder.shuffle_vector(wanted, undefined, ir.Constant(ir.VectorType(first.type, lanes), [0] * lanes))
        equal = builder.bitcast(builder.icmp_unsigned("==", found, wanted), ir.IntType(lanes))
        return equal if lanes == _WORD.width else builder.zext(equal, _WORD)

    return types.uint64(lines, types.intp, types.uint64), generate


load64 = cast(Callable[[NDArray[np.uint8], int], np.uint64], intrinsic(_load64))
"""`load64(data, place)`: the 8 bytes of `data` from `place` on as one little-endian number. Checks no bounds."""

equal_bytes = cast(Callable[[NDArray[np.uint8], int, np.uint64], np.uint64], _compare_bytes("=="))
"""`equal_bytes(data, place, value)`: which of the 64 bytes from `place` on have a value, as bits. Checks no bounds."""

lower_bytes = cast(Callable[[NDArray[np.uint8], int, np.uint64], np.uint64], _compare_bytes("<"))
"""`lower_bytes(data, place, value)`: likewise those below a value."""

prefetch = cast(Callable[[NDArray[Any], Any], None], intrinsic(_prefetch))
"""`prefetch(table, row)`: begin to fetch the first 64 bytes of a row of a C array, to be written. Checks no bounds."""

trailing_zeros = cast(Callable[[np.uint64], int], intrinsic(_trailing_zeros))
"""Zero bits below the lowest set bit of a uint64, which must not be 0."""

count_ones = cast(Callable[[np.uint64], int], intrinsic(_count_ones))
"""Set bits of a uint64."""

fold_product = cast(Callable[[np.uint64, np.uint64], np.uint64], intrinsic(_fold_product))
"""The two halves of the 128-bit product of two uint64, xored: one uint64."""

match_fields = cast(Callable[[NDArray[Any], Any, np.uint64], np.uint64], intrinsic(_match_fields))
"""`match_fields(lines, line, value)`: which fields of a line are equal to the low bits of `value`, all at once.

`lines` is a C array of 64 bytes a row, of fields of 1 to 8 bytes; bit i of the answer is for field i. Checks no bounds.
"""
