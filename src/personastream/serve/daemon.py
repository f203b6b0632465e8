"""The process that serves a root: lock, settings, signals, API, and the service itself, from start to end."""

import signal
from collections.abc import Container, Sequence
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
from aiohttp import web

from personastream.errors import PersonaStreamError
from personastream.launch.process import calm_collector, raise_file_limit
from personastream.observe.say import say
from personastream.serve import room
from personastream.serve.api.app import application
from personastream.serve.happenings import Happening, Happenings
from personastream.serve.listening import listening
from personastream.serve.root import Root
from personastream.serve.service import Service
from personastream.serve.settings import NAME as SETTINGS_NAME
from personastream.serve.settings import Settings, load_settings

ROWS_IN_FLIGHT = 10_000
"""For how many the garbage collector is calmed: what jobs will come is not known yet."""
FILES = 65_536 - 512


def serve(path: Path, changes: Sequence[str] = ()) -> None:
    """Serve the folder until a signal or the API ends it in order. Raises `RunError`."""
    root = Root(path)
    root.make()
    with root.held():
        settings = load_settings(root / SETTINGS_NAME, changes)
        token = root.token()
        raise_file_limit(min(FILES, room.descriptors_max() - 512))
        calm_collector(ROWS_IN_FLIGHT)
        anyio.run(_serve, root, settings, token, backend_options={"use_uvloop": True})


async def _serve(root: Root, settings: Settings, token: str) -> None:
    happenings = Happenings()
    happenings.listen(_say)
    service = Service(root, settings, happenings)

    def app(hosts: Container[str]) -> web.Application:
        return application(service, token, hosts)

    async with listening(app, settings.api, root.path) as address, anyio.create_task_group() as around:
        around.start_soon(_obey_signals, service, around)
        await anyio.to_thread.run_sync(root.write_address, address)
        say(f"serving {root.path} at {address}")
        await service.run()
        around.cancel_scope.cancel()


async def _obey_signals(service: Service, around: anyio.abc.TaskGroup) -> None:
    """SIGTERM and SIGINT drain, a second one aborts; SIGHUP reads settings and keys again."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                around.start_soon(_reload, service)
            elif service.supervisor.draining:
                service.abort()
            else:
                service.drain()


async def _reload(service: Service) -> None:
    """A mistake in serve.toml ends nothing."""
    try:
        await service.reload()
    except PersonaStreamError as error:
        say(f"not reloaded: {error}")


def _say(happening: Happening) -> None:
    told = " ".join(f"{name}={value}" for name, value in happening.details.items())
    say(f"{happening.kind} {happening.job} {told}")
