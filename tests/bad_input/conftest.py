"""One simulator for all tests of bad input."""

from collections.abc import Iterator

import pytest

from tests.support.simulated import Simulated, simulated


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulated]:
    with simulated() as running:
        yield running
