"""Texts that a data set must not hold: test sets and protected texts, read from files, and how overlap is judged.

They are read whole, once; what is kept of them is their n-grams, and for a report their texts.
"""

import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from glob import glob, has_magic
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import orjson
import xxhash
import zstandard

from personastream.errors import BadInput, ConfigError
from personastream.settings import setting

if TYPE_CHECKING:
    from personastream.dedup.ngrams import NgramIndex

FIELDS = ("problem", "question", "prompt", "instruction", "text")
SIZES = {"ngram": 13, "coverage": 8}
CHARACTERS_MAX = 50_000_000
"""Of all texts together. The index takes some 60 bytes a token, thus about 12 a character."""
FILE_BYTES_MAX = 1 << 30
"""Of a file, decompressed."""
_KINDS = (".jsonl", ".ndjson", ".json", ".txt", ".parquet")


class Item(NamedTuple):
    """A text, and where it stands: its file and its row in it, counted from 0."""

    path: str
    row: int
    text: str


@dataclass
class Against:
    """What is looked for, and what counts as found."""

    against: list[str] = setting(
        "Files or globs of texts that must not be found: .jsonl, .json, .txt (a text each) or .parquet, plain or "
        "with .gz or .zst.",
        path=True,
    )
    field: list[str] = setting(
        "Keys under which those files have their texts; of each row the first that is there counts.",
        default_factory=lambda: list(FIELDS),
        identity=False,
    )
    rule: str = setting(
        "`ngram`: one shared n-gram is enough; `coverage`: shared n-grams must cover `share_min` of a text's tokens.",
        default="ngram",
        choices=tuple(SIZES),
    )
    ngram: int | None = setting(
        "Tokens of an n-gram: 13 if not set, 8 for `coverage`. Shorter texts are looked for as a whole.",
        default=None,
        minimum=3,
        maximum=1000,
    )
    share_min: float = setting("For `coverage`: the share of a text's tokens.", default=0.5, minimum=0.01, maximum=1.0)

    @cached_property
    def items(self) -> Sequence[Item]:
        """All texts. Raises `BadInput`."""
        return read_items(self.against, self.field)

    @cached_property
    def index(self) -> "NgramIndex":
        """Where they are looked up. Raises `BadInput`."""
        from personastream.dedup.ngrams import NgramIndex

        share_min = self.share_min if self.rule == "coverage" else 0.0
        return NgramIndex([item.text for item in self.items], self.size, share_min=share_min)

    @property
    def size(self) -> int:
        """Tokens of an n-gram."""
        return SIZES[self.rule] if self.ngram is None else self.ngram

    @property
    def fingerprint(self) -> str:
        """What is looked for, whatever files it comes from: a digest of the tokens of all texts."""
        tokens = self.index.tokens
        return xxhash.xxh3_128_hexdigest(tokens.starts.tobytes() + tokens.hashes.tobytes())


def read_items(paths: Sequence[str], fields: Sequence[str]) -> list[Item]:
    """The texts of all files, in order. Raises `BadInput`, or `ConfigError` if no file is named."""
    if not paths or not fields:
        raise ConfigError(
            "texts to look for: neither the files nor the fields may be empty",
            hint='Name files, such as against = ["gsm8k-test.jsonl"].',
        )
    items, characters = list[Item](), 0
    for path in (path for pattern in paths for path in _expanded(pattern)):
        before = len(items)
        for row, text in _texts(path, fields):
            items.append(Item(path, row, text))
            characters += len(text)
            if characters > CHARACTERS_MAX:
                hint = "Split them, and look for one part at a time."
                raise BadInput(f"{path}: more than {CHARACTERS_MAX:,} characters of texts to look for", hint=hint)
        if len(items) == before:
            raise BadInput(f"{path} holds no text", hint=f"Texts are looked for under {', '.join(fields)}.")
    return items


def _expanded(pattern: str) -> list[str]:
    if not has_magic(pattern) or Path(pattern).exists():
        return [pattern]
    if found := sorted(glob(pattern)):
        return found
    raise BadInput(f"no file matches {pattern}")


def _texts(path: str, fields: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Row and text of each row that has one which is not empty."""
    plain = path.removesuffix(".gz").removesuffix(".zst")
    kind = next((kind for kind in _KINDS if plain.lower().endswith(kind)), None)
    if kind is None or (kind == ".parquet" and plain != path):
        raise BadInput(f"{path!r}: cannot tell the format", hint=f"Names end in {', '.join(_KINDS)}, or .gz or .zst.")
    try:
        rows = _parquet_rows(path) if kind == ".parquet" else _rows(_content(path), path, kind)
        for number, row in enumerate(rows):
            text = row if isinstance(row, str) else _text_of(row, fields, f"{path}: row {number}")
            if text.strip():
                yield number, text
    except (OSError, EOFError, zstandard.ZstdError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadInput(f"cannot read {path}: {reason}") from error


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        read: IO[bytes] = file
        if path.endswith(".gz"):
            read = cast(IO[bytes], gzip.GzipFile(fileobj=file))
        elif path.endswith(".zst"):
            unpacked = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            read = io.BufferedReader(cast(io.RawIOBase, unpacked))
        content = read.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise BadInput(f"{path} is larger than {FILE_BYTES_MAX:,} bytes")
    return content.removeprefix(b"\xef\xbb\xbf")


def _rows(content: bytes, path: str, kind: str) -> Iterator[object]:
    if kind == ".txt":
        yield content.decode()
        return
    if kind == ".json":
        whole = orjson.loads(content)
        yield from whole if isinstance(whole, list) else [whole]
        return
    for number, line in enumerate(content.split(b"\n")):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise BadInput(f"{path}: line {number + 1} is not JSON: {error}") from error


def _parquet_rows(path: str) -> Iterator[object]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise ConfigError(f"{path} needs pyarrow", hint="pip install 'personastream[parquet]'") from error
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except ArrowException as error:
        raise BadInput(f"cannot read {path}: {error}") from error


def _text_of(row: object, fields: Sequence[str], where: str) -> str:
    if not isinstance(row, Mapping):
        raise BadInput(f"{where} is neither text nor an object")
    for field in fields:
        if isinstance(text := row.get(field), str):
            return text
    keys = [key for key in row if isinstance(key, str)][:100]
    near = get_close_matches(fields[0], keys, n=1, cutoff=0.0)
    hint = f"Set `field`, or --field; here is {near[0]!r}." if near else "Set `field`, or --field."
    raise BadInput(f"{where} has no text under {', '.join(fields)}", hint=hint)
