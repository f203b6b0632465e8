"""The guest that is somebody's program: its text comes on stdin, it runs as `__main__`, it may import and print."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from personastream.sandbox.kernel import die_with_parent

TYPE_CHECKING = False  # see `inside.py`
if TYPE_CHECKING:
    from collections.abc import Callable

    from personastream.sandbox.inside import Terms


def guest(terms: Terms) -> Callable[[], None]:
    """Takes the text in; what is returned runs it."""
    die_with_parent(terms.parent)
    text = sys.stdin.buffer.read()

    def run() -> None:
        main = ModuleType("__main__")
        sys.modules["__main__"] = main
        sys.argv[:] = ["program"]
        FunctionType(compile(text, "program", "exec"), main.__dict__)()

    return run
