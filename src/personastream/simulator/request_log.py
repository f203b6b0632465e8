"""The request log: one JSON line for every chat request that has ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

import orjson

from personastream.errors import CannotCreate
from personastream.simulator.service import Answer


@contextmanager
def opened_log(path: Path | None) -> Iterator[IO[bytes] | None]:
    """A log to append to, if a file is named. Raises `CannotCreate`."""
    if path is None:
        yield None
        return
    try:
        log = path.open("ab", buffering=0)  # one write per line: the log is complete even after SIGKILL
    except OSError as error:
        raise CannotCreate(f"cannot write {path}: {error.strerror}", hint="Choose another file for the log.") from None
    with log:
        yield log


def log_line(answer: Answer, arrived_s: float, outcome: str) -> bytes:
    """What is told of a request that ends now; times are seconds on the monotonic clock."""
    line = {
        "arrived_s": arrived_s,
        "ended_s": monotonic(),
        "body": f"{answer.key:016x}",
        "asked_before": answer.asked_before,
        "persona": answer.persona,
        "outcome": outcome,
        "input_tokens": answer.tokens.input,
        "cached_tokens": answer.tokens.cached,
        "output_tokens": answer.tokens.output,
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
