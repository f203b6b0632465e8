"""A service is believed only if its certificate is good; a connection that fails otherwise is nobody's mistake."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.errors import AttemptError, Unauthorized, Unreachable
from personastream.providers.openai import Openai
from personastream.records import Completion, Request
from tests.support.raw_server import http, raw_server

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with the program openssl"),
]

REQUEST = Request("", "a baker in Ghent", {})
FINE = http(200, orjson.dumps({"choices": [{"message": {"content": "Fine."}}]}), "connection: close")


def certificate(folder: Path, *, name: str = "IP:127.0.0.1", days: int = 30) -> Path:
    """A file with a key and a certificate that it has signed itself; of days below 0, one that has run out."""
    key, request, signed = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    new = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test"
    sign = f"openssl x509 -req -copy_extensions copy -days {days}"
    commands: list[list[str | Path]] = [
        [*new.split(), "-addext", f"subjectAltName={name}", "-keyout", key, "-out", request],
        [*sign.split(), "-in", request, "-signkey", key, "-out", signed],
    ]
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    signed.write_bytes(signed.read_bytes() + key.read_bytes())
    return signed


@asynccontextmanager
async def secure_server(file: Path) -> AsyncIterator[str]:
    """The base_url of a server with the certificate in `file` that answers every request in the same way."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(FINE)
            await writer.drain()
        finally:
            writer.close()

    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(file)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secured) as listening:
        yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"


async def outcome(base_url: str) -> Completion | AttemptError:
    provider = Openai(base_url=base_url, model="m", timeout_s=20.0)
    try:
        return await provider.complete(REQUEST)
    except AttemptError as error:
        return error
    finally:
        await provider.aclose()


async def test_a_certificate_of_an_authority_named_by_the_environment_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with secure_server(file) as base_url:
        found = await outcome(base_url)
    assert getattr(found, "text", found) == "Fine."


BAD: dict[str, tuple[dict[str, Any], bool, str]] = {
    "signed by nobody we know": ({}, False, "self-signed"),
    "run out": ({"days": -1}, True, "expired"),
    "of another host": ({"name": "DNS:other.example"}, True, "mismatch"),
}


@pytest.mark.parametrize(("made", "trusted", "why"), BAD.values(), ids=BAD.keys())
async def test_a_bad_certificate_ends_it_and_nobody_is_told_to_look_away(
    made: dict[str, Any], trusted: bool, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path, **made)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with secure_server(file) as base_url:
        error = await outcome(base_url)
    assert type(error) is Unauthorized
    assert "certificate of 127.0.0.1:" in error.message
    assert why in error.message
    assert "SSL_CERT_FILE" in error.hint
    assert "verif" not in error.hint


async def test_a_handshake_that_is_cut_is_the_endpoints_fault() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as listening:
        error = await outcome(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1")
    assert type(error) is Unreachable


async def test_https_where_only_http_is_spoken_is_no_connection() -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(FINE)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as listening:
        error = await outcome(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1")
    assert type(error) is Unreachable
    assert "cannot connect" in error.message


async def test_a_handshake_without_an_end_is_given_up_as_no_connection() -> None:
    async with raw_server() as server:
        provider = Openai(base_url=server.base_url.replace("http:", "https:"), model="m", timeout_s=0.4)
        with pytest.raises(Unreachable, match="in time"):
            await provider.complete(REQUEST)
        await provider.aclose()
