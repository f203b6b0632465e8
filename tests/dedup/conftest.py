"""Runs tests of features with the compiled kernels and with those of numpy."""

import sys
from collections.abc import Iterator

import pytest

from personastream.dedup.backend import kernels


@pytest.fixture(params=["compiled", "numpy"], scope="module")
def each_kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """As if numba were missing, for the second half."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "numpy":
            patch.setitem(sys.modules, "personastream.dedup.feature_kernels", None)
        kernels.cache_clear()
        yield
    kernels.cache_clear()
