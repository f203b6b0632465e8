"""The service as a process under a service manager: what it tells systemd, webhooks, a collector and its log."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.collector import Collector, collecting
from tests.support.command import finish, started
from tests.support.notify_socket import NotifySocket, notify_socket
from tests.support.simulated import simulated
from tests.support.workspace import persona_lines, write_shard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WAIT_S = 100.0
KEY, WRONG_KEY = "sk-canary-right-5f2c9d17e4b8", "canary-wrong-5f2c9d17e4b8"
ROWS = 40


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def job(folder: Path, base_url: str, key: str) -> str:
    secret = folder / f"{uuid.uuid4()}.key"
    secret.write_text(key)
    secret.chmod(0o600)
    return (
        f'[source]\npaths = ["{folder}/personas.jsonl"]\n[recipe]\ntemplate = "math"\n'
        f'[provider]\nbase_url = "{base_url}"\nmodel = "m"\napi_key_file = "{secret}"\n'
    )


@pytest.fixture
def manager() -> Iterator[NotifySocket]:
    with notify_socket(f"@personastream-{uuid.uuid4()}") as opened:
        yield opened


def drop(inbox: Path, name: str, text: str) -> None:
    (inbox / f".{name}").write_text(text)
    (inbox / f".{name}").rename(inbox / name)


def log_lines(err: str) -> list[dict[str, Any]]:
    """Every line on stderr is one JSON document that says when, how grave, and what."""
    lines = [orjson.loads(line) for line in err.splitlines()]
    assert all({"ts", "level", "event"} <= set(line) for line in lines)
    return lines


def messages(collector: Collector) -> dict[tuple[str, str], dict[str, Any]]:
    bodies = [orjson.loads(body) for body in collector.bodies("/hook")]
    return {(body["type"], body["data"]["job"]): body for body in bodies}


def test_whoever_is_told_hears_of_it_and_no_secret_is_told(tmp_path: Path, manager: NotifySocket) -> None:
    root, inputs = tmp_path / "root", tmp_path / "inputs"
    write_shard(inputs / "personas.jsonl", persona_lines(ROWS))
    root.mkdir()
    with (
        collecting() as collector,
        simulated("--require-key", "SIMULATED_KEY", env={"SIMULATED_KEY": KEY}) as server,
        (tmp_path / "log").open("wb") as log,
    ):
        (root / "serve.toml").write_text(
            f'[api]\nlisten = "127.0.0.1:0"\n[serve]\ndisk_bytes_min = 0\n[log]\nlevel = "debug"\n'
            f'[[webhook]]\nurl = "{collector.url}/hook"\n'
            f'[telemetry]\nendpoint = "{collector.url}"\ntrace_share = 1.0\n'
        )
        env = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "300000"}
        with started("serve", "--root", root, env=env, stderr=log) as service:
            manager.take_until("READY")
            drop(root / "inbox", "math.toml", job(inputs, server.base_url, KEY))
            drop(root / "inbox", "refused.toml", job(inputs, server.base_url, WRONG_KEY))
            until(lambda: len(messages(collector)) == 2, "webhooks")
            manager.take_until("WATCHDOG")
            reload(service, manager)
            (root / "serve.toml").write_text("[log]\nlevel = 'loud'\n")
            reload(service, manager)
            service.send_signal(signal.SIGTERM)
            manager.take_until("STOPPING")
            manager.take_until("EXTEND_TIMEOUT_USEC")
            assert finish(service).code == 0
    err = (tmp_path / "log").read_text()
    told = messages(collector)
    assert told["job.done", "math"]["data"]["delivered"] == ROWS
    assert told["job.failed", "refused"]["data"]["exit_code"] == 77
    events = [(line["event"], line.get("job", "")) for line in log_lines(err)]
    assert {("ready", ""), ("done", "math"), ("failed", "refused"), ("reloaded", ""), ("not_reloaded", "")} <= set(
        events
    )
    spans = [
        span
        for body in collector.bodies("/v1/traces")
        for span in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    ]
    assert len([span for span in spans if not span.status.code]) == ROWS
    assert any(message.get("STATUS") for message in manager.messages)
    nobody_tells_secrets(root, err, collector)


def reload(service: "Popen[bytes]", manager: NotifySocket) -> None:
    """Whatever serve.toml holds, the service is ready afterwards."""
    service.send_signal(signal.SIGHUP)
    begun_us = int(manager.take_until("RELOADING")["MONOTONIC_USEC"])
    assert 0 < begun_us <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.take_until("READY")


def nobody_tells_secrets(root: Path, err: str, collector: Collector) -> None:
    token, signing = (root / "token").read_text().strip(), (root / "webhook.secret").read_text().strip()
    secrets = {KEY, WRONG_KEY, token, signing}
    places = {"the log": err.encode(), "what was sent": b"".join(body for _, _, body in collector.sent)}
    for folder, _, names in os.walk(root):
        places |= {
            name: (Path(folder) / name).read_bytes() for name in names if name not in ("token", "webhook.secret")
        }
    found = [(place, secret) for place, content in places.items() for secret in secrets if secret.encode() in content]
    assert not found
