"""What else in a run may hold what is purged: files that are rebuilt, batches under way, demonstrations, reviews.

Files that are ours are rewritten or removed; `purge_files` finds any other that still holds a purged text.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from personastream.dedup.text import normalise
from personastream.launch.dedup_report import NAME as PAIRS
from personastream.launch.inference import NAME as DEMONSTRATIONS
from personastream.launch.purge_search import TEXTS_MAX, Trail
from personastream.launch.purge_terms import Terms, strings
from personastream.launch.review_files import FOLDER as REVIEWS
from personastream.launch.review_files import SAMPLE
from personastream.providers.batch_store import ANSWERS, BATCH, PREFIX, REQUESTS
from personastream.sinks.disk import OsDisk
from personastream.sinks.generations import SUFFIX

REMOVED = (
    "state/transforms.log",  # what transforms have learnt: keys, sketches and vectors of texts
    "state/live.json",
    "state/guard.json",  # counts lines of parts that are written anew
    "report.html",
    "report.figures.json",
    "report.vectors.sqlite*",
    "batches/*/answers.tmp",
)
"""All of it is made again when it is needed."""

PURGED = "(purged)"
CHARACTERS_MIN = 12
"""A shorter text says nothing where it is part of another one."""


@dataclass(slots=True)
class Told:
    """Whether a text, or any in a value, tells of what is purged: a phrase, or a whole text that is not too short."""

    terms: Terms
    trail: Trail
    _wanted: list[str] = field(init=False)

    def __post_init__(self) -> None:
        normal = map(normalise, self.trail.texts)
        self._wanted = [*self.terms.phrases, *(text for text in normal if len(text) >= CHARACTERS_MIN)]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._wanted

    def __call__(self, value: object) -> bool:
        return any(each in text for text in map(normalise, strings(value)) for each in self._wanted)


def batches_to_go(directory: Path, told: Told) -> tuple[list[str], list[str]]:
    """(chunks of batches to be removed, ids of batches at the service that hold what is purged).

    A chunk whose answers have come holds nothing that tells whose they are: it goes, and so it does if there are too
    many texts to look for.
    """
    chunks, sent = [], []
    for path in sorted((directory / "batches").glob(f"{PREFIX}*")):
        requests = path / REQUESTS
        many = len(told.trail.texts) >= TEXTS_MAX
        if (path / ANSWERS).exists() or many or (requests.exists() and any(map(told, _documents(requests)))):
            chunks.append(f"batches/{path.name}")
            with suppress(OSError, ValueError, KeyError):
                sent.append(str(orjson.loads((path / BATCH).read_bytes())["batch"]))
    return chunks, sent


def rest_without(directory: Path, told: Told) -> Iterator[tuple[str, bytes]]:
    """Other files of ours that tell of what is purged: their names, and what they hold without it."""
    for path in sorted((directory / REVIEWS).glob("*.jsonl")):
        yield from _changed(directory, f"{REVIEWS}/{path.name}", _marks_without, told)
    yield from _changed(directory, f"{REVIEWS}/{SAMPLE}", _sample_without, told)
    yield from _changed(directory, DEMONSTRATIONS, _table_without, told)
    yield from _changed(directory, PAIRS, _without_pairs, told)


def write_rest(directory: Path, told: Told) -> Iterator[str]:
    """Write these files anew; yields which, by their paths in the directory."""
    disk = OsDisk(str(directory))
    for name, content in rest_without(directory, told):
        with closing(disk.create(name + SUFFIX)) as file:
            file.append(content or b"\n")
            file.sync()
        yield name


def _changed(
    directory: Path, name: str, change: Callable[[bytes, Told], bytes | None], told: Told
) -> Iterator[tuple[str, bytes]]:
    path = directory / name
    if path.exists() and (content := change(path.read_bytes(), told)) is not None:
        yield name, content


def _sample_without(data: bytes, told: Told) -> bytes | None:
    """The sample of a review, without purged records; strata may be named after what was in a column."""
    try:
        document = orjson.loads(data)
        document["drawn"] = [each for each in document["drawn"] if each["id"] not in told.trail.ids]
        named = {name: PURGED if told(name) else name for name in document["populations"]}
        for each in document["drawn"]:
            each["stratum"] = named[each["stratum"]]
        populations: dict[str, float] = defaultdict(float)
        for name, records in document["populations"].items():
            populations[named[name]] += records
        content = orjson.dumps({**document, "populations": populations}, option=orjson.OPT_INDENT_2)
    except (ValueError, TypeError, KeyError):
        return None
    return content if content != data else None


def _marks_without(data: bytes, told: Told) -> bytes | None:
    """The marks of a review, without those of purged records and those whose note tells of one."""
    lines = data.split(b"\n")
    kept = [line for line in lines if not _is_of_purged(line, told)]
    return b"\n".join(kept) if len(kept) < len(lines) else None


def _is_of_purged(line: bytes, told: Told) -> bool:
    try:
        document: dict[str, Any] = orjson.loads(line)
        return document.get("id") in told.trail.ids or told(document.get("note", ""))
    except (ValueError, AttributeError):
        return False


def _table_without(data: bytes, told: Told) -> bytes | None:
    try:
        table = orjson.loads(data)
        kept = {key: text for key, text in table.items() if not told(text)}
    except (ValueError, AttributeError):
        return None
    return orjson.dumps(kept, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) if len(kept) < len(table) else None


def _without_pairs(data: bytes, told: Told) -> bytes | None:
    """The report of a dedup job without its examples of duplicates, if they tell of it or rows of the job go."""
    try:
        document = orjson.loads(data)
        found = [transform["pairs"] for transform in document["transforms"]]
        for transform in document["transforms"]:
            transform["pairs"] = []
    except (ValueError, TypeError, KeyError):
        return None
    if not any(found) or not (told.trail.texts or told(found)):
        return None
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _documents(path: Path) -> Iterator[object]:
    with path.open("rb") as file:
        for line in file:
            with suppress(ValueError):
                yield orjson.loads(line)
