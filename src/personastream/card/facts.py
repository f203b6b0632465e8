"""What a card tells: plain data, gathered elsewhere. Names of models, files and reasons in it are data, not text."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from personastream.card.columns import Kind
from personastream.core.outcomes import Counts, Usage


@dataclass(frozen=True, slots=True)
class Source:
    """One shard that was read."""

    name: str
    size_bytes: int
    fingerprint: str
    licence: str


@dataclass(frozen=True, slots=True)
class Step:
    """A transform or a screen, with its settings."""

    kind: str
    type: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sampled:
    """What records say, by counting `looked_at` of them: all of a small run, spread evenly over a large one."""

    looked_at: int = 0
    models: Mapping[str, int] = field(default_factory=dict)
    templates: Mapping[str, int] = field(default_factory=dict)
    licences: Mapping[str, int] = field(default_factory=dict)
    flagged: Mapping[str, int] = field(default_factory=dict)
    first: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class StageFacts:
    """One run: where it stands in a chain of them, what it read and asked, and what came of it.

    `terms` are those of its manifest.
    """

    name: str
    run_id: str
    created: str
    version: str
    finished: bool
    asks: bool
    reads: Sequence[str]
    recipe: str
    sources: Sequence[Source]
    steps: Sequence[Step]
    terms: Sequence[Mapping[str, Any]]
    counts: Counts
    records: int
    usage: Usage
    sampled: Sampled
    audit_events: int = 0
    audit_head: str = ""
    config_digest: str = ""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of the data set, by its path from the card's folder, and the run whose records it holds."""

    path: str
    run_id: str
    sha256: str
    size_bytes: int
    kind: str


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All of it: the stages that no other reads are the data set, the others are how it came to be."""

    title: str
    version: str
    made: str
    stages: Sequence[StageFacts]
    files: Sequence[DataFile]
    columns: Mapping[str, Kind]
    rows: int
    output_licence: str = ""

    @property
    def ends(self) -> Sequence[StageFacts]:
        """The stages whose records these are."""
        read = {name for stage in self.stages for name in stage.reads}
        return [stage for stage in self.stages if stage.name not in read]

    @property
    def licences(self) -> Mapping[str, int]:
        """Those that the records name, the commonest first."""
        found = counted(stage.sampled.licences for stage in self.ends)
        return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))

    @property
    def span(self) -> tuple[str, str]:
        """The moments of the first record and the last; when the run was begun, if there are none."""
        firsts = [stage.sampled.first for stage in self.ends if stage.sampled.first]
        lasts = [stage.sampled.last for stage in self.ends if stage.sampled.last]
        return min(firsts, default=self.ends[0].created), max(lasts, default=self.ends[0].created)


def counted(several: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Several counts as one."""
    total = Counter[str]()
    for each in several:
        total.update(each)
    return total
