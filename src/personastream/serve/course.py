"""How a job's course goes on: the state that people see, what follows from a sitting's end, when to try again, and
which jobs may start.

Law: pure; time and chance are arguments.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from personastream.errors import DiskStillFull, ExitCode, ExtractionSuspected, NoRoom, RunBusy, RunError
from personastream.serve.view import JobState
from personastream.serve.wanted import Wanted, Wish

BY_ITSELF = frozenset({ExitCode.UNAVAILABLE, ExitCode.WORK_LEFT})
"""What a sitting may end with so that the next one may find it better."""
PASSING = (NoRoom, DiskStillFull, RunBusy)
"""Errors that pass, whatever their exit code says of others like them."""
FOR_PEOPLE = (ExtractionSuspected,)
"""Errors that a person has to judge, though the run could go on."""
JITTER = 0.2
DOUBLINGS_MAX = 16

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sitting's end makes of a job: it ends with `state`, or waits to be tried again (WAITING), or may start
    as soon as there is room (QUEUED).
    """

    state: JobState
    exit_code: int
    why: str = ""
    hint: str = ""


def state_of(wanted: Wanted, *, sits: bool, phase: JobState, waits: bool, ending_soon: bool) -> JobState:
    """The state of a job: `phase` is that of its sitting if it `sits`; `ending_soon`, if that was told to end;
    `waits`, if the next one has a time.
    """
    if wanted.ending is not None and not sits:
        return wanted.ending.state
    if sits and (ending_soon or wanted.wish in (Wish.STOP, Wish.CANCEL)):
        return JobState.STOPPING
    if wanted.wish is Wish.PAUSE:
        return JobState.PAUSED
    if sits:
        return phase
    if wanted.wish is Wish.STOP:
        return JobState.STOPPED
    return JobState.WAITING if waits else JobState.QUEUED


def verdict(code: ExitCode, error: BaseException | None, *, told_to_end: bool) -> Verdict:
    """What follows from the end of a sitting with this exit code or error, `told_to_end` or not."""
    why, hint = (error.message, error.hint) if isinstance(error, RunError) else ("", "")
    if error is not None and not isinstance(error, RunError):
        code, why = ExitCode.BUG, f"a bug ended it: {type(_innermost(error)).__name__}"
        hint = "The log says where. Resume the job to try again, and tell the makers of personastream."
    if code == ExitCode.DONE:
        return Verdict(JobState.DONE, code)
    if told_to_end and (code == ExitCode.WORK_LEFT or isinstance(error, PASSING)):
        return Verdict(JobState.QUEUED, code)
    passes = (code in BY_ITSELF and not isinstance(error, FOR_PEOPLE)) or isinstance(error, PASSING)
    return Verdict(JobState.WAITING if passes else JobState.FAILED, code, why or "work is left", hint)


def _innermost(error: BaseException) -> BaseException:
    """What was raised, without the groups that tasks wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def pause_s(tries: int, first_s: float, longest_s: float, chance: float) -> float:
    """How long to wait before the try that follows so many vain ones (1 or more); `chance` is from 0 to 1."""
    plain_s = min(longest_s, first_s * 2.0 ** min(tries - 1, DOUBLINGS_MAX))
    return plain_s * (1.0 - JITTER * chance)


def by_urgency(jobs: Iterable[Job], wanted: Callable[[Job], Wanted]) -> list[Job]:
    """Highest priority first, among equals the one submitted first."""
    return sorted(jobs, key=lambda job: (-wanted(job).priority, wanted(job).order))
