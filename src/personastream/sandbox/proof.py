"""A proof that the walls stand on this machine: a program that tries to pass each of them, before any other is run."""

from functools import cache

from personastream.errors import NoConfinement
from personastream.sandbox.interpreter import HINT
from personastream.sandbox.programs import Programs

_PROBE = """
import os, socket, subprocess, tempfile
from fractions import Fraction
tries = {
    "read a file": lambda: open("/etc/passwd"),
    "list a folder": lambda: os.listdir("/"),
    "write a file": lambda: open("/tmp/personastream-probe", "w"),
    "open a socket": lambda: socket.socket(),
    "start a process": lambda: os.fork(),
    "execute a file": lambda: os.execv("/bin/true", ["true"]),
    "send a signal": lambda: os.kill(os.getppid(), 0),
    "change its limits": lambda: __import__("resource").setrlimit(0, (1, 1)),
}
for name, attempt in tries.items():
    try:
        attempt()
    except OSError:
        continue
    except ValueError:  # how the resource module words a refusal
        continue
    print(name)
print(Fraction(1, 2) + Fraction(1, 3))
"""


@cache
def prove_confinement() -> None:
    """Raises `NoConfinement`, saying what a program could do that it must not, or why none can be run."""
    ran = Programs(wall_s=30.0).run_here(_PROBE)
    *passed, last = ran.output.split("\n")[:-1] or [""]
    if ran.problem or last != "5/6":
        what = f"{ran.problem}: {ran.detail}" if ran.problem else f"it prints {last!r} for 5/6"
        raise NoConfinement(f"a harmless program cannot be run in confinement here: {what}", hint=HINT)
    if passed:
        raise NoConfinement(f"a program could {', '.join(passed)} here in spite of its confinement", hint=HINT)
