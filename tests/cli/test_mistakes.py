"""Whatever people get wrong on the command line or in the file: one clear message, the right code, no traceback."""

from pathlib import Path

import pytest

from tests.support.command import personastream
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

USAGE = {
    "no such verb": (["runn"], "No such command 'runn'"),
    "no configuration": (["run"], "Missing argument 'CONFIG'"),
    "a folder": (["run", "in"], "is a directory"),
    "no rows": (["run", "job.toml", "--max-rows", "0"], "--max-rows"),
    "no such style": (["run", "job.toml", "--progress", "loud"], "'auto', 'rich', 'plain', 'json', 'none'"),
    "a file for a run": (["status", "job.toml"], "is a file"),
    "another machine's address": (["simulate", "--host", "0.0.0.0"], "not a loopback address"),
    "no such fault": (["simulate", "--fault", "fire=1"], "The faults are: 500"),
    "no key to demand": (["simulate", "--require-key", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE is not set"),
}

SETTINGS = {
    "key misspelt": ("provider.in_fligt_max=3", "Did you mean `in_flight_max`?"),
    "type that is no name": ("recipe.type=:", "is not a name"),
    "text for a number": ("provider.in_flight_max=many", "must be"),
    "too large": ("provider.in_flight_max=1000000", "above the maximum, 10000"),
    "empty": ('sink.path=""', "[sink] path is empty"),
    "NUL": ('sink.path="a\\u0000b"', "NUL"),
    "no such template": ("recipe.template=maths", 'did you mean "math"?'),
    "no address": ("provider.base_url=localhost:8000", "is not a plain http(s) address"),
    "no key file": ("provider.api_key_file=key", "key cannot be read"),
    "no section": ("in_flight_max=3", "write section.key=value"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    write_shard(folder / "in" / "a.jsonl", persona_lines(3))
    write_config(folder / "job.toml", "http://127.0.0.1:9/v1")
    return folder


@pytest.mark.parametrize(("arguments", "words"), USAGE.values(), ids=USAGE.keys())
def test_wrong_usage_is_64_and_says_where_help_is(folder: Path, arguments: list[str], words: str) -> None:
    done = personastream(*arguments, folder=folder)
    assert (done.code, done.out) == (64, "")
    assert words in done.err
    assert "--help' for help" in done.err


def test_wrong_settings_are_78_before_anything_is_touched(folder: Path) -> None:
    for name, (setting, words) in SETTINGS.items():
        done = personastream("run", "job.toml", "--set", setting, folder=folder)
        assert (done.code, done.out) == (78, ""), (name, done.err)
        assert words in done.err, (name, done.err)
        assert not (folder / "run").exists(), name


FILES = {
    "missing": (None, "cannot read"),
    "not TOML": (b"[source\n", "is not valid TOML"),
    "without sections": (b"", "section [source] is missing"),
    "too large": (b"#" * (1 << 21), "is larger than"),
    "single brackets": (b"[transform]\ntype = 'dedup'\n[source]\n[recipe]\n[provider]\n[sink]\n", "[[transform]]"),
}


def test_a_wrong_file_is_78_and_named(folder: Path) -> None:
    for name, (content, words) in FILES.items():
        file = folder / "wrong.toml"
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        done = personastream("check", file)
        assert (done.code, done.out) == (78, ""), name
        assert words in done.err, (name, done.err)
        assert "wrong.toml" in done.err, name


def test_no_run_where_one_is_looked_for_is_65(folder: Path) -> None:
    for verb in ("status", "verify"):
        for place in ("nowhere", "in"):
            done = personastream(verb, place, folder=folder)
            assert (done.code, done.out) == (65, "")
            assert f"{place} holds no run" in done.err
            assert "[sink] path" in done.err


def test_nobody_at_the_address_is_69_and_nothing_is_lost(folder: Path) -> None:
    options = ("--set", "limits.outage_s_max=0.1", "--set", 'sink.path="down"')
    done = personastream("run", "job.toml", *options, folder=folder)
    assert done.code == 69
    assert "cannot connect to 127.0.0.1:9" in done.err
    assert "--resume" in done.err
    assert personastream("status", "down", folder=folder).code == 0


def test_a_refused_key_is_77_until_it_is_right(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(3))
    env = {"SIMULATED_API_KEY": "sk-the-right-one"}
    with simulated("--require-key", "SIMULATED_API_KEY", env=env) as demanding:
        config = write_config(tmp_path / "job.toml", demanding.base_url)
        refused = personastream("run", config)
        assert refused.code == 77
        assert "The API key is missing or wrong" in refused.err
        assert "Check the key" in refused.err
        assert personastream("run", config, "--resume", env={"OPENAI_API_KEY": "sk-the-right-one"}).code == 0


def test_an_address_without_its_path_is_77_and_says_base_url(folder: Path, simulator: Simulated) -> None:
    root = simulator.base_url.removesuffix("/v1")
    options = ("--set", f"provider.base_url={root}", "--set", 'sink.path="astray"')
    done = personastream("run", "job.toml", *options, folder=folder)
    assert done.code == 77
    assert "status 404" in done.err
    assert "base_url" in done.err


def test_a_port_in_use_is_73(simulator: Simulated) -> None:
    port = simulator.base_url.rpartition(":")[2].removesuffix("/v1")
    done = personastream("simulate", "--port", port)
    assert done.code == 73
    assert "Choose another port" in done.err
