"""A seccomp filter that lets computing through, and nothing by which a process reaches anything outside itself.

It is a list of what is allowed: no sockets, no processes or threads, no execution of files, no signals to others, no
mounts, tracing, rings, keys or namespaces, and nothing that a later kernel adds. Files open for reading only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from personastream.sandbox.kernel import system_call

TYPE_CHECKING = False  # see `inside.py`
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ARCHITECTURES = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}
"""By machine: the kernel's name for it, the column of `_ALLOWED`, the number of seccomp itself."""

_ALLOWED: Mapping[str, tuple[int | None, int | None]] = {
    # memory
    **{"brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226)},
    **{"madvise": (28, 233)},
    # descriptors that there are, and files that Landlock lets be read
    **{"read": (0, 63), "readv": (19, 65), "pread64": (17, 67), "write": (1, 64), "writev": (20, 66)},
    **{"close": (3, 57), "lseek": (8, 62), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24)},
    **{"stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291)},
    **{"access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439)},
    **{"getdents64": (217, 61), "getcwd": (79, 17)},
    # waiting, for as long as the deadline lets it
    **{"poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72)},
    **{"nanosleep": (35, 101), "clock_nanosleep": (230, 115), "restart_syscall": (219, 128)},
    **{"futex": (202, 98), "sched_yield": (24, 124), "set_robust_list": (273, 99), "rseq": (334, 293)},
    # its own signals and timers
    **{"rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132)},
    **{"alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102)},
    # what it is and what time it is
    **{"getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174)},
    **{"geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "uname": (63, 160)},
    **{"sysinfo": (99, 179), "getrusage": (98, 165), "times": (100, 153), "sched_getaffinity": (204, 123)},
    **{"clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None)},
    **{"getrandom": (318, 278)},
    # the end
    **{"exit": (60, 93), "exit_group": (231, 94)},
}
"""By name: the number on x86_64 and on aarch64. None: the architecture has no such call."""

_OPEN, _OPENAT, _FCNTL, _IOCTL = (2, None), (257, 56), (72, 25), (16, 29)
_CLONE3 = (435, 435)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | 0o20000000 | 0o10000000
"""Flags of open that change something, with those of unnamed files and of bare paths."""
_FCNTL_ALLOWED = (0, 1, 2, 3, 1030)
"""Duplicating a descriptor, reading and setting its flags; not whom signals about it go to, which may be anybody."""

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_SET_MODE_FILTER = 1


def filter_program(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter for a machine, as instructions of classic BPF: code, jump if true, jump if false, operand."""
    name, column, _ = ARCHITECTURES[machine]
    head = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    return [*head, *_rules(column), (_RETURN, 0, 0, _REFUSE | errno.EPERM)]


def only_compute() -> None:
    """Install the filter for this process, for good. Raises `OSError`, or `KeyError` on other machines."""
    machine = os.uname().machine
    program = b"".join(struct.pack("=HBBI", *each) for each in filter_program(machine))
    instructions = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    system_call(ARCHITECTURES[machine][2], _SET_MODE_FILTER, 0, ctypes.c_char_p(described))


def _rules(column: int) -> Iterator[tuple[int, int, int, int]]:
    for numbers in _ALLOWED.values():
        if (number := numbers[column]) is not None:
            yield from _for_call(number, [(_RETURN, 0, 0, _ALLOW)])
    for numbers, argument in ((_OPEN, 1), (_OPENAT, 2)):
        if (number := numbers[column]) is not None:
            yield from _for_call(number, [*_unless_any_bit(argument), (_RETURN, 0, 0, _ALLOW)])
    known = [(_EQUAL, len(_FCNTL_ALLOWED) - place, 0, each) for place, each in enumerate(_FCNTL_ALLOWED)]
    refused = (_RETURN, 0, 0, _REFUSE | errno.EPERM)
    yield from _for_call(_FCNTL[column], [_argument(1), *known, refused, (_RETURN, 0, 0, _ALLOW)])
    yield from _for_call(_IOCTL[column], [(_RETURN, 0, 0, _REFUSE | errno.ENOTTY)])  # as for what is no terminal
    yield from _for_call(_CLONE3[column], [(_RETURN, 0, 0, _REFUSE | errno.ENOSYS)])  # its arguments lie in memory


def _for_call(number: int, body: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    return [(_EQUAL, 0, len(body), number), *body]


def _unless_any_bit(argument: int) -> list[tuple[int, int, int, int]]:
    return [_argument(argument), (_ANY_BIT, 0, 1, _WRITING), (_RETURN, 0, 0, _REFUSE | errno.EACCES)]


def _argument(place: int) -> tuple[int, int, int, int]:
    """Loads the lower half of an argument: both architectures are little-endian, and flags are 32 bits."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)
