"""The simulator as a process of its own: on uvloop, until SIGTERM or SIGINT."""

import asyncio
import resource
import signal
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.script import Step, read_script
from personastream.simulator.server import serve
from personastream.simulator.simulator import Simulator

__all__ = ["read_script", "run"]

FILES_WANTED = 65_536
"""Open files to ask the kernel for: one connection each, from clients that open thousands."""


def run(
    behaviour: Behaviour, *, host: str, port: int, started: Callable[[Simulator], None], script: Sequence[Step] = ()
) -> dict[str, Any]:
    """Serve until SIGTERM or SIGINT, then return the statistics; `started` is called once it listens.

    Raises `ConfigError` and `CannotCreate` as `serve` does.
    """
    _raise_file_limit()
    return uvloop.run(_serve_until_signal(behaviour, host, port, script, started))


async def _serve_until_signal(
    behaviour: Behaviour, host: str, port: int, script: Sequence[Step], started: Callable[[Simulator], None]
) -> dict[str, Any]:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(behaviour, host=host, port=port, script=script) as simulator:
        started(simulator)
        await stop.wait()
        return simulator.stats()


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
