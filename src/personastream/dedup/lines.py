"""Tables of 64-byte lines that near indexes share: where an entry goes, and how far to look for it. Compiled.

A table is an array uint32[lines, 16] (`empty_lines`), a row of it a cache line. The last word of a line is its state:

    bits 0-14   one for each entry in use; none is ever removed, so they are the first ones
    bits 16-19  reach: how many lines past this one the entries at home here have gone
    bit 20      some entry at home here found no room within `WALK_LINES` lines
    bits 21-31  a bit for each entry at home here that has gone elsewhere, by its key: a tiny Bloom filter

An entry is at home in the line that its key names, and goes to the first line with room from there on. Whoever looks
for it goes as far as the reach of its home, if the filter knows its key: mostly that is no step at all. A table has
`WALK_LINES` more lines than keys can name, so no walk wraps round.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from personastream.dedup.jit import LINE_BYTES, count_ones, inlined

Number = Any
"""A scalar in compiled code. What numba infers of it, integers of which width and sign, no annotation would check."""

Table = NDArray[np.uint32]
Match = Callable[[Table, int, np.uint64], np.uint64]

STATE = 15
IN_USE = 0x7FFF
SENT_AWAY = 1 << 20
WALK_LINES = 16

_REACH_SHIFT = 16
_ALL_BUT_REACH = 0xFFF0_FFFF
_FILTER_SHIFT = 21
_FILTER_BITS = 11
_FIELDS = 16
_TAGS_BYTE = 28


def _matcher(width: int, byte: int, apart_max: int) -> Match:
    """A function (table, line, value) on 16 fields of `width` bits from `byte` of a line on, all at once.

    Bit i of the answer is set if field i differs from the low bits of `value` in at most `apart_max` bits. Checks no
    bounds.
    """
    fields, index = ir.VectorType(ir.IntType(width), _FIELDS), ir.IntType(32)
    undefined, ones = (ir.Constant(fields, value) for value in (ir.Undefined, [1] * _FIELDS))

    def matches(typing: Any, table: Any, line: Any, value: Any) -> Any:
        def generate(lower: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            lines = lower.make_array(signature.args[0])(lower, builder, arguments[0]).data
            offset = builder.add(builder.mul(arguments[1], arguments[1].type(LINE_BYTES)), arguments[1].type(byte))
            start = builder.gep(builder.bitcast(lines, ir.IntType(8).as_pointer()), [offset])
            found = builder.load(builder.bitcast(start, fields.as_pointer()), align=4)
            wanted = builder.insert_element(undefined, builder.trunc(arguments[2], fields.element), index(0))
            wanted = builder.shuffle_vector(wanted, undefined, ir.Constant(ir.VectorType(index, _FIELDS), None))
            apart = builder.xor(found, wanted)
            for _ in range(apart_max):  # takes the lowest bit away, which is cheaper than to count them
                apart = builder.and_(apart, builder.sub(apart, ones))
            nothing = ir.Constant(apart.type, None)
            bits = builder.bitcast(builder.icmp_unsigned("==", apart, nothing), ir.IntType(_FIELDS))
            return builder.zext(bits, ir.IntType(64))

        return types.uint64(table, types.intp, types.uint64), generate

    return cast(Match, intrinsic(matches))


words_within_3 = _matcher(width=32, byte=0, apart_max=3)
words_within_6 = _matcher(width=32, byte=0, apart_max=6)
_tags_equal = _matcher(width=16, byte=_TAGS_BYTE, apart_max=0)


@inlined
def tags_equal(table: Table, line: Number, value: Number) -> Number:
    """Bit i is set if the 16-bit field at byte 40 + 2 i of the line is the low 16 bits of `value`."""
    return _tags_equal(table, line, value) >> np.uint64(6)


@inlined
def gone(state: Number, key: Number) -> Number:
    """1 if an entry at home in a line of this state may have gone elsewhere and have this key, else 0."""
    return np.int64((state & filter_mask(key)) != np.uint32(0))


@inlined
def reach(state: Number) -> Number:
    """Lines past a home of this state where its entries may be."""
    return np.int64((state >> np.uint32(_REACH_SHIFT)) & np.uint32(WALK_LINES - 1))


@inlined
def claim(table: Table, home: Number, key: Number, entries_max: Number) -> tuple[Number, Number]:
    """Take the next free entry for a key at home in line `home`: its line and place in it, or (-1, -1) if none.

    Lines nearer than the reach are full: an entry has gone past them.
    """
    for line in range(home + reach(table[home, STATE]), home + WALK_LINES):
        place = count_ones(np.uint64(table[line, STATE] & np.uint32(IN_USE)))
        if place < entries_max:
            table[line, STATE] |= np.uint32(1 << place)
            if line > home:
                farthest = max(reach(table[home, STATE]), line - home)
                others = table[home, STATE] & np.uint32(_ALL_BUT_REACH)
                table[home, STATE] = others | np.uint32(farthest << _REACH_SHIFT) | filter_mask(key)
            return line, place
    table[home, STATE] |= np.uint32(SENT_AWAY)
    return -1, -1


@inlined
def filter_mask(key: Number) -> Number:
    """The bit of a state that stands for a key."""
    bit = ((np.uint32(key) & np.uint32(0xFFFF)) * np.uint32(_FILTER_BITS)) >> np.uint32(16)
    return np.uint32(1) << (np.uint32(_FILTER_SHIFT) + bit)


@inlined
def line_of(key: Number, lines: Number) -> Number:
    """The home of a 32-bit key among `lines` lines."""
    return np.int64((np.uint64(key) * np.uint64(lines)) >> np.uint64(32))


@inlined
def mix(value: Number) -> Number:
    """A bijection of 32-bit values: the finaliser of MurmurHash3 (Appleby)."""
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x85EB_CA6B))
    value = np.uint32(value ^ (value >> np.uint32(13)))
    value = np.uint32(value * np.uint32(0xC2B2_AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))
