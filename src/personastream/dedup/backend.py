"""Which loops do the work: compiled ones where numba is installed, else numpy's, with the same bits."""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from personastream.errors import ConfigError

Bytes = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Starts = NDArray[np.int64]
Table = NDArray[np.uint32]
Formed = tuple[Bytes, Starts, Starts, NDArray[np.bool_]]
"""Packed rows, and which of them are left out."""


class Kernels(Protocol):
    """Loops over rows: row i of n is `data` from `begins[i]` to `ends[i]`, as in `packed.Packed`; or `hashes` from
    `starts[i]` to `starts[i + 1]`. None may be negative.
    """

    def form_rows(self, data: Bytes, begins: Starts, ends: Starts, table: Table) -> Formed:
        """The same rows for finding words: ASCII as it is, other characters looked up in `table` (see `fold`).

        Left out, with any content, are rows that are hard, and others beyond ASCII as the implementation likes.
        """

    def normal_rows(self, data: Bytes, begins: Starts, ends: Starts, table: Table) -> Formed:
        """The normal forms of rows, other characters than ASCII looked up in `table`.

        Left out, with any content, are rows that are hard, and others as the implementation likes.
        """

    def hash_texts(self, data: Bytes, begins: Starts, ends: Starts, table: Table) -> tuple[Hashes, NDArray[np.bool_]]:
        """xxh3-64 of the normal forms of rows, uint64[n]; and which rows were left out, bool[n].

        Those are all that `normal_rows` leaves out, and others as the implementation likes.
        """

    def features(
        self, data: Bytes, begins: Starts, ends: Starts, table: Table, pairs: bool
    ) -> tuple[Hashes, Hashes, Starts, NDArray[np.bool_]]:
        """Of rows in the form that `form_rows` gives them: `simhash`, `sketches` and how many words each has.

        uint64[n], uint64[n, 2], int64[n]; and bool[n]: which rows were left out, as by `form_rows`.
        """

    def hash_words(self, data: Bytes, begins: Starts, ends: Starts) -> tuple[Hashes, Starts]:
        """The hashes of all words and where each row's begin."""

    def hash_tokens(self, data: Bytes, begins: Starts, ends: Starts, silent: Hashes) -> tuple[Hashes, Starts]:
        """The hashes of all tokens (see `tokens`) but the `silent` ones, and where each row's begin."""

    def rehash(self, hashes: Hashes, flip: np.uint64, factor: np.uint64) -> Hashes:
        """Another hash of each: `fold(hash ^ flip, factor)`, uint64 as many as `hashes`."""

    def simhash(self, hashes: Hashes, starts: Starts, pairs: bool) -> Hashes:
        """uint64[n]."""

    def simhash_weighted(self, hashes: Hashes, starts: Starts, weights: NDArray[np.int64], pairs: bool) -> Hashes:
        """uint64[n]; each word has its weight, a pair the sum of its two words' weights and a word twice its own."""

    def sketches(self, hashes: Hashes, starts: Starts) -> Hashes:
        """uint64[n, 2]."""

    def minhash(
        self, hashes: Hashes, starts: Starts, flips: NDArray[np.uint32], factors: NDArray[np.uint32]
    ) -> NDArray[np.uint32]:
        """uint32[n, permutations]."""


COMPILING = "compiling the loops of dedup for this machine: that takes up to a minute, once"
_told: list[Callable[[str], None]] = []


def when_compiling(tell: Callable[[str], None]) -> None:
    """Have `tell` called, once in this process, when loops have to be compiled: why nothing seems to happen."""
    _told[:] = [tell]


def compiling() -> None:
    """Loops are being compiled. Called by `jit`, from any thread."""
    with suppress(IndexError):
        _told.pop()(COMPILING)


@cache
def kernels() -> Kernels:
    """The loops of feature kernels; the first call imports them."""
    try:
        return cast(Kernels, import_module("personastream.dedup.feature_kernels"))
    except ImportError:
        return cast(Kernels, import_module("personastream.dedup.feature_arrays"))


def are_loaded() -> bool:
    """Whether compiled loops are loaded already, so that nothing is gained by doing without."""
    return sys.modules.get("personastream.dedup.feature_kernels") is not None


def require_numba(what: str) -> None:
    """Raise `ConfigError` if numba, which `what` cannot do without, cannot be imported."""
    try:
        import numba  # noqa: F401 - only whether it can be
    except ImportError as error:
        raise ConfigError(
            f"{what} needs numba, which cannot be imported: {error}",
            hint="Install it into this environment: pip install numba. It has wheels for CPython on Linux and macOS.",
        ) from error
