"""Settings of the tests of what keeps a service in operation."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
