"""What happens to jobs, told to whoever wants to know: the log, webhooks, the audit log.

Law: telling costs the teller nothing and cannot fail it: listeners put what they hear aside and work on it later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What may happen."""

    SUBMITTED = "submitted"
    REFUSED = "refused"
    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    STOPPED = "stopped"
    WAITING = "waiting"
    FOLLOWING = "following"
    DISK_FULL = "disk_full"
    """A job at work is held up until there is room."""
    DISK_HAS_ROOM = "disk_has_room"
    """It goes on."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    FORGOTTEN = "forgotten"
    BUDGET_80 = "budget_80"
    BUDGET_100 = "budget_100"
    LIMITS_CHANGED = "limits_changed"
    KEYS_RENEWED = "keys_renewed"
    KEYS_NOT_RENEWED = "keys_not_renewed"
    RELOADED = "reloaded"
    NOT_RELOADED = "not_reloaded"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"
    BUG = "bug"
    """A job met a bug: `traceback` is for the log alone."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened. `job` is "" if it concerns the whole service; `details` are plain, without secrets."""

    kind: Kind
    job: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


Listener = Callable[[Happening], None]


class Happenings:
    """Tells all listeners, in the order in which they came."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """From now on, `listener` is told; it must not block, nor raise."""
        self._listeners.append(listener)

    def tell(self, kind: Kind, job: str = "", **details: object) -> None:
        """It has happened."""
        happening = Happening(kind, job, details)
        for listener in self._listeners:
            listener(happening)
