"""The key goes to the server and nowhere else; an address that is none is refused before anything is sent."""

import os
from pathlib import Path
from urllib.parse import quote, unquote

import orjson
import pytest

from personastream.errors import AttemptError, ConfigError, Refused
from personastream.providers.access import api_url, read_key
from personastream.providers.anthropic import Anthropic
from personastream.providers.openai import Openai
from personastream.records import Request
from tests.support.raw_server import Talk, hang_up, http, raw_server, silence

KEY = "sk-canary-1b/Xy+9Qz"
REQUEST = Request("", "a baker in Ghent", {})


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TEST_KEY", KEY)
    return KEY


async def attempt(
    *answers: bytes | Talk, kind: type[Openai | Anthropic] = Openai, timeout_s: float = 30.0
) -> tuple[bytes, object]:
    """(head of the request, completion or error) of one attempt with the key in TEST_KEY."""
    async with raw_server(*answers) as server:
        provider = kind(base_url=server.base_url, model="m", api_key_env="TEST_KEY", timeout_s=timeout_s)
        assert KEY not in repr(provider)
        try:
            return server.heads[0] if server.heads else b"", await provider.complete(REQUEST)
        except AttemptError as error:
            return server.heads[0], error
        finally:
            await provider.aclose()


@pytest.mark.anyio
async def test_the_key_is_sent_as_a_bearer_token(key: str) -> None:
    head, _ = await attempt(http(401, b"{}"))
    assert f"\r\nauthorization: bearer {key}\r\n".lower() in head.decode().lower()


@pytest.mark.anyio
async def test_anthropic_takes_the_key_in_a_header_of_its_own(key: str) -> None:
    head, _ = await attempt(http(401, b"{}"), kind=Anthropic)
    assert f"\r\nx-api-key: {key}\r\n".lower() in head.decode().lower()
    assert b"authorization" not in head.lower()


@pytest.mark.anyio
async def test_without_a_key_no_authorization_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    for kind in (Openai, Anthropic):
        head, error = await attempt(http(401, b"{}"), kind=kind)
        assert b"authorization" not in head.lower()
        assert b"x-api-key" not in head.lower()
        assert "without a key: $TEST_KEY is not set" in str(error)


QUOTING = {
    "the message": http(401, orjson.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})),
    "escaped slashes": http(400, orjson.dumps({"error": {"message": f"bad {KEY}"}}).replace(b"/", b"\\/")),
    "a dead letter's body": http(400, f"<p>{KEY}</p>".encode()),
    "the status line": b"HTTP/1.1 20x " + KEY.encode() + b"\r\n\r\n",
    "a header": http(200, b"{}", f"x-echo: {KEY}\0"),
    "a redirect": http(302, b"", f"location: https://other.example/?key={KEY}"),
    "an address": http(404, orjson.dumps({"error": f"no {quote(KEY, safe='')}"})),
    "a refusal of its own": http(403, KEY.encode(), "content-type: text/html"),
    "a label": http(429, orjson.dumps({"error": {"code": KEY, "type": KEY, "status": KEY}})),
    "a stream": http(200, b'data: {"error": "%b"}\n' % KEY.encode()),
    "no protocol at all": KEY.encode() * 3 + b"\r\n\r\n",
    "a 200 that is no completion": http(200, KEY.encode()),
    "a 200 with an error": http(200, orjson.dumps({"error": KEY})),
    "a hang-up": hang_up,
    "a time-out": silence,
}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [Openai, Anthropic])
@pytest.mark.parametrize("answer", QUOTING.values(), ids=QUOTING.keys())
async def test_a_server_that_quotes_the_key_is_not_quoted(
    key: str, answer: bytes | Talk, kind: type[Openai | Anthropic]
) -> None:
    _, error = await attempt(answer, kind=kind, timeout_s=0.3)
    assert isinstance(error, AttemptError)
    shown = f"{error}{error!r}{error.hint}" + (error.body.decode() if isinstance(error, Refused) else "")
    assert key not in unquote(shown.replace("\\/", "/"))


@pytest.mark.anyio
async def test_a_completion_that_quotes_the_key_is_kept_without_it(key: str) -> None:
    body = orjson.dumps({"choices": [{"message": {"content": f"say {key} now"}}]})
    _, completion = await attempt(http(200, body))
    assert getattr(completion, "text", None) == "say [key] now"
    assert key.encode() not in getattr(completion, "body", key.encode())


@pytest.mark.anyio
@pytest.mark.parametrize("placeholder", ["1", "EMPTY", "ollama", "anything"])
async def test_a_placeholder_is_no_secret_and_may_stand_in_replies(
    placeholder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", placeholder)
    body = orjson.dumps({"choices": [{"message": {"content": f"1 {placeholder} box"}}], "created": 1111})
    _, completion = await attempt(http(200, body))
    assert getattr(completion, "text", None) == f"1 {placeholder} box"


@pytest.mark.parametrize("bad", ["sk-one\nsk-two", "sk-\x1b[2J", "sk-\u200bx", "ключ"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", bad)
    with pytest.raises(ConfigError, match="TEST_KEY") as caught:
        read_key("TEST_KEY", "")
    assert bad not in str(caught.value)


def test_space_around_a_key_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEST_KEY", " sk-a \n")
    assert read_key("TEST_KEY", "") == "sk-a"
    file = tmp_path / "key"
    file.write_text("sk-b\n")
    file.chmod(0o600)
    assert read_key("TEST_KEY", str(file)) == "sk-b"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    os.chmod(file, mode)
    with pytest.raises(ConfigError, match="can be read by others") as caught:
        read_key("TEST_KEY", str(file))
    assert "chmod 600" in caught.value.hint
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"two\nlines"])
def test_a_key_file_that_holds_no_key_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o600)
    with pytest.raises(ConfigError, match=str(file)):
        read_key("TEST_KEY", str(file))


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1/chat/completions"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        ("http://[::1]:8000", "http://[::1]:8000/chat/completions"),
        ("HTTP://Localhost/v1", "http://localhost/v1/chat/completions"),
    ],
)
def test_the_address_that_is_asked(base_url: str, asked: str) -> None:
    assert str(api_url(base_url, "/chat/completions")) == asked


@pytest.mark.parametrize(
    "base_url",
    ["", "127.0.0.1:8000/v1", "//host/v1", "http://", "http:///v1", "ftp://host", "file:///etc/passwd", "unix:/x",
     "http://[::1", "http://host:port/v1", "http://host:99999/v1", "http://ho st/v1", "http://host/v1?key=1",
     "http://host/v1#x", "http://user@host/v1", "http://host/v1\n", "http://host\0/v1", "http://host\x1b[2J/v1"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_on_one_line(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        api_url(base_url, "/messages")
    assert caught.value.message.isprintable()
    assert "http://127.0.0.1:8000/v1" in caught.value.hint


@pytest.mark.parametrize(
    "base_url",
    [
        "http://user:hunter2@host/v1",
        "https://hunter2@host",
        "http://host/v1?key=hunter2",
        "hunter2@",
        "http://a:/hunter2@h",
        "http://a:?hunter2@h",
        "http://a:\nhunter2@h",
    ],
)
def test_a_secret_in_the_address_is_not_shown(base_url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        api_url(base_url, "/messages")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://169.254.169.254/v1",
        "http://169.254.1.1:8000/v1",
        "https://[fe80::1]/v1",
        "http://[fd00:ec2::254]/v1",
        "http://metadata.google.internal/v1",
    ],
)
def test_addresses_where_machines_keep_their_secrets_are_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match="metadata"):
        Openai(base_url, "m")


@pytest.mark.parametrize(
    ("base_url", "key", "refused"),
    [
        ("http://8.8.8.8/v1", "sk-0123456789abcdef", True),
        ("http://[2001:4860:4860::8888]/v1", "sk-0123456789abcdef", True),
        ("http://8.8.8.8/v1", "", False),
        ("https://8.8.8.8/v1", "sk-0123456789abcdef", False),
        ("http://10.1.2.3:8000/v1", "sk-0123456789abcdef", False),
        ("http://127.0.0.1:8000/v1", "sk-0123456789abcdef", False),
        ("http://gpu-box:8000/v1", "sk-0123456789abcdef", False),
    ],
)
def test_a_key_never_crosses_the_internet_unencrypted(
    base_url: str, key: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    if not refused:
        Openai(base_url, "m")
        return
    with pytest.raises(ConfigError, match="unencrypted") as caught:
        Openai(base_url, "m")
    assert key not in str(caught.value)


def test_a_key_in_place_of_a_variables_name_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="api_key_env") as caught:
        Openai("http://127.0.0.1:1/v1", "m", api_key_env="sk-SECRETabcdef1234567890")
    assert "SECRET" not in str(caught.value)
