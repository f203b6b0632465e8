"""`personastream serve` as a process of its own, with the real client to speak to it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from personastream.errors import RunError
from personastream.serve.client import Client
from tests.support.command import started

DEADLINE_S = 100.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """A service that runs."""

    root: Path
    client: Client
    process: "subprocess.Popen[bytes]"

    @property
    def page(self) -> str:
        """The page's address, with the token."""
        return f"{self.client.base}/#token={self.client.token}"

    def job(self, name: str) -> dict[str, Any]:
        """What there is to see of a job."""
        found: dict[str, Any] = self.client.call("GET", f"/v1/jobs/{name}")
        return found

    def submit(self, name: str, config: str, **more: Any) -> None:
        """A new job."""
        self.client.call("POST", "/v1/jobs", {"name": name, "config": config, "base": str(self.root), **more})

    def wait(self, name: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job as soon as it is as it should be."""
        deadline = time.monotonic() + DEADLINE_S
        while not true(job := self.job(name)):
            assert time.monotonic() < deadline, f"waited {DEADLINE_S:g} s; the job is {job}"
            time.sleep(0.02)
        return job


@contextmanager
def serving_root(root: Path, *options: str) -> Iterator[Daemon]:
    """A service of this folder, at any free port, until the block ends."""
    log = root.with_name(f"{root.name}.log")
    (root / "address").unlink(missing_ok=True)
    with (
        log.open("ab") as file,
        started("serve", "--root", root, *options, "--set", 'api.listen="127.0.0.1:0"', stderr=file) as process,
    ):
        deadline = time.monotonic() + DEADLINE_S
        while not (client := _client(root)):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.02)
        yield Daemon(root, client, process)


def _client(root: Path) -> Client | None:
    try:
        client = Client.of_root(root)
        client.call("GET", "/v1/state")
    except RunError:
        return None
    return client


def config_of(base_url: str, shard: Path, **provider: Any) -> str:
    """A job that asks a simulator for the rows of a shard."""
    settings = {"in_flight_max": 32, "input_price": 1.0, "output_price": 2.0, **provider}
    more = "\n".join(f"{key} = {orjson.dumps(value).decode()}" for key, value in settings.items())
    return (
        f'[source]\npaths = ["{shard}"]\n[[transform]]\ntype = "dedup"\n'
        '[recipe]\ntype = "generate"\ntemplate = "math"\n'
        f'[provider]\ntype = "openai"\nbase_url = "{base_url}"\nmodel = "simulated"\n{more}\n'
        "[limits]\nspend_max = 1000\ndead_share_max = 1.0\n"
    )


def write_personas(path: Path, rows: int, twins: int = 0) -> Path:
    """A shard of so many personas, of which the first ones come twice."""
    texts = [f"A keeper of lighthouse number {number}, who counts ships" for number in range(rows)]
    path.write_bytes(b"".join(orjson.dumps({"persona": text}) + b"\n" for text in [*texts[:twins], *texts]))
    return path
