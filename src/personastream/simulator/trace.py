"""Reply lengths and latencies taken from a recorded trace: CSV or JSON lines, plain or zstd."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import zstandard

from personastream.errors import ConfigError

ROWS_MAX = 1_000_000
BYTES_MAX = 1 << 30

# Names of columns, compared by their letters and digits alone; the first that is there counts.
OUTPUT_COLUMNS = (
    "outputtokens",
    "numberoutputtokens",
    "generatedtokens",
    "completiontokens",
    "outputlength",
)
LATENCY_COLUMNS: Mapping[str, float] = {
    "endtoendlatencys": 1.0,
    "latencys": 1.0,
    "e2elatencys": 1.0,
    "latencyms": 0.001,
    "processingms": 0.001,
}
"""With seconds in a unit."""
ERROR_COLUMNS = ("errorcode", "error")
"""A row where one of these is set is left out: it got no answer."""


class Sample(NamedTuple):
    """One recorded answer; None where the trace does not tell."""

    output_tokens: int | None
    latency_s: float | None


def read_trace(path: Path) -> tuple[Sample, ...]:
    """The answers in a trace. Raises `ConfigError` for a file that cannot be read or tells neither."""
    try:
        with path.open("rb") as file:
            samples = tuple(_samples(path.name, file))
    except (OSError, ValueError, csv.Error, zstandard.ZstdError) as error:
        raise ConfigError(f"the trace {path} cannot be read: {error}", hint=_HINT) from None
    if not samples:
        raise ConfigError(f"the trace {path} has no row with a reply's length or latency", hint=_HINT)
    return samples


_HINT = (
    "A trace is a .csv with a header line or a .jsonl, perhaps .zst, with output_tokens (or GeneratedTokens, "
    "output_length …) or latency_s (or end_to_end_latency_s …) in each row."
)


def _samples(name: str, file: io.BufferedReader) -> Iterator[Sample]:
    binary: io.BufferedIOBase | zstandard.ZstdDecompressionReader = file
    if name.endswith(".zst"):
        binary = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        name = name.removesuffix(".zst")
    text = io.StringIO(_capped(binary).decode("utf-8"), newline="")
    rows: Iterator[Mapping[str, Any]]
    if name.endswith(".csv"):
        rows = csv.DictReader(text)
    elif name.endswith(".jsonl"):
        rows = (orjson.loads(line) for line in text.read().split("\n") if line)
    else:
        raise ValueError(f"{name} is neither .csv nor .jsonl")
    for _, row in zip(range(ROWS_MAX), rows, strict=False):
        if sample := _sample(row):
            yield sample


def _capped(binary: Any) -> bytes:
    content = binary.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise ValueError(f"it has more than {BYTES_MAX} bytes")
    return bytes(content)


def _sample(row: Mapping[str, Any]) -> Sample | None:
    if not isinstance(row, Mapping):
        raise ValueError("a row is no object")
    plain = {_letters(name): value for name, value in row.items() if name is not None}
    if any(plain.get(name) not in (None, "") for name in ERROR_COLUMNS):
        return None
    tokens = next((int(value) for name in OUTPUT_COLUMNS if (value := plain.get(name)) not in (None, "")), None)
    seconds = (
        float(value) * unit_s
        for name, unit_s in LATENCY_COLUMNS.items()
        if (value := plain.get(name)) not in (None, "")
    )
    latency_s = next(seconds, None)
    if latency_s is not None and not 0 <= latency_s <= 3600:
        raise ValueError(f"a latency of {latency_s} s")
    if tokens is None and latency_s is None:
        return None
    return Sample(None if tokens is None else min(100_000, max(1, tokens)), latency_s)


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
