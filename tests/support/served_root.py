"""`personastream serve` as a process of its own, as systemd would run it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personastream.errors import RunError
from personastream.serve.client import Client
from tests.support.command import started

DEADLINE_S = 100.0
SETTINGS = """
[serve]
disk_bytes_min = 0
retry_s = 0.2
retry_s_max = 1.0
[api]
listen = "unix:api.sock"
"""


@dataclass(slots=True)
class Served:
    """A service that runs."""

    root: Path
    process: "subprocess.Popen[bytes]"
    client: Client

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Raises `RunError`."""
        return self.client.call(method, path, body)

    def job(self, name: str) -> dict[str, Any]:
        """As the API shows it."""
        found: dict[str, Any] = self.call("GET", f"/v1/jobs/{name}")
        return found

    def until(self, done: Callable[[], bool]) -> None:
        """Wait for it, with a deadline that only a hung service meets."""
        waited(done)


def waited(done: Callable[[], bool]) -> None:
    """Poll until it is so."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@contextmanager
def served(root: Path, log: Path, *options: str) -> Iterator[Served]:
    """A service for as long as the block lasts; what is said goes behind what is in `log`. Killed at the end."""
    root.mkdir(exist_ok=True)
    if not (root / "serve.toml").exists():
        (root / "serve.toml").write_text(SETTINGS)
    (root / "address").unlink(missing_ok=True)
    with log.open("ab") as err, started("serve", "--root", root, *options, stderr=err) as process:
        yield Served(root, process, client_of(root, process))


def client_of(root: Path, process: "subprocess.Popen[bytes]") -> Client:
    """Who speaks to it, when it answers and knows its jobs."""
    found: list[Client] = []

    def answers() -> bool:
        assert process.poll() is None, "the service has ended"
        try:
            client = Client.of_root(root)
            ready = bool(client.call("GET", "/v1/state")["why_not"] != ["jobs are being read"])
        except RunError:
            return False
        found.append(client)
        return ready

    waited(answers)
    return found[-1]
