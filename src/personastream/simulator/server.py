"""Run a simulator, on the running event loop or in a thread.

async with serve(Behaviour(latency_s=0.2)) as simulator:
    ...  # ask simulator.base_url, read simulator.stats(), simulator.change(faults={"500": 0.5})
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager

import anyio
from anyio.from_thread import start_blocking_portal

from personastream.simulator.behaviour import Behaviour
from personastream.simulator.connection import Connection
from personastream.simulator.listening import Listening
from personastream.simulator.request_log import opened_log
from personastream.simulator.script import Step
from personastream.simulator.simulator import Simulator

_LARGE = {b"/v1/files", b"/v1/messages/batches"}
"""Where batches of requests are sent."""


@asynccontextmanager
async def serve(
    behaviour: Behaviour, *, host: str = "127.0.0.1", port: int = 0, script: Sequence[Step] = ()
) -> AsyncIterator[Simulator]:
    """Run a simulator on the running asyncio loop; port 0 takes any free one.

    Raises `ConfigError` for a host that is not loopback, `CannotCreate` for a port in use or a log not writable.
    """

    def body_bytes_max(target: bytes) -> int:
        return behaviour.batch_bytes_max + behaviour.body_bytes_max if target in _LARGE else behaviour.body_bytes_max

    failure: BaseException | None = None
    with (
        opened_log(behaviour.log) as log,
        closing(Listening(host, port, lambda: Connection(simulator, body_bytes_max))) as listening,
    ):
        simulator = Simulator(behaviour, script, log, listening.pause)
        simulator.base_url = listening.base_url
        try:
            await listening.open()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listening.keep)
                try:
                    yield simulator
                except BaseException as error:  # raised below, as it is and not as a group
                    failure = error
                tasks.cancel_scope.cancel()
        finally:
            listening.close()
            simulator.abort()
            await listening.closed()
    if failure is not None:
        raise failure


@contextmanager
def serve_in_thread(
    behaviour: Behaviour, *, host: str = "127.0.0.1", port: int = 0, script: Sequence[Step] = ()
) -> Iterator[Simulator]:
    """Run a simulator on a uvloop of its own, in a thread, for blocking callers. Raises as `serve` does.

    Its `change` must be called on that loop: a blocking caller posts to /admin/behaviour instead.
    """
    with (
        start_blocking_portal(backend_options={"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(serve(behaviour, host=host, port=port, script=script)) as simulator,
    ):
        yield simulator
