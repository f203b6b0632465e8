"""A server that says exactly the bytes it is told, on a real socket: for answers that no HTTP library would send."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class RawServer:
    """What came in: the head and the body of each request, and how many connections there were."""

    base_url: str = ""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def take(self, reader: asyncio.StreamReader) -> None:
        """Read one whole request. Raises `IncompleteReadError` if the client has hung up instead."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.bodies.append(await reader.readexactly(length))
        self.heads.append(head)


@asynccontextmanager
async def raw_server(*answers: bytes | Talk) -> AsyncIterator[RawServer]:
    """Serve on 127.0.0.1. Each request gets the next answer, whole bytes or a talk; behind the last it is cut off."""
    server, left, writers = RawServer(), list(answers), set[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        writers.add(writer)
        try:
            while True:
                await server.take(reader)
                if not left:
                    break
                answer = left.pop(0)
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writers.discard(writer)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()
        for writer in list(writers):
            writer.transport.abort()
        await listening.wait_closed()


def http(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """A whole answer, or one with another length than it says."""
    named = ["content-type: application/json", f"content-length: {len(body) if length is None else length}", *headers]
    return b"\r\n".join([b"HTTP/1.1 %d X" % status, *(line.encode() for line in named), b"", body])


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection in good order."""
    writer.close()
    await writer.wait_closed()


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tear the connection down: the client meets a reset, not an end."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def after(start: bytes, then: Talk) -> Talk:
    """Send `start`, then go on with another talk."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()
        await then(reader, writer)

    return talk


def endlessly(piece: bytes, pause_s: float) -> Talk:
    """Send a piece again and again, for as long as the client listens."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return talk


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Say nothing until the client gives up."""
    await reader.read()
