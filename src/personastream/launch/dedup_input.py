"""The input of a dedup job: rows that are known beforehand, then those that are to be thinned, as one source."""

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from personastream.core.outcomes import Counts, Usage
from personastream.errors import BadInput
from personastream.launch.manifest import read_manifest
from personastream.ports import ShardState, Source
from personastream.records import Batch, Shard
from personastream.sources.jsonl import Jsonl

RECORD_FIELD = "input persona"
"""Where the records of a run hold the text they were made from."""
_ALL_ROWS = 1 << 62


@dataclass(slots=True)
class DedupInput:
    """Sources one after the other, their shards numbered through; those of all but the last only teach."""

    sources: Sequence[Source]
    _shards: list[Shard] = field(init=False)
    _source_of: list[tuple[Source, Shard]] = field(init=False)

    def __post_init__(self) -> None:
        self._source_of = [(source, shard) for source in self.sources for shard in source.shards()]
        self._shards = [replace(shard, index=index) for index, (_, shard) in enumerate(self._source_of)]

    def shards(self) -> Sequence[Shard]:
        return self._shards

    def read(self, shard: Shard, start: int) -> Iterator[Batch]:
        source, own = self._source_of[shard.index]
        return (replace(batch, shard=shard) for batch in source.read(own, start))

    @property
    def own(self) -> list[Shard]:
        """The shards of the last source, as it counts them."""
        return [shard for source, shard in self._source_of if source is self.sources[-1]]

    @property
    def known(self) -> int:
        """How many of the shards are known beforehand."""
        return len(self._shards) - len(self.own)

    def check_known(self, seen: Mapping[int, Counts], dead_share_max: float) -> None:
        """Raises `BadInput` if more than such a share of a source's rows could not be read; `seen` tells by shard."""
        for source in self.sources[:-1]:
            shards = [shard for shard, (of, _) in zip(self._shards, self._source_of, strict=True) if of is source]
            counts = [seen.get(shard.index, Counts()) for shard in shards]
            whole = sum(counts, Counts())
            if whole.dead_total > dead_share_max * whole.settled:
                worst = max(range(len(shards)), key=lambda at: counts[at].dead_total)
                reason = max(whole.dead, key=whole.dead.__getitem__)
                raise BadInput(
                    f"{shards[worst].path}: {whole.dead_total:,} of {whole.settled:,} rows known beforehand "
                    f"cannot be read, most of them for {reason}",
                    hint="Its texts must lie under the same key as those of the input: see --field. Then begin anew, "
                    "in another --out.",
                )

    def states(self, states: Sequence[ShardState]) -> list[ShardState]:
        """The states of all shards, given those of the last source: of known ones, no row is ever left to settle."""
        finished = ShardState([(0, _ALL_ROWS)], Counts(), Usage(), _ALL_ROWS)
        return [finished] * self.known + list(states)


def known_rows(path: str, like: Jsonl, index_dir: Path) -> Jsonl:
    """The source of rows known beforehand: a file, a glob, or the directory of an earlier run or dedup job.

    Raises `BadInput` for a directory that holds no finished output.
    """
    index_dir = index_dir / "against"
    like = replace(like, where=None, sample=None, keep=[], preset="")  # what is known is known, chosen or not
    if not Path(path).is_dir():
        return replace(like, paths=[path], index_dir=str(index_dir))
    manifest, data = read_manifest(Path(path)), Path(path, "data")
    output = "" if manifest is None else manifest.identity.get("output", "records")
    if output not in ("rows", "records"):
        what = "a plan, not rows" if output else "no run"
        raise BadInput(f"{path} holds {what}", hint="Give --against a run directory, a file or a quoted glob.")
    parts = sorted(str(part) for part in data.glob("*.jsonl.zst"))
    if not parts or any(data.glob("*.part")):
        raise BadInput(f"the run in {path} is not finished", hint="Finish it first, with --resume.")
    field = like.field if output == "rows" else RECORD_FIELD
    return replace(like, paths=[glob.escape(part) for part in parts], field=field, index_dir=str(index_dir))
