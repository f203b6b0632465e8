"""Draws the records that people are to judge: of each stratum its share, at least one, the same for the same seed.

Small runs are looked through whole; of large ones a pool is drawn first, evenly from all frames, and strata are counted
in it. Within a stratum every record of the pool has the same chance, by a hash of the seed and its id.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson
import zstandard
from xxhash import xxh3_128_hexdigest

from personastream.core import frame_log
from personastream.core.columns import column
from personastream.core.frame_log import PartName
from personastream.core.review import Drawn, allocate
from personastream.errors import BadInput, ConfigError
from personastream.launch.review_files import Place, Sample
from personastream.report.logs import Frame, FrameRead, read_logs
from personastream.report.sampling import Watched, plan
from personastream.report.stages import Stage, find_stages
from personastream.sinks.disk import OsDisk
from personastream.sinks.generations import commits_of
from personastream.sinks.part import OPEN_SUFFIX, file_name, open_to_read

POOL_MIN = 20_000
POOL_PER_RECORD = 50
STRATUM_CHARACTERS_MAX = 80

COLUMNS = {
    "template": "meta.template",
    "model": "meta.model",
    "reason": "meta.finish_reason",
    "label": "description",
}
"""Short names of columns."""
NO_VALUE = "none"
"""The stratum of records without the column."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record of the pool."""

    rank: str
    id: str
    place: Place


def draw_sample(directory: Path, wanted: int, by: str, seed: int, watched: Watched[Frame]) -> Sample:
    """Draw about a run, or about all stages that ask. Raises `BadInput` or `ConfigError`."""
    candidates: dict[str, list[Candidate]] = defaultdict(list)
    populations: dict[str, float] = defaultdict(float)
    known: set[str] = set()  # two stages over the same file may have records of the same id
    for name, stage in _stages(directory).items():
        logs = read_logs(stage.directory, stage.manifest)
        pool: list[tuple[str, Candidate]] = []
        frames, stride = plan(logs.data, max(POOL_MIN, POOL_PER_RECORD * wanted), seed)
        skipped = Random(f"{seed}:lines").randrange(stride)
        for read in logs.read(watched(frames, stage.name) if frames else ()):
            pool += _of_frame(name, stage, read, read.lines[skipped::stride], by, seed)
            skipped = (skipped - len(read.lines)) % stride
        for stratum, candidate in pool:
            populations[stratum] += logs.data.lines / len(pool)
            if candidate.id not in known:
                candidates[stratum].append(candidate)
        known |= {candidate.id for _, candidate in pool}
    if not candidates:
        raise BadInput(f"{directory} holds no records yet", hint="Review a run that has delivered some.")
    if by not in {"stage", "recipe", *COLUMNS} and set(candidates) == {NO_VALUE}:
        hint = f"Group by {', '.join(('stage', 'recipe', *COLUMNS))}, or a column such as meta.relation."
        raise ConfigError(f"--by {by}: no record of the sample has it", hint=hint)
    try:
        counts = allocate({name: max(len(of), populations[name]) for name, of in candidates.items()}, wanted)
    except ValueError as error:
        raise ConfigError(
            f"--by {by} makes {error}", hint="Ask for more with --n, or group by something else."
        ) from error
    chosen = [
        (stratum, each)
        for stratum in sorted(candidates)
        for each in sorted(candidates[stratum], key=lambda one: one.rank)[: counts[stratum]]
    ]
    chosen.sort(key=lambda pair: pair[1].rank)  # strata mixed, so that a review cut short is a sample too
    return Sample(
        seed,
        wanted,
        by,
        dict(sorted(populations.items())),
        [Drawn(each.id, stratum) for stratum, each in chosen],
        [each.place for _, each in chosen],
    )


def read_documents(directory: Path, sample: Sample) -> list[Document | None]:
    """The records of a sample, in its order; None for one that was purged since."""
    stages = _stages(directory)
    found: list[Document | None] = []
    for drawn, place in zip(sample.drawn, sample.places, strict=True):
        stage = stages.get(place.stage)
        lines = () if stage is None else _lines_at(stage, place)
        documents = (each for line in lines if isinstance(each := orjson.loads(line), dict))
        found.append(next((each for each in documents if each.get("id") == drawn.id), None))
    return found


def _stages(directory: Path) -> dict[str, Stage]:
    """The runs that ask, by the names of their folders: "" for the directory itself."""
    found = (stage for stage in find_stages(directory) if stage.asks)
    return {"" if stage.directory == directory else stage.name: stage for stage in found}


def _of_frame(
    name: str, stage: Stage, read: FrameRead, lines: Sequence[bytes], by: str, seed: int
) -> Iterator[tuple[str, Candidate]]:
    place = Place(name, read.part.shard, read.part.part, read.commit.sequence, read.commit.offset)
    for line in lines:
        document = orjson.loads(line)
        if isinstance(document, dict) and isinstance(identity := document.get("id"), str):
            rank = xxh3_128_hexdigest(f"{seed}:{name}:{identity}".encode("utf-8", "surrogatepass"))
            yield _stratum(stage, document, by), Candidate(rank, identity, place)


def _stratum(stage: Stage, document: Mapping[str, object], by: str) -> str:
    if by == "stage":
        return stage.name
    if by == "recipe":
        return str(stage.manifest.identity.get("recipe.type", "none"))
    value = column(document, COLUMNS.get(by, by).split("."))
    return NO_VALUE if value is None else str(value)[:STRATUM_CHARACTERS_MAX]


def _lines_at(stage: Stage, place: Place) -> Sequence[bytes]:
    """The lines of a commit: where it began once, or, since a purge, wherever it begins now."""
    name = PartName(stage.manifest.run_id, place.shard, "data", place.part)
    disk, path = OsDisk(str(stage.directory)), f"data/{file_name(name)}{OPEN_SUFFIX}"
    file = open_to_read(disk, path)
    try:
        commit = frame_log.read_commit(file.read_at, place.offset, name)
        if commit is not None and commit.sequence == place.commit:
            raw = zstandard.ZstdDecompressor().decompress(file.read_at(commit.offset, commit.pieces[0][0]))
            return raw.split(b"\n")[:-1]
    finally:
        file.close()
    is_sealed = (stage.directory / path.removesuffix(OPEN_SUFFIX)).exists()
    where = path.removesuffix(OPEN_SUFFIX) if is_sealed else path
    return next((lines for commit, lines in commits_of(disk, where, name) if commit.sequence == place.commit), [])
