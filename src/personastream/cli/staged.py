"""What `personastream run` tells of stages as they are carried out: a display for each, and last words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from personastream.build import build_thinning
from personastream.cli.words import summary_lines
from personastream.engine.statistics import Statistics
from personastream.launch.inline import Outcome
from personastream.launch.staged import Job
from personastream.observe.progress import Display, Style
from personastream.observe.say import say
from personastream.observe.snapshot import printable
from personastream.stages import Stage

if TYPE_CHECKING:
    from personastream.launch.dedup_job import DedupEnd


UNFINISHED_NAMED_MAX = 5


@dataclass(slots=True)
class Telling:
    """The audience at a terminal, or wherever stderr leads."""

    job: Job
    style: Style
    display: Display | None = field(init=False, default=None)

    @property
    def talks(self) -> bool:
        """Whether people are told more than the display shows."""
        return self.style not in ("json", "none")

    def begins(self, stage: Stage) -> tuple[Statistics, Display]:
        """Its number and name, then a display of its own."""
        if stage.name and self.talks:
            say(f"stage {self.job.stages.index(stage) + 1} of {len(self.job.stages)}: {stage.name}")
        self.display = Display(self.style, Path(build_thinning(stage.config).sink.path))
        return Statistics(), self.display

    def ended(self, stage: Stage, end: "Outcome | DedupEnd") -> None:
        """Its last words."""
        assert self.display is not None
        if self.style == "json":
            self.display.say_last()
        if not self.talks:
            return
        if not isinstance(end, Outcome):
            from personastream.cli.dedup import say_end  # figures of dedup are of no use to others
            from personastream.launch.dedup_stage import dedup_stage

            say_end(dedup_stage(stage.config), end)
            return
        for line in summary_lines(end):
            say(line)
        if self.display.last is not None and self.display.last.alert:
            say(f"near a cap: {self.display.last.alert}")

    def follows(self, unfinished: Sequence[str]) -> None:
        """All is done that is there."""
        if not self.talks:
            return
        if not unfinished:
            say("All there is is done. Waiting for more; SIGTERM or Ctrl-C ends that.")
        for path in unfinished[:UNFINISHED_NAMED_MAX]:
            say(f"not whole yet, and waited for: {printable(path)}")

    def failed(self) -> None:
        """How far it came, however it ended."""
        if self.display is not None:
            self.display.say_last()
