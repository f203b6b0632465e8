"""Running programs, from outside: each in a confined interpreter of its own, so many at once, each for so long."""

import os
import selectors
import signal
import subprocess
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import NamedTuple

import anyio
import anyio.to_thread

from personastream.errors import NoConfinement
from personastream.sandbox.inside import READY
from personastream.sandbox.interpreter import HINT, start

START_S_MAX = 30.0
"""On a busy machine even the start may take its time; the program's own time begins after it."""
ERROR_BYTES_MAX = 65_536
_LAST_WORDS_BYTES = 4096
_PIECE_BYTES = 65_536
_OUT_OF_TIME = {-signal.SIGXCPU, -signal.SIGKILL}


class Ran(NamedTuple):
    """How a program ended: `problem` is empty or a label such as `program_timeout`; `detail` is its own last words."""

    output: str
    problem: str = ""
    detail: str = ""


@dataclass(slots=True)
class _Pipes:
    """What has come out of a process so far."""

    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)


@dataclass
class Programs:
    """Runs programs. `cpu_s` is their time on a processor, `wall_s` by the clock, from when their walls stand."""

    packages: tuple[str, ...] = ()
    at_once: int = field(default_factory=lambda: max(1, (os.cpu_count() or 2) // 2))
    cpu_s: int = 5
    wall_s: float = 10.0
    memory_bytes: int = 512 << 20
    output_bytes_max: int = 65_536
    _turns: anyio.CapacityLimiter | None = field(init=False, repr=False, default=None)
    _running: "set[subprocess.Popen[bytes]]" = field(init=False, repr=False, default_factory=set)

    async def run(self, program: str) -> Ran:
        """Wait for a turn, run the program to its end. Raises `NoConfinement`."""
        if self._turns is None:
            self._turns = anyio.CapacityLimiter(self.at_once)
        work = partial(self.run_here, program)
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._turns)

    def close(self) -> None:
        """End the programs for whose end nobody waits any more."""
        for process in list(self._running):
            process.kill()

    def run_here(self, program: str) -> Ran:
        """The same in this thread. When it returns, the process is gone and reaped. Raises `NoConfinement`."""
        process = start("program", self.packages, memory_bytes=self.memory_bytes, cpu_s=self.cpu_s)
        pipes = _Pipes()
        self._running.add(process)
        with process:
            try:
                in_time = self._converse(process, program.encode("utf-8", "replace"), pipes)
            finally:
                process.kill()
                self._running.discard(process)
        if not pipes.output.startswith(READY):
            raise NoConfinement(f"a program cannot be confined here: {_last_line(pipes.errors)}", hint=HINT)
        return self._judged(pipes, process.returncode, in_time)

    def _converse(self, process: "subprocess.Popen[bytes]", program: bytes, pipes: _Pipes) -> bool:
        """Hand the program over and take its output; false if it was not through in time. It may not have ended."""
        assert process.stdin and process.stdout and process.stderr  # noqa: PT018
        unsent = memoryview(program)
        until_s, started = monotonic() + START_S_MAX, False
        with selectors.DefaultSelector() as ready:
            os.set_blocking(process.stdin.fileno(), False)
            ready.register(process.stdin, selectors.EVENT_WRITE)
            ready.register(process.stdout, selectors.EVENT_READ, pipes.output)
            ready.register(process.stderr, selectors.EVENT_READ, pipes.errors)
            while ready.get_map() and not self._is_flooded(pipes):
                events = ready.select(max(0.0, until_s - monotonic()))
                if not events:
                    return False
                for key, _ in events:
                    if key.fileobj is process.stdin:
                        unsent = _sent(process, unsent)
                        ended = not unsent
                    else:
                        piece = os.read(key.fd, _PIECE_BYTES)
                        key.data.extend(piece)
                        ended = not piece
                    if ended:
                        ready.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
                if not started and pipes.output.startswith(READY):
                    until_s, started = monotonic() + self.wall_s, True
                elif started and monotonic() >= until_s:
                    return False
            return self._is_flooded(pipes) or _ended(process, until_s)

    def _is_flooded(self, pipes: _Pipes) -> bool:
        return len(pipes.output) > self.output_bytes_max + len(READY) or len(pipes.errors) > ERROR_BYTES_MAX

    def _judged(self, pipes: _Pipes, code: int, in_time: bool) -> Ran:
        output = bytes(pipes.output[len(READY) :]).decode("utf-8", "replace")
        if self._is_flooded(pipes):
            return Ran("", "program_output", "it wrote too much")
        if not in_time or code in _OUT_OF_TIME:
            return Ran("", "program_timeout", f"it took more than {self.cpu_s} s of a processor, or {self.wall_s:g} s")
        if code < 0:
            return Ran("", "program_crashed", f"signal {-code}")
        return Ran("", "program_error", _last_line(pipes.errors)) if code else Ran(output)


def _sent(process: "subprocess.Popen[bytes]", unsent: memoryview) -> memoryview:
    assert process.stdin
    try:
        return unsent[os.write(process.stdin.fileno(), unsent[:_PIECE_BYTES]) :]
    except BlockingIOError:
        return unsent
    except BrokenPipeError:  # it ended before it had read all
        return unsent[:0]


def _ended(process: "subprocess.Popen[bytes]", until_s: float) -> bool:
    """Whether it ends by itself in time, now that its pipes are closed."""
    try:
        process.wait(max(0.0, until_s - monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _last_line(errors: bytearray) -> str:
    lines = bytes(errors[-_LAST_WORDS_BYTES:]).decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it ended without a word")
