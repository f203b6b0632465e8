"""Rows that transforms know beforehand: those of earlier stages. What these have learnt is taken from their journals;
what is missing there is read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from personastream.build import build_thinning
from personastream.config import Config
from personastream.errors import BadInput, CorruptOutput
from personastream.launch.manifest import read_manifest
from personastream.launch.purged_rows import WithoutPurged
from personastream.ports import Checkpoints, Source, StatefulTransform, Transform
from personastream.records import Position
from personastream.sinks.checkpoints import NAME, CheckpointLog, journal_of


@dataclass(frozen=True, slots=True)
class Earlier:
    """A finished run with transforms of the same kinds and settings: what it read, and its journal.

    `shards` is how many it has read: its source may have more by now.
    """

    source: Source
    journal: CheckpointLog
    shards: int

    def teach(self, transforms: Sequence[Transform]) -> None:
        """Let transforms see its rows. Raises `BadInput` or `CorruptOutput`."""
        stateful = [transform for transform in transforms if isinstance(transform, StatefulTransform)]
        reached = self._teach_journal(stateful)
        for shard in self.source.shards()[reached.shard : self.shards]:
            for batch in self.source.read(shard, reached.row if shard.index == reached.shard else 0):
                for transform in transforms:
                    batch = transform(batch)
                for each in stateful:
                    each.learnt()  # it is none of this run's journal

    def _teach_journal(self, stateful: Sequence[StatefulTransform]) -> Position:
        reached = Position(0, 0)
        for at, journals in self.journal.frames(stateful):
            for transform, records in zip(stateful, journals, strict=True):
                try:
                    transform.learn(records)
                except ValueError as error:
                    path = Path(self.journal.directory, NAME)
                    raise CorruptOutput(
                        f"{path}: {type(transform).__name__} does not know its own records: {error}",
                        hint="Delete the file: its rows are read again.",
                    ) from error
            reached = at
        return reached


@dataclass(frozen=True, slots=True)
class AfterEarlier:
    """The checkpoints of a run whose `transforms` know earlier rows: these are taught first."""

    own: Checkpoints
    earlier: Sequence[Earlier]
    transforms: Sequence[Transform]

    def load(self, not_after: Position, transforms: Sequence[StatefulTransform]) -> Position:
        for each in self.earlier:
            each.teach(self.transforms)
        return self.own.load(not_after, transforms)

    def save(self, at: Position, transforms: Sequence[StatefulTransform]) -> None:
        self.own.save(at, transforms)


def earlier_run(config: Config) -> Earlier:
    """The finished run of an earlier stage. Raises `BadInput` if there is none."""
    parts = build_thinning(config)
    manifest = read_manifest(Path(parts.sink.path))
    if manifest is None:
        raise BadInput(f"{parts.sink.path} holds no run", hint="Run the stages in their order.")
    source = WithoutPurged(parts.source, Path(parts.sink.path))
    return Earlier(source, journal_of(parts.sink.path, manifest.run_id), len(manifest.shards))
