"""`personastream simulate` as a process of its own, to be asked by other processes."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import orjson

from tests.support.command import started


@dataclass(frozen=True, slots=True)
class Simulated:
    """A running simulator."""

    base_url: str

    def stats(self) -> dict[str, Any]:
        """Its counters, by name."""
        with urlopen(self.base_url.removesuffix("/v1") + "/stats", timeout=10) as reply:
            counters: dict[str, Any] = orjson.loads(reply.read())
        return counters


@contextmanager
def simulated(*options: str | Path, env: Mapping[str, str] | None = None) -> Iterator[Simulated]:
    """A simulator with these command line options on any free port, for as long as the block lasts."""
    with started("simulate", "--port", "0", *options, env=env, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().decode().strip()
        assert base_url.startswith("http://"), f"the simulator did not start: {base_url!r}"
        yield Simulated(base_url)
