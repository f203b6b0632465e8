"""The walls themselves: what the filter lets through on each architecture, and what happens where one cannot stand."""

import errno
import os
from collections.abc import Iterator

import pytest

from personastream.errors import ConfigError, ExitCode, NoConfinement
from personastream.sandbox import proof
from personastream.sandbox.interpreter import missing, start
from personastream.sandbox.programs import Programs
from personastream.sandbox.seccomp import ARCHITECTURES, filter_program

ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter says of a system call: classic BPF, as far as it is used."""
    words = {0: number, 4: ARCHITECTURES[machine][0] if architecture is None else architecture}
    words |= {16 + 8 * place: argument for place, argument in enumerate(arguments)}
    program, at, held = filter_program(machine), 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == 0x20:
            held = words[operand]
        elif code == 0x06:
            return operand
        else:
            hit = held == operand if code == 0x15 else bool(held & operand)
            at += if_true if hit else if_false


@pytest.mark.parametrize(
    ("machine", "read", "openat", "fcntl", "forbidden"),
    [
        ("x86_64", 0, 257, 72, (41, 56, 57, 58, 59, 62, 101, 234, 272, 302, 317, 425, 435 + 1)),
        ("aarch64", 63, 56, 25, (198, 220, 221, 129, 131, 117, 97, 261, 277, 425, 435 + 1)),
    ],
)
def test_the_filter_lets_computing_through_and_nothing_else(
    machine: str, read: int, openat: int, fcntl: int, forbidden: tuple[int, ...]
) -> None:
    assert verdict(machine, read, 0) == ALLOW
    assert verdict(machine, openat, 0, 0, os.O_CLOEXEC) == ALLOW
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND, os.O_PATH, os.O_TMPFILE):
        assert verdict(machine, openat, 0, 0, flags | os.O_CLOEXEC) == REFUSE | errno.EACCES
    assert [verdict(machine, fcntl, 1, command) == ALLOW for command in (0, 1, 2, 3, 1030)] == [True] * 5
    assert {verdict(machine, fcntl, 1, command) for command in (4, 5, 8, 10, 1024, 1031, 1033)} == {
        REFUSE | errno.EPERM
    }
    assert {verdict(machine, number, 0, 0, 0) for number in forbidden} == {REFUSE | errno.EPERM}
    assert verdict(machine, 435) == REFUSE | errno.ENOSYS
    assert verdict(machine, 5000) == REFUSE | errno.EPERM
    assert verdict(machine, read, architecture=0x40000003) == KILL


def test_numbers_of_the_other_calling_convention_are_refused() -> None:
    allowed = [number for number in range(600) if verdict("x86_64", number, 0, 0, 0) == ALLOW]
    assert 60 < len(allowed) < 75
    assert {verdict("x86_64", 0x40000000 + number, 0, 0, 0) for number in allowed} == {REFUSE | errno.EPERM}


def test_this_machine_confines() -> None:
    proof.prove_confinement()


@pytest.fixture
def unproven() -> Iterator[None]:
    proof.prove_confinement.cache_clear()
    yield
    proof.prove_confinement.cache_clear()


@pytest.mark.usefixtures("unproven")
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("seccomp.only_compute = lambda: None", "could open a socket, start a process"),
        ("landlock.only_read = lambda *a, **k: None", "could read a file, list a folder"),
        ("landlock.version = lambda: kernel.system_call(5000)", "Function not implemented"),
        ("seccomp.ARCHITECTURES = dict()", "KeyError"),
        ("inside.begin = lambda guest: guest(())", "cannot be confined"),
    ],
)  # fmt: skip
def test_a_machine_that_does_not_confine_is_refused(broken: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel of another machine, played by breaking the code that asks it."""
    boot = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from personastream.sandbox import inside, kernel, landlock, seccomp\n"
        f"{broken}\nfrom personastream.sandbox.{{guest}} import guest\ninside.begin(guest)"
    )
    monkeypatch.setattr("personastream.sandbox.interpreter._BOOT", boot)
    with pytest.raises(NoConfinement) as caught:
        proof.prove_confinement()
    assert said in caught.value.message
    assert "Linux 5.13" in caught.value.hint
    assert caught.value.exit_code is ExitCode.CONFIG


def test_an_interpreter_that_cannot_be_started_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(NoConfinement, match="No such file"):
        Programs().run_here("print(1)")


def test_packages_that_are_not_there_are_named() -> None:
    assert missing(["sympy", "no_such_package", "../etc", "os"]) == ["no_such_package", "../etc"]
    with pytest.raises(ConfigError, match="no_such_package"):
        start("program", ["no_such_package"], memory_bytes=1 << 29, cpu_s=1)
