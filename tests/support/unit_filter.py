"""Runs a command under the system call filter of a unit file, as systemd would. Needs libseccomp and systemd-analyze.

python -m tests.support.unit_filter configs/systemd/personastream.service COMMAND…
"""

import ctypes
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38


def allowed_calls(unit: str) -> set[str]:
    """The system calls that the `SystemCallFilter=` lines of a unit let through."""
    groups = _groups()
    allowed = set(_expanded(["@default"], groups))
    for refused, names in re.findall(r"^SystemCallFilter=(~?)(.+)$", unit, re.MULTILINE):
        calls = set(_expanded(names.split(), groups))
        allowed = allowed - calls if refused else allowed | calls
    return allowed


def _groups() -> dict[str, list[str]]:
    listing = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True
    ).stdout
    groups: dict[str, list[str]] = {}
    members: list[str] = []
    for line in listing.splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.strip())
    return groups


def _expanded(names: Iterable[str], groups: dict[str, list[str]]) -> Iterator[str]:
    for name in names:
        if name.startswith("@"):
            yield from _expanded(groups[name], groups)
        else:
            yield name


def confine(calls: Iterable[str]) -> None:
    """From now on this process can make no other system calls: they fail with EPERM."""
    import pyseccomp

    calls_filter = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for name in sorted(calls):
        if pyseccomp.resolve_syscall(pyseccomp.system_arch(), name) >= 0:  # not of another architecture
            calls_filter.add_rule(pyseccomp.ALLOW, name)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    calls_filter.load()


if __name__ == "__main__":
    confine(allowed_calls(Path(sys.argv[1]).read_text("utf-8")))
    os.execvp(sys.argv[2], sys.argv[2:])
