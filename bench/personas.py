"""Personas for benchmarks: distinct rows of about 160 bytes, written as multi-frame zstd shards."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import zstandard

from personastream import samples

FRAME_ROWS = 10_000
SEED = 2026
MADE_ROWS = 8192
WORDS_MAX = 16


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


def with_copies() -> Iterator[str]:
    """An endless series of personas of up to 16 words, one in ten followed by a near copy, one in 20 by itself."""
    for start in range(0, 1 << 40, MADE_ROWS):
        made = samples.personas(MADE_ROWS, SEED, start=start)
        for number, text in enumerate(text for text in made if len(text.split()) <= WORDS_MAX):
            yield text
            if number % 10 == 0:
                yield f"{text} indeed"
            if number % 20 == 0:
                yield text.upper()
