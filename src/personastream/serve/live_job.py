"""A job as the service holds it: what is wanted of it, its stages, its sitting if it has one, and what came of it.

Law: only the event loop touches it. What a restart needs is in `Wanted`, on the disk; all else may be lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from personastream.core.spend import NANOS
from personastream.serve.course import Verdict, state_of
from personastream.serve.room import Need
from personastream.serve.sitting import Sitting, StageFigures
from personastream.serve.submission import Submission
from personastream.serve.view import JobState
from personastream.serve.wanted import Wanted
from personastream.stages import Stage


@dataclass(eq=False, slots=True)
class LiveJob:
    """`fault` says what is wrong with a job's own files, if anything is: then it can only be looked at.

    `tries` counts sittings in vain since the last commit, `next_try_s` is when the next one may begin, on the clock of
    the event loop; `waits_for` is why a queued job does not start; `need` is what its next sitting will take, None
    while unknown; `last` is its last sitting in this process, if it had one; `left_aside` is as in `Submission`.
    """

    name: str
    wanted: Wanted
    directory: Path
    stages: Sequence[Stage] = ()
    spend_max: float = 0.0
    left_aside: str = ""
    fault: str = ""
    figures: dict[str, StageFigures] = field(default_factory=dict)
    sitting: Sitting | None = None
    last: Sitting | None = None
    need: Need | None = None
    verdict: Verdict | None = None
    tries: int = 0
    next_try_s: float | None = None
    waits_for: str = ""
    writing: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def state(self) -> JobState:
        """Where it stands."""
        sitting = self.sitting
        return state_of(
            self.wanted,
            sits=sitting is not None,
            phase=JobState.QUEUED if sitting is None else sitting.phase,
            waits=self.next_try_s is not None,
            ending_soon=sitting is not None and sitting.told_to_end,
        )

    @property
    def spend(self) -> float:
        """What its whole run has cost, committed or not."""
        spent = {name: figures.spend_nanos for name, figures in self.figures.items()}
        if self.sitting is not None and self.sitting.begun:
            spent[self.sitting.stage] = self.sitting.spend_nanos
        return sum(spent.values()) / NANOS

    def take(self, submission: Submission) -> None:
        """Its configuration is this one from now on."""
        self.stages, self.spend_max = submission.stages, submission.spend_max
        self.left_aside = submission.left_aside

    def may_start(self, now_s: float) -> bool:
        """Whether nothing but room stands in the way of a sitting."""
        due = self.next_try_s is None or self.next_try_s <= now_s
        return not self.fault and self.sitting is None and self.wanted.may_run and due

    def forget(self) -> None:
        """Whatever its last sittings came to, it may start now."""
        self.tries, self.next_try_s, self.verdict = 0, None, None

    def seen(self, figures: Mapping[str, StageFigures]) -> None:
        """What its stages hold now."""
        self.figures.update(figures)
