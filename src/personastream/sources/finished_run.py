"""An earlier run as input: which shards it has, and where in its sealed parts the lines of which rows lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import xxhash
import zstandard

from personastream.core import frame_log
from personastream.core.frame_log import PartName, Summary
from personastream.core.purging import places_of, with_gaps
from personastream.core.row_order import NumberedLine, RowSpan
from personastream.errors import BadInput
from personastream.records import Shard
from personastream.sources.input_file import InputFile
from personastream.sources.local_file import LocalFile

MANIFEST = "run.json"
SUFFIX, OPEN_SUFFIX = ".jsonl.zst", ".part"
_UNFINISHED_HINT = "Finish it first: personastream run CONFIG --resume"


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run directory whose rows are settled, or will be. `plain` is one whose lines carry no ids: a dedup job."""

    path: Path
    run_id: str
    stems: Sequence[str]
    plain: bool
    licences: Sequence[str] = ()

    def shards(self) -> list[Shard]:
        """Its shards, named after its folder and counted from 0, so that ids tell stages apart.

        One that is not finished has no size yet. The fingerprint tells the run, not what is in it: see `seals`.
        """
        shards = []
        for index, stem in enumerate(self.stems):
            parts = self._sealed(stem)
            size_bytes = sum(part.stat().st_size for part in parts or ())
            fingerprint = xxhash.xxh3_128_hexdigest(f"{self.run_id} {stem}".encode())
            licence = self.licences[index] if self.licences else ""
            name = f"{self.path.name}.{index:05d}"
            shards.append(Shard(index, name, str(self.path), size_bytes, fingerprint, licence))
        return shards

    def is_finished(self, index: int) -> bool:
        """Whether all rows of a shard are settled."""
        return self._sealed(self.stems[index]) is not None

    def seals(self, index: int) -> str:
        """What tells the content of a finished shard: other rows, or rows asked again, make another. No purge does."""
        told = []
        for number, path in enumerate(self.parts(index)):
            with LocalFile(str(path)) as file:
                stands_for = _summary(file, PartName(self.run_id, self.stems[index], "data", number)).stands_for
                told.append(stands_for or file.fingerprint())
        return xxhash.xxh3_128_hexdigest(" ".join(told).encode())

    def lines_total(self) -> int:
        """How many lines all of its parts hold, or held, by their summaries. Raises `BadInput`."""
        total = 0
        for index, stem in enumerate(self.stems):
            for number, path in enumerate(self.parts(index)):
                with LocalFile(str(path)) as file:
                    total += _lines_of(file, PartName(self.run_id, stem, "data", number))
        return total

    def spans(self, index: int) -> tuple[list[RowSpan], int]:
        """(the frames of a shard that hold lines, how many lines these are). Raises `BadInput`."""
        spans, lines = [], 0
        for number, path in enumerate(self.parts(index)):
            name = PartName(self.run_id, self.stems[index], "data", number)
            with LocalFile(str(path)) as file:
                lines += _lines_of(file, name)
                for offset, size_bytes, rows, purged in frame_log.delivered_frames(file.read_at, file.size_bytes, name):
                    if not purged:
                        spans.append(RowSpan(str(path), offset, size_bytes, rows[0][0], rows[-1][1]))
                        continue
                    once = [*rows[:1], *rows[-1:], *((row, row + 1) for row, _ in purged)]
                    first, stop = min(once)[0], max(end for _, end in once)
                    spans.append(RowSpan(str(path), offset, size_bytes, first, stop, rows, purged))
        return spans, lines

    def lines(self, span: RowSpan) -> list[NumberedLine]:
        """The lines of a frame, each with the number of its row, `GAP` where one was. Raises `BadInput` for damage."""
        with LocalFile(span.part) as file:
            frame = file.read_at(span.offset, span.size_bytes)
        try:
            raw = zstandard.ZstdDecompressor().decompress(frame)
        except zstandard.ZstdError as error:
            raise _damaged(span.part, f"its frame at byte {span.offset} does not decompress: {error}") from error
        lines = raw.split(b"\n")[:-1]
        if self.plain and not span.purged:
            return list(enumerate(lines, span.first))
        try:
            places = places_of(lines, span.rows, plain=self.plain)
            return with_gaps(lines, places, span.purged)
        except ValueError as error:
            raise _damaged(span.part, f"a record in its frame at byte {span.offset} has no id") from error

    def check_finished(self) -> None:
        """Raises `BadInput` for a shard with more to come."""
        for index in range(len(self.stems)):
            self.parts(index)

    def parts(self, index: int) -> list[Path]:
        """The parts of a shard in order, all sealed. Raises `BadInput` if there is more to come."""
        parts = self._sealed(self.stems[index])
        if parts is None:
            raise BadInput(
                f"the run in {self.path} is not finished: see shard {self.stems[index]}", hint=_UNFINISHED_HINT
            )
        return parts

    def _sealed(self, stem: str) -> list[Path] | None:
        """The parts of a shard's data, if none of its rows is still to be settled or being asked again."""
        (data, is_open), (_, is_open_too) = (self._log(kind, stem) for kind in ("data", "dead"))
        if not data or is_open or is_open_too:
            return None
        with LocalFile(str(data[-1])) as file:
            ends = _summary(file, PartName(self.run_id, stem, "data", len(data) - 1)).shard_rows is not None
        return data if ends else None

    def _log(self, kind: str, stem: str) -> tuple[list[Path], bool]:
        """(sealed parts, whether another one is open) of one log of a shard: they are numbered through."""
        sealed: list[Path] = []
        while (part := self.path / kind / f"{stem}-{len(sealed):05d}{SUFFIX}").exists():
            sealed.append(part)
        return sealed, part.with_name(part.name + OPEN_SUFFIX).exists()


def finished_run(path: str) -> FinishedRun:
    """The run in a directory. Raises `BadInput` if there is none, or if it is a plan."""
    manifest = Path(path, MANIFEST)
    try:
        document = orjson.loads(manifest.read_bytes())
        stems = [shard["stem"] for shard in document["shards"]]
        identity = document["identity"]
        run_id, output = str(document["run_id"]), identity.get("output", "records")
        by_row = identity.get("source.licence_field") and identity.get("source.type") not in ("run", "Run")
        licences = ["" if by_row else str(shard.get("licence", "")) for shard in document["shards"]]
    except OSError as error:
        raise BadInput(f"{path} holds no run: {manifest}: {error.strerror}", hint="Name a run directory.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(str(manifest), f"is no manifest of a run: {error}") from error
    if output not in ("records", "rows"):
        raise BadInput(f"{path} holds a plan, not rows", hint="Use the transform `planned` over the same input.")
    return FinishedRun(Path(path), run_id, stems, output == "rows", licences)


def _summary(file: InputFile, name: PartName) -> Summary:
    summary = frame_log.read_seal(file.read_at, file.size_bytes, name)
    if summary is None:
        raise _damaged(file.path, "has no valid end")
    return summary


def _lines_of(file: InputFile, name: PartName) -> int:
    summary = _summary(file, name)
    return summary.lines + summary.purged


def _damaged(path: str, what: str) -> BadInput:
    return BadInput(f"{path}: {what}", hint="`personastream verify` tells what is damaged; restore it from a copy.")
