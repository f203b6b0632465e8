"""Help teaches, comes quickly, and loads nothing that it does not need."""

import subprocess
import sys

import pytest

from personastream.cli import VERBS
from tests.support.command import environment, personastream

HEAVY = ("aiohttp", "numpy", "numba", "uvloop", "zstandard", "anyio", "rich", "asyncio")


def test_help_lists_every_verb_and_imports_none_of_them() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "personastream", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    for verb, purpose in VERBS.items():
        assert f"  {verb}" in done.stdout
        assert purpose in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & set(HEAVY)
    assert not [name for name in imported if name.startswith("personastream.cli.")]


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_explains_it(verb: str) -> None:
    done = personastream(verb, "--help")
    assert done.code == 0
    assert done.err == ""
    assert f"Usage: personastream {verb}" in done.out
    assert len(done.out.splitlines()) > 8
    assert personastream(verb, "-h").out == done.out


@pytest.mark.slow
def test_the_help_of_run_names_its_exit_codes() -> None:
    text = personastream("run", "--help").out
    for code in ("0 done", "75", "65", "69", "73", "74", "77", "78"):
        assert code in text


def test_the_version_is_told() -> None:
    done = personastream("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("personastream, version ")
