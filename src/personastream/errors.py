"""Everything that can go wrong, split by what happens next.

* `RowError`: this row ends in the dead letters; the run goes on.
* `ScreenedOut`: this row is dropped; the run goes on.
* `AttemptError`: one request on the wire failed; the retry policy decides what follows.
* `RunError`: the run stops. Its `exit_code` is the process's exit code, its `hint` says what to do next.

Anything else that is raised is a bug and ends the process with exit code 1.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit codes, a contract for scripts (after BSD sysexits.h)."""

    DONE = 0
    BUG = 1
    USAGE = 64
    BAD_DATA = 65
    UNAVAILABLE = 69
    CANNOT_CREATE = 73
    IO_ERROR = 74
    WORK_LEFT = 75
    NO_PERMISSION = 77
    CONFIG = 78


class PersonaStreamError(Exception):
    """Base of all errors raised on purpose. `hint` tells the reader what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class RunError(PersonaStreamError):
    """The run cannot go on."""

    exit_code = ExitCode.BUG


class ConfigError(RunError):
    """The configuration is wrong; nothing has run."""

    exit_code = ExitCode.CONFIG


class NoConfinement(ConfigError):
    """This machine cannot confine the programs that the run would execute, so it executes none."""


class BadInput(RunError):
    """A shard is missing, damaged or not what it claims to be."""

    exit_code = ExitCode.BAD_DATA


class SourceDown(RunError):
    """Where the input lies has not answered, several times over."""

    exit_code = ExitCode.UNAVAILABLE


class SourceRefused(RunError):
    """Where the input lies, we may not read it."""

    exit_code = ExitCode.NO_PERMISSION


class TooManyDead(BadInput):
    """More rows are dying than `[limits] dead_share_max` allows."""


class CannotCreate(RunError):
    """The output cannot be created, or the run exists and `--resume` was not given."""

    exit_code = ExitCode.CANNOT_CREATE


class RunExists(CannotCreate):
    """The run directory holds a run and `--resume` was not given."""


class RunBusy(CannotCreate):
    """Another process owns the run directory."""


class LicenceRefused(ConfigError):
    """`[licence]` forbids what the run would read, or whom it would ask."""


class ManifestMismatch(ConfigError):
    """The run was started with other settings, another template or other shards."""


class CorruptOutput(RunError):
    """What is on disk contradicts itself: damage, not a crash."""

    exit_code = ExitCode.IO_ERROR


class StorageFailed(RunError):
    """The disk refused a write or a sync; what it holds now is unknown until the next start."""

    exit_code = ExitCode.IO_ERROR


class NoRoom(StorageFailed):
    """There is no space for what was to be written beside the output. Nothing has changed; it may be tried again."""


class DiskStillFull(RunError):
    """The run was told to stop while it waited for room on the disk. Nothing committed is harmed."""

    exit_code = ExitCode.WORK_LEFT


class DiskFull(PersonaStreamError):
    """No space left. The log was cut back to its last commit; the same commit may be tried again."""


class ProviderDown(RunError):
    """The model service has answered nothing useful for longer than `[limits] outage_s_max`."""

    exit_code = ExitCode.UNAVAILABLE


class ProviderRejected(RunError):
    """The model service refuses the key, the model or the quota: asking again cannot help."""

    exit_code = ExitCode.NO_PERMISSION


class QuotaSpent(RunError):
    """The model service asks for a pause longer than `[limits] pause_s_max`."""

    exit_code = ExitCode.WORK_LEFT


class SpendLimitReached(RunError):
    """The next request might cost more than `[limits] spend_max` leaves, or what all runs may spend in `common`."""

    exit_code = ExitCode.WORK_LEFT

    def __init__(self, message: str, *, hint: str = "", common: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.common = common


class ExtractionSuspected(RunError):
    """What a model has given passes a cap of `[guard]`: it may be a dump of the model's memory."""

    exit_code = ExitCode.WORK_LEFT


class RequestsRefused(ConfigError):
    """The model service refuses every single request: something is wrong with all of them."""


class AttemptError(PersonaStreamError):
    """One attempt failed. Subclasses say whose fault it was, thus what happens next."""


class Throttled(AttemptError):
    """The endpoint asks for a pause (429, 503, 529). The row waits; no attempt is counted.

    `retry_after_s` is the pause it asks for, if it names one; else the pause starts at `pause_s`, if that is given,
    and doubles from one such answer to the next.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, pause_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.pause_s = pause_s


class Unreachable(AttemptError):
    """No connection (refused, no such host, handshake cut). The endpoint's fault alone: no attempt is counted."""


class Unavailable(AttemptError):
    """No usable answer (cut connection, timeout, 5xx, broken body). The row is tried again.

    `billed` says that the endpoint may charge for it all the same: it had the request and may have answered.
    """

    def __init__(self, message: str, *, billed: bool = False) -> None:
        super().__init__(message)
        self.billed = billed


class StaleConnection(Unavailable):
    """The server closed an idle connection as we used it. Tried again at once, not counted."""


class NotFound(AttemptError):
    """The endpoint does not know the model or the address (404). A mistake, unless it has answered before."""


class Refused(AttemptError):
    """The endpoint refuses this very request (400, 413, 422). The row is dead.

    `reason` is a short label for counting; `body` is the start of the endpoint's answer.
    """

    def __init__(self, message: str, *, reason: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        self.body = body


class Unauthorized(AttemptError):
    """The key or the quota is refused (401, 402, 403), or the server is not to be trusted. This endpoint is out."""


class ScreenedOut(PersonaStreamError):
    """A screen drops the row. `reason` is a short label for counting, such as `personal_data_email`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"dropped by a screen: {reason}")
        self.reason = reason


class RowError(PersonaStreamError):
    """The row ends in the dead letters.

    `reason` is a short label for counting, such as `invalid_json`; `response` is the last answer, if any.
    """

    def __init__(self, message: str, *, reason: str, response: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        self.response = response


class Unscreened(RowError):
    """The row ends in the dead letters because a screen could not judge it; nothing is wrong with its reply."""
