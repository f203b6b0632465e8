"""What a service does for itself while it looks at itself."""

import gc
import weakref
from pathlib import Path

import anyio
import pytest

from personastream.serve import vitals
from personastream.serve.vitals import Vitals


class Ring:
    """An object that only the garbage collector frees."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_is_collected_though_the_collector_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vitals, "LOOK_S", 0.0)
    monkeypatch.setattr(vitals, "LOOKS_PER_COLLECTION", 3)

    async def scenario() -> None:
        gone, ring = anyio.Event(), Ring()
        weakref.finalize(ring, gone.set)
        del ring
        assert not gone.is_set()
        async with anyio.create_task_group() as looking:
            looking.start_soon(Vitals(tmp_path, 1 << 30).watch)
            with anyio.fail_after(60):
                await gone.wait()
            looking.cancel_scope.cancel()

    gc.disable()
    try:
        anyio.run(scenario)
    finally:
        gc.enable()
