"""What all services behind HTTP have in common: their settings, one pool of connections, and what can go wrong.

An attempt ends as a reply or as an `AttemptError`, within `timeout_s`, whatever the server does. The key goes to the
configured address and nowhere else: redirects are not followed, and where a server quotes it, it is struck out.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar, TypeVar

import aiohttp
from yarl import URL

from personastream import __version__
from personastream.errors import (
    AttemptError,
    ConfigError,
    NotFound,
    StaleConnection,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from personastream.licences.rules import known
from personastream.providers.access import api_url, check_destination, read_key, service_of, spellings
from personastream.providers.deadlines import Deadlines
from personastream.providers.faults import fault, one_line, untraced
from personastream.providers.wire import Wire
from personastream.records import Prices
from personastream.settings import setting

T = TypeVar("T")

CONNECT_S_MAX = 10.0
KEEP_ALIVE_S = 4.0
"""Idle connections are closed by us before the server does: uvicorn, under most servers, closes after 5 s."""
SECRETS_KEPT = 12
"""Spellings of this key and the last ones: four keys, which is more than are changed while a request is under way."""
STALE_S_MAX = 1.0
"""A connection that had been closed before the request says so at once; later, the server had begun to work on it."""
CERTIFICATE_HINT = (
    "Renew or correct the server's certificate; where an authority of your own has issued it, "
    "name that authority's file in the environment variable SSL_CERT_FILE."
)


@dataclass
class HttpService:
    """A service that is asked by POST. Subclasses say at which `PATH` below `base_url`, and how it takes the key."""

    PATH: ClassVar[str]

    base_url: str = setting("Address of the API, usually ending in /v1.", identity=False)
    model: str = setting("Model name as the server knows it.")
    name: str = setting(
        "What a recipe calls this provider, where it asks a certain one; several may share a name.",
        default="",
        identity=False,
    )
    reserved: bool = setting(
        "Answer only requests that ask for this provider by its name, such as those of a screen.",
        default=False,
        identity=False,
    )
    api_key_env: str = setting(
        "Name of the environment variable that holds the key; unset is fine for local servers.",
        default="OPENAI_API_KEY",
        identity=False,
    )
    api_key_file: str = setting(
        "File that holds the key, instead of the environment; readable by its owner only. What begins with "
        "$CREDENTIALS_DIRECTORY/ is a credential of systemd.",
        default="",
        identity=False,
        path=True,
    )
    in_flight_max: int = setting("Requests under way at once.", default=256, minimum=1, maximum=10_000, identity=False)
    pacing: str = setting(
        "Whether concurrency is found by measuring, up to in_flight_max, or is in_flight_max at once.",
        default="adaptive",
        choices=("adaptive", "fixed"),
        identity=False,
    )
    weight: float = setting(
        "Share of the load among several providers, as long as none of them is full.",
        default=1.0,
        minimum=0.001,
        maximum=1000,
        identity=False,
    )
    requests_per_minute: float = setting(
        "Ceiling on requests; 0 for none.", default=0, minimum=0, maximum=1e9, identity=False
    )
    tokens_per_minute: float = setting(
        "Ceiling on input and output tokens together; 0 for none.", default=0, minimum=0, maximum=1e12, identity=False
    )
    input_tokens_per_minute: float = setting(
        "Ceiling on input tokens; 0 for none.", default=0, minimum=0, maximum=1e12, identity=False
    )
    output_tokens_per_minute: float = setting(
        "Ceiling on output tokens; 0 for none.", default=0, minimum=0, maximum=1e12, identity=False
    )
    timeout_s: float = setting(
        "Time for one attempt as a whole, in seconds.", default=120.0, minimum=0.1, maximum=3600.0, identity=False
    )
    reply_bytes_max: int = setting(
        "A longer reply is refused.", default=8 << 20, minimum=1 << 10, maximum=1 << 28, identity=False
    )
    input_price: float = setting(
        "Price of a million input tokens, in any currency.", default=0.0, minimum=0, maximum=1e6, identity=False
    )
    cached_input_price: float | None = setting(
        "Price of a million input tokens that the service had in its cache; unset: input_price.",
        default=None,
        minimum=0,
        maximum=1e6,
        identity=False,
    )
    output_price: float = setting(
        "Price of a million output tokens, in any currency.", default=0.0, minimum=0, maximum=1e6, identity=False
    )
    terms: str = setting(
        "Whose terms, or which licence, the model is under: an SPDX id or a known name; if empty, told by its name.",
        default="",
        identity=False,
    )
    terms_url: str = setting("Where these terms can be read.", default="", identity=False)
    _url: URL = field(init=False, repr=False)
    _key: str = field(init=False, repr=False, default="")
    _secrets: tuple[bytes, ...] = field(init=False, repr=False, default=())
    _wire: Wire = field(init=False, repr=False)
    _deadlines: Deadlines = field(init=False, repr=False)
    _session: aiohttp.ClientSession | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        self._url = api_url(self.base_url, self.PATH)
        self._key = read_key(self.api_key_env, self.api_key_file)
        check_destination(self._url, bool(self._key))
        self._secrets = spellings(self._key)
        self.terms = known("terms", self.terms) if self.terms else ""

    @property
    def prices(self) -> Prices:
        """What a million tokens cost."""
        cached = self.input_price if self.cached_input_price is None else self.cached_input_price
        return Prices(self.input_price, cached, self.output_price)

    @property
    def service(self) -> str:
        """What makes two providers one and the same to share limits: address, model, and where the key is from."""
        return service_of(str(self._url), self.model, self.api_key_env, self.api_key_file)

    @property
    def label(self) -> str:
        """Which model where, for people: `127.0.0.1:8000 qwen3`."""
        return f"{self._url.host}:{self._url.port} {self.model}"

    def renew_key(self) -> bool:
        """Read the key again, for all requests from the next one on. Returns whether it is another one.

        Raises `ConfigError` if there is none, or a bad one: then the old one stays. Call it in the event loop.
        """
        key = read_key(self.api_key_env, self.api_key_file)
        if key == self._key:
            return False
        if not key:
            origin = self.api_key_file or f"${self.api_key_env}"
            raise ConfigError(f"[provider] {origin} holds no key any more", hint="The key it held stays in use.")
        check_destination(self._url, has_key=True)
        self._key = key
        self._secrets = (*spellings(key), *self._secrets)[:SECRETS_KEPT]  # replies under way may quote the old one
        if self._session is not None:
            self._session.headers.update(self.own_headers())
            self._wire.renew(self._session.headers)
        return True

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            self._deadlines.close()
            await self._session.close()
            self._session = None

    async def post(self, data: bytes, read: Callable[[bytes, Mapping[str, str]], T]) -> T:
        """One attempt: what `read` makes of the body and headers of a 200, both valid. Raises `AttemptError`."""

        async def posted() -> T:
            reply = await self._wire.post(data, self._read)
            body = self._redact(reply.body)
            if reply.status != 200:
                raise fault(reply.status, reply.headers, body)
            return read(body, reply.headers)

        return await self._judged(self._url, posted)

    async def _exchange(
        self, method: str, url: URL, take: Callable[[aiohttp.ClientResponse], Awaitable[T]], **options: Any
    ) -> T:
        """One request of any kind: what `take` makes of a 200. Raises `AttemptError`."""

        async def exchanged() -> T:
            assert self._session is not None  # `_judged` has opened it
            response = await self._session.request(method, url, allow_redirects=False, **options)
            try:
                if response.status == 200:
                    return await take(response)
                body = self._redact(await self._read(response.headers, response.content))
                raise fault(response.status, response.headers, body)
            finally:
                response.release()

        return await self._judged(url, exchanged)

    async def _judged(self, url: URL, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` returns, in time. Whatever goes wrong on the way is raised as `AttemptError`."""
        if self._session is None:
            self._open()
        started_s = monotonic()
        try:
            with self._deadlines():
                return await attempt()
        except (Unauthorized, NotFound) as error:
            raise self._placed(error, url) from error.__cause__
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(f"cannot connect to {self._url.host}:{self._url.port} in time") from untraced(error)
        except TimeoutError as error:
            words = f"no complete answer from {self._url.host} within {self.timeout_s:g} s"
            raise Unavailable(words, billed=True) from untraced(error)
        except aiohttp.ClientConnectorCertificateError as error:
            raise self._distrusted(error) from untraced(error)
        except aiohttp.ClientConnectorError as error:
            why = self._words(error.os_error)
            raise Unreachable(f"cannot connect to {self._url.host}:{self._url.port}: {why}") from untraced(error)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError) as error:
            words = f"{self._url.host} closed the connection without an answer"
            if monotonic() - started_s < STALE_S_MAX:
                raise StaleConnection(words) from untraced(error)
            raise Unavailable(words, billed=True) from untraced(error)
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError) as error:
            words = f"broken answer from {self._url.host}: {self._words(error)}"
            raise Unavailable(words, billed=True) from untraced(error)

    def own_headers(self) -> dict[str, str]:
        """The headers that this kind of service wants, among them the one with the key."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def _open(self) -> None:
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"personastream/{__version__}",
            **self.own_headers(),
        }
        trust = ssl.create_default_context() if self._url.scheme == "https" else True
        connect_s_max = min(CONNECT_S_MAX, self.timeout_s / 2)  # tells who was not reached from who is slow
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, ssl=trust)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s_max)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            auto_decompress=False,
            timeout=timeout,
        )
        self._wire = Wire(connector, self._url, headers, timeout)
        self._deadlines = Deadlines(self.timeout_s)

    async def _read(self, headers: Mapping[str, str], content: aiohttp.StreamReader) -> bytes:
        """The whole body, unless it is compressed or too long: a small bomb must not fill the memory."""
        if headers.get("Content-Encoding", "identity") != "identity":
            raise Unavailable(f"{self._url.host} sent a compressed reply although none was accepted", billed=True)
        length = headers.get("Content-Length", "")
        if length.isdecimal() and int(length) <= self.reply_bytes_max:
            return await content.read()
        received = bytearray()
        while chunk := await content.readany():
            received += chunk
            if len(received) > self.reply_bytes_max:
                raise Unavailable(f"{self._url.host} sent a reply of over {self.reply_bytes_max} bytes", billed=True)
        return bytes(received)

    def _placed(self, error: AttemptError, url: URL) -> AttemptError:
        """An error that may stop the run says where from and with which key, for people to mend."""
        if isinstance(error, NotFound):
            error.message = f"{url} knows no such model or address: {error.message}"
        else:
            origin = self.api_key_file or f"${self.api_key_env}"
            key = f"with the key from {origin}" if self._key else f"without a key: {origin} is not set"
            error.message = f"{url} refused the request {key}: {error.message}"
        return error

    def _distrusted(self, error: aiohttp.ClientConnectorCertificateError) -> Unauthorized:
        cause = error.certificate_error
        why = getattr(cause, "verify_message", "") or str(cause)
        return Unauthorized(
            f"the certificate of {self._url.host}:{self._url.port} is not valid: {one_line(why)}", hint=CERTIFICATE_HINT
        )

    def _redact(self, content: bytes) -> bytes:
        for secret in self._secrets:
            content = content.replace(secret, b"[key]")
        return content

    def _words(self, error: BaseException) -> str:
        """What a library says of an answer, which it may quote."""
        return one_line(self._redact(str(error).encode("utf-8", "replace")).decode("utf-8", "replace"))[:200]
