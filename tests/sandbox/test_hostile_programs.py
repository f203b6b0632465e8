"""Programs that try everything. What counts is what they reach, not what they are told."""

import errno
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import indent
from typing import Any

import anyio
import pytest

from personastream.errors import NoConfinement
from personastream.sandbox.programs import Programs, Ran

QUICK = Programs(cpu_s=1, wall_s=1.0, memory_bytes=256 << 20, output_bytes_max=4096)
PATIENT = Programs(cpu_s=20, wall_s=60.0, memory_bytes=256 << 20, output_bytes_max=4096)
USUAL = Programs(packages=("sympy", "mpmath"), cpu_s=20, wall_s=60.0)
ATTEMPT = """
try:
{attempt}
except BaseException:
    pass
else:
    print({name!r})
"""


def reached(*attempts: str) -> list[str]:
    """Those of the attempts that succeed, in a program that makes them all."""
    program = "".join(ATTEMPT.format(attempt=indent(each.strip(), "    "), name=each[:60]) for each in attempts)
    ran = USUAL.run_here(program)
    assert ran.problem == "", ran
    return ran.output.splitlines()


def children() -> set[str]:
    """Processes that this one has started and not reaped."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(
            FileNotFoundError, ProcessLookupError
        ):  # a thread that has just ended; its children are another one's now
            found.update((task / "children").read_text().split())
    return found


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """No program outlives its test."""
    before = children()
    yield
    assert children() <= before


def test_arithmetic_is_all_a_program_needs() -> None:
    assert USUAL.run_here("from fractions import Fraction as F\nprint(F(1, 2) + F(1, 3))") == Ran("5/6\n")


@pytest.mark.slow
def test_the_standard_library_and_the_packages_that_are_allowed_can_be_imported() -> None:
    modules = "math, cmath, decimal, itertools, functools, collections, statistics, random, datetime, heapq, re, string"
    ran = USUAL.run_here(f"import {modules}\nfrom sympy import *\nx = symbols('x')\nprint(solve(x**2 - 2, x))")
    assert ran == Ran("[-sqrt(2), sqrt(2)]\n")


def test_other_packages_cannot_be_imported_even_though_they_lie_in_the_same_folder() -> None:
    assert reached("import orjson", "import click", "import numpy", "import sympy") == ["import sympy"]


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    ran = USUAL.run_here("import os\nprint(sorted(os.environ), sorted(globals()))")
    assert "OPENAI" not in ran.output
    assert reached("import os\nopen(f'/proc/{os.getppid()}/environ')", "open('/proc/self/environ')") == []


def test_no_file_outside_the_libraries_opens() -> None:
    paths = ["/etc/passwd", "/proc/self/status", "/proc/1/cmdline", "/dev/zero", "/dev/tty", "/root", "/tmp", "/", "."]
    assert (
        reached(*(f"open({path!r})" for path in paths), *(f"import os\nos.listdir({path!r})" for path in paths)) == []
    )


def test_the_run_directory_is_out_of_reach(tmp_path: Path) -> None:
    secret = tmp_path / "run" / "data"
    secret.mkdir(parents=True)
    (secret / "part").write_text("paid for")
    os.chmod(secret / "part", 0o666)
    path = str(secret / "part")
    calls = ["unlink({0!r})", "truncate({0!r}, 0)", "rename({0!r}, {0!r} + 'x')", "chmod({0!r}, 0)", "chroot('/tmp')"]
    calls += ["link({0!r}, '/tmp/x')", "symlink({0!r}, '/tmp/x')", "mkdir({0!r} + 'd')", "open({0!r}, os.O_PATH)"]
    calls += ["utime({0!r})", "listdir(os.path.dirname({0!r}))", "chdir('/tmp')", "readlink('/proc/self/exe')"]
    attempts = [f"import os\nos.{call.format(path)}" for call in calls]
    assert (
        reached(*attempts, f"open({path!r})", f"open({path!r}, 'a')", f"import shutil\nshutil.rmtree({path!r})") == []
    )
    assert (secret / "part").read_text() == "paid for"
    assert [path.name for path in secret.iterdir()] == ["part"]


def test_nothing_can_be_written() -> None:
    paths = ["x", "/tmp/personastream-x", "/dev/shm/personastream-x"]
    libraries = ["import fractions\nopen(fractions.__file__, 'r+')", "import sympy\nopen(sympy.__file__, 'a')"]
    attempts = [*(f"open({path!r}, 'w')" for path in paths), "import tempfile\ntempfile.TemporaryFile()", *libraries]
    assert reached(*attempts) == []
    assert not any(Path(path).exists() for path in paths)


def test_no_socket_opens() -> None:
    families = ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"]
    kinds = [f"{family}, socket.{kind}" for family in families for kind in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW")]
    attempts = [f"import socket\nsocket.socket(socket.{kind})" for kind in kinds]
    assert reached(*attempts, "import socket\nsocket.socketpair()") == []


def test_loopback_is_not_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        port = server.getsockname()[1]
        connection = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)"
        page = f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/', timeout=1)"
        assert reached(connection, page) == []
        with pytest.raises(BlockingIOError):
            server.accept()


STARTS = (
    "import os\nos.fork()",
    "import os\nassert os.system('id') == 0",
    "import os\nos.popen('id').read()",
    "import subprocess\nsubprocess.run(['id'])",
    "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "import os\nos.execv('/bin/true', ['true'])",
    "import pty\npty.fork()",
    "import multiprocessing as m\nm.Process(target=print).start()",
    "import threading\nthreading.Thread(target=print).start()",
    "import _thread\n_thread.start_new_thread(print, ())",
    "import os\nif os.fork() == 0:\n    os.setsid()\n    os.fork()",
)


def test_no_process_and_no_thread_starts() -> None:
    assert reached(*STARTS) == []


PRELUDE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
"""
RAW = """
ctypes.set_errno(0)
libc.syscall({number}, *[ctypes.c_long(each) for each in {arguments}])
print({name!r}, ctypes.get_errno())
"""
CALLS = {
    "clone": (56, (17, 0, 0, 0, 0)),
    "clone3": (435, (0, 0)),
    "vfork": (58, ()),
    "socket": (41, (2, 1, 0)),
    "io_uring_setup": (425, (1, 0)),
    "ptrace a parent": (101, (16, os.getpid(), 0, 0)),
    "traceme": (101, (0, 0, 0, 0)),
    "process_vm_readv": (310, (os.getpid(), 0, 0, 0, 0, 0)),
    "pidfd_open": (434, (os.getpid(), 0)),
    "mount": (165, (0, 0, 0, 0, 0)),
    "unshare": (272, (0x10000000,)),
    "setns": (308, (0, 0)),
    "bpf": (321, (0, 0, 0)),
    "keyctl": (250, (0, -3, 0)),
    "memfd_create": (319, (0, 0)),
    "seccomp": (317, (2, 0, 0)),
    "prctl": (157, (1, 0, 0, 0, 0)),
    "prlimit of the parent": (302, (os.getpid(), 0, 0, 0)),
    "setsid": (112, ()),
    "shmget": (29, (0, 4096, 0o1777)),
    "perf_event_open": (298, (0, 0, -1, -1, 0)),
    "userfaultfd": (323, (0,)),
    "setpriority": (141, (0, os.getpid(), 19)),
    "fork by the numbers of x32": (0x40000000 + 57, ()),
    "who is signalled for a pipe": (72, (1, 8, os.getpid())),
    "by which signal": (72, (1, 10, 9)),
    "asynchronous pipes": (16, (1, 0x5452, 0)),
    "inotify_init": (253, ()),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64")
def test_system_calls_made_by_hand_are_refused() -> None:
    """Each is checked by the number of its error too: most of these arguments would be refused by any kernel."""
    attempts = [
        RAW.format(name=name, number=number, arguments=arguments) for name, (number, arguments) in CALLS.items()
    ]
    ran = USUAL.run_here(PRELUDE + "".join(attempts))
    errors = dict(line.rsplit(" ", 1) for line in ran.output.splitlines())
    usual = {"clone3": str(errno.ENOSYS), "asynchronous pipes": str(errno.ENOTTY)}
    assert errors == {name: usual.get(name, str(errno.EPERM)) for name in CALLS}


def test_a_program_cannot_kill_or_stop_who_runs_it() -> None:
    calls = [f"os.kill({whom}, signal.{name})" for whom in ("os.getppid()", "-1") for name in ("SIGKILL", "SIGSTOP")]
    assert reached(*(f"import os, signal\n{call}" for call in (*calls, "os.killpg(0, signal.SIGTERM)"))) == []


@pytest.mark.slow
def test_a_fork_bomb_is_a_dud() -> None:
    ran = QUICK.run_here("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass")
    assert ran.problem == "program_timeout"


ENDLESS = (
    "while True: pass",
    "import time\ntime.sleep(1e6)",
    "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    "import os\nos.close(1)\nos.close(2)\nwhile True: pass",
    "10 ** 10 ** 10",
)


@pytest.mark.slow
@pytest.mark.parametrize("program", ENDLESS)
def test_a_program_without_end_ends_all_the_same(program: str) -> None:
    assert QUICK.run_here(program)[:2] == ("", "program_timeout")


@pytest.mark.slow
def test_recursion_ends_by_memory_or_by_time() -> None:
    assert QUICK.run_here("import sys\nsys.setrecursionlimit(1 << 30)\ndef f(): f()\nf()").problem


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("while True: print('x' * 1000)", "program_output"),
        ("import sys\nwhile True: sys.stderr.write('x' * 1000)", "program_output"),
        ("bytearray(1 << 33)", "program_error"),
        ("x = [0]\nwhile True: x += x", "program_error"),
        ("import ctypes\nctypes.string_at(0)", "program_crashed"),
        ("import os\nos.abort()", "program_crashed"),
        ("import os, signal\nos._exit(7)", "program_error"),
        ("raise SystemExit('no')", "program_error"),
        ("1 / 0", "program_error"),
        ("this is no program", "program_error"),
        ("print('\\ud800')", "program_error"),
        ("\0", "program_error"),
        ("x = " + "(" * 5000, "program_error"),
    ],
)
def test_a_program_without_measure_ends_with_a_reason(program: str, problem: str) -> None:
    ran = PATIENT.run_here(program)
    assert ran.problem == problem, ran
    assert ran.output == ""
    assert len(ran.detail) < 400


def test_a_program_that_pretends_to_be_confined_is_still_only_a_program() -> None:
    assert USUAL.run_here("print('confined')") == Ran("confined\n")
    assert USUAL.run_here("import os\nos._exit(0)") == Ran("")


@pytest.mark.slow
def test_a_program_may_be_large() -> None:
    text = "x = 0\n" + "x += 1\n" * 200_000 + "print(x)"
    assert USUAL.run_here(text).output == "200000\n"


def test_programs_wait_for_their_turn() -> None:
    seen: list[int] = []
    lock = threading.Lock()
    running = 0

    class Counting(Programs):
        def run_here(self, program: str) -> Ran:
            nonlocal running
            with lock:
                running += 1
                seen.append(running)
            try:
                return super().run_here(program)
            finally:
                with lock:
                    running -= 1

    programs = Counting(at_once=2)

    async def many() -> None:
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(programs.run, f"print({number})")

    anyio.run(many)
    assert len(seen) == 8
    assert max(seen) == 2


class Noticing(set[Any]):
    """A set that tells when something is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.filled = threading.Event()

    def add(self, element: Any) -> None:
        super().add(element)
        self.filled.set()


def test_programs_that_nobody_waits_for_are_ended() -> None:
    programs, running = Programs(wall_s=1000.0, cpu_s=1000), Noticing()
    programs._running = running

    def run() -> None:
        with suppress(NoConfinement):  # it may be ended before it is confined
            programs.run_here("import time\ntime.sleep(1000)")

    thread = threading.Thread(target=run)
    thread.start()
    assert running.filled.wait(30)
    programs.close()
    thread.join(30)
    assert not thread.is_alive()
    assert not running


def test_a_program_dies_with_the_process_that_runs_it() -> None:
    """Killed outright, the parent can clean up nothing: the kernel does."""
    code = (
        "from personastream.sandbox.interpreter import start\n"
        "process = start('program', (), memory_bytes=1 << 29, cpu_s=100)\n"
        "process.stdin.write(b'print(1, flush=True)\\nimport time\\ntime.sleep(1000)')\nprocess.stdin.close()\n"
        "process.stdout.readline(), process.stdout.readline()\n"
        "print(process.pid, flush=True)\nimport time\ntime.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        guest = int(parent.stdout.readline())
        descriptor = os.pidfd_open(guest)
        parent.kill()
    try:
        assert select.select([descriptor], [], [], 30.0)[0], "the program outlives its parent"
    finally:
        os.close(descriptor)
