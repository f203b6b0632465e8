"""Words for people, on stderr. That nobody can read them, for a closed pipe or a full disk, stops nothing."""

import sys
from contextlib import suppress


def say(line: str) -> None:
    """Write one line, if that can be done."""
    with suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
