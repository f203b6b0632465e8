"""Where no machine code is kept yet, people are told why nothing seems to happen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from personastream.dedup.backend import COMPILING

PROGRAM = """
import numpy as np
from personastream.dedup.backend import when_compiling
from personastream.dedup.jit import jit
when_compiling(print)
for factor in (1, 2.0, 3j):
    jit(lambda value: value + 1)(factor)
"""


@pytest.mark.slow
def test_it_is_said_once_that_loops_are_compiled(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert ended.stdout == COMPILING + "\n"
