"""Many attempts, one timer: each is cancelled when its own time is over, and nobody else."""

import asyncio

import anyio
import pytest

from personastream.providers.deadlines import Deadlines

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_attempt_that_takes_too_long_is_timed_out() -> None:
    deadlines = Deadlines(0.01)
    with pytest.raises(TimeoutError), deadlines():
        await anyio.sleep_forever()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await anyio.lowlevel.checkpoint()  # nothing of it is left to be delivered


async def test_each_has_its_own_time() -> None:
    deadlines, ended, one_has_ended = Deadlines(0.03), list[str](), anyio.Event()

    async def attempt(name: str, event: anyio.Event) -> None:
        try:
            with deadlines():
                await event.wait()
            ended.append(f"{name} done")
        except TimeoutError:
            ended.append(f"{name} late")
        one_has_ended.set()

    first, second, third = anyio.Event(), anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(attempt, "first", first)
        await anyio.sleep(0.02)
        group.start_soon(attempt, "second", second)
        group.start_soon(attempt, "third", third)
        await one_has_ended.wait()
        third.set()
    assert ended == ["first late", "third done", "second late"]


async def test_one_that_ends_in_time_is_left_alone_for_ever() -> None:
    deadlines = Deadlines(0.01)
    with deadlines():
        await anyio.lowlevel.checkpoint()
    with pytest.raises(TimeoutError), deadlines():  # whose time is over later
        await anyio.sleep_forever()


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    deadlines, seen = Deadlines(10.0), list[type[BaseException]]()
    with anyio.CancelScope() as scope:
        try:
            with deadlines():
                scope.cancel()
                await anyio.sleep_forever()
        except BaseException as error:
            seen.append(type(error))
            raise
    assert seen == [asyncio.CancelledError]
    assert scope.cancelled_caught


async def test_a_cancellation_that_comes_with_the_timeout_goes_before() -> None:
    deadlines = Deadlines(0.01)
    late = anyio.Event()

    async def attempt() -> None:
        with deadlines():
            try:
                await anyio.sleep_forever()
            except asyncio.CancelledError:
                late.set()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(attempt)
        await late.wait()
        group.cancel_scope.cancel()
    assert group.cancel_scope.cancelled_caught


async def test_an_error_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), Deadlines(10.0)():
        raise ZeroDivisionError


async def test_what_is_closed_watches_no_longer() -> None:
    deadlines = Deadlines(0.01)
    other = Deadlines(0.02)
    with deadlines():
        deadlines.close()
        with pytest.raises(TimeoutError), other():
            await anyio.sleep_forever()
