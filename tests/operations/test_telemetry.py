"""OpenTelemetry: what a collector is told of requests, by a real export over HTTP, and what it is never told."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from personastream.errors import ConfigError, Throttled
from personastream.providers.openai import Openai
from personastream.records import Completion, Request
from personastream.serve.telemetry import Telemetry, TelemetrySettings, telemetry
from tests.support.collector import collecting

CANARY = "canary-5f2c9d17e4b8"
REQUEST = Request(CANARY, CANARY, {"temperature": 0.7, "max_tokens": 256, "stop": [CANARY], "seed": True})
ANSWER = Completion(CANARY, "stop", "qwen3-8b\n", 210, 384, CANARY.encode(), headers={"x": CANARY})


def opened(**settings: Any) -> Telemetry:
    made = telemetry(TelemetrySettings(interval_s=3600.0, **settings))
    assert made is not None
    return made


def provider() -> Openai:
    return Openai("http://127.0.0.1:8000/v1", "qwen3", api_key_env="")


def attributes(of: Any) -> dict[str, Any]:
    found = {}
    for pair in of.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        found[pair.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    return found


ASKED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "qwen3",
    "personastream.job": "math",
    "server.address": "127.0.0.1",
    "server.port": 8000,
}


def test_requests_are_told_by_the_conventions_and_content_never(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer for-the-collector\n")
    headers.chmod(0o600)
    with collecting() as collector:
        made = opened(endpoint=collector.url, trace_share=1.0, headers_file=str(headers))
        attempted = made.of_job("math")
        attempted(provider(), REQUEST, 1.5, ANSWER)
        attempted(provider(), REQUEST, 0.25, Throttled(f"429: {CANARY}"))
        made.close()
    (traces,) = map(ExportTraceServiceRequest.FromString, collector.bodies("/v1/traces"))
    (metrics,) = map(ExportMetricsServiceRequest.FromString, collector.bodies("/v1/metrics"))
    assert all(sent["authorization"] == "Bearer for-the-collector" for _, sent, _ in collector.sent)
    assert not any(CANARY.encode() in body for _, _, body in collector.sent)

    answered, failed = traces.resource_spans[0].scope_spans[0].spans
    asked = {**ASKED, "gen_ai.request.temperature": 0.7, "gen_ai.request.max_tokens": 256}
    assert (answered.name, answered.kind, answered.end_time_unix_nano - answered.start_time_unix_nano) == (
        "chat qwen3",
        3,  # client
        1_500_000_000,
    )
    assert attributes(answered) == {
        **asked,
        "gen_ai.response.model": "qwen3-8b·",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 210,
        "gen_ai.usage.output_tokens": 384,
    }
    assert (attributes(failed), failed.status.code, failed.status.message) == (
        {**asked, "error.type": "Throttled"},
        2,  # error
        "",
    )
    found = {each.name: each for each in metrics.resource_metrics[0].scope_metrics[0].metrics}
    durations, tokens = found["gen_ai.client.operation.duration"], found["gen_ai.client.token.usage"]
    assert (durations.unit, tokens.unit) == ("s", "{token}")
    assert durations.histogram.data_points[0].explicit_bounds[0] == 0.01
    assert tokens.histogram.data_points[0].explicit_bounds[-1] == 67108864
    assert [(attributes(each), each.count, each.sum) for each in durations.histogram.data_points] == [
        (ASKED, 1, 1.5),
        ({**ASKED, "error.type": "Throttled"}, 1, 0.25),
    ]
    assert [(attributes(each)["gen_ai.token.type"], each.sum) for each in tokens.histogram.data_points] == [
        ("input", 210),
        ("output", 384),
    ]


def test_a_share_of_the_requests_is_traced_and_all_are_counted() -> None:
    with collecting() as collector:
        made = opened(endpoint=collector.url, trace_share=0.25)
        rolls = iter([0.1, 0.9, 0.2, 0.25] * 25)
        made.chance = lambda: next(rolls)
        attempted, asked = made.of_job("math"), provider()
        for _ in range(100):
            attempted(asked, REQUEST, 1.5, ANSWER)
        made.close()
    traces = [ExportTraceServiceRequest.FromString(body) for body in collector.bodies("/v1/traces")]
    (metrics,) = map(ExportMetricsServiceRequest.FromString, collector.bodies("/v1/metrics"))
    assert sum(len(each.resource_spans[0].scope_spans[0].spans) for each in traces) == 50
    durations = metrics.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points
    assert [each.count for each in durations] == [100]


def test_a_server_cannot_make_up_new_names_in_metrics() -> None:
    with collecting() as collector:
        made = opened(endpoint=collector.url, trace_share=0.0)
        attempted, asked = made.of_job("math"), provider()
        for number in range(50):
            attempted(asked, REQUEST, 1.0, ANSWER._replace(model=f"m-{number}", finish_reason=f"f-{number}"))
        made.close()
    (metrics,) = map(ExportMetricsServiceRequest.FromString, collector.bodies("/v1/metrics"))
    durations = metrics.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points
    assert [each.count for each in durations] == [50]


def test_what_is_remembered_of_providers_is_bounded() -> None:
    made = opened(endpoint="http://127.0.0.1:1", trace_share=0.0)
    for number in range(500):
        made.of_job(f"job-{number}")(provider(), REQUEST, 1.0, ANSWER)
    assert len(made._asked) <= 200
    made.meters.shutdown(1)
    made.tracers.shutdown()


def test_without_an_address_nothing_is_told() -> None:
    assert telemetry(TelemetrySettings()) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"endpoint": f"http://user:{CANARY}@127.0.0.1/"}, "not a plain http"),
        ({"endpoint": "http://169.254.169.254/"}, "metadata"),
        ({"endpoint": "http://127.0.0.1:1", "headers_file": "/nowhere"}, "cannot be read"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        telemetry(TelemetrySettings(**settings))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("line", [CANARY, f": {CANARY}", f"a\x0b: {CANARY}"])
def test_wrong_headers_are_refused_and_kept_secret(line: str, tmp_path: Path) -> None:
    (tmp_path / "headers").write_text(f"fine: yes\n{line}\n")
    (tmp_path / "headers").chmod(0o600)
    with pytest.raises(ConfigError, match="no `name: value`") as caught:
        telemetry(TelemetrySettings("http://127.0.0.1:1", str(tmp_path / "headers")))
    assert CANARY not in str(caught.value)


def test_without_the_extra_the_message_names_it() -> None:
    script = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from personastream.serve.telemetry import TelemetrySettings, telemetry\n"
        "from personastream.errors import ConfigError\n"
        "try:\n    telemetry(TelemetrySettings('http://127.0.0.1:1'))\n"
        "except ConfigError as error:\n    sys.stdout.write(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "Run: pip install 'personastream[telemetry]'"
