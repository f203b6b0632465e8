"""Names, encodings and limits that few people have, but some do."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.command import COMMAND, personastream, shell
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", [b"a b'\xc3\xbc", b"line\nfeed", b"\xff\xfe", b"-dash", b"$(x)"])
def test_a_folder_of_any_name_will_do(tmp_path: Path, simulator: Simulated, name: bytes) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    write_shard(folder / "in" / "a.jsonl", persona_lines(3))
    config = write_config(folder / "job.toml", simulator.base_url)
    assert personastream("run", config, "--max-rows", "1").code == 75
    assert personastream("run", "job.toml", "--resume", folder=folder).code == 0
    for verb, place in (("status", folder / "run"), ("check", config)):
        assert personastream(verb, place).code == 0
        assert personastream(verb, place, "--json").json()
    assert personastream("verify", folder / "run").code == 0
    assert len(read_records(folder / "run" / "data")) == 3


def test_an_argument_that_is_no_text_is_a_mistake_like_others(config: Path) -> None:
    code, err = shell("$P run $'\\xff.toml'", config.parent)
    assert code == 78
    assert "No such file" in err
    code, err = shell("$P run job.toml --set provider.model=$'\\xff'", config.parent)
    assert code == 78
    assert "is not UTF-8" in err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding_shows_any_persona(config: Path, encoding: str) -> None:
    write_shard(config.parent / "in" / "shard-0.jsonl", ['{"persona": "\u4e2d\u6587 \u2028 → é"}'.encode()])
    env = {"PYTHONIOENCODING": encoding}
    text = personastream("check", config, env=env)
    assert text.code == 0
    assert "| <persona>" in text.out
    document = personastream("check", config, "--json", env=env | {"PYTHONIOENCODING": "ascii"}).json()
    assert "\u4e2d\u6587" in document["estimate"]["first_prompt"]


def test_a_persona_moves_no_cursor(config: Path) -> None:
    write_shard(config.parent / "in" / "shard-0.jsonl", [b'{"persona": "\\u001b]0;title\\u0007\\u001b[2J\\u202e\\rX"}'])
    out = personastream("check", config).out
    assert all(character.isprintable() for line in out.split("\n") for character in line)


def test_what_to_type_next_can_be_typed_however_the_program_was_started(config: Path) -> None:
    folder = config.parent
    module = f"{sys.executable} -m personastream"
    for start, expected in (("$P", COMMAND), (module, module), ("PATH=${P%/*}:$PATH personastream", "personastream")):
        code, err = shell(f"{start} run job.toml --max-rows 1 --resume", folder)
        assert code == 75
        assert f"To continue: {expected} run job.toml --resume\n" in err


def test_too_few_open_files_are_told_before_anything_runs(config: Path) -> None:
    line = "ulimit -n 64; $P run job.toml --set provider.in_flight_max=200"
    code, err = shell(line, config.parent)
    assert code == 78
    assert "needs 456 open files; the system allows 64" in err
    assert "ulimit" in err
    assert not (config.parent / "run").exists()


def test_proxies_of_the_environment_are_not_asked(config: Path) -> None:
    nowhere = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    assert personastream("run", config, env=nowhere).code == 0
