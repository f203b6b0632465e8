"""Looks at a service once a second, on a terminal, until it is told to end."""

import signal
from collections.abc import Callable
from pathlib import Path

import anyio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from personastream.errors import ProviderDown
from personastream.observe.snapshot import printable
from personastream.serve.client import Client
from personastream.serve.top import Screen, State

PERIOD_S = 1.0
TALL = 10_000
"""As many lines as it takes."""


def show_once(root: Path, console: Console) -> None:
    """One look, as tall as it takes. Raises `RunError`."""
    drawn = Screen().draw(Client.of_root(root).call("GET", "/v1/state"), console.width, height=TALL)
    with Live(drawn, console=console, auto_refresh=False, vertical_overflow="visible"):
        pass  # it is drawn as it ends


def show_live(root: Path, console: Console) -> None:
    """Until SIGINT or SIGTERM. A service that goes away is waited for. Raises `RunError` if there never was one."""
    client = Client.of_root(root)
    anyio.run(_until_told, root, client, console)


async def _until_told(root: Path, client: Client, console: Console) -> None:
    first: State = await client.ask("GET", "/v1/state")
    screen = Screen()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        live.update(screen.draw(first, console.width, console.height), refresh=True)
        async with anyio.create_task_group() as group:
            group.start_soon(_watch, root, screen, console, lambda drawn: live.update(drawn, refresh=True))
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    break
            group.cancel_scope.cancel()


async def _watch(root: Path, screen: Screen, console: Console, show: Callable[[RenderableType], None]) -> None:
    seen: RenderableType = Text()
    while True:
        await anyio.sleep(PERIOD_S)
        try:
            client = Client.of_root(root)  # it may come back at another address
            seen = screen.draw(await client.ask("GET", "/v1/state"), console.width, console.height - 1)
            show(seen)
        except ProviderDown as error:
            show(Group(Text(f"{printable(error.message)}; looking again", style="bold red"), seen))
