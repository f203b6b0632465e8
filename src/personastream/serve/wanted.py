"""`job.json`: what is wanted of a job, and how it ended. All else about a job is read from its run.

Law: pure. A verb is answered only when the new document is on the disk, so that a kill forgets nothing promised.
"""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from personastream.job import PRIORITY_MAX, PRIORITY_MIN, WEIGHT_MAX, WEIGHT_MIN
from personastream.serve.view import ENDED, JobState

FORMAT = 1


class Wish(StrEnum):
    """What a person wants of a job."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Ending:
    """A job's end: one of the ended states, with what a person should know. `at` is ISO 8601 in UTC."""

    state: JobState
    at: str
    exit_code: int = 0
    why: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`order` counts submissions; `spend_max` is a live change of the job's ceiling, None if there was none.

    `base` is the folder that relative paths of the configuration start from, `directory` that of its output. `started`
    is when its first sitting began, "" before that. `revive` says that dead rows are to be asked again before the next
    sitting, for the reasons that `reasons` names, or for any.
    """

    order: int
    submitted: str
    base: str
    directory: str
    priority: int = 0
    weight: float = 1.0
    wish: Wish = Wish.RUN
    spend_max: float | None = None
    started: str = ""
    revive: bool = False
    reasons: tuple[str, ...] = ()
    ending: Ending | None = None

    @property
    def may_run(self) -> bool:
        """Whether a sitting may begin."""
        return self.ending is None and self.wish is Wish.RUN

    def document(self) -> dict[str, Any]:
        """For the file."""
        return {"format": FORMAT, **asdict(self)}


class NotWanted(ValueError):
    """The verb does not fit the job's state."""


def wanted_of(document: object) -> Wanted:
    """What a document says. Raises `ValueError` if it says anything that was never written here."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("it is of another format")
    given = {key: value for key, value in document.items() if key != "format"}
    try:
        ending, reasons = given.pop("ending"), given.pop("reasons")
        wanted = Wanted(
            **{**given, "wish": Wish(given["wish"])},
            reasons=tuple(map(str, reasons)),
            ending=None if ending is None else Ending(**{**ending, "state": JobState(ending["state"])}),
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"it lacks something, or has something else: {error}") from error
    _check(wanted)
    return wanted


def _check(wanted: Wanted) -> None:
    numbers = isinstance(wanted.order, int) and isinstance(wanted.priority, int)
    texts = all(isinstance(text, str) for text in (wanted.base, wanted.directory, wanted.submitted, wanted.started))
    if not numbers or not isinstance(wanted.weight, int | float) or not texts:
        raise ValueError("a value is of another type")
    if not PRIORITY_MIN <= wanted.priority <= PRIORITY_MAX or not WEIGHT_MIN <= wanted.weight <= WEIGHT_MAX:
        raise ValueError("priority or weight is out of bounds")
    if wanted.ending is not None and wanted.ending.state not in ENDED:
        raise ValueError(f"{wanted.ending.state} is no end")


def paused(wanted: Wanted) -> Wanted:
    """Raises `NotWanted`, as the others below."""
    _goes_on(wanted, "paused")
    if wanted.wish is Wish.STOP:
        raise NotWanted("it is stopped: nothing of it could be paused")
    return replace(wanted, wish=Wish.PAUSE)


def stopped(wanted: Wanted) -> Wanted:
    """Its sitting ends, with work left."""
    _goes_on(wanted, "stopped")
    return replace(wanted, wish=Wish.STOP)


def resumed(wanted: Wanted) -> Wanted:
    """It goes on, also after a failure."""
    if wanted.ending is not None and wanted.ending.state is not JobState.FAILED:
        raise NotWanted(f"it is {wanted.ending.state}: there is nothing to go on with")
    if wanted.wish is Wish.CANCEL:
        raise NotWanted("it is being cancelled")
    return replace(wanted, wish=Wish.RUN, ending=None)


def cancelled(wanted: Wanted) -> Wanted:
    """It never goes on. A job that failed may be cancelled, so that nobody waits for it."""
    if wanted.ending is not None and wanted.ending.state is not JobState.FAILED:
        raise NotWanted(f"it is {wanted.ending.state} already")
    return replace(wanted, wish=Wish.CANCEL)


def retried(wanted: Wanted, reasons: tuple[str, ...]) -> Wanted:
    """Its dead rows are asked again, for the reasons named, or all of them, and it goes on."""
    if wanted.wish is Wish.CANCEL or (wanted.ending is not None and wanted.ending.state is JobState.CANCELLED):
        raise NotWanted("it is cancelled")
    all_of_them = not reasons or (wanted.revive and not wanted.reasons)
    both = () if all_of_them else tuple(dict.fromkeys((*wanted.reasons, *reasons)))
    return replace(wanted, wish=Wish.RUN, ending=None, revive=True, reasons=both)


def _goes_on(wanted: Wanted, participle: str) -> None:
    if wanted.ending is not None:
        raise NotWanted(f"it is {wanted.ending.state} and cannot be {participle}")
    if wanted.wish is Wish.CANCEL:
        raise NotWanted("it is being cancelled")
