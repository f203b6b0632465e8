"""Runs tests of features with the compiled kernels and with those of numpy."""

import sys
from collections.abc import Iterator

import pytest

from personastream.dedup.backend import kernels
from personastream.dedup.ngrams import ngram_kernels
from personastream.dedup.tokens import silent_hashes, small_numbers


@pytest.fixture(params=["compiled", "numpy"], scope="module")
def each_kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """As if numba were missing, for the second half."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "numpy":
            patch.setitem(sys.modules, "personastream.dedup.feature_kernels", None)
            patch.setitem(sys.modules, "personastream.dedup.ngram_kernels", None)
        _forget()
        yield
    _forget()


def _forget() -> None:
    for cached in (kernels, ngram_kernels, silent_hashes, small_numbers):
        cached.cache_clear()
