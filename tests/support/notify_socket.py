"""The socket of a service manager, as systemd opens it: what a service says of itself arrives here."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WAIT_S = 60.0
"""Long enough for a slow machine; a test that waits so long has failed."""


@dataclass(slots=True)
class NotifySocket:
    """`address` is what goes into $NOTIFY_SOCKET; `messages` are those that have been taken in so far."""

    address: str
    listener: socket.socket
    messages: list[dict[str, str]] = field(default_factory=list)

    def take(self, wait_s: float = WAIT_S) -> dict[str, str]:
        """The next message, by names. Raises `TimeoutError`."""
        self.listener.settimeout(wait_s)
        lines = self.listener.recv(4096).decode().splitlines()
        message = dict(line.split("=", 1) for line in lines)
        self.messages.append(message)
        return message

    def take_until(self, name: str, value: str | None = None) -> dict[str, str]:
        """The next message that says this."""
        deadline = time.monotonic() + WAIT_S
        while True:
            message = self.take(max(0.01, deadline - time.monotonic()))
            if name in message and value in (None, message[name]):
                return message


@contextmanager
def notify_socket(address: str) -> Iterator[NotifySocket]:
    """Listen at a path, or at an abstract name if it begins with @."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:] if address.startswith("@") else address)
        yield NotifySocket(address, listener)
