"""One sitting of a job, as it is seen and stopped from outside. A job with stages has one sitting for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from personastream.core.outcomes import Counts
from personastream.engine.statistics import Statistics
from personastream.engine.stop import Stop
from personastream.errors import ExitCode
from personastream.observe.rates import RateMeter, Rates
from personastream.records import Shard
from personastream.serve.together import together
from personastream.serve.view import JobState
from personastream.stages import Stage

if TYPE_CHECKING:
    from personastream.engine.exchange import Share
    from personastream.launch.dedup_job import DedupEnd
    from personastream.launch.inline import Outcome

STILL = Rates(0.0, 0.0, 0.0, None)


@dataclass(frozen=True, slots=True)
class StageFigures:
    """What a stage's run holds, as it was last read or seen."""

    counts: Counts = field(default_factory=Counts)
    rows_estimated: int = 0
    spend_nanos: int = 0
    finished: bool = False


@dataclass(eq=False, slots=True)
class Sitting:
    """`phase` is STARTING, RUNNING or FOLLOWING; `stage` the stage at work. Create it inside the event loop.

    `told_to_end` says that somebody wants it to end: that work is left then is no fault. `past` is what the stages of
    the job came to when they were last at work, in earlier sittings too: this one adds to it as soon as a stage ends.
    `statistics` are of the stage at work alone. `held_up` says that somebody was told of a full disk that it waits for.
    """

    share: "Share"
    stop: Stop = field(default_factory=Stop)
    statistics: Statistics = field(default_factory=Statistics)
    phase: JobState = JobState.STARTING
    stage: str = ""
    told_to_end: bool = False
    rates: Rates = STILL
    unfinished: Sequence[str] = ()
    past: dict[str, StageFigures] = field(default_factory=dict)
    held_up: bool = False
    _at_work: bool = False
    _earlier: Statistics = field(default_factory=Statistics)
    _throttled: int = 0
    _meter: RateMeter | None = None

    def begins(self, stage: Stage) -> tuple[Statistics, "Sitting"]:
        """A stage begins, with counters of its own."""
        self._earlier, self._throttled = replace(self.whole, endpoints=(), under_way={}), self.throttled
        self.stage, self.phase, self._at_work = stage.name, JobState.STARTING, True
        attempted = self.statistics.attempted
        self.statistics, self._meter, self.rates = Statistics(attempted=attempted), None, STILL
        return self.statistics, self

    def ended(self, stage: Stage, end: "Outcome | DedupEnd") -> None:
        """The stage has ended, with work left or without."""
        self.past[stage.name] = replace(self.figures, finished=end.exit_code == ExitCode.DONE)
        self._at_work = False

    def broke_off(self) -> None:
        """An error has ended the stage at work, if not all."""
        if self.begun:
            self.past[self.stage] = self.figures
        self._at_work = False

    @property
    def begun(self) -> bool:
        """Whether a stage is at work and its recovery is over, so that the figures are those of the stage."""
        return self._at_work and self.statistics.recovered

    @property
    def figures(self) -> StageFigures:
        """What the stage at work holds by now."""
        seen = self.statistics
        return StageFigures(seen.committed, seen.rows_estimated, self.spend_nanos)

    async def show(self, statistics: Statistics, shards: Sequence[Shard], stop: Stop) -> None:
        """The stage runs, until this is cancelled."""
        self.phase = JobState.RUNNING
        self._meter = RateMeter()
        self.look()
        await anyio.sleep_forever()

    def follows(self, unfinished: Sequence[str]) -> None:
        """All that is there is done, and more is waited for: until a stage begins again."""
        self.phase, self.unfinished = JobState.FOLLOWING, unfinished

    def look(self) -> None:
        """Read the counters; rates are between two looks."""
        if self._meter is not None:
            self.rates = self._meter.update(anyio.current_time(), self.statistics)
        if self.told_to_end and self.share.held and not self.statistics.in_flight:
            self.stop.abort()  # rows wait for a turn that a paused job does not get: they are asked again later

    def end(self) -> None:
        """Rows in flight finish; no further row is started."""
        self.told_to_end = True
        self.stop.drain()

    def abort(self) -> None:
        """Rows in flight are given up, and asked again later."""
        self.told_to_end = True
        self.stop.abort()

    @property
    def commits(self) -> int:
        """Commits of this sitting, of all its stages."""
        return self._earlier.commits + self.statistics.commits

    @property
    def throttled(self) -> int:
        """Requests of this sitting that were turned away for now."""
        return self._throttled + sum(endpoint.throttled for endpoint in self.statistics.endpoints)

    @property
    def whole(self) -> Statistics:
        """The counters of the stage at work, with what earlier stages of this sitting counted."""
        return together(self._earlier, self.statistics)

    @property
    def spend_nanos(self) -> int:
        """What the stage at work has cost, earlier sittings included, also what those could not commit."""
        known = self.past.get(self.stage, StageFigures()).spend_nanos
        return max(known, self.statistics.spent_before_nanos) + self.statistics.spend_nanos
