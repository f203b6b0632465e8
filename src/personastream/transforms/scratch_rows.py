"""Room for what near deduplication knows of each row: in memory, or beyond some ten million rows in a mapped file."""

import mmap
import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from personastream.dedup.simhash_index import RECORD_WORDS, in_memory
from personastream.errors import StorageFailed

ROWS_IN_MEMORY_MAX = 10_000_000


def scratch_rows(rows: int, folder: str) -> NDArray[np.uint64]:
    """An array uint64[rows, 3] of any content. A file has no name and is gone with the process.

    Its room on disk is taken at once, so that a full disk shows now and not as a crash later. Raises `StorageFailed`.
    """
    if rows <= ROWS_IN_MEMORY_MAX:
        return in_memory(rows)
    size_bytes = 8 * RECORD_WORDS * rows
    try:
        with tempfile.TemporaryFile(dir=folder or None) as file:
            os.posix_fallocate(file.fileno(), 0, size_bytes)
            memory = mmap.mmap(file.fileno(), size_bytes)
    except OSError as error:
        where = folder or tempfile.gettempdir()
        raise StorageFailed(
            f"{where}: there is no room for a scratch file of {size_bytes / 1e9:.1f} GB ({rows:,} rows): {error}",
            hint="Set `scratch` of near_dedup to a folder with more room, on a local disk.",
        ) from error
    return np.frombuffer(memory, np.uint64).reshape(rows, RECORD_WORDS)
