"""Algebra on answers, in interpreters that are confined and go on."""

import os
import signal
from collections.abc import Iterator

import anyio
import pytest

from personastream.errors import ConfigError, NoConfinement
from personastream.sandbox import comparisons
from personastream.sandbox.comparisons import Comparisons

pytestmark = pytest.mark.slow  # its libraries take a second to load


@pytest.fixture(scope="module")
def compare() -> Iterator[Comparisons]:
    made = Comparisons()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("\\frac{\\sqrt3}{3}", "1/\\sqrt{3}"),
        ("1 \\pm \\sqrt{19}", "1-\\sqrt{19}, 1+\\sqrt{19}"),
        ("(a+5)(b+2)", "ab+2a+5b+10"),
        ("p - q", "-q+p"),
        ("\\cot x", "\\frac{\\cos x}{\\sin x}"),
        ("(3,4]", "(3, 4]"),
        ("\\begin{pmatrix} -1/3 \\\\ 2/3 \\end{pmatrix}", "\\begin{pmatrix} -\\frac13 \\\\ \\frac23 \\end{pmatrix}"),
        ("11\\sqrt2", "11*sqrt(2)"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3, 0.5\\pi)"),
    ],
)
def test_equal_answers(first: str, second: str, compare: Comparisons) -> None:
    assert compare.compare_here(f"${first}$", f"${second}$") == "equal"
    assert compare.compare_here(f"${second}$", f"${first}$") == "equal"


@pytest.mark.parametrize(
    ("first", "second"), [("\\sqrt2", "\\sqrt3"), ("(3,4]", "(3,4)"), ("x+1", "x-1"), ("\\pi/6", "\\pi/3")]
)
def test_different_answers(first: str, second: str, compare: Comparisons) -> None:
    assert compare.compare_here(f"${first}$", f"${second}$") == "different"


def test_what_means_nothing_is_unknown(compare: Comparisons) -> None:
    assert compare.compare_here("", "$1$") == "unknown"
    assert compare.compare_here("$1$", "x" * 100_000) == "unknown"


def test_an_answer_that_takes_for_ever_is_given_up_and_the_next_is_compared(compare: Comparisons) -> None:
    assert compare.compare_here("$9^{9^{9^{9}}}$", "$1$") == "unknown"
    assert compare.compare_here("$x+x$", "$2x$") == "equal"


@pytest.mark.parametrize(
    "hostile",
    [
        "__import__('os').system('touch /tmp/personastream-compared')",
        "open('/tmp/personastream-compared','w')",
        "().__class__.__bases__[0].__subclasses__()",
        "\\input{/etc/passwd}",
        "\ud800 \0 \x1b[2J\n\n[\"1\",\"1\"]\n",
        "{" * 1000,
        "\\frac" * 300,
    ],
)  # fmt: skip
def test_hostile_answers_do_nothing(hostile: str, compare: Comparisons) -> None:
    assert compare.compare_here(hostile, "$1$") in ("unknown", "different")
    assert compare.compare_here(f"${hostile}$", "$1$") in ("unknown", "different")
    assert not os.path.exists("/tmp/personastream-compared")
    assert compare.compare_here("$\\frac{1}{2}$", "$0.5$") == "equal"


def test_one_that_was_killed_is_replaced(compare: Comparisons) -> None:
    compare.compare_here("$1$", "$1$")
    os.kill(compare._idle[-1].pid, signal.SIGKILL)
    assert compare.compare_here("$1$", "$1$") == "unknown"
    assert compare.compare_here("$1$", "$1$") == "equal"


def test_many_at_once_share_a_few_interpreters(compare: Comparisons) -> None:
    compare.at_once, verdicts = 2, []

    async def one(number: int) -> None:
        verdicts.append(await compare.compare(f"${number}x + x$", f"${number + 1}x$"))

    async def many() -> None:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(one, number)

    anyio.run(many)
    assert verdicts == ["equal"] * 20
    assert len(compare._idle) <= 2


def test_interpreters_end_with_close() -> None:
    made = Comparisons()
    made.compare_here("$1$", "$1$")
    (process,) = made._idle
    made.close()
    assert process.returncode == -signal.SIGKILL


def test_interpreters_end_when_nobody_listens_any_more() -> None:
    made = Comparisons()
    made.compare_here("$1$", "$1$")
    (process,) = made._idle
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0
    made.close()


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "PACKAGES", ("no_such_package",))
    with pytest.raises(ConfigError) as caught:
        Comparisons()
    assert "personastream[math]" in caught.value.hint


def test_no_confinement_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = "import sys; sys.exit('this kernel has no walls')"
    monkeypatch.setattr("personastream.sandbox.interpreter._BOOT", boot)
    with pytest.raises(NoConfinement, match="no walls"):
        Comparisons().compare_here("$1$", "$1$")
