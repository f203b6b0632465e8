"""Rows of a job to look at: its latest records, and its dead letters page by page.

Law: nothing is kept between looks, and a look reads little: a page of dead letters begins where its cursor says, and
commits before it are hopped over by their trailers alone. All of this blocks.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import zstandard

from personastream.core import frame_log, ranges
from personastream.core.frame_log import Commit, LogKind, PartName
from personastream.core.ranges import Ranges
from personastream.errors import CorruptOutput
from personastream.launch.manifest import Manifest, read_manifest
from personastream.serve.refusals import Unfit
from personastream.sinks.disk import OsDisk, Snapshot
from personastream.sinks.part import file_name, open_to_read
from personastream.sinks.series import parse_file_name
from personastream.stages import Stage

TEXT_CHARACTERS_MAX = 4_000
"""Of each text of a row: for a look, not for work."""
DEPTH_MAX = 16
PARTS_MAX = 8
"""Parts looked into for the latest records."""
LINES_MAX = 20_000
"""Lines looked through for one page; with a rare reason, a page may be short."""
LETTER = ("id", "reason", "detail", "text", "response", "stage")


class Cursor(NamedTuple):
    """The next line of the dead letters: in which stage and shard, and how many lines of that shard come before."""

    stage: int = 0
    shard: int = 0
    line: int = 0

    def __str__(self) -> str:
        return ".".join(map(str, self))


def cursor_of(text: str) -> Cursor:
    """As a page told it; "" is the beginning. Raises `Unfit`."""
    numbers = text.split(".") if text else ["0", "0", "0"]
    if len(numbers) != 3 or not all(each.isascii() and each.isdecimal() and len(each) < 16 for each in numbers):
        raise Unfit(f"after = {text[:100]!r} is no place among dead letters", hint="Give `next` of the page before.")
    return Cursor(*map(int, numbers))


def latest_records(directory: Path, stages: Sequence[Stage], limit: int) -> list[dict[str, Any]]:
    """The newest committed records, the newest first, of the latest stage that has any. Raises `CorruptOutput`."""
    for stage in reversed(stages):
        folder = directory / stage.name
        manifest = read_manifest(folder)
        if manifest is None:
            continue
        found = [record for _, lines in _newest(folder, manifest, limit) for record in lines]
        if found:
            return [shortened(orjson.loads(line)) for line in found[:limit]]
    return []


def dead_letters(
    directory: Path, stages: Sequence[Stage], after: str, reason: str, limit: int
) -> tuple[list[dict[str, Any]], str]:
    """(a page of rows that are dead now, the cursor of the next page or ""). Raises `CorruptOutput` or `Unfit`."""
    begin, letters, looked = cursor_of(after), list[dict[str, Any]](), 0
    for place, stage in enumerate(stages[begin.stage :], begin.stage):
        folder = directory / stage.name
        manifest = read_manifest(folder)
        if manifest is None:
            continue
        first = begin.shard if place == begin.stage else 0
        for shard in range(first, len(manifest.shards)):
            known = begin.line if (place, shard) == (begin.stage, begin.shard) else 0
            for number, line in _letters(folder, manifest, shard, known, reason):
                if len(letters) >= limit or looked >= LINES_MAX:
                    return letters, str(Cursor(place, shard, number))
                looked += 1
                if line is not None:
                    letters.append(_letter(line, stage.name))
    return letters, ""


def _letters(
    folder: Path, manifest: Manifest, shard: int, known: int, reason: str
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(its number, the letter, or None if its row is not dead any more or died of something else), behind `known`."""
    disk, stem = OsDisk(str(folder)), manifest.shards[shard].stem
    names = [PartName(manifest.run_id, stem, "dead", number) for number in range(_parts(folder, "dead", stem))]
    revived = _revived_later(disk, names)
    number = 0
    for name, taken_back in zip(names, revived, strict=True):
        for commit, read in _commits(disk, name):
            if number + commit.lines <= known or (reason and reason not in commit.outcomes.dead):
                number += commit.lines
                continue
            for line in read():
                if number >= known:
                    letter = orjson.loads(line)
                    gone = ranges.contains(taken_back, int(letter["id"].rpartition(":")[2]))
                    yield number, None if gone or (reason and letter["reason"] != reason) else letter
                number += 1


def _revived_later(disk: OsDisk, names: Sequence[PartName]) -> list[Ranges]:
    """For each part, the rows that later parts take back: their letters in it are history."""
    later: Ranges = ()
    found: list[Ranges] = []
    for name in reversed(names):
        found.append(later)
        with closing(_opened(disk, name)) as file:
            first = frame_log.read_commit(file.read_at, 0, name)
        if first is not None and first.outcomes.revived:
            later = ranges.union_all((ranges.without(later, first.outcomes.taken_back()), first.outcomes.taken_back()))
    return found[::-1]


def _letter(letter: dict[str, Any], stage: str) -> dict[str, Any]:
    told = {key: str(letter.get(key, ""))[:TEXT_CHARACTERS_MAX] for key in LETTER}
    return {**told, "stage": stage}


def _newest(folder: Path, manifest: Manifest, limit: int) -> Iterator[tuple[Path, list[bytes]]]:
    """Lines of the parts that were written last, each part's newest first, until there are enough."""
    disk, found = OsDisk(str(folder)), 0
    paths = sorted((folder / "data").glob("*.jsonl.zst*"), key=_modified, reverse=True)
    for path in paths[:PARTS_MAX]:
        parsed = parse_file_name(path.name)
        if parsed is None:
            continue
        commits = list(_commits(disk, PartName(manifest.run_id, parsed[0], "data", parsed[1])))
        for commit, read in reversed(commits):
            if commit.lines:
                lines = read()[::-1][: limit - found]
                found += len(lines)
                yield path, lines
            if found >= limit:
                return


def _commits(disk: OsDisk, name: PartName) -> Iterator[tuple[Commit, "_Read"]]:
    """The commits of a part as it is now, with a way to read the lines of each while it is at hand."""
    with closing(_opened(disk, name)) as file:
        snapshot = Snapshot(file)
        for commit in frame_log.commits(snapshot.read_at, name):
            yield commit, _Read(disk, name, commit)


class _Read(NamedTuple):
    """Reads the lines of a commit; it opens the part anew, which may have been sealed meanwhile."""

    disk: OsDisk
    name: PartName
    commit: Commit

    def __call__(self) -> list[bytes]:
        """Raises `CorruptOutput`."""
        with closing(_opened(self.disk, self.name)) as file:
            frame = file.read_at(self.commit.offset, self.commit.pieces[0][0])
        try:
            return zstandard.ZstdDecompressor().decompress(frame).split(b"\n")[:-1]
        except zstandard.ZstdError as error:
            raise CorruptOutput(f"{file_name(self.name)} is damaged: {error}") from error


def _opened(disk: OsDisk, name: PartName) -> Any:
    return open_to_read(disk, f"{name.kind}/{file_name(name)}.part")


def _parts(folder: Path, kind: LogKind, stem: str) -> int:
    """How many parts a log has."""
    count = 0
    while any((folder / kind / f"{stem}-{count:05d}.jsonl.zst{end}").exists() for end in ("", ".part")):
        count += 1
    return count


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # sealed meanwhile: it is new
        return float("inf")


def shortened(value: Any, depth: int = 0) -> Any:
    """A record with long texts cut, however deep they stand."""
    if depth > DEPTH_MAX:
        return "…"
    if isinstance(value, str):
        return value if len(value) <= TEXT_CHARACTERS_MAX else value[:TEXT_CHARACTERS_MAX] + "…"
    if isinstance(value, dict):
        return {key: shortened(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [shortened(each, depth + 1) for each in value]
    return value
