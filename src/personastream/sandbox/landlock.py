"""Landlock (Linux 5.13 and later): which folders may be read. Nothing else opens, and nothing at all for writing."""

from __future__ import annotations

import ctypes
import os
import struct

from personastream.sandbox.kernel import system_call

TYPE_CHECKING = False  # see `inside.py`
if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""By version of the interface: all rights to files that it knows, from executing to ioctl on devices."""
_NET_RIGHTS, _SCOPES = 0b11, 0b11
"""Binding and connecting TCP, from version 4; abstract sockets and signals to others, from version 6."""


def version() -> int:
    """Of the interface, from 1. Raises `OSError` where there is none."""
    return system_call(_CREATE_RULESET, None, 0, _VERSION_FLAG)


def only_read(paths: Iterable[str], *, listing: Iterable[str] = ()) -> None:
    """From now on this process may read what lies beneath `paths`, list folders beneath `listing`, and open nothing
    else. Raises `OSError`.
    """
    known = version()
    rights = _FILE_RIGHTS[max(each for each in _FILE_RIGHTS if each <= known)]
    fields = [rights, *([_NET_RIGHTS] if known >= 4 else []), *([_SCOPES] if known >= 6 else [])]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = system_call(_CREATE_RULESET, ctypes.c_char_p(attributes), len(attributes), 0)
    for path in paths:
        _allow(ruleset, path, _READ_FILE | _READ_DIR)
    for path in listing:
        _allow(ruleset, path, _READ_DIR)
    system_call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # not every system has every folder of libraries
    if not os.path.isdir(path):
        rights &= _READ_FILE
    rule = struct.pack("=Qi", rights, descriptor)
    system_call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.c_char_p(rule), 0)
    os.close(descriptor)
