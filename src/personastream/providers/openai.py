"""Provider `openai`: chat completions of any compatible server (vLLM, SGLang, llama.cpp, Ollama, hosted services)."""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import orjson
from yarl import URL

from personastream import __version__
from personastream.errors import ConfigError, StaleConnection, Unavailable
from personastream.providers.chat_replies import completion, fault
from personastream.records import Completion, Request
from personastream.settings import setting

CONNECT_S_MAX = 10.0
KEEP_ALIVE_S = 4.0
"""Idle connections are closed by us before the server does: uvicorn, under most servers, closes after 5 s."""


@dataclass
class Openai:
    """`POST <base_url>/chat/completions`."""

    base_url: str = setting("Address of the API, usually ending in /v1.", identity=False)
    model: str = setting("Model name as the server knows it.")
    api_key_env: str = setting(
        "Name of the environment variable that holds the key; unset is fine for local servers.",
        default="OPENAI_API_KEY",
        identity=False,
    )
    api_key_file: str = setting(
        "File that holds the key, instead of the environment; readable by its owner only.",
        default="",
        identity=False,
        path=True,
    )
    in_flight_max: int = setting("Requests under way at once.", default=256, minimum=1, maximum=10_000, identity=False)
    requests_per_minute: float = setting(
        "Ceiling on requests; 0 for none.", default=0, minimum=0, maximum=1e9, identity=False
    )
    tokens_per_minute: float = setting(
        "Ceiling on input and output tokens together; 0 for none.", default=0, minimum=0, maximum=1e12, identity=False
    )
    timeout_s: float = setting(
        "Time for one attempt as a whole, in seconds.", default=120.0, minimum=0.1, maximum=3600.0, identity=False
    )
    reply_bytes_max: int = setting(
        "A longer reply is refused.", default=8 << 20, minimum=1 << 10, maximum=1 << 28, identity=False
    )
    input_price: float = setting(
        "Price of a million input tokens, for estimates.", default=0.0, minimum=0, maximum=1e6, identity=False
    )
    output_price: float = setting(
        "Price of a million output tokens, for estimates.", default=0.0, minimum=0, maximum=1e6, identity=False
    )
    _url: URL = field(init=False, repr=False)
    _key: str = field(init=False, repr=False, default="")
    _key_bytes: bytes = field(init=False, repr=False, default=b"")
    _session: aiohttp.ClientSession | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.hostname or "@" in address.netloc:
            raise ConfigError(
                f'[provider] base_url = "{address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()}" '
                "is not an http(s) address",
                hint='It looks like base_url = "http://127.0.0.1:8000/v1"; keys go into api_key_env.',
            )
        self._url = URL(self.base_url.rstrip("/") + "/chat/completions")
        self._key = read_key(self.api_key_env, self.api_key_file)
        self._key_bytes = self._key.encode()

    async def complete(self, request: Request) -> Completion:
        """One attempt. Raises `AttemptError`."""
        session = self._session or self._open()
        messages = [{"role": "user", "content": request.user}]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        body = orjson.dumps({"model": self.model, "messages": messages, **request.parameters})
        try:
            async with session.post(self._url, data=body, allow_redirects=False) as response:
                content = await self._read(response)
                if self._key_bytes and self._key_bytes in content:
                    content = content.replace(self._key_bytes, b"[key]")
                if response.status == 200:
                    return completion(content)
                raise fault(response.status, response.headers, content)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError) as error:
            raise StaleConnection(f"{self._url.host} closed the connection without an answer") from error
        except TimeoutError as error:
            raise Unavailable(f"no complete answer from {self._url.host} within {self.timeout_s:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"cannot connect to {self._url.host}:{self._url.port}: {error.strerror}") from error
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError) as error:
            raise Unavailable(f"broken answer from {self._url.host}: {self._redact(str(error))[:200]}") from error

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"personastream/{__version__}",
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self.timeout_s, sock_connect=CONNECT_S_MAX),
        )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The whole body, unless it is compressed or too long: a small bomb must not fill the memory."""
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Unavailable(f"{self._url.host} sent a compressed reply although none was accepted")
        length = response.content_length
        if length is not None and length <= self.reply_bytes_max:
            return await response.read()
        received = bytearray()
        while chunk := await response.content.readany():
            received += chunk
            if len(received) > self.reply_bytes_max:
                raise Unavailable(f"{self._url.host} sent a reply of over {self.reply_bytes_max} bytes")
        return bytes(received)

    def _redact(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def read_key(variable: str, file: str) -> str:
    """The API key from a file, or else from an environment variable; empty if there is none. Raises `ConfigError`."""
    if not file:
        return os.environ.get(variable, "").strip()
    try:
        with open(file, encoding="ascii") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            key = opened.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[provider] api_key_file {file} cannot be read: {error}") from error
    if mode & 0o077:
        raise ConfigError(f"[provider] api_key_file {file} can be read by others", hint=f"Run: chmod 600 {file}")
    return key
