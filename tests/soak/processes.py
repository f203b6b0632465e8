"""The processes of a soak: the service, which is killed and started again, and simulated endpoints, which get lost."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import Request, urlopen

import orjson

from personastream.errors import RunError
from personastream.serve.client import Client
from tests.soak.plan import FAULTS
from tests.support.command import COMMAND, environment

READY_S = 120.0


class Endpoint:
    """A simulated model service, at the same port in all its lives."""

    def __init__(self, latency_s: float, seed: int) -> None:
        self._options = ["--latency", str(latency_s), "--latency-sigma", "0.3", "--output-tokens", "40"]
        self._options += ["--seed", str(seed), *(word for fault in FAULTS for word in ("--fault", fault))]
        self.arrivals_before = 0
        self.process, self.base_url = self._start(0)

    def _start(self, port: int) -> tuple["subprocess.Popen[bytes]", str]:
        process = subprocess.Popen(
            [COMMAND, "simulate", "--port", str(port), *self._options],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        return process, process.stdout.readline().decode().strip()

    def arrivals(self) -> int:
        """Requests so far."""
        with suppress(OSError), urlopen(self.base_url.removesuffix("/v1") + "/stats", timeout=10) as reply:
            return self.arrivals_before + int(orjson.loads(reply.read())["arrivals"])
        return self.arrivals_before

    def change(self, **changes: object) -> None:
        """Behave otherwise from now on."""
        address = self.base_url.removesuffix("/v1") + "/admin/behaviour"
        with urlopen(Request(address, orjson.dumps(changes)), timeout=10) as reply:
            reply.read()

    def lose(self) -> None:
        """It is gone, with all that it was at."""
        self.arrivals_before = self.arrivals()
        self.end()

    def come_back(self) -> None:
        """It is there again."""
        self.process, self.base_url = self._start(int(self.base_url.rpartition(":")[2].partition("/")[0]))

    def end(self) -> None:
        """For good."""
        self.process.kill()
        self.process.communicate()


class Served:
    """`personastream serve` over a root."""

    def __init__(self, root: Path) -> None:
        self.root, self.lives = root, 0
        self.log = (root.parent / "serve.log").open("ab")
        self.start()

    def start(self) -> None:
        """Return once it answers."""
        self.lives += 1
        (self.root / "address").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--root", str(self.root)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        end_s = monotonic() + READY_S
        while self.state() is None:
            assert self.process.poll() is None, f"the service ended: {self.process.returncode}; see {self.log.name}"
            assert monotonic() < end_s, f"the service does not answer; see {self.log.name}"
            sleep(0.2)

    def state(self) -> dict[str, Any] | None:
        """What it says of itself; None if it does not answer now."""
        try:
            return self.call("GET", "/v1/state")  # type: ignore[no-any-return]
        except (RunError, OSError):
            return None

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask it. Raises `RunError`."""
        return Client.of_root(self.root).call(method, path, body)

    def kill(self) -> None:
        """As a power failure would, but for the disk."""
        self.process.kill()
        self.process.wait()

    def reload(self) -> None:
        """Read settings and keys again."""
        self.process.send_signal(signal.SIGHUP)

    def drain(self, how: str, timeout_s: float = 200.0) -> int:
        """End in order, by a signal or by the API; returns the exit code."""
        if how == "signal":
            self.process.send_signal(signal.SIGTERM)
        else:
            self.call("POST", "/v1/service/drain")
        return self.process.wait(timeout_s)

    def rss_bytes(self) -> int:
        """Resident memory of its own: not that of files which are mapped."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        return 0

    def descriptors(self) -> int:
        """Open files and connections."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self) -> int:
        """Of the process."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))
