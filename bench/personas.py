"""Personas for benchmarks: distinct rows of about 160 bytes, written as multi-frame zstd shards."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import zstandard

from personastream import samples

FRAME_ROWS = 10_000
SEED = 2026


def persona_lines(start: int, stop: int) -> Iterator[bytes]:
    """Rows `start` to `stop - 1` of an endless series as JSON lines; a serial number keeps them apart."""
    for number, text in enumerate(samples.personas(stop - start, SEED, start=start), start):
        yield orjson.dumps({"id": f"p{number:09d}", "persona": f"{text} ({number})"}, option=orjson.OPT_APPEND_NEWLINE)


def write_shard(path: Path, start: int, stop: int) -> Path:
    """Write the rows `start` to `stop - 1` of the series as frames of 10,000; returns `path`."""
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    with path.open("wb") as file:
        for first in range(start, stop, FRAME_ROWS):
            file.write(compressor.compress(b"".join(persona_lines(first, min(stop, first + FRAME_ROWS)))))
    return path
