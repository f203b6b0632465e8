"""The API against hundreds of requests that its own OpenAPI document suggests, good ones and bad ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import environment
from tests.support.effort import tries
from tests.support.served_root import served

SETTINGS = """
[serve]
disk_bytes_min = 0
[api]
listen = "127.0.0.1:0"
"""
LEFT_OUT = ("drain", "watch")
"""One ends the service, the other one's answer has no end: each has tests of its own."""
CHECKS_LEFT_OUT = "positive_data_acceptance"
"""A text that fits the schema may still be no configuration: that is refused."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_request_makes_the_service_stumble(tmp_path: Path) -> None:
    root, log = tmp_path / "root", tmp_path / "log"
    root.mkdir()
    (root / "serve.toml").write_text(SETTINGS)
    with served(root, log) as seen:
        url = f"{seen.client.address}/v1/openapi.json"
        command = [sys.executable, "-m", "schemathesis.cli", "run", url, "--no-color", "--generation-deterministic"]
        command += ["--header", f"Authorization: Bearer {seen.client.token}", "--max-examples", str(tries(12))]
        command += ["--checks", "all", "--exclude-checks", CHECKS_LEFT_OUT]
        for name in LEFT_OUT:
            command += ["--exclude-operation-id", name]
        done = subprocess.run(command, cwd=tmp_path, env=environment(None), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert seen.process.poll() is None
        assert seen.call("GET", "/v1/state")["state"] == "running"
    said = log.read_text()
    assert "Traceback" not in said
    assert '"event":"bug"' not in said
