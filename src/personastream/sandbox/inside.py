"""The first moments of a confined interpreter: what it needs is read, then the walls go up, then the guest begins.

Started by `interpreter.py`. It says `READY` on stdout when the walls stand; what the guest brings with it runs then.
"""

from __future__ import annotations

import os
import resource
import sys

from personastream.sandbox import kernel, landlock, seccomp

TYPE_CHECKING = False  # modules like `typing` would take four times as long to load as all else here
if TYPE_CHECKING:
    from collections.abc import Callable

READY = b"confined\n"
DESCRIPTORS_MAX = 64
NICENESS = 5
"""Guests give way to the run that waits for them."""


class Terms:
    """What a guest may have: bytes of memory, seconds of CPU time (0: no end), what it may read and import from.

    `libraries` may be read. `sites` are folders of packages: which there are may be seen, no more.
    """

    def __init__(self, words: list[str]) -> None:
        parent, memory_bytes, cpu_s, libraries, sites = words
        self.parent, self.memory_bytes, self.cpu_s = int(parent), int(memory_bytes), int(cpu_s)
        self.libraries, self.sites = _listed(libraries), _listed(sites)


def begin(guest: Callable[[Terms], Callable[[], None]]) -> None:
    """Let a guest prepare while there are no walls, put them up, and let it go on."""
    terms = Terms(sys.argv[2:7])
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # there are no threads to be had
    sys.path[:] = [each for each in sys.path if each != sys.argv[1]]
    sys.path += terms.sites
    go_on = guest(terms)
    confine(terms)
    os.write(1, READY)
    go_on()


def confine(terms: Terms) -> None:
    """Put up the walls, for this process and for good. Raises `OSError` for one that cannot stand."""
    os.nice(NICENESS)
    os.chdir("/")
    kernel.leave_namespaces()
    _limit(terms)
    kernel.gain_no_privileges()
    kernel.drop_capabilities()
    kernel.hide_from_peers()
    landlock.only_read(terms.libraries, listing=terms.sites)
    seccomp.only_compute()


def _limit(terms: Terms) -> None:
    limits = {
        resource.RLIMIT_AS: terms.memory_bytes,
        resource.RLIMIT_CPU: terms.cpu_s or resource.RLIM_INFINITY,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: DESCRIPTORS_MAX,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard) if most >= 0 else hard
        resource.setrlimit(limit, (most, most))


def _listed(paths: str) -> list[str]:
    return [path for path in paths.split(os.pathsep) if path]
