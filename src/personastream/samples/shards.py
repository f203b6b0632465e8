"""The shipped sample shards: 3,000 personas, among them exact and near duplicates whose places are known.

`truth.json` lists every planted row as [[shard stem, row], [shard stem, row it repeats], kind]:

* `exact`: the same text but for case, spacing or Unicode normal form;
* `near`: the same words but for punctuation, order, one word added, doubled or left out;
* `controls`: rows that begin like another one and are no duplicate of it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import orjson
import zstandard
from xxhash import xxh3_64_intdigest

from personastream.samples import personas

SEED = 2406
SHARDS = 4
ROWS_PER_SHARD = 750
FRAME_BYTES = 64 * 1024
LEVEL = 19
SHARD_THAT_CUTS_LINES = 3

_ROWS = SHARDS * ROWS_PER_SHARD
_FIRST_PLANT = 50  # so that there is something to repeat
_LONG_WORDS = 24  # a word more or less leaves the word sets of longer texts alike: Jaccard >= 0.95


class Kind(NamedTuple):
    """A way to repeat a text: the list of the truth it goes to, how many rows to plant, and the edit itself.

    An edit that returns its text unchanged, unless that is its purpose, does not suit that text.
    """

    part: str
    name: str
    rows: int
    edit: Callable[[str], str]
    words_min: int = 0


class Plant(NamedTuple):
    """A planted row, the row it repeats, both counted through all shards, and how."""

    row: int
    repeats: int
    kind: Kind


def build_rows() -> tuple[list[str], list[Plant]]:
    """The texts of all rows, and the plants in row order."""
    kinds = [kind for kind in KINDS for _ in range(kind.rows)]
    shuffled = sorted(range(_FIRST_PLANT, _ROWS), key=lambda row: _draw("place", row))
    kind_by_row = dict(zip(shuffled, kinds, strict=False))
    fresh = iter(personas(_ROWS - len(kinds), SEED))
    texts, plants, taken = [""] * _ROWS, [], set(kind_by_row)
    for row in range(_ROWS):
        kind = kind_by_row.get(row)
        if kind is None:
            texts[row] = next(fresh)
            continue
        original, texts[row] = _repeat(row, kind, texts, taken)
        taken.add(original)
        plants.append(Plant(row, original, kind))
    return texts, plants


def write_shards(folder: Path) -> list[Path]:
    """Write the shards and `truth.json` into an existing folder; returns the paths written. Raises `OSError`."""
    texts, plants = build_rows()
    paths = []
    for shard in range(SHARDS):
        lines = texts[shard * ROWS_PER_SHARD : (shard + 1) * ROWS_PER_SHARD]
        cut = _cut_anywhere if shard == SHARD_THAT_CUTS_LINES else _cut_at_line_ends
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        frames = cut(b"".join(orjson.dumps({"persona": text}) + b"\n" for text in lines))
        paths.append(folder / f"{_stem(shard)}.jsonl.zst")
        paths[-1].write_bytes(b"".join(map(compressor.compress, frames)))
    paths.append(folder / "truth.json")
    paths[-1].write_bytes(_truth(plants))
    return paths


def shipped_shards() -> list[Path]:
    """Paths of the shards shipped with the package, in order."""
    return [Path(__file__).with_name(f"{_stem(shard)}.jsonl.zst") for shard in range(SHARDS)]


def _repeat(row: int, kind: Kind, texts: list[str], taken: set[int]) -> tuple[int, str]:
    """An earlier row nobody repeats yet, and its text as `kind` repeats it."""
    for attempt in count():
        original = _draw(f"original {row}", attempt) % row
        text = texts[original]
        repeated = kind.edit(text)
        suits = (repeated != text) or kind.edit is str
        if original not in taken and suits and len(text.split()) >= kind.words_min:
            return original, repeated
    raise AssertionError


def _draw(purpose: str, number: int) -> int:
    return xxh3_64_intdigest(f"{purpose} {number}", SEED)


def _stem(shard: int) -> str:
    return f"personas-{shard:05d}"


def _truth(plants: list[Plant]) -> bytes:
    """One plant a line, so that a change shows where it is."""

    def place(row: int) -> list[object]:
        return [_stem(row // ROWS_PER_SHARD), row % ROWS_PER_SHARD]

    parts = []
    for part in dict.fromkeys(kind.part for kind in KINDS):
        lines = [orjson.dumps([place(p.row), place(p.repeats), p.kind.name]) for p in plants if p.kind.part == part]
        parts.append(b'"%s": [\n%s\n]' % (part.encode(), b",\n".join(lines)))
    return b"{\n" + b",\n".join(parts) + b"\n}\n"
