"""The shipped sample shards: 3,000 personas, among them exact and near duplicates whose places are known.

`truth.json` lists every planted row as [[shard stem, row], [shard stem, row it repeats], kind]:

* `exact`: the same text but for case, spacing or Unicode normal form;
* `near`: the same words but for punctuation, order, one word added, doubled or left out;
* `controls`: rows that begin like another one and are no duplicate of it.
"""

import re
import unicodedata
from collections.abc import Callable
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
_FIRST_PLANT = 100  # by then there is something to repeat, of every kind
_LONG = r"^(?:\S+ ){23}"  # one word more or less leaves Jaccard >= 0.95, and often SimHash within 3 bits
_NEEDLESS = " (?:careful|crystal|forgotten|just|local|mechanical|rainy|short|slow|stubbornly|tiny) "


class Kind(NamedTuple):
    """A way to repeat texts that `suits` matches: the truth's list for it, its name, rows to plant, the edit."""

    part: str
    name: str
    rows: int
    suits: str
    edit: Callable[[str], str]


class Plant(NamedTuple):
    """A planted row, the row it repeats, both counted through all shards, and how."""

    row: int
    repeats: int
    kind: Kind


def _spread(text: str) -> str:
    return f" {text.replace(' ', '  ', 3)}\t"


def _past_first(text: str) -> str:
    """From "A baker, born at sea, who …" to "Born at sea, a baker, who …"."""
    person, past, rest = text.split(", ", 2)
    return f"{past[0].upper()}{past[1:]}, {person[0].lower()}{person[1:]}, {rest}"


def _other_ending(text: str) -> str:
    """The same person with what somebody else does."""
    endings = (other.partition(" who ")[2] for other in personas(100, xxh3_64_intdigest(text.encode())))
    return f"{text.partition(' who ')[0]} who {next(filter(None, endings))}"


KINDS = (
    Kind("exact", "same", 50, "", str),
    Kind("exact", "case", 40, "[a-z]", str.upper),
    Kind("exact", "spacing", 40, " ", _spread),
    Kind("exact", "decomposed", 10, "[áéíñóúäöü]", lambda text: unicodedata.normalize("NFD", text)),
    Kind("near", "stop added", 30, r"\w$", lambda text: f"{text}."),
    Kind("near", "dashes", 30, ", ", lambda text: text.replace(", ", " – ")),
    Kind("near", "quoted", 20, "", lambda text: f"“{text}”"),
    Kind("near", "reordered", 10, "^An? .*, .*, who ", _past_first),
    Kind("near", "word doubled", 15, _LONG + r".*\w$", lambda text: f"{text} {text.split()[-1]}"),
    Kind("near", "word added", 15, _LONG + r".*\w$", lambda text: f"{text} nowadays"),
    Kind("near", "word left out", 10, f"{_LONG}.*{_NEEDLESS}", lambda text: re.sub(_NEEDLESS, " ", text, count=1)),
    Kind("controls", "other ending", 8, "^An? .* who ", _other_ending),
)


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
        data = b"".join(orjson.dumps({"persona": text}) + b"\n" for text in lines)
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        frames = _cut(data, at_line_ends=shard != SHARD_THAT_CUTS_LINES)
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
    start = _draw("original", row) % row
    for original in (*range(start, row), *range(start)):
        if original not in taken and re.search(kind.suits, texts[original]):
            return original, kind.edit(texts[original])
    raise ValueError(f'no row before {row} suits "{kind.name}"')


def _cut(data: bytes, *, at_line_ends: bool) -> list[bytes]:
    """`data` in pieces of `FRAME_BYTES`, or up to the last line that ends within as many."""
    pieces = []
    while data:
        end = FRAME_BYTES
        if at_line_ends and len(data) > FRAME_BYTES:
            end = data.rindex(b"\n", 0, FRAME_BYTES) + 1
        pieces.append(data[:end])
        data = data[end:]
    return pieces


def _draw(purpose: str, number: int) -> int:
    return xxh3_64_intdigest(f"{purpose} {number}".encode(), SEED)


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
