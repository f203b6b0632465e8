"""What libraries say through Python's `logging` goes into the service's log, so that all of stderr is of one form.

The only place where `logging` is imported: our own code tells things through `serve/log.py`.
"""

import logging

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

from personastream.serve.log import Level, Log


class Foreign(logging.Handler):
    """Takes what libraries have to say, from warnings on."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One line; the text is the library's own, so it is a detail and no event."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(
            error, HttpProcessingError | RequestPayloadError
        ):  # anybody can send what is no HTTP: no fault, and not to be quoted
            self._log.debug(f"library {record.name}", error=type(error).__name__)
            return
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a format that does not fit its arguments
            message = str(record.msg)
        why = f"{type(error).__name__}: {error}" if error is not None else ""
        self._log.write(level, f"library {record.name}", message=message, error=why)


def listen(log: Log) -> None:
    """From now on all libraries are heard, and Python's warnings."""
    root = logging.getLogger()
    root.handlers[:] = [Foreign(log)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
