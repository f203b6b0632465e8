"""Telling systemd how the service is: ready, reloading, stopping, a line of status, and that it is alive.

Law: without systemd all of it does nothing. A service manager that does not listen neither stops nor delays anything.
The watchdog is only fed while the service gets on (`watchdog.py`), from the loop in which all its work is done.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from personastream.serve.happenings import Happening, Kind
from personastream.serve.log import Log
from personastream.serve.plain import escaped
from personastream.serve.view import JobState, ServiceView
from personastream.serve.watchdog import Watchdog

UNSENT_MAX = 32
STATUS_CHARACTERS_MAX = 200
LOOK_S = 5.0
EXTEND_BY_S = 60.0
"""While the service drains, systemd is asked for so much time again and again; the service itself ends the drain."""


@dataclass(slots=True)
class Notifier:
    """Sends messages to the socket at `address`; to nobody if that is empty. `watchdog_s`: 0 if there is none."""

    address: str = ""
    watchdog_s: float = 0.0
    _unsent: list[str] = field(init=False, default_factory=list, compare=False)

    @classmethod
    def of_environment(cls, environ: MutableMapping[str, str]) -> "Notifier":
        """What systemd has asked for. The variables are taken out: they are not meant for processes that we start."""
        address = environ.pop("NOTIFY_SOCKET", "")
        interval, process = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_ours = process in ("", str(os.getpid()))
        watchdog_s = int(interval) / 1e6 if is_ours and interval.isascii() and interval.isdigit() else 0.0
        return cls(address if address[:1] in ("/", "@") else "", watchdog_s)

    def ready(self) -> None:
        """The service has started, or has reloaded: it does its work."""
        self._send("READY=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """While this is entered the settings are read again; however that ends, the service is ready afterwards."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")
        try:
            yield
        finally:
            self.ready()

    def stopping(self) -> None:
        """The service drains, and will end by itself."""
        self._send("STOPPING=1")

    def status(self, line: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={escaped(line)[:STATUS_CHARACTERS_MAX]}")

    def extend(self, seconds: float) -> None:
        """Starting or stopping may take so much longer, from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def alive(self) -> None:
        """The service gets on: do not restart it."""
        self._send("WATCHDOG=1")

    def hear(self, happening: Happening) -> None:
        """Pass on what systemd wants to know of it: listen with this."""
        if happening.kind is Kind.READY:
            self.ready()
        elif happening.kind is Kind.DRAINING and not happening.job:
            self.stopping()
            self.extend(EXTEND_BY_S)

    @property
    def is_deaf(self) -> bool:
        """Whether the service manager does not read what it is told, for now."""
        return bool(self._unsent)

    def _send(self, message: str) -> None:
        """Never waits: what finds no room goes out before the next message."""
        if not self.address:
            return
        if message not in self._unsent:
            self._unsent = [*self._unsent, message][-UNSENT_MAX:]
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.connect(address)
                while self._unsent:
                    sender.send(self._unsent[0].encode())
                    del self._unsent[0]
        except BlockingIOError:
            return
        except OSError:  # nobody listens: for a service that runs on all the same
            self._unsent.clear()


async def keep_informed(notifier: Notifier, view: Callable[[], ServiceView], watchdog: Watchdog, log: Log) -> None:
    """Until cancelled: tell systemd how the service is doing, and that it gets on as long as it does.

    Without systemd a job that does not get on is told in the log alone.
    """
    every_s = min(LOOK_S, notifier.watchdog_s / 3) if notifier.watchdog_s else LOOK_S
    told = ""
    while True:
        seen = view()
        stalled = watchdog.look(seen, time.monotonic())
        if stalled:
            log.error("stalled", stalled[0], jobs=stalled, restart=bool(notifier.watchdog_s))
        else:
            notifier.alive()
        if seen.state == "draining":
            notifier.extend(EXTEND_BY_S)
        line = status_line(seen)
        if line != told:
            notifier.status(line)
            told = line
        await anyio.sleep(every_s)


def status_line(seen: ServiceView) -> str:
    """The service in one line, such as `2 running, 1 queued · 812 rows/s · 512 in flight · 3.10 spent`."""
    of_state = {state: sum(job.state is state for job in seen.jobs) for state in JobState}
    parts = [", ".join(f"{count} {state}" for state, count in of_state.items() if count) or "no jobs"]
    if seen.state != "running":
        parts.insert(0, seen.state)
    in_flight = sum(job.in_flight for job in seen.jobs)
    if in_flight:
        parts.append(f"{sum(job.rows_per_s for job in seen.jobs):,.0f} rows/s · {in_flight:,} in flight")
    if seen.spend:
        parts.append(f"{seen.spend:,.2f} spent")
    return " · ".join([*parts, *([] if seen.ready else seen.why_not)])
