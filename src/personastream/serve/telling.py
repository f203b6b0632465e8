"""Whoever is told how the service is, tied together: its log, systemd, webhooks, OpenTelemetry."""

import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from personastream.serve import foreign_log
from personastream.serve.happenings import Happenings
from personastream.serve.log import Log, LogSettings
from personastream.serve.notify import Notifier, keep_informed
from personastream.serve.settings import Settings
from personastream.serve.telemetry import Telemetry, telemetry
from personastream.serve.view import ServiceView
from personastream.serve.watchdog import Watchdog
from personastream.serve.webhook_settings import targets
from personastream.serve.webhooks import Webhooks, figures

OUTBOX = "outbox"


@dataclass(slots=True)
class Telling:
    """Made before the service; `keep` runs beside it."""

    log: Log
    notifier: Notifier
    webhooks: Webhooks
    telemetry: Telemetry | None

    @classmethod
    def begin(
        cls, settings: Settings, root: Path, token: str, environ: MutableMapping[str, str] = os.environ
    ) -> "Telling":
        """From now on stderr is the log's. Raises `ConfigError`."""
        log = Log(settings.single["log"])
        log.secrets.add(token)
        log.secrets.add_surroundings(environ)
        webhooks = Webhooks(targets(list(settings.several["webhook"]), root), root / OUTBOX, log)
        collector = telemetry(settings.single["telemetry"])
        foreign_log.listen(log)
        log.install()
        return cls(log, Notifier.of_environment(environ), webhooks, collector)

    def listen(self, happenings: Happenings, view: Callable[[], ServiceView]) -> None:
        """Hear of everything, the log first."""
        self.webhooks.describe = figures(view)
        for listener in (self.log.hear, self.webhooks.hear, self.notifier.hear):
            happenings.listen(listener)

    async def keep(self, view: Callable[[], ServiceView]) -> None:
        """Until cancelled: deliver, and feed the watchdog."""
        try:
            async with anyio.create_task_group() as around:
                around.start_soon(self.webhooks.deliver)
                around.start_soon(keep_informed, self.notifier, view, Watchdog(), self.log)
        finally:
            if self.telemetry is not None:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self.telemetry.close)

    def renew(self, settings: LogSettings) -> None:
        """Settings were read again: the level may be another, and there may be new secrets."""
        self.log.settings = settings
        self.log.secrets.add_surroundings(os.environ)
