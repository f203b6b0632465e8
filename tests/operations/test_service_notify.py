"""What systemd is told, over a real socket: a path, or an abstract name."""

import io
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from personastream.serve.happenings import Happenings, Kind
from personastream.serve.log import Log, LogSettings
from personastream.serve.notify import Notifier, keep_informed, status_line
from personastream.serve.view import EndpointView, JobState, JobView, ServiceView
from personastream.serve.watchdog import Watchdog
from tests.support.notify_socket import NotifySocket, notify_socket

SERVICE = ServiceView(version="1", started="2026-01-01T00:00:00Z", state="running", ready=True)
STUCK = JobView("stuck", JobState.RUNNING)
AT_WORK = replace(SERVICE, jobs=[STUCK], endpoints=[EndpointView("e", "host m", "m", "closed", jobs=["stuck"])])


class Heard(io.StringIO):
    """A stream that tells when it has been told three times that something is stalled."""

    def __init__(self, enough: anyio.Event) -> None:
        super().__init__()
        self.enough = enough

    def write(self, text: str) -> int:
        length = super().write(text)
        if self.getvalue().count("stalled") == 3:
            self.enough.set()
        return length


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@personastream-{uuid.uuid4()}"
    with notify_socket(address) as opened:
        yield opened


def test_each_message_says_what_systemd_knows_it_by(manager: NotifySocket) -> None:
    notifier = Notifier(manager.address)
    notifier.ready()
    assert manager.take() == {"READY": "1"}
    notifier.stopping()
    assert manager.take() == {"STOPPING": "1"}
    notifier.extend(1.5)
    assert manager.take() == {"EXTEND_TIMEOUT_USEC": "1500000"}
    notifier.alive()
    assert manager.take() == {"WATCHDOG": "1"}
    notifier.status("2 running\nREADY=1\x1b")
    assert manager.take() == {"STATUS": "2 running\\nREADY=1\\x1b"}


def test_a_reload_says_when_it_began_and_is_over_however_it_ends(manager: NotifySocket) -> None:
    notifier = Notifier(manager.address)
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    with suppress(ValueError), notifier.reloading():
        message = manager.take()
        raise ValueError
    after_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert set(message) == {"RELOADING", "MONOTONIC_USEC"}  # in one message, or systemd does not believe it
    assert before_us <= int(message["MONOTONIC_USEC"]) <= after_us
    assert manager.take() == {"READY": "1"}


def test_happenings_of_the_service_are_passed_on(manager: NotifySocket) -> None:
    happenings = Happenings()
    happenings.listen(Notifier(manager.address).hear)
    happenings.tell(Kind.STARTED, "math")
    happenings.tell(Kind.READY)
    happenings.tell(Kind.DRAINING)
    assert manager.take() == {"READY": "1"}
    assert manager.take() == {"STOPPING": "1"}
    assert "EXTEND_TIMEOUT_USEC" in manager.take()


def test_what_systemd_asks_for_is_taken_out_of_the_environment() -> None:
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    assert Notifier.of_environment(environ) == Notifier("@x", 30.0)
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": "vsock:2:1"},
        {"NOTIFY_SOCKET": "relative"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "٣"},
    ],
)
def test_what_is_not_meant_for_us_is_let_be(environ: dict[str, str]) -> None:
    assert Notifier.of_environment(environ) == Notifier()


def test_a_manager_that_is_gone_or_does_not_read_stops_nothing(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "nobody")).ready()
    Notifier("@nobody-" + "x" * 200).ready()
    Notifier().ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        notifier = Notifier(str(tmp_path / "deaf"))
        for _ in range(10_000):
            notifier.status("x")
            if notifier.is_deaf:
                break
        assert notifier.is_deaf
        notifier.ready()


@pytest.mark.anyio
async def test_the_watchdog_is_fed_while_jobs_get_on_and_not_when_one_is_stuck(manager: NotifySocket) -> None:
    seen = [AT_WORK]
    words = io.StringIO()
    watchdog, log = Watchdog(stall_s_max=0.0), Log(LogSettings("info", "json"), stream=words)

    def view() -> ServiceView:
        if not seen[0].jobs[0].why:  # each look finds the job further
            seen[0] = replace(seen[0], jobs=[replace(seen[0].jobs[0], requests=seen[0].jobs[0].requests + 1)])
        return seen[0]

    async def until(name: str) -> None:
        await anyio.to_thread.run_sync(manager.take_until, name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_informed, Notifier(manager.address, watchdog_s=0.03), view, watchdog, log)
        for _ in range(3):
            await until("WATCHDOG")
        seen[0] = replace(AT_WORK, state="draining", jobs=[replace(STUCK, requests=99, why="the disk is full")])
        await until("EXTEND_TIMEOUT_USEC")
        await until("WATCHDOG")
        tasks.cancel_scope.cancel()
    assert {"STATUS": "1 running"} in manager.messages
    assert not words.getvalue()


@pytest.mark.anyio
async def test_a_stuck_job_starves_the_watchdog_and_is_named_in_the_log(manager: NotifySocket) -> None:
    words = Heard(anyio.Event())
    log = Log(LogSettings("info", "json"), stream=words)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            keep_informed,
            Notifier(manager.address, watchdog_s=0.03),
            lambda: AT_WORK,
            Watchdog(stall_s_max=0.0),
            log,
        )
        with anyio.fail_after(60):
            await words.enough.wait()
        tasks.cancel_scope.cancel()
    Notifier(manager.address).stopping()
    manager.take_until("STOPPING")
    assert manager.messages.count({"WATCHDOG": "1"}) == 1  # the first look cannot know that nothing moves
    assert '"job":"stuck","jobs":["stuck"],"restart":true' in words.getvalue()


def test_the_line_of_status() -> None:
    running = JobView("a", JobState.RUNNING, rows_per_s=812.4, in_flight=512)
    seen = replace(SERVICE, jobs=[running, JobView("b", JobState.QUEUED), replace(running, name="c")], spend=3.1)
    assert status_line(seen) == "1 queued, 2 running · 1,625 rows/s · 1,024 in flight · 3.10 spent"
    assert status_line(SERVICE) == "no jobs"
    assert (
        status_line(replace(SERVICE, state="draining", ready=False, why_not=["the disk is full"]))
        == "draining · no jobs · the disk is full"
    )
