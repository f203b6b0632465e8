"""Comparing answers, from outside: a few confined interpreters that go on from pair to pair."""

import os
import selectors
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

import anyio
import anyio.to_thread
import orjson

from personastream.errors import ConfigError, NoConfinement
from personastream.sandbox.comparer import COMPARE_S_MAX, PACKAGES, VERDICTS
from personastream.sandbox.inside import READY
from personastream.sandbox.interpreter import HINT, missing, start

START_S_MAX = 120.0
ANSWER_CHARACTERS_MAX = 2_000
"""What is longer is not compared."""
_GRACE_S = 2.0
_MEMORY_BYTES = 1 << 30
_LINE_BYTES_MAX = 256


class _Gone(Exception):
    """The interpreter has ended, or is too slow and has been killed."""


@dataclass
class Comparisons:
    """Says whether two answers mean the same. `close` it in the end; what is left closes with this process."""

    at_once: int = field(default_factory=lambda: max(1, (os.cpu_count() or 2) // 2))
    _turns: anyio.CapacityLimiter | None = field(init=False, repr=False, default=None)
    _idle: "list[subprocess.Popen[bytes]]" = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        if missing(PACKAGES):
            raise ConfigError(
                "comparing answers needs the package math-verify",
                hint="Install it: pip install 'personastream[math]'",
            )

    async def compare(self, first: str, second: str) -> str:
        """`equal`, `different` or `unknown`. Raises `NoConfinement`."""
        if self._turns is None:
            self._turns = anyio.CapacityLimiter(self.at_once)
        return await anyio.to_thread.run_sync(partial(self.compare_here, first, second), limiter=self._turns)

    def compare_here(self, first: str, second: str) -> str:
        """The same in this thread."""
        if max(len(first), len(second)) > ANSWER_CHARACTERS_MAX:
            return "unknown"
        try:
            process = self._idle.pop()
        except IndexError:
            process = self._started()
        try:
            _say(process, orjson.dumps([_one_line(first), _one_line(second)]) + b"\n")
            verdict = _line(process, COMPARE_S_MAX + _GRACE_S, lambda line: line.decode() in VERDICTS)
        except _Gone:
            _end(process)  # the next pair has another one
            return "unknown"
        except BaseException:
            _end(process)
            raise
        self._idle.append(process)
        return verdict.decode()

    def close(self) -> None:
        """End the interpreters that wait."""
        while self._idle:
            _end(self._idle.pop())

    def _started(self) -> "subprocess.Popen[bytes]":
        process = start("comparer", PACKAGES, memory_bytes=_MEMORY_BYTES, cpu_s=0)
        try:
            _line(process, START_S_MAX, lambda line: line + b"\n" == READY)
        except _Gone:
            assert process.stderr
            process.kill()
            words = process.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
            _end(process)
            raise NoConfinement(f"answers cannot be compared in confinement here: {words}", hint=HINT) from None
        return process


def _one_line(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _say(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    """A pair fits into the pipe, which is empty: writing it never waits."""
    assert process.stdin
    try:
        process.stdin.write(line)
    except OSError as error:
        raise _Gone from error


def _line(process: "subprocess.Popen[bytes]", seconds: float, is_good: Callable[[bytes], bool]) -> bytes:
    """The next line that it says. Raises `_Gone` for one that is not good, or is not there in time."""
    assert process.stdout
    said, until_s = bytearray(), monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while not said.endswith(b"\n"):
            if len(said) > _LINE_BYTES_MAX or not ready.select(max(0.0, until_s - monotonic())):
                raise _Gone
            piece = os.read(process.stdout.fileno(), _LINE_BYTES_MAX)
            if not piece:
                raise _Gone
            said += piece
    line = bytes(said[:-1])
    if not is_good(line):
        raise _Gone
    return line


def _end(process: "subprocess.Popen[bytes]") -> None:
    with process:
        process.kill()
