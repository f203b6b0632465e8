"""The shards of a run whose source may get more: in the order in which they came, which `run.json` keeps."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from personastream.build import build_thinning
from personastream.config import Config
from personastream.launch.manifest import NAME as MANIFEST
from personastream.launch.manifest import read_manifest
from personastream.ports import Growing, Source, Stock
from personastream.records import Shard
from personastream.stages import Stage

ROWS_EXPECTED = 1_000_000
"""For how many rows transforms make themselves ready where nobody can tell: the same at every start, so that they
decide alike however many sittings a run takes."""


def follows(config: Config) -> bool:
    """Whether a run of this configuration never ends by itself."""
    return config.source.values.get("follow") is True


def grows(source: Source) -> bool:
    """Whether the source may have more shards at the next start."""
    return isinstance(source, Growing) and source.follow


def shards_of(source: Source, directory: Path) -> list[Shard]:
    """All shards for the run in `directory`: those that it has, then what has come since. Raises `RunError`."""
    if not (isinstance(source, Growing) and source.follow):
        return list(source.shards())
    kept = read_manifest(directory)
    place = {shard.stem: index for index, shard in enumerate(kept.shards if kept else ())}
    found = sorted(source.arrived(place), key=lambda shard: place.get(shard.stem, len(place)))
    return [replace(shard, index=index) for index, shard in enumerate(found)]


def rows_expected(source: Source) -> int:
    """About how many rows a source has; 0 if its first rows tell."""
    return ROWS_EXPECTED if grows(source) else 0


NOTHING_KNOWN = Stock(())
"""Of a source that does not grow: it is carried out once."""


@dataclass(slots=True)
class Arrivals:
    """What the sources of stages have had when each was last carried out, and what they have now. All of it blocks."""

    stages: Sequence[Stage]
    _sources: dict[str, Growing] = field(init=False, default_factory=dict)
    _directories: dict[str, Path] = field(init=False, default_factory=dict)
    _seen: dict[str, Stock] = field(init=False, default_factory=dict)
    _unfinished: dict[str, Sequence[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for stage in self.stages:
            thinning = build_thinning(stage.config)
            if isinstance(thinning.source, Growing) and thinning.source.follow:
                self._sources[stage.name] = thinning.source
                self._directories[stage.name] = Path(thinning.sink.path)

    @property
    def follows(self) -> bool:
        """Whether any stage does."""
        return bool(self._sources)

    @property
    def look_s(self) -> float:
        """How often to look."""
        return min(source.follow_s for source in self._sources.values())

    @property
    def unfinished(self) -> list[str]:
        """Files that were not whole when they were last looked at."""
        return [path for paths in self._unfinished.values() for path in paths]

    def news(self, stage: Stage) -> Stock | None:
        """What there is, if the stage is to be carried out: it was not yet, or there is something else by now.

        A run is not begun before its first shard.
        """
        source, seen = self._sources.get(stage.name), self._seen.get(stage.name)
        if source is None:
            return NOTHING_KNOWN if seen is None else None
        stock = source.look()
        self._unfinished[stage.name] = stock.unfinished
        if seen is None:
            return stock if stock.whole or (self._directories[stage.name] / MANIFEST).exists() else None
        return stock if stock.whole != seen.whole else None

    def any_news(self) -> bool:
        """Whether there is more for any stage. What one of them writes for another comes with its own news."""
        own = {stage.name for stage in self.stages}
        return any(self.news(stage) is not None for stage in self.stages if not own.intersection(stage.reads))

    def has_seen(self, stage: Stage) -> bool:
        """Whether the stage was carried out before."""
        return stage.name in self._seen

    def seen(self, stage: Stage, stock: Stock) -> None:
        """The stage is done with what there was."""
        self._seen[stage.name] = stock
