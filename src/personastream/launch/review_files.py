"""A review in the folder `review/` of a run: which records were drawn, and what each reviewer has said of them.

    sample.json      what was drawn, once and for all; it holds no text
    <name>.jsonl     the marks of a reviewer, one a line, only ever added to: the last one of a record counts
    lock             held by everybody who reviews, and alone by who draws or purges

A mark is on the disk before anybody is told so. A line that a crash has cut short is cut off by the next start.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson

from personastream.core.review import MARKS, Drawn, Mark, review_figures
from personastream.errors import CannotCreate, ConfigError, CorruptOutput, RunBusy, StorageFailed
from personastream.launch.durable_file import replace_durably

FOLDER = "review"
SAMPLE = "sample.json"
LOCK = "lock"
FORMAT = 1
NOTE_CHARACTERS_MAX = 2_000

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is: in which stage, part and commit. The offset is where that began when it was drawn."""

    stage: str
    shard: str
    part: int
    commit: int
    offset: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn, how, and how many records there are of each stratum."""

    seed: int
    wanted: int
    by: str
    populations: dict[str, float]
    drawn: list[Drawn]
    places: list[Place]


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer says of a record; no mark, if they have taken it back."""

    mark: Mark | None
    note: str = ""


@contextmanager
def review_lock(directory: Path, *, alone: bool) -> Iterator[None]:
    """Hold the review of a run, with other reviewers or alone. Raises `RunBusy` or `CannotCreate`."""
    folder = directory / FOLDER
    try:
        folder.mkdir(mode=0o750, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise CannotCreate(f"cannot create {folder}: {error.strerror}", hint="Mend its permissions.") from error
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RunBusy(f"somebody reviews {directory} now, or purges it", hint="Wait for them to end.") from error
    finally:
        os.close(descriptor)


def read_sample(directory: Path) -> Sample | None:
    """What was drawn; None if nothing was. Raises `CorruptOutput`."""
    path = directory / FOLDER / SAMPLE
    try:
        document = orjson.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']} is not {FORMAT}")
        return Sample(
            document["seed"],
            document["wanted"],
            document["by"],
            document["populations"],
            [Drawn(each["id"], each["stratum"]) for each in document["drawn"]],
            [Place(**each["place"]) for each in document["drawn"]],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorruptOutput(f"{path} is damaged: {error}", hint="Restore it, or move review/ away.") from error


def write_sample(directory: Path, sample: Sample) -> None:
    """Durable on return. Raises `CannotCreate`."""
    drawn = [
        {**each._asdict(), "place": asdict(place)} for each, place in zip(sample.drawn, sample.places, strict=True)
    ]
    document = {
        "format": FORMAT,
        "seed": sample.seed,
        "wanted": sample.wanted,
        "by": sample.by,
        "populations": sample.populations,
        "drawn": drawn,
    }
    try:
        replace_durably(directory / FOLDER / SAMPLE, orjson.dumps(document, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise CannotCreate(f"cannot write {directory / FOLDER / SAMPLE}: {error.strerror}") from error


def reviewers(directory: Path) -> list[str]:
    """Who has marked anything."""
    found = (path.name.removesuffix(".jsonl") for path in (directory / FOLDER).glob("*.jsonl"))
    return sorted(name for name in found if _NAME.fullmatch(name))


def read_marks(directory: Path, reviewer: str) -> dict[str, Said]:
    """What a reviewer says, by the id of the record. Raises `CorruptOutput`."""
    path = directory / FOLDER / f"{reviewer}.jsonl"
    try:
        *lines, _ = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CorruptOutput(f"cannot read {path}: {error.strerror}") from error
    said: dict[str, Said] = {}
    for number, line in enumerate(lines, 1):
        if line:
            identity, each = _read_line(path, number, line)
            said[identity] = each
    return said


def marks_only(said: dict[str, Said]) -> dict[str, Mark]:
    """Without what was taken back."""
    return {identity: each.mark for identity, each in said.items() if each.mark is not None}


def review_of(directory: Path) -> dict[str, Any] | None:
    """The figures of a review by now; None if none was begun. Raises `CorruptOutput`."""
    sample = read_sample(directory)
    if sample is None:
        return None
    marks = {name: marks_only(read_marks(directory, name)) for name in reviewers(directory)}
    figures = review_figures(sample.drawn, sample.populations, {name: each for name, each in marks.items() if each})
    return {"by": sample.by, "seed": sample.seed, **figures}


class MarksFile:
    """The marks of one reviewer, to be added to by one process at a time."""

    def __init__(self, directory: Path, reviewer: str) -> None:
        if not _NAME.fullmatch(reviewer):
            raise ConfigError(f"--as {reviewer!r} is no name", hint="Letters, digits, dots, - and _: it names a file.")
        self._path = directory / FOLDER / f"{reviewer}.jsonl"
        self._reviewer = reviewer
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, 0o640)
        except OSError as error:
            raise CannotCreate(f"cannot write {self._path}: {error.strerror}", hint="Mend its permissions.") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise RunBusy(
                f"{reviewer} reviews this run already", hint="Somebody else? Give another name, with --as."
            ) from error
        self._cut_torn_line()
        self.said = read_marks(directory, reviewer)

    def add(self, identity: str, said: Said) -> None:
        """On the disk on return. Raises `StorageFailed`; then the mark does not count."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        line = {"id": identity, "mark": said.mark, "note": said.note, "by": self._reviewer, "at": now}
        size = os.fstat(self._fd).st_size
        try:
            data = orjson.dumps(line) + b"\n"
            if os.write(self._fd, data) < len(data):
                raise OSError(28, "no space left on device")
            os.fsync(self._fd)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, size)
            raise StorageFailed(f"cannot write {self._path}: {error.strerror}", hint="Make room.") from error
        self.said[identity] = said

    def close(self) -> None:
        """Let others review under this name."""
        os.close(self._fd)

    def _cut_torn_line(self) -> None:
        content = self._path.read_bytes()
        whole = content.rpartition(b"\n")
        if whole[2]:
            os.ftruncate(self._fd, len(content) - len(whole[2]))
            os.fsync(self._fd)


def _read_line(path: Path, number: int, line: bytes) -> tuple[str, Said]:
    try:
        document: dict[str, Any] = orjson.loads(line)
        mark, note = document["mark"], document.get("note", "")
        if mark not in (*MARKS, None) or not isinstance(note, str):
            raise ValueError(f"{mark!r} is no mark")
        return str(document["id"]), Said(cast("Mark | None", mark), note)
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptOutput(
            f"{path}: line {number} is damaged: {error}", hint="Mend the line, or remove it."
        ) from error
