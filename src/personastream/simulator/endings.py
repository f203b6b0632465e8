"""How a reply reaches the client when it does not arrive in whole: cut, dropped, reset, trickling, or stale after."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from personastream.simulator.connection import JSON, Connection, head_of

TRICKLE_S = 1.0
"""Seconds between two bytes of a trickling body: many clients' idle timeouts never see it."""


class Parcel(NamedTuple):
    """A reply as it would be sent: status, body, complete header lines, content type."""

    status: int
    body: bytes
    headers: bytes = b""
    content_type: bytes = JSON

    def start(self, length: bytes) -> bytes:
        """The head with the header line `length`, and half of the body."""
        return head_of(self.status, length + self.headers, self.content_type) + self.body[: len(self.body) // 2]


def whole(connection: Connection, parcel: Parcel) -> None:
    """Send it as it should be."""
    connection.send(parcel.status, parcel.body, parcel.headers, parcel.content_type)


def cut(connection: Connection, parcel: Parcel) -> None:
    """Half of what Content-Length promised."""
    connection.write(parcel.start(b"content-length: %d\r\n" % len(parcel.body)))
    connection.drop()


def cut_chunked(connection: Connection, parcel: Parcel) -> None:
    """One chunk with half of the body, and no last chunk."""
    head, _, half = parcel.start(b"transfer-encoding: chunked\r\n").partition(b"\r\n\r\n")
    connection.write(b"%b\r\n\r\n%x\r\n%b\r\n" % (head, len(half), half))
    connection.drop()


def cut_close(connection: Connection, parcel: Parcel) -> None:
    """Half of a body that only the end of the connection delimits: nothing on the wire tells that it was cut."""
    connection.write(parcel.start(b""))
    connection.drop()


def drop(connection: Connection, _: Parcel) -> None:
    """Close without a byte."""
    connection.drop()


def reset(connection: Connection, _: Parcel) -> None:
    """A TCP reset without a byte."""
    connection.reset()


def stale(connection: Connection, parcel: Parcel) -> None:
    """Send it whole and keep the connection, but close it, unread, when the next request comes."""
    connection.goes_stale = True
    whole(connection, parcel)


def trickle(connection: Connection, parcel: Parcel) -> None:
    """The head, then a byte a second for as long as the client listens."""
    loop, left = asyncio.get_running_loop(), iter(parcel.body)
    length = b"content-length: %d\r\n" % len(parcel.body)
    connection.write(head_of(parcel.status, length + parcel.headers, parcel.content_type))

    def go_on() -> None:
        byte = next(left, None)
        if byte is None:
            connection.drop()
        elif connection.write(bytes((byte,))):
            loop.call_later(TRICKLE_S, go_on)

    go_on()


ENDINGS: Mapping[str, Callable[[Connection, Parcel], None]] = {
    "cut": cut,
    "cut-chunked": cut_chunked,
    "cut-close": cut_close,
    "drop": drop,
    "reset": reset,
    "stale": stale,
    "trickle": trickle,
}
"""By name of the fault."""
