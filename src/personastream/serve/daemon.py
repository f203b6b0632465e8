"""The process that serves a root: lock, settings, signals, API, and the service itself, from start to end."""

import os
import signal
from collections.abc import Container, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
from aiohttp import web

from personastream.errors import PersonaStreamError, RunError
from personastream.launch.process import calm_collector, raise_file_limit, share_one_heap
from personastream.serve import foreign_log, room
from personastream.serve.api.app import application
from personastream.serve.happenings import Happening, Happenings, Kind
from personastream.serve.listening import listening
from personastream.serve.log import Log
from personastream.serve.notify import Notifier, keep_informed
from personastream.serve.root import Root
from personastream.serve.service import Service
from personastream.serve.settings import NAME as SETTINGS_NAME
from personastream.serve.settings import Settings, load_settings
from personastream.serve.telemetry import exporting
from personastream.serve.watchdog import Watchdog
from personastream.serve.webhook_settings import targets
from personastream.serve.webhooks import Webhooks, figures

ROWS_IN_FLIGHT = 10_000
"""For how many the garbage collector is calmed: what jobs will come is not known yet."""
FILES = 65_536 - 512


def serve(path: Path, changes: Sequence[str] = ()) -> None:
    """Serve the folder until a signal or the API ends it in order. Raises `RunError`."""
    share_one_heap()
    root = Root(path)
    root.make()
    with root.held():
        settings = load_settings(root / SETTINGS_NAME, changes)
        token = root.token()
        raise_file_limit(min(FILES, room.descriptors_max() - 512))
        calm_collector(ROWS_IN_FLIGHT)
        try:
            anyio.run(_serve, root, settings, token, changes, backend_options={"use_uvloop": True})
        except BaseExceptionGroup as group:
            raise _first(group) from None


async def _serve(root: Root, settings: Settings, token: str, changes: Sequence[str]) -> None:
    happenings, notifier = Happenings(), Notifier.of_environment(os.environ)
    log = _log(settings, token)
    service = Service(root, settings, happenings, changes)
    webhooks = Webhooks(
        targets(list(settings.several["webhook"]), root.path), root / "webhooks", log, figures(service.view)
    )

    def reread(happening: Happening) -> None:
        if happening.kind is Kind.RELOADED:
            log.settings = service.settings.single["log"]

    for listener in (log.hear, reread, notifier.hear, webhooks.hear):
        happenings.listen(listener)

    def app(hosts: Container[str]) -> web.Application:
        return application(service, token, hosts)

    async with (
        exporting(settings.single["telemetry"]) as service.telemetry,
        listening(app, settings.api, root.path) as address,
        anyio.create_task_group() as around,
    ):
        around.start_soon(_obey_signals, service, notifier)
        around.start_soon(webhooks.deliver)
        around.start_soon(keep_informed, notifier, service.view, Watchdog(), log)
        await anyio.to_thread.run_sync(root.write_address, address)
        log.info("listening", address=address, root=str(root.path))
        await service.run()
        around.cancel_scope.cancel()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What people can do something about, if there is any such error among those of all tasks."""
    told, _ = group.split(RunError)
    error: BaseException = told or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _log(settings: Settings, token: str) -> Log:
    """The log of all that is told: by us, and by libraries."""
    log = Log(settings.single["log"])
    log.secrets.add(token)
    log.secrets.add_surroundings(os.environ)
    log.install()
    foreign_log.listen(log)
    return log


async def _obey_signals(service: Service, notifier: Notifier) -> None:
    """SIGTERM and SIGINT drain, a second one aborts; SIGHUP reads settings and keys again."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                await _reload(service, notifier)
            elif service.supervisor.draining:
                service.abort()
            else:
                service.drain()


async def _reload(service: Service, notifier: Notifier) -> None:
    """A mistake in serve.toml ends nothing: the log tells it."""
    with notifier.reloading(), suppress(PersonaStreamError):
        await service.reload()
