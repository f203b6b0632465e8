"""Provider `openai`: chat completions of any compatible server (vLLM, SGLang, llama.cpp, Ollama, hosted services)."""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import orjson
from yarl import URL

from personastream import __version__
from personastream.errors import AttemptError, ConfigError, StaleConnection, Unauthorized, Unavailable
from personastream.providers.chat_replies import completion, fault, one_line
from personastream.records import Completion, Request
from personastream.settings import setting

CONNECT_S_MAX = 10.0
KEEP_ALIVE_S = 4.0
"""Idle connections are closed by us before the server does: uvicorn, under most servers, closes after 5 s."""
SECRET_CHARACTERS_MIN = 12
"""A shorter key is a placeholder, such as EMPTY: often a plain word, which replies may hold."""


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
    _secrets: tuple[bytes, ...] = field(init=False, repr=False, default=())
    _session: aiohttp.ClientSession | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self._url = chat_url(self.base_url)
        self._key = read_key(self.api_key_env, self.api_key_file)
        if len(self._key) >= SECRET_CHARACTERS_MIN:  # some servers escape slashes when they quote a key
            self._secrets = tuple({self._key.encode(), self._key.replace("/", "\\/").encode()})

    async def complete(self, request: Request) -> Completion:
        """One attempt. Raises `AttemptError`."""
        session = self._session or self._open()
        messages = [{"role": "user", "content": request.user}]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        body = orjson.dumps({"model": self.model, "messages": messages, **request.parameters})
        try:
            async with session.post(self._url, data=body, allow_redirects=False) as response:
                content = self._redact(await self._read(response))
                if response.status == 200:
                    return completion(content)
                raise self._placed(fault(response.status, response.headers, content))
        except TimeoutError as error:
            raise Unavailable(f"no complete answer from {self._url.host} within {self.timeout_s:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"cannot connect to {self._url.host}:{self._url.port}: {error.strerror}") from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError) as error:
            raise StaleConnection(f"{self._url.host} closed the connection without an answer") from error
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError) as error:
            raise Unavailable(f"broken answer from {self._url.host}: {self._words(error)}") from error

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

    def _placed(self, error: AttemptError) -> AttemptError:
        """A refusal that stops the run says where from and with which key, for people to mend."""
        if isinstance(error, Unauthorized):
            origin = self.api_key_file or f"${self.api_key_env}"
            key = f"with the key from {origin}" if self._key else f"without a key: {origin} is not set"
            error.message = f"{self._url} refused the request {key}: {error.message}"
        return error

    def _redact(self, content: bytes) -> bytes:
        for secret in self._secrets:
            content = content.replace(secret, b"[key]")
        return content

    def _words(self, error: Exception) -> str:
        """What a library says of an answer, which it may quote."""
        return one_line(self._redact(str(error).encode()).decode())[:200]


def chat_url(base_url: str) -> URL:
    """Where to send requests. Raises `ConfigError`; its message keeps user names and passwords to itself."""
    try:
        address = urlsplit(base_url)
        url = URL(base_url.rstrip("/") + "/chat/completions")
        if (
            address.scheme in ("http", "https")
            and url.host
            and base_url.isprintable()
            and not set(base_url) & set(" @?#")
        ):
            return url
    except ValueError:  # a port or an IPv6 address that is none
        pass
    shown = one_line(re.sub("^([^/@]*//)?.*@", r"\1", base_url, flags=re.DOTALL).partition("?")[0])
    raise ConfigError(
        f'[provider] base_url = "{shown}" is not a plain http(s) address',
        hint='It looks like base_url = "http://127.0.0.1:8000/v1"; keys go into api_key_env, not into the address.',
    )


def read_key(variable: str, file: str) -> str:
    """The API key from a file, or else from an environment variable; empty if there is none. Raises `ConfigError`."""
    if not file:
        return _checked_key(os.environ.get(variable, ""), f"the environment variable {variable}")
    try:
        with open(file, encoding="ascii") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            key = opened.read(4096)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[provider] api_key_file {file} cannot be read: {error}") from error
    if mode & 0o077:
        raise ConfigError(f"[provider] api_key_file {file} can be read by others", hint=f"Run: chmod 600 {file}")
    return _checked_key(key, file)


def _checked_key(key: str, origin: str) -> str:
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"[provider] the key in {origin} holds a line break or another character that no key has",
            hint="Put the key there alone, on one line.",
        )
    return key
