"""`personastream simulate` as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click
import orjson
import pytest
from click.testing import CliRunner

from personastream.cli.simulate import command
from personastream.simulator.faults import FAULTS, GROUPS
from tests.support.simulated import simulated

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
@pytest.mark.slow
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


def test_help_fits_80_columns_and_names_every_fault() -> None:
    result = CliRunner().invoke(command, ["--help"], terminal_width=80)
    assert max(map(len, result.stdout.splitlines())) <= 80
    words = set(result.stdout.replace(",", " ").split())
    assert words >= FAULTS.keys() | GROUPS.keys()


def test_the_list_of_faults_says_what_each_does() -> None:
    result = CliRunner().invoke(command, ["--list-faults"])
    assert result.exit_code == 0
    for name, fault in FAULTS.items():
        assert any(line.split() == [name, *fault.effect.split()] for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--profile", "tpu"), "tpu"),
        (("--script", "none.json"), "none.json"),
        (("--trace", "none.csv"), "none.csv"),
        (("--slots", "-1"), "slots"),
        (("--speed", "fast"), "fast"),
    ],
)
def test_new_options_that_are_wrong_are_named(options: tuple[str, ...], named: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code == click.UsageError.exit_code
    assert named in result.stderr


def test_profile_script_and_orders_reach_the_simulator(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('[{"after": 1, "until": 2, "faults": {"400-filter": 1}}]')
    with simulated("--profile", "vllm", "--speed", "10000", "--script", script) as server:

        def ask() -> int:
            try:
                with urlopen(chat(server.base_url), timeout=20) as reply:
                    return int(reply.status)
            except HTTPError as error:
                return error.code

        assert [ask() for _ in range(3)] == [200, 400, 200]
        server.change(faults={"529": 1})
        assert ask() == 529
        server.follow({"after": 0, "until": 1, "faults": {}})
        assert [ask() for _ in range(2)] == [200, 529]
        (body,) = server.bodies().values()
        assert body == {"asked": 6, "generated": 3, "answered": 3}
        assert server.stats()["outcomes"] == {"ok": 3, "400-filter": 1, "529": 2}
