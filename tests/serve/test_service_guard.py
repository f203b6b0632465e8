"""Who is answered: the token, our own names, our own pages; and what is too large or goes astray."""

import http.client
import socket
from pathlib import Path

import anyio
import anyio.to_thread
import orjson
from aiohttp import hdrs

from personastream.serve.api.bodies import BODY_BYTES_MAX
from personastream.serve.api.openapi import document
from tests.support.running_service import Running, job_text, running, write_shard

JSON = {"Content-Type": "application/json"}
OPEN = ("/livez", "/readyz", "/healthz", "/metrics", "/")


def operations() -> list[tuple[str, str]]:
    """Every (method, path) that the document names, with parameters filled in."""
    methods = {method.lower() for method in hdrs.METH_ALL}
    return [
        (method.upper(), path.replace("{name}", "math").replace("{id}", "0011223344"))
        for path, told in document()["paths"].items()
        for method in told
        if method in methods
    ]


def authorised(seen: Running, **more: str) -> dict[str, str]:
    return {**JSON, "Authorization": f"Bearer {seen.token}", **more}


def test_every_operation_needs_the_token(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as seen:
            seen.http._default_headers.clear()  # what a stranger sends
            for method, path in operations():
                for shown in ({}, {"Authorization": "Bearer x"}, {"Authorization": seen.token}):
                    status, told = await seen.status(method, path, body=b"{}", headers={**JSON, **shown})
                    assert (status, set(told["error"])) == (401, {"message", "hint", "where"}), (method, path)
            for path in OPEN:
                assert (await seen.status("GET", path))[0] == 200, path
            assert len(seen.service.jobs) == 0
            assert not seen.service.supervisor.draining

    anyio.run(scenario)


def test_another_host_is_not_answered(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as seen:
            port = seen.address.rpartition(":")[2]
            for path in ("/v1/state", "/livez", "/", "/metrics", "/nowhere"):
                for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}", ""):
                    assert (await seen.status("GET", path, headers=authorised(seen, Host=host)))[0] == 421, host
                for host in (f"localhost:{port}", f"127.0.0.1:{port}"):
                    assert (await seen.status("GET", path, headers=authorised(seen, Host=host)))[0] in (200, 404), host

    anyio.run(scenario)


def test_a_page_from_elsewhere_cannot_act(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            body = orjson.dumps({"name": "math", "config": job_text(tmp_path)})
            for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"{seen.address}.evil.example"):
                found = await seen.status("POST", "/v1/jobs", body=body, headers=authorised(seen, Origin=origin))
                assert found[0] == 403, origin
                preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
                async with seen.http.options(seen.address + "/v1/jobs", headers=preflight) as reply:
                    assert reply.status in (401, 403)
                    assert not [name for name in reply.headers if name.lower().startswith("access-control")]
            assert len(seen.service.jobs) == 0
            own = authorised(seen, Origin=seen.address)
            assert (await seen.status("POST", "/v1/jobs", body=body, headers=own))[0] == 201

    anyio.run(scenario)


def test_bodies_are_json_of_a_bounded_size(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as seen:
            long = orjson.dumps({"name": "math", "config": "#" * BODY_BYTES_MAX})
            told = [
                (await seen.status("POST", "/v1/jobs", body=body, headers=authorised(seen, **more)))[0]
                for body, more in (
                    (long, {}),
                    (b'{"name": "math", "config": "x"}', {"Content-Type": "text/plain"}),
                    (b"", {}),
                    (b"[]", {}),
                    (b"{", {}),
                    (b"\xff\xfe", {}),
                    (b"[" * 100_000, {}),
                    (b'{"name": "math", "config": 1}', {}),
                    (b'{"name": "math", "config": "[x]", "colour": "red"}', {}),
                    (b'{"name": "math", "config": "x = ["}', {}),
                    (b'{"name": "math", "config": "x = 1", "base": "relative"}', {}),
                    (b'{"name": "math", "config": "x = 1", "base": "/\\u0000"}', {}),
                    (b'{"name": "math", "config": "x = 1", "weight": 1e400}', {}),
                    (b'{"name": "math", "config": "x = 1", "weight": 0}', {}),
                )
            ]
            assert told == [413, 415, 400, 400, 400, 400, 400, 422, 422, 422, 422, 422, 400, 422]

    anyio.run(scenario)


NAMES = [
    "../x",
    "..",
    ".",
    ".hidden",
    "a/b",
    "/etc/passwd",
    "",
    "A",
    "x" * 65,
    "a\x00",
    "a\n",
    "é",
    "-x",
    "a b",
    "con:x",
]
TARGETS = [
    "/v1/jobs/../../etc/passwd",
    "/v1/jobs/..%2f..%2ftoken/config",
    "/v1/jobs/%2e%2e/config",
    "/v1/jobs/math%00/config",
    "/assets/../token",
    "/assets/..%2f..%2f..%2ftoken",
    "/assets/%2e%2e/%2e%2e/token",
    "//token",
    "/token",
    "/v1//state/../jobs/x",
]
RAW = [
    b"GET / HTTP/9.9\r\n\r\n",
    b"NONSENSE\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
]


def test_names_that_are_paths_are_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            for name in NAMES:
                body = orjson.dumps({"name": name, "config": "x = 1"})
                assert (await seen.status("POST", "/v1/jobs", body=body, headers=authorised(seen)))[0] == 422, name
            assert len(seen.service.jobs) == 0

    anyio.run(scenario)
    assert list((tmp_path / "root" / "jobs").iterdir()) == []


def test_a_target_that_climbs_reaches_nothing(tmp_path: Path) -> None:
    """As raw bytes: a client of good manners would tidy them up."""

    async def scenario() -> None:
        async with running(tmp_path) as seen:
            port = int(seen.address.rpartition(":")[2])
            for target in TARGETS:
                head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {seen.token}\r\n"
                reply = await anyio.to_thread.run_sync(exchanged, port, head.encode() + b"Connection: close\r\n\r\n")
                assert reply.split(b" ")[1] in (b"404", b"400", b"405"), target
                assert seen.token.encode() not in reply

    anyio.run(scenario)


def test_what_is_no_http_is_turned_away_without_a_word_of_ours(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as seen:
            port = int(seen.address.rpartition(":")[2])
            for raw in RAW:
                sent = raw.replace(b"%d", str(port).encode())
                reply = await anyio.to_thread.run_sync(exchanged, port, sent)
                assert b"Traceback" not in reply
                assert b"site-packages" not in reply
                assert not reply or reply.split(b" ")[1].startswith(b"4"), raw[:50]
                assert (await seen.status("GET", "/livez"))[0] == 200

    anyio.run(scenario)


def exchanged(port: int, sent: bytes) -> bytes:
    """What comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        if b"Connection: close" not in sent:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def test_a_unix_socket_is_for_our_user_alone_and_needs_the_token_too(tmp_path: Path) -> None:
    settings = '[api]\nlisten = "unix:api.sock"\n'

    async def scenario() -> None:
        async with running(tmp_path, settings) as seen:
            assert (tmp_path / "api.sock").stat().st_mode & 0o777 == 0o600
            async with seen.client.session() as http:
                assert (await seen.client.ask_in(http, "GET", "/v1/jobs")) == {"jobs": []}
            assert await anyio.to_thread.run_sync(statuses_of, str(tmp_path / "api.sock")) == [401, 421]

    anyio.run(scenario)


def statuses_of(path: str) -> list[int]:
    """Of a request without a token, and of one for somebody else."""
    statuses = []
    for host in ("localhost", "evil.example"):
        connection = http.client.HTTPConnection(host)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(path)
        connection.request("GET", "/v1/jobs")
        statuses.append(connection.getresponse().status)
        connection.close()
    return statuses


def test_the_rules_of_reading_are_told_to_browsers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as seen:
            for path in ("/", "/v1/state", "/nowhere", "/v1/events"):
                async with seen.http.get(seen.address + path) as reply:
                    assert reply.headers["X-Content-Type-Options"] == "nosniff", path
                    assert "default-src 'none'" in reply.headers["Content-Security-Policy"], path
                    assert reply.headers["Cache-Control"] in ("no-store", "no-cache"), path

    anyio.run(scenario)
