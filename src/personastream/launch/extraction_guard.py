"""The extraction guard: sees every record as it is committed, counts, and stops the run when a cap is passed.

What it has counted is kept in `state/guard.json`, with how many lines of each shard that covers. A start takes up that
file and reads the lines behind it; all of them if there is none, or if other texts are protected now. So nothing is
counted twice or left out, however the run ended; only the order of replies of different shards may differ then from
that in which they came.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import xxhash

from personastream.core.extraction import Drawn, NearCopies, Reading, Tally
from personastream.core.leaves import reply_texts
from personastream.errors import ExtractionSuspected, RunError
from personastream.guard import Guard
from personastream.launch.run_records import lines_behind
from personastream.ports import Chunk
from personastream.records import Shard
from personastream.test_sets import read_items

if TYPE_CHECKING:
    from personastream.dedup.ngrams import NgramIndex

NAME = "guard.json"
PIECE_WORDS = 13
SAVED_EVERY_S = 5.0
RECORDS_AT_ONCE = 1024


@dataclass
class ExtractionGuard:
    """Counts what is committed to the run in `directory`, whose shards are `stems`. One caller at a time."""

    settings: Guard
    directory: Path
    stems: Sequence[str]
    _tally: Tally = field(init=False)
    _lines: dict[str, int] = field(init=False, default_factory=dict)
    _saved_s: float = field(init=False, default=0.0)

    @cached_property
    def _protected(self) -> "NgramIndex | None":
        if not self.settings.protected:
            return None
        from personastream.dedup.ngrams import NgramIndex

        items = read_items(self.settings.protected, self.settings.protected_field)
        return NgramIndex([item.text for item in items], PIECE_WORDS, share_min=1.0)

    @cached_property
    def _basis(self) -> str:
        """What counts depend on, besides the records: those of another basis are of no use."""
        settings, tokens = self.settings, None if self._protected is None else self._protected.tokens
        told = f"{settings.overlap_words} {settings.overlap_share} {settings.window_replies}".encode()
        texts = b"" if tokens is None else tokens.starts.tobytes() + tokens.hashes.tobytes()
        return xxhash.xxh3_128_hexdigest(told + texts)

    def begin(self) -> None:
        """Count what is committed so far. Raises `BadInput` for protected texts, `CorruptOutput` for the run."""
        _ = self._protected
        self._tally, self._lines = _saved(self.directory, self.settings.window_replies, self._basis)
        try:
            self._count_behind()
        except _OtherLines:
            self._tally, self._lines = _nothing(self.settings.window_replies)
            self._count_behind()
        self.save()

    def _count_behind(self) -> None:
        for stem, lines in lines_behind(self.directory, dict(self._lines)):
            if lines is None:
                raise _OtherLines
            self.take(stem, lines)

    def committed(self, chunk: Chunk) -> None:
        if chunk.kind == "data" and chunk.lines:
            self.take(self.stems[chunk.shard], chunk.lines)
            if time.monotonic() - self._saved_s >= SAVED_EVERY_S:
                self.save()

    def take(self, stem: str, lines: Sequence[bytes]) -> None:
        """Lines that were committed to a shard's data."""
        for start in range(0, len(lines), RECORDS_AT_ONCE):
            for drawn in self._drawn([orjson.loads(line) for line in lines[start : start + RECORDS_AT_ONCE]]):
                self._tally.take(drawn)
        self._lines[stem] = self._lines.get(stem, 0) + len(lines)

    def _drawn(self, records: Sequence[Mapping[str, Any]]) -> Iterator[Drawn]:
        from personastream.dedup.simhash import simhash
        from personastream.dedup.words import hash_words

        texts = ["\n".join(reply_texts(record)) for record in records]
        signatures = simhash(hash_words(texts)).tolist()
        overlaps = self._overlaps(texts)
        for record, signature, overlap in zip(records, signatures, overlaps, strict=True):
            meta = record.get("meta")
            meta = meta if isinstance(meta, Mapping) else {}
            usage = meta.get("usage")
            tokens = usage.get("output_tokens", 0) if isinstance(usage, Mapping) else 0
            tokens = tokens if isinstance(tokens, int) else 0
            yield Drawn(str(record.get("id")), str(meta.get("model", "")), tokens, signature, overlap)

    def _overlaps(self, texts: Sequence[str]) -> list[bool]:
        if self._protected is None:
            return [False] * len(texts)
        told = self._protected.overlap(texts).tolist()
        words, share = self.settings.overlap_words, self.settings.overlap_share
        return [run >= words or 0 < share * tokens <= covered for run, covered, tokens in told]

    def readings(self) -> list[Reading]:
        """How all figures that have a cap stand."""
        return readings(self._tally, self.settings)

    def problem(self) -> RunError | None:
        for reading in self.readings():
            if reading.is_passed:
                examples = f", such as {', '.join(reading.examples)}" if reading.examples else ""
                first = "Look at such records first. " if reading.examples else ""
                return ExtractionSuspected(
                    f"[guard] {reading.setting} is passed: {told(reading)}{examples}",
                    hint=f"{first}To go on, raise `[guard] {reading.setting}`, then run again with --resume.",
                )
        return None

    @property
    def alert(self) -> str:
        return "; ".join(alerts(self.readings(), self.settings.alert_share))

    def save(self) -> None:
        """Keep what is counted. It can be counted again, so a failure is let go."""
        self._saved_s = time.monotonic()
        path = self.directory / "state" / NAME
        figures = [reading._asdict() for reading in self.readings()]
        document = {"basis": self._basis, "lines": self._lines, "readings": figures, **self._tally.as_dict()}
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_suffix(".tmp")
            temporary.write_bytes(orjson.dumps(document))
            temporary.replace(path)


def check_protected(settings: Guard | None) -> None:
    """Raises `BadInput` for protected texts that cannot be read: before a run begins, not in its midst."""
    if settings is not None and settings.protected:
        read_items(settings.protected, settings.protected_field)


def guarding(settings: Guard | None, directory: Path, shards: Sequence[Shard]) -> ExtractionGuard | None:
    """The guard of a run, if it is to have one, with all counted that is committed. Raises `ExtractionSuspected` if a
    cap is passed already.
    """
    if settings is None:
        (directory / "state" / NAME).unlink(missing_ok=True)  # what it tells would soon be out of date
        return None
    guard = ExtractionGuard(settings, directory, [shard.stem for shard in shards])
    guard.begin()
    if (problem := guard.problem()) is not None:
        raise problem
    return guard


def readings(tally: Tally, settings: Guard) -> list[Reading]:
    """Figures that have a cap, against it."""
    found = []
    if settings.protected:
        what = "replies that repeat protected texts"
        found.append(Reading(what, tally.overlaps, settings.overlaps_max, "overlaps_max", tally.overlapping))
    if settings.near_copies_share_max < 1:
        what, cap = f"near copies among the last {len(tally.near.last):,} replies", "near_copies_share_max"
        found.append(Reading(what, round(tally.near.share, 4), settings.near_copies_share_max, cap, list(tally.copies)))
    for name, counts, what in (
        ("records_per_model_max", tally.records, "records"),
        ("output_tokens_per_model_max", tally.output_tokens, "output tokens"),
    ):
        if most := getattr(settings, name):
            found += [Reading(f"{what} of the model {model!r}", count, most, name) for model, count in counts.items()]
    return found


def alerts(readings: Sequence[Reading], share: float) -> Iterator[str]:
    """What is near its cap or above it, in words."""
    for reading in readings:
        if reading.cap and share * reading.cap <= reading.value:
            yield f"{told(reading)} ([guard] {reading.setting})"


def told(reading: Reading) -> str:
    """A figure against its cap, in words."""
    value, cap = (f"{each:,}" if isinstance(each, int) else f"{each:.2%}" for each in (reading.value, reading.cap))
    return f"{reading.what}: {value}, and {cap} are allowed"


def read_guard(directory: Path) -> list[Reading]:
    """How the guard's figures stood when they were last saved; none if there is no guard."""
    try:
        document = orjson.loads((directory / "state" / NAME).read_bytes())
        return [Reading(**each) for each in document["readings"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


class _OtherLines(Exception):
    """The output holds fewer lines than were counted: rows were taken out of it since."""


def _nothing(window: int) -> tuple[Tally, dict[str, int]]:
    return Tally(NearCopies(window)), {}


def _saved(directory: Path, window: int, basis: str) -> tuple[Tally, dict[str, int]]:
    try:
        document = orjson.loads((directory / "state" / NAME).read_bytes())
        if document["basis"] != basis:
            return _nothing(window)
        lines = {str(stem): int(count) for stem, count in document["lines"].items()}
        return Tally.from_dict(document, window), lines
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _nothing(window)
