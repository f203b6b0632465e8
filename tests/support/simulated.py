"""`personastream simulate` as a process of its own, to be asked by other processes."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import orjson

from tests.support.command import started


@dataclass(frozen=True, slots=True)
class Simulated:
    """A running simulator."""

    base_url: str

    def stats(self) -> dict[str, Any]:
        """Its counters, by name."""
        counters: dict[str, Any] = self._get("/stats")
        return counters

    def bodies(self) -> dict[str, dict[str, int]]:
        """How often each body was asked, had a completion generated, and got one in whole; by the body's hash."""
        found: dict[str, dict[str, int]] = self._get("/admin/bodies")
        return found

    def change(self, **changes: Any) -> None:
        """Behave otherwise from now on: fields of `Behaviour`, `dead_s` and `dead_how`."""
        self._post("/admin/behaviour", changes)

    def follow(self, *steps: Mapping[str, Any]) -> None:
        """Follow this script from the next request on."""
        self._post("/admin/script", steps)

    def _get(self, path: str) -> Any:
        with urlopen(self.base_url.removesuffix("/v1") + path, timeout=10) as reply:
            return orjson.loads(reply.read())

    def _post(self, path: str, told: object) -> None:
        with urlopen(Request(self.base_url.removesuffix("/v1") + path, orjson.dumps(told)), timeout=10) as reply:
            assert reply.status == 200


@contextmanager
def simulated(*options: str | Path, env: Mapping[str, str] | None = None) -> Iterator[Simulated]:
    """A simulator with these command line options on any free port, for as long as the block lasts."""
    with started("simulate", "--port", "0", *options, env=env, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().decode().strip()
        assert base_url.startswith("http://"), f"the simulator did not start: {base_url!r}"
        yield Simulated(base_url)
