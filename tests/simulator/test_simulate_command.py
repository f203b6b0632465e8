"""`personastream simulate` as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import click
import orjson
import pytest
from click.testing import CliRunner

from personastream.cli.simulate import command

USAGE = 64
COMMAND = (sys.executable, "-m", "personastream", "simulate")


@contextmanager
def simulate(*options: str | Path, env: dict[str, str] | None = None) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process, and the first line it wrote."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", *map(str, options)],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def chat(base_url: str) -> Request:
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Hello"}]})
    return Request(f"{base_url}/chat/completions", body, {"Content-Type": "application/json"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_its_address_first_and_stops_cleanly_on_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with simulate("--log", log, "--latency", "0.001") as (process, base_url):
        with urlopen(chat(base_url), timeout=20) as reply:
            assert reply.status == 200
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert base_url.startswith("http://127.0.0.1:")
    assert base_url.endswith("/v1")
    assert process.returncode == 0
    assert told == "1 requests: ok 1\n"
    assert orjson.loads(log.read_bytes())["outcome"] == "ok"


def test_options_reach_the_simulator() -> None:
    options = ("--model", "tiny", "--requests-per-minute", "60", "--require-key", "SIMULATOR_KEY", "--fault", "empty=1")
    with simulate(*options, env={"SIMULATOR_KEY": "k"}) as (_, base_url):
        models = Request(f"{base_url}/models", headers={"Authorization": "Bearer k"})
        with urlopen(models, timeout=20) as reply:
            assert orjson.loads(reply.read())["data"][0]["id"] == "tiny"
        request = chat(base_url)
        request.add_header("Authorization", "Bearer k")
        with urlopen(request, timeout=20) as reply:
            assert reply.headers["x-ratelimit-limit-requests"] == "60"
            assert orjson.loads(reply.read())["choices"][0]["message"]["content"].strip() == ""


def test_an_unknown_fault_lists_the_valid_ones() -> None:
    finished = subprocess.run([*COMMAND, "--fault", "meteor=0.1"], capture_output=True, text=True, timeout=60)
    assert finished.returncode == USAGE
    for word in ("meteor", "500", "drop", "poison"):
        assert word in finished.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--fault", "500"), "500=0.05"),
        (("--fault", "500=often"), "often"),
        (("--fault", "500=1.5"), "500"),
        (("--host", "0.0.0.0"), "0.0.0.0"),
        (("--latency", "-1"), "latency"),
        (("--port", "70000"), "70000"),
        (("--require-key", "NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE"),
    ],
)
def test_a_wrong_option_is_a_usage_error_that_names_it(options: tuple[str, ...], named: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code == click.UsageError.exit_code
    assert named in result.stderr


def test_help_explains_every_fault_and_gives_examples() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    for word in ("Examples:", "--fault", "poison", "hang", "/stats", "--require-key"):
        assert word in result.stdout
