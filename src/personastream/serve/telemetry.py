"""OpenTelemetry: requests to models as spans and metrics, by its conventions for generative AI. An extra.

Law: content is never told: no prompt, no persona, no reply, no text of an error. Names in metrics are those of the
configuration, so that no server can make up ever new ones. What cannot be exported is dropped, and stops nothing.
"""

import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from yarl import URL

from personastream import __version__
from personastream.engine.statistics import Attempted
from personastream.errors import AttemptError, ConfigError
from personastream.observe.snapshot import printable
from personastream.records import Completion, Request
from personastream.serve.secret_files import checked_address, read_words
from personastream.settings import setting

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

NAME_CHARACTERS_MAX = 200
EXPORT_S_MAX = 3.0
"""For one export, tries again included: the service waits for the last ones when it ends."""
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))
"""The bounds that the conventions name."""
NUMBERS = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "seed": "seed"}
"""Parameters of a request that are told, and as what: numbers alone."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """OpenTelemetry, by OTLP over HTTP; needs `pip install 'personastream[telemetry]'`. Content is never told."""

    endpoint: str = setting(
        "Address of a collector, such as http://127.0.0.1:4318; empty: nothing is told.", default="", identity=False
    )
    headers_file: str = setting(
        "File with headers for the collector, a `name: value` on each line; readable by its owner only; may begin "
        "with $CREDENTIALS_DIRECTORY/.",
        default="",
        identity=False,
        path=True,
    )
    trace_share: float = setting(
        "Share of the requests that are told one by one, as spans. Metrics count all of them.",
        default=0.01,
        minimum=0.0,
        maximum=1.0,
        identity=False,
    )
    interval_s: float = setting(
        "How often metrics are told, in seconds.", default=60.0, minimum=0.1, maximum=3600.0, identity=False
    )
    service_name: str = setting("What the collector calls this service.", default="personastream", identity=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is told of every request to one provider."""

    span_name: str
    attributes: dict[str, str | int]
    input_tokens: dict[str, str | int]
    output_tokens: dict[str, str | int]


@dataclass(slots=True)
class Telemetry:
    """Tells a collector. Its methods are called in the event loop and only put aside; threads of the SDK send."""

    trace_share: float
    tracers: "TracerProvider"
    meters: "MeterProvider"
    chance: Callable[[], float] = random.random
    _tracer: Any = field(init=False)
    _kind: Any = field(init=False)
    _failed: Any = field(init=False)
    _duration: Any = field(init=False)
    _tokens: Any = field(init=False)
    _asked: dict[tuple[int, str], tuple[object, _Asked]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        self._kind, self._failed = SpanKind.CLIENT, Status(StatusCode.ERROR)
        self._tracer = self.tracers.get_tracer("personastream", __version__)
        meter = self.meters.get_meter("personastream", __version__)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Seconds from a request to its answer or failure",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens of a request and of its answer",
            explicit_bucket_boundaries_advisory=TOKENS,
        )

    def of_job(self, job: str) -> Attempted:
        """What is to be told of each attempt that a job makes."""

        def attempted(provider: object, request: Request, seconds: float, answer: Completion | AttemptError) -> None:
            self._attempted(job, provider, request, seconds, answer)

        return attempted

    def close(self) -> None:
        """Send what has been put aside, if that can be done in a few seconds. Blocks."""
        self.tracers.shutdown()
        self.meters.shutdown(EXPORT_S_MAX * 1000)

    def _attempted(
        self, job: str, provider: object, request: Request, seconds: float, answer: Completion | AttemptError
    ) -> None:
        asked = self._asked_of(job, provider)
        if isinstance(answer, AttemptError):
            self._duration.record(seconds, {**asked.attributes, "error.type": type(answer).__name__})
        else:
            self._duration.record(seconds, asked.attributes)
            self._tokens.record(answer.input_tokens, asked.input_tokens)
            self._tokens.record(answer.output_tokens, asked.output_tokens)
        if self.chance() < self.trace_share:
            self._span(asked, request, seconds, answer)

    def _span(self, asked: _Asked, request: Request, seconds: float, answer: Completion | AttemptError) -> None:
        end_ns = time.time_ns()
        attributes: dict[str, Any] = {**asked.attributes, **_parameters(request.parameters)}
        if isinstance(answer, AttemptError):
            attributes["error.type"] = type(answer).__name__
        else:
            attributes["gen_ai.response.model"] = printable(answer.model[:NAME_CHARACTERS_MAX])
            attributes["gen_ai.response.finish_reasons"] = [printable(answer.finish_reason[:NAME_CHARACTERS_MAX])]
            attributes["gen_ai.usage.input_tokens"] = answer.input_tokens
            attributes["gen_ai.usage.output_tokens"] = answer.output_tokens
        start_ns = end_ns - int(seconds * 1e9)
        span = self._tracer.start_span(asked.span_name, kind=self._kind, attributes=attributes, start_time=start_ns)
        if isinstance(answer, AttemptError):
            span.set_status(self._failed)
        span.end(end_ns)

    def _asked_of(self, job: str, provider: object) -> _Asked:
        """The same for all requests of a job to a provider, which is kept with it: its id may be another's later."""
        kept = self._asked.get((id(provider), job))
        if kept is not None and kept[0] is provider:
            return kept[1]
        asked = _asked(job, provider)
        self._asked[id(provider), job] = provider, asked
        if len(self._asked) > NAME_CHARACTERS_MAX:  # providers of sittings that have ended
            del self._asked[next(iter(self._asked))]
        return asked


def telemetry(settings: TelemetrySettings) -> Telemetry | None:
    """Ready to tell the collector; None if there is none. Raises `ConfigError`."""
    if not settings.endpoint:
        return None
    base = str(checked_address(settings.endpoint, "[telemetry] endpoint")).rstrip("/")
    headers = _headers(settings.headers_file)
    try:
        import requests
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError(
            "[telemetry] needs OpenTelemetry's SDK", hint="Run: pip install 'personastream[telemetry]'"
        ) from error
    resource = Resource.create({"service.name": settings.service_name, "service.version": __version__})
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    spans = OTLPSpanExporter(f"{base}/v1/traces", headers=headers, timeout=EXPORT_S_MAX, session=_session(requests))
    tracers.add_span_processor(BatchSpanProcessor(spans))
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(f"{base}/v1/metrics", headers=headers, timeout=EXPORT_S_MAX, session=_session(requests)),
        export_interval_millis=settings.interval_s * 1000,
    )
    meters = MeterProvider(
        [reader], resource=resource, shutdown_on_exit=False, exemplar_filter=AlwaysOffExemplarFilter()
    )
    return Telemetry(settings.trace_share, tracers, meters)


def _session(requests: Any) -> Any:
    """It goes to the collector and nowhere else: no proxy, no password from anybody's .netrc, no redirect."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    return session


@asynccontextmanager
async def exporting(settings: TelemetrySettings) -> AsyncIterator[Telemetry | None]:
    """While this is entered the collector is told; then what is left is sent. Raises `ConfigError`."""
    made = await anyio.to_thread.run_sync(telemetry, settings)
    try:
        yield made
    finally:
        if made is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(made.close)


def _asked(job: str, provider: object) -> _Asked:
    """By what a provider is known to whoever configured it."""
    model = printable(str(getattr(provider, "model", ""))[:NAME_CHARACTERS_MAX])
    kind = type(provider).__name__.lower().removesuffix("batch")
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": kind,
        "gen_ai.request.model": model,
        "personastream.job": job,
    }
    address = urlsplit(str(getattr(provider, "base_url", "")))
    if address.hostname:
        attributes["server.address"] = address.hostname
        attributes["server.port"] = URL(address.geturl()).port or 0
    return _Asked(
        f"chat {model}".rstrip(),
        attributes,
        {**attributes, "gen_ai.token.type": "input"},
        {**attributes, "gen_ai.token.type": "output"},
    )


def _parameters(parameters: Mapping[str, object]) -> dict[str, float | int]:
    given = {told: parameters.get(name) for name, told in NUMBERS.items()}
    return {
        f"gen_ai.request.{told}": value
        for told, value in given.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _headers(name: str) -> dict[str, str]:
    """Headers from a file. Raises `ConfigError`; its messages keep values to themselves."""
    headers = {}
    for line in read_words(name, "[telemetry] headers_file").splitlines() if name else ():
        key, colon, value = line.partition(":")
        if not colon or not key.strip() or not line.isprintable():
            raise ConfigError(f"[telemetry] headers_file = {Path(name).name!r} holds a line that is no `name: value`")
        headers[key.strip().lower()] = value.strip()
    return headers
