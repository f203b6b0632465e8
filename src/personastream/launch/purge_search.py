"""Finds what a purge is about, in the records and dead letters of one run after the other, and what was made of it.

A record is made of another one if its lineage names it, or if its row is that very record: rows of a stage are the
records of the one it reads, counted from 0. Stages are looked at in order: what is found is followed to the end.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from personastream.core import frame_log, ranges
from personastream.core.frame_log import LogKind, Mark, PartName
from personastream.core.own_words import foreign_words
from personastream.core.purging import GAP, Doomed, place_of, places_of
from personastream.core.ranges import Range
from personastream.core.row_order import in_row_order
from personastream.errors import CorruptOutput
from personastream.launch.manifest import Manifest
from personastream.launch.purge_terms import QUOTED, Document, Terms, ancestors, letter_document, letter_words
from personastream.sinks.disk import OsDisk
from personastream.sinks.generations import commits_of
from personastream.sinks.part import OPEN_SUFFIX, file_name
from personastream.sinks.series import parse_file_name
from personastream.sources.finished_run import finished_run

EXAMPLES_MAX = 3
ROWS_MAX = 1 << 48
"""More than any shard has."""
TEXTS_MAX = 1000
"""Texts that are kept, to look for them in other files. Of more, the first."""


@dataclass(slots=True)
class Trail:
    """What is known so far of everything that goes: the ids of records and rows; by shard of a later stage, the
    numbers of its rows; and the texts by which to know it again, as `digests` and some of them in plain.
    """

    ids: set[str]
    digest: Callable[[str], bytes]
    rows: dict[str, set[int]] = field(default_factory=dict)
    digests: set[bytes] = field(default_factory=set)
    texts: dict[str, None] = field(default_factory=dict)

    def add_texts(self, texts: Iterable[str]) -> None:
        """Texts of what goes."""
        for text in texts:
            self.digests.add(self.digest(text))
            if len(self.texts) < TEXTS_MAX:
                self.texts[text] = None


@dataclass(slots=True)
class Found:
    """What is to go of one run. `examples` are some of it: an id, and a text.

    `is_finished` tells whether no row is left to be asked for; `settled` and `revived` are its rows, by shard;
    `lengths` are those of finished ones.
    """

    stage: str
    directory: Path
    manifest: Manifest
    whole: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    single: dict[str, set[Mark]] = field(default_factory=lambda: defaultdict(set))
    records: int = 0
    letters: int = 0
    is_finished: bool = True
    lengths: dict[str, int] = field(default_factory=dict)
    revived: dict[str, list[Range]] = field(default_factory=dict)
    settled: dict[str, list[Range]] = field(default_factory=dict)
    examples: list[tuple[str, str]] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Whether its lines are rows as they were read, without ids of their own."""
        return self.manifest.identity.get("output") == "rows"

    @property
    def rows(self) -> int:
        """How many rows lose anything, or will not be asked for."""
        return sum(ranges.count(self.doomed(shard.stem).rows) for shard in self.manifest.shards)

    @property
    def unsettled(self) -> int:
        """How many of them have no end yet."""
        stems = [shard.stem for shard in self.manifest.shards]
        return sum(ranges.count(ranges.without(self.doomed(stem).rows, self.settled[stem])) for stem in stems)

    def rows_max(self, stem: str) -> int:
        """How many rows a shard may have: as many as it has, once that is known."""
        return self.lengths.get(stem, ROWS_MAX)

    def doomed(self, stem: str) -> Doomed:
        """What is to go of a shard."""
        whole = frozenset(self.whole.get(stem, ()))
        return Doomed(whole, frozenset(mark for mark in self.single.get(stem, ()) if mark[0] not in whole))

    def parts(self, stem: str, kind: LogKind) -> list[tuple[str, PartName]]:
        """The parts of a log, in order, each with its path."""
        names = OsDisk(str(self.directory)).names(kind)
        found = sorted(parsed[1:] for parsed in map(parse_file_name, names) if parsed and parsed[0] == stem)
        parts = [(PartName(self.manifest.run_id, stem, kind, number), is_open) for number, is_open in found]
        return [(f"{kind}/{file_name(name)}{OPEN_SUFFIX if is_open else ''}", name) for name, is_open in parts]


@dataclass(slots=True)
class Search:
    """Looks through one run. Rows known beforehand are in `found` already."""

    found: Found
    terms: Terms
    trail: Trail
    _letters: dict[str, list[int]] = field(init=False, default_factory=lambda: defaultdict(list))
    _quotes: dict[bytes, list[tuple[str, Mark, str]]] = field(init=False, default_factory=lambda: defaultdict(list))

    def begin(self) -> None:
        """Take in what is known by ids, and from the runs that this one reads."""
        stems = [shard.stem for shard in self.found.manifest.shards]
        for identity in self.terms.ids:
            self._take_id(identity, stems)
        for stem in stems:
            self.found.whole[stem] |= self.trail.rows.get(stem, set())

    def run(self) -> Found:
        """Look through all of it. Raises `CorruptOutput`."""
        found, stems = self.found, [shard.stem for shard in self.found.manifest.shards]
        for stem in stems:
            self.trail.ids |= {f"{stem}:{row}" for row in found.whole[stem]}
            self._look_at_letters(stem)
            self._look_at_records(stem)
        for digest in self._quotes.keys() & self.trail.digests:
            for stem, mark, identity in self._quotes[digest]:
                self.found.records += 1
                self.found.single[stem].add(mark)
                self.trail.ids.add(identity)
        found.letters = sum(row in found.whole[stem] for stem, rows in self._letters.items() for row in rows)
        return found

    def _take_id(self, identity: str, stems: Sequence[str]) -> None:
        stem, _, place = identity.rpartition(":")
        row, _, number = place.partition("#")
        if stem in stems and row.isdecimal() and (number.isdecimal() or "#" not in place):
            if int(row) >= self.found.rows_max(stem):
                return
            if number:
                self.found.single[stem].add((int(row), int(number)))
            else:
                self.found.whole[stem].add(int(row))

    def _look_at_letters(self, stem: str) -> None:
        for path, name in self.found.parts(stem, "dead"):
            for _, lines in commits_of(OsDisk(str(self.found.directory)), path, name):
                for line in lines:
                    letter, (row, _) = _object(line, path), place_of(line)
                    document = letter_document(letter)
                    self._letters[stem].append(row)
                    said = self._is_said_in(letter, letter_words)
                    if row in self.found.whole[stem] or said or self._is_meant(document):
                        self.found.whole[stem].add(row)
                        self.trail.ids.add(f"{stem}:{row}")
                        self.trail.add_texts(self.terms.texts_of({"text": document.get("text")}))
                        self._show(f"{stem}:{row}", document)

    def _look_at_records(self, stem: str) -> None:
        found = self.found
        for path, name in found.parts(stem, "data"):
            for commit, lines in commits_of(OsDisk(str(found.directory)), path, name):
                places = places_of(lines, commit.outcomes.delivered, plain=found.plain)
                left: set[int] = set()
                gone: set[int] = set()
                for (row, place), line in zip(places, lines, strict=True):
                    document = _object(line, path)
                    if self._is_doomed(stem, (row, place), document):
                        self._go(stem, (row, place), document)
                        gone.add(row)
                    else:
                        left.add(row)
                        if isinstance(quoted := document.get(QUOTED), str):
                            self._quotes[self.trail.digest(quoted)].append(
                                (stem, (row, place), str(document.get("id")))
                            )
                found.whole[stem] |= gone - left

    def _is_doomed(self, stem: str, mark: Mark, document: Document) -> bool:
        known = mark[0] in self.found.whole[stem] or mark in self.found.single[stem]
        return known or self._is_said_in(document, foreign_words) or self._is_meant(document)

    def _is_said_in(self, document: Document, words: Callable[[Document], object]) -> bool:
        return bool(self.terms.phrases) and self.terms.has_phrase(words(document))

    def _is_meant(self, document: Document) -> bool:
        terms = self.terms
        if not self.trail.ids.isdisjoint(ancestors(document, plain=self.found.plain)):
            return True
        return terms.where is not None and terms.where(document)

    def _go(self, stem: str, mark: Mark, document: Document) -> None:
        self.found.records += 1
        self.found.single[stem].add(mark)
        if isinstance(identity := document.get("id"), str):
            self.trail.ids.add(identity)
        self.trail.add_texts(self.terms.texts_of(document))
        self._show(str(document.get("id", f"{stem}:{mark[0]}")), document)

    def _show(self, identity: str, document: Document) -> None:
        if len(self.found.examples) < EXAMPLES_MAX:
            text = next(self.terms.texts_of(document), "")
            self.found.examples.append((identity, text))


def rows_of_readers(found: Found) -> dict[str, set[int]]:
    """What goes of a run, as the rows of those that read it: by the stem of their shard. Raises `CorruptOutput`."""
    run = finished_run(str(found.directory))
    rows: dict[str, set[int]] = {}
    for index, stem in enumerate(run.stems):
        doomed = found.doomed(stem)
        if doomed.rows and run.is_finished(index):
            taken = (
                _plain_places(found, stem, doomed) if found.plain else _places(run.spans(index)[0], run.lines, doomed)
            )
            rows[f"{found.directory.absolute().name}.{index:05d}"] = taken
    return rows


def _places(spans: Any, lines: Any, doomed: Doomed) -> set[int]:
    number, taken = 0, set()
    for some in in_row_order(spans, lines):
        for _, line in some:
            if line != GAP and place_of(line) in doomed:
                taken.add(number)
            number += 1
    return taken


def _plain_places(found: Found, stem: str, doomed: Doomed) -> set[int]:
    """One line a row, so that the rows before it tell the place of each."""
    disk = OsDisk(str(found.directory))
    there: list[Range] = []
    for path, name in found.parts(stem, "data"):
        file = disk.open(path, writable=False)
        try:
            for commit in frame_log.commits(file.read_at, name):
                gone = ranges.from_numbers({row for row, _ in commit.purged})
                there = ranges.union_all((there, commit.outcomes.delivered, gone))
        finally:
            file.close()
    taken, before = set(), 0
    for start, stop in there:
        for first, end in ranges.common([(start, stop)], doomed.rows):
            taken |= {before + row - start for row in range(first, end)}
        before += stop - start
    return taken


def _object(line: bytes, path: str) -> dict[str, Any]:
    try:
        document = orjson.loads(line)
    except ValueError as error:
        raise CorruptOutput(
            f"{path} holds a line that is no JSON", hint="`personastream verify` tells more."
        ) from error
    return document if isinstance(document, dict) else {"text": document}
