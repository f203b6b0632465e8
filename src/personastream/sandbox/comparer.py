"""The guest that compares answers with math-verify: a JSON pair a line comes in, a verdict a line goes out.

What models answer is evaluated to be compared, so it is a program like any other.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from personastream.sandbox.inside import Terms

COMPARE_S_MAX = 3
VERDICTS = ("equal", "different", "unknown")
PACKAGES = ("math_verify", "latex2sympy2_extended", "sympy", "mpmath", "antlr4")


def guest(terms: Terms) -> Callable[[], None]:
    """Imports what takes long; what is returned answers until stdin ends."""
    from math_verify import parse, verify

    nowhere = os.open(os.devnull, os.O_WRONLY)
    verdict_of("$\\frac{1}{2}$", "$0.5$", parse, verify)  # grammars are read, caches filled

    def serve() -> None:
        os.dup2(nowhere, 2)  # the libraries complain at length, and nobody reads it
        signal.signal(signal.SIGALRM, _give_up)
        for line in sys.stdin.buffer:
            first, second = json.loads(line)
            sys.stdout.write(f"{_in_time(first, second, parse, verify)}\n")
            sys.stdout.flush()

    return serve


class _OutOfTime(BaseException):
    """Not to be caught by the libraries."""


def _give_up(number: int, frame: object) -> None:
    raise _OutOfTime


def _in_time(first: str, second: str, parse: Any, verify: Any) -> str:
    try:
        signal.alarm(COMPARE_S_MAX)
        try:
            return verdict_of(first, second, parse, verify)
        finally:
            signal.alarm(0)
    except (_OutOfTime, Exception):
        return "unknown"


def verdict_of(first: str, second: str, parse: Any, verify: Any) -> str:
    """Whether two expressions mean the same; `unknown` if one of them means nothing to the library."""
    parsed = [parse(each, parsing_timeout=None) for each in (first, second)]
    if not all(any(not isinstance(part, str) for part in each) for each in parsed):
        return "unknown"
    same = verify(*parsed, timeout_seconds=None) or verify(*parsed[::-1], timeout_seconds=None)
    return "equal" if same else "different"
