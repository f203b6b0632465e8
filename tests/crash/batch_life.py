"""`personastream`, killed at a certain sync of a batch's files: `batch_life.py NTH before|after run …`. A script."""

import os
import signal
import sys
from itertools import count
from typing import Any
from unittest.mock import patch

from personastream.cli import main
from personastream.providers import batch_store


class DyingOs:
    """The module `os` as the store sees it."""

    def __init__(self, nth: int, moment: str) -> None:
        self._nth, self._moment, self._syncs = nth, moment, count(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fsync(self, descriptor: int) -> None:
        nth = next(self._syncs)
        if nth == self._nth and self._moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        os.fsync(descriptor)
        if nth == self._nth and self._moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    dying = DyingOs(int(sys.argv[1]), sys.argv[2])
    del sys.argv[1:3]
    with patch.object(batch_store, "os", dying):
        main()
