"""A folder with input shards and a configuration, for a run or many."""

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import zstandard

from personastream.samples import personas


def persona_lines(count: int, seed: int = 0) -> list[bytes]:
    """`count` JSON lines with a sample persona each, all different."""
    distinct = dict.fromkeys(personas(2 * count, seed))
    return [orjson.dumps({"persona": text}) for text in distinct][:count]


def write_shard(path: Path, lines: Iterable[bytes], rows_per_frame: int = 100) -> Path:
    """Write lines as a shard of the kind that the name of the file says; zstd in frames of so many rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [line + b"\n" for line in lines]
    if path.name.endswith(".zst"):
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        pieces = [b"".join(lines[at : at + rows_per_frame]) for at in range(0, len(lines), rows_per_frame)]
        path.write_bytes(b"".join(map(compressor.compress, pieces)))
    elif path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(b"".join(lines), mtime=0))
    else:
        path.write_bytes(b"".join(lines))
    return path


def write_config(
    path: Path,
    base_url: str,
    *,
    transforms: Iterable[str | tuple[str, Mapping[str, Any]]] = (),
    screens: Iterable[str | tuple[str, Mapping[str, Any]]] = (),
    more_providers: Iterable[Any] = (),
    **sections: Any,
) -> Path:
    """Write a configuration that reads `in/` and writes `run/` beside it; `sections` add or replace keys.

    Transforms and screens are given by type, or as type and keys; more providers by their keys.
    """
    document: dict[str, dict[str, Any]] = {
        "source": {"paths": ["in/*.jsonl*"]},
        "recipe": {"template": "math"},
        "provider": {"base_url": base_url, "model": "simulated", "in_flight_max": 16},
        "sink": {"path": "run"},
        "limits": {"backoff_s": 0.01, "backoff_s_max": 0.1},
    }
    for name, values in sections.items():
        document.setdefault(name, {}).update(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    several = list(more_providers)
    heads = {"provider": "[[provider]]"} if several else {}
    lines = [line for name, values in document.items() for line in _table(heads.get(name, f"[{name}]"), values)]
    for values in several:
        lines += _table("[[provider]]", values)
    for head, adapters in (("[[transform]]", transforms), ("[[screen]]", screens)):
        for adapter in adapters:
            kind, values = (adapter, {}) if isinstance(adapter, str) else adapter
            lines += _table(head, {"type": kind, **values})
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _table(head: str, values: Mapping[str, Any]) -> list[str]:
    return [head, *(f"{key} = {orjson.dumps(value).decode()}" for key, value in values.items()), ""]
