"""Which keys are new, at about six bytes a key: 64-byte lines of short remainders, after quotient filters.

A table is an array of cache lines. The upper half of a key, scaled, names its home line; its lower half names another
line of the same 64, which are one page of memory. A key goes to that of the two that is emptier (two choices: Azar,
Broder, Karlin, Upfal, STOC 1994; within a page as both must be looked at), or if both are full to the first line after
the second that has a free slot, the last line being followed by the first. None is ever removed, so a search ends
where one of the lines has a free slot. The line keeps what of the key its own number does not tell, in two parts
(head, tail) so that all its slots are compared at once, and whether the key is at home there. Lines are 88 % full at
most; one key in a thousand goes to a third line.

**Bytes a key.** From 2^24 lines on (147 million keys) a remainder is 5 bytes: 12 slots a line, 6.06 bytes a key in a
table sized for 178 million or more. Smaller tables keep 6 bytes (10 slots, 7.27 bytes a key, at least 2^16 lines or
4 MiB), keys of 128 bits keep 12 (5 slots, 14.5 bytes).

**Wrong drops.** Two different texts share a key of 64 bits with probability 2^-64: among n texts that is n^2 / 2^65
expected pairs, 2.7e-8 for a million, 0.027 for a billion. A home and a remainder make the whole key, as a line is
home to at most 2^64 / lines keys; and the home follows from the other line and the remainder. So in neither of its
two lines is a key mistaken for another. It may be where keys have run over into a third: each comparison with such a
one errs with 2^-40 (6 bytes: 2^-48). While a table fills up there are 0.006 of those a key (simulated), thus 0.000005
wrong drops expected in a billion texts. Keys of 128 bits are compared by 96 bits and their home: less than 1e-18 for a
billion.

Keys must be uniform, as hashes are: of keys that share their upper half, each costs a walk past all the others.
"""

import io
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.backend import require_numba
from personastream.dedup.image import read_image, write_image
from personastream.dedup.key_index import KeyIndex, Keys

_LOAD_MAX = 0.88
_LINES_FOR_FIVE_BYTES = 1 << 24
_LINES_MIN = 1 << 16  # from here on a home and six bytes make a whole key
_LINES_MAX = 1 << 32


class ExactIndex(KeyIndex):
    """Remembers keys of 64 or 128 bits. Sized for `rows_expected`; it may take more, at the cost of a second look-up.

    Its answers depend on the keys so far, not on how they were batched, nor on whether they came by `insert`, `learn`
    or `load`. With `journal` false it keeps nothing for `learnt`. Raises `ConfigError` without numba.
    """

    def __init__(self, rows_expected: int, bits: Literal[64, 128] = 64, *, journal: bool = True) -> None:
        require_numba("exact deduplication")
        super().__init__(bits, journal=journal)
        self._tables = [_Table(_lines_for(rows_expected, bits), bits)]

    def __len__(self) -> int:
        """Distinct keys."""
        return sum(table.used for table in self._tables)

    @property
    def size_bytes(self) -> int:
        """Of all tables, whether their pages have been touched or not."""
        return sum(table.lines.nbytes for table in self._tables)

    def save(self, file: BinaryIO) -> None:
        """Write the tables as they are. What `learnt` would give is not part of it."""
        write_image(file, self._bits, [(table.lines, table.used) for table in self._tables])

    def load(self, file: io.BufferedIOBase) -> None:
        """Become what was saved. Raises `ImageDamaged` and stays as it was."""
        tables = []
        for lines, used in read_image(file, self._bits):
            tables.append(_Table(len(lines), self._bits, lines))
            tables[-1].used = used
        self._tables = tables
        if self._learnt is not None:
            self._learnt.clear()

    def _insert(self, keys: Keys) -> NDArray[np.bool_]:
        keys = np.ascontiguousarray(keys)
        new = np.ones(len(keys), np.bool_)
        heads, rests = (
            (np.ascontiguousarray(keys[:, 0]), np.ascontiguousarray(keys[:, 1]))
            if self._bits == 128
            else (keys, keys >> np.uint64(32))
        )
        for table in self._tables[:-1]:
            table.find(heads, rests, new, 0)
        done = self._tables[-1].insert(heads, rests, new, 0)
        while done < len(keys):
            self._tables[-1].find(heads, rests, new, done)
            self._tables.append(_Table(_lines_for(len(self), self._bits), self._bits))
            done = self._tables[-1].insert(heads, rests, new, done)
        return new


class _Table:
    """One table: `lines` uint32[n, 16], of which `used` slots are taken."""

    def __init__(self, lines: int, bits: int, filled: NDArray[np.uint32] | None = None) -> None:
        from personastream.dedup import exact_kernels, jit

        self.lines = jit.empty_lines(lines) if filled is None else filled
        self.used = 0
        tail: type[np.unsignedinteger[Any]]
        if bits == 128:
            self._layout = exact_kernels.Layout(slots=5, tails_from=3, state_at=5)
            tail = np.uint64
        elif lines >= _LINES_FOR_FIVE_BYTES:
            self._layout = exact_kernels.Layout(slots=12, tails_from=48, state_at=15)
            tail = np.uint8
        else:
            self._layout = exact_kernels.Layout(slots=10, tails_from=20, state_at=15)
            tail = np.uint16
        self._tails = self.lines.view(tail)
        self._room = int(_LOAD_MAX * self._layout.slots * lines)
        self._kernels = exact_kernels

    def insert(self, heads: Keys, rests: Keys, new: NDArray[np.bool_], at: int) -> int:
        """Insert keys whose `new` is true, until the table is full; returns where that was. See `exact_kernels`."""
        room = self._room - self.used
        done = self._kernels.insert(self.lines, self._tails, self._layout, heads, rests, new, at, room)
        self.used += int(np.count_nonzero(new[at:done]))
        return done

    def find(self, heads: Keys, rests: Keys, new: NDArray[np.bool_], at: int) -> None:
        """Set `new` to false for known keys."""
        self._kernels.find(self.lines, self._tails, self._layout, heads, rests, new, at)


def _lines_for(rows: int, bits: int) -> int:
    """How many lines hold so many rows."""
    from personastream.dedup.exact_kernels import CHOICE_LINES

    slots = 5 if bits == 128 else 10
    lines = int(rows / (slots * _LOAD_MAX)) + 1
    if bits == 64 and lines >= _LINES_FOR_FIVE_BYTES:
        lines = max(int(rows / (12 * _LOAD_MAX)) + 1, _LINES_FOR_FIVE_BYTES)
    return -(-min(max(lines, _LINES_MIN), _LINES_MAX) // CHOICE_LINES) * CHOICE_LINES
