"""A server as a process of its own on loopback, whose log tells what it is doing."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command import environment

VARIABLE = "SERVERS"
WAIT_S_MAX = 120.0
READY = "Uvicorn running on"
"""What uvicorn says when it listens; it is under nearly all servers written in Python."""

NOBODY = "http://127.0.0.1:9"
LOOPBACK_ONLY = {"HTTPS_PROXY": NOBODY, "https_proxy": NOBODY, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
"""Whatever a server may want from the network, it does not get: its way out is a proxy that is not there."""


def program(name: str) -> Path:
    """A program of the environment that holds the servers; where there is none, the tests of the file are skipped."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"${VARIABLE} names no environment with servers: `make servers`", allow_module_level=True)
    return Path(folder).absolute() / "bin" / name


def free_port() -> int:
    """A port that nobody listens on for now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Logged:
    """A process; the lines that it writes are kept and may be waited for."""

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self._told = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            [str(word) for word in command],
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, words: str, times: int = 1) -> None:
        """Return when so many lines with these words have been written."""
        with self._told:
            self._told.wait_for(lambda: self._ended or self._count(words) >= times, WAIT_S_MAX)
            assert self._count(words) >= times, "\n".join([f"not {times} times {words!r} in:", *self.lines[-40:]])

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _count(self, words: str) -> int:
        return sum(words in line for line in self.lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._told:
                    self.lines.append(line.rstrip())
                    self._told.notify_all()
        with self._told:
            self._ended = True
            self._told.notify_all()


@contextmanager
def serving(*command: str | Path, env: Mapping[str, str] | None = None) -> Iterator[Logged]:
    """A uvicorn server that listens, for as long as the block lasts."""
    server = Logged(command, {**LOOPBACK_ONLY, "NO_COLOR": "1", **(env or {})})
    try:
        server.wait_for(READY)
        yield server
    finally:
        server.kill()
