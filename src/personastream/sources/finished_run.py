"""An earlier run as input: which shards it has, and where in its sealed parts the lines of which rows lie."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import xxhash
import zstandard

from personastream.core import frame_log
from personastream.core.frame_log import PartName, Summary
from personastream.core.row_order import NumberedLine, RowSpan
from personastream.errors import BadInput
from personastream.records import Shard
from personastream.sources.input_file import InputFile
from personastream.sources.local_file import LocalFile

MANIFEST = "run.json"
OPEN_SUFFIX = ".part"
_UNFINISHED_HINT = "Finish it first: personastream run CONFIG --resume"
_ID = re.compile(rb'\{"id":"(?:[^"\\]|\\.)*?:(\d+)(?:#\d+)?"')
"""How the engine begins the line of every record."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run directory whose rows are all settled. `plain` is one whose lines carry no ids of its own: a dedup job."""

    path: Path
    run_id: str
    stems: Sequence[str]
    plain: bool

    def shards(self) -> list[Shard]:
        """Its shards, named after its folder and counted from 0, so that ids tell stages apart.

        Raises `BadInput` for one that is not finished.
        """
        shards = []
        for index, stem in enumerate(self.stems):
            parts = self._parts(stem)
            size_bytes, told = 0, [self.run_id]
            for part in parts:
                with LocalFile(str(part)) as file:
                    size_bytes += file.size_bytes
                    told.append(file.fingerprint())
            fingerprint = xxhash.xxh3_128_hexdigest(" ".join(told).encode())
            shards.append(Shard(index, f"{self.path.name}.{index:05d}", str(self.path), size_bytes, fingerprint))
        return shards

    def lines_total(self) -> int:
        """How many lines all of its parts hold, by their summaries. Raises `BadInput`."""
        total = 0
        for stem in self.stems:
            for number, path in enumerate(self._parts(stem)):
                with LocalFile(str(path)) as file:
                    total += _summary(file, PartName(self.run_id, stem, "data", number)).lines
        return total

    def spans(self, index: int) -> tuple[list[RowSpan], int]:
        """(the frames of a shard that hold lines, how many lines these are). Raises `BadInput`."""
        spans, lines = [], 0
        for number, path in enumerate(self._parts(self.stems[index])):
            name = PartName(self.run_id, self.stems[index], "data", number)
            with LocalFile(str(path)) as file:
                lines += _summary(file, name).lines
                for offset, size_bytes, rows in frame_log.delivered_frames(file.read_at, file.size_bytes, name):
                    spans.append(RowSpan(str(path), offset, size_bytes, rows[0][0], rows[-1][1]))
        return spans, lines

    def lines(self, span: RowSpan) -> list[NumberedLine]:
        """The lines of a frame, each with the number of its row. Raises `BadInput` for a damaged frame."""
        with LocalFile(span.part) as file:
            frame = file.read_at(span.offset, span.size_bytes)
        try:
            raw = zstandard.ZstdDecompressor().decompress(frame)
        except zstandard.ZstdError as error:
            raise _damaged(span.part, f"its frame at byte {span.offset} does not decompress: {error}") from error
        lines = raw.split(b"\n")[:-1]
        if self.plain:
            return list(enumerate(lines, span.first))
        try:
            return [(int(_ID.match(line)[1]), line) for line in lines]  # type: ignore[index]
        except TypeError as error:
            raise _damaged(span.part, f"a record in its frame at byte {span.offset} has no id") from error

    def _parts(self, stem: str) -> list[Path]:
        """The parts of a shard in order, all sealed; none of its rows is being asked again."""
        own = {kind: self._files(kind, stem) for kind in ("data", "dead")}
        is_open = any(path.suffix == OPEN_SUFFIX for files in own.values() for path in files)
        if is_open or not own["data"] or not self._is_last(stem, own["data"]):
            raise BadInput(f"the run in {self.path} is not finished: see shard {stem}", hint=_UNFINISHED_HINT)
        return own["data"]

    def _files(self, kind: str, stem: str) -> list[Path]:
        pattern = re.compile(re.escape(stem) + r"-\d{5,}\.jsonl\.zst(\.part)?", re.DOTALL)
        folder = self.path / kind
        return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name)) if folder.is_dir() else []

    def _is_last(self, stem: str, parts: Sequence[Path]) -> bool:
        with LocalFile(str(parts[-1])) as file:
            return _summary(file, PartName(self.run_id, stem, "data", len(parts) - 1)).shard_rows is not None


def finished_run(path: str) -> FinishedRun:
    """The run in a directory. Raises `BadInput` if there is none, or if it is a plan."""
    manifest = Path(path, MANIFEST)
    try:
        document = orjson.loads(manifest.read_bytes())
        stems = [shard["stem"] for shard in document["shards"]]
        run_id, output = str(document["run_id"]), document["identity"].get("output", "records")
    except OSError as error:
        raise BadInput(f"{path} holds no run: {manifest}: {error.strerror}", hint="Name a run directory.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(str(manifest), f"is no manifest of a run: {error}") from error
    if output not in ("records", "rows"):
        raise BadInput(f"{path} holds a plan, not rows", hint="Use the transform `planned` over the same input.")
    return FinishedRun(Path(path), run_id, stems, output == "rows")


def _summary(file: InputFile, name: PartName) -> Summary:
    summary = frame_log.read_seal(file.read_at, file.size_bytes, name)
    if summary is None:
        raise _damaged(file.path, "has no valid end")
    return summary


def _damaged(path: str, what: str) -> BadInput:
    return BadInput(f"{path}: {what}", hint="`personastream verify` tells what is damaged; restore it from a copy.")
