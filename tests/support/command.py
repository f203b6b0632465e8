"""The command line as a process of its own, the way people meet it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

COMMAND = str(Path(sys.executable).with_name("personastream"))
TIMEOUT_S = 110.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended: its exit code (negative: the signal that killed it) and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What stdout holds, as the one JSON document that it must be."""
        return orjson.loads(self.out)


def personastream(*arguments: str | Path, folder: Path | None = None, env: Mapping[str, str] | None = None) -> Finished:
    """Run `personastream …` to its end. No test may see a traceback: an exit code of 1 is a bug."""
    with started(*arguments, folder=folder, env=env) as process:
        return finish(process)


@contextmanager
def started(
    *arguments: str | Path,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> Iterator["subprocess.Popen[bytes]"]:
    """`personastream …` under way. What still runs at the end of the block is killed."""
    command = [COMMAND, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=folder, env=environment(env), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def type_in(line: str) -> Finished:
    """Do what a message told people to type."""
    command = shlex.split(line)
    assert command[0] in (COMMAND, "personastream")
    return personastream(*command[1:])


def shell(line: str, folder: Path) -> tuple[int, str]:
    """Exit code and stderr of a bash line in which $P is the program; a pipe has the code of its first process."""
    env = environment({"P": COMMAND})
    done = subprocess.run(["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"], cwd=folder, env=env, capture_output=True)
    words = _text(done.stderr)
    assert "Traceback" not in words
    assert "Exception ignored" not in words
    return done.returncode, words


def finish(process: "subprocess.Popen[bytes]", timeout_s: float = TIMEOUT_S) -> Finished:
    """Wait for the end of a process, and look for a traceback in what it wrote."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {timeout_s:g} s: {process.args!r}\n{_text(err)}") from None
    finished = Finished(process.returncode, _text(out), _text(err))
    assert "Traceback" not in finished.err + finished.out, finished.err
    assert finished.code != 1, finished.err
    return finished


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process: nobody's keys, and `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {**kept, **(extra or {})}


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")
