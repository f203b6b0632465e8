"""`personastream serve` and `ctl`, as people type them."""

from pathlib import Path

import click
import orjson
import pytest
from click.testing import CliRunner

from personastream.cli.ctl import command
from personastream.errors import RunError
from tests.support.command import personastream
from tests.support.served_root import served, waited
from tests.support.simulated import simulated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CONFIG = """
[source]
paths = ["personas.jsonl"]
[recipe]
template = "math"
[provider]
base_url = "{base_url}"
model = "my-model"
in_flight_max = 4
[sink]
commit_interval_s = 0.1
"""


def write_job(folder: Path, base_url: str) -> Path:
    lines = [orjson.dumps({"persona": f"a keeper of {number} lighthouses"}) + b"\n" for number in range(20)]
    (folder / "personas.jsonl").write_bytes(b"".join(lines))
    file = folder / "math.toml"
    file.write_text(CONFIG.format(base_url=base_url))
    return file


def ctl(root: Path, *words: str | Path) -> str:
    """What it says on stdout. In this process: a call is quick then."""
    found = CliRunner().invoke(command, ["--root", str(root), *map(str, words)], standalone_mode=False)
    if found.exception is not None:
        raise found.exception
    return found.stdout


def code(root: Path, *words: str | Path) -> int:
    """Of the error that it ends with."""
    with pytest.raises(RunError) as raised:
        ctl(root, *words)
    return raised.value.exit_code


def test_a_job_from_its_submission_to_its_end(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with simulated() as service, served(root, tmp_path / "log") as seen:
        file = write_job(tmp_path, service.base_url)
        assert ctl(root, "submit", file, "--paused", "--priority", "3") == "submitted math: paused\n"
        assert "math" in ctl(root, "list")
        assert ctl(root, "set", "math", "--weight", "2") == "math: priority 3, weight 2\n"
        ctl(root, "resume", "math")
        waited(lambda: seen.job("math")["state"] == "done")
        assert "20 delivered" in ctl(root, "show", "math")
        assert ctl(root, "config", "math") == file.read_text()
        assert len(ctl(root, "records", "math", "--limit", "3").splitlines()) == 3
        assert ctl(root, "dead", "math") == "no row is dead\n"
        (endpoint,) = orjson.loads(ctl(root, "--json", "endpoints"))
        assert "at most 2 in flight" in ctl(root, "limit", endpoint["id"], "--in-flight-max", "2")
        assert "ready" in ctl(root, "state")
        assert code(root, "page") == 78  # it listens on a socket
        assert code(root, "pause", "math") == 64
        assert code(root, "show", "other") == 65
        assert code(root, "submit", file, "--name", "A B") == 78
        assert code(root, "set", "math", "--weight", "0") == 78
        for wrong in (("--priority", "9" * 20), ("--weight", "nan"), ("--spend-max", "inf")):
            assert code(root, "set", "math", *wrong) == 78
        assert code(root, "limit", endpoint["id"], "--requests-per-minute", "inf") == 78
        for nothing in (("set", "math"), ("limit", endpoint["id"]), ("service",)):
            with pytest.raises(click.UsageError, match="nothing to change"):
                ctl(root, *nothing)
        aside = tmp_path / "aside.toml"
        aside.write_text(file.read_text().replace("[sink]", '[sink]\npath = "../elsewhere"'))
        told = ctl(root, "submit", aside, "--paused").splitlines()
        assert told[0] == "submitted aside: paused"
        assert all(each in told[1] for each in ("'../elsewhere' is left aside", str(root / "runs" / "aside")))
        assert personastream("ctl", "--root", root, "show", "../x").code == 65
        assert "math: forgotten; its run stays in " in ctl(root, "forget", "math")
        assert "math" not in ctl(root, "list")
        ctl(root, "drain")
        assert seen.process.wait(60) == 0
    assert code(root, "list") == 69


def test_nobody_serves_a_folder_that_is_none(tmp_path: Path) -> None:
    done = personastream("ctl", "--root", tmp_path, "list")
    assert (done.code, "nobody serves" in done.err) == (69, True)


def test_a_wrong_setting_is_told(tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text("[serve]\njobs_mx = 3\n")
    done = personastream("serve", "--root", tmp_path)
    assert (done.code, "jobs_max" in done.err) == (78, True)


def test_a_key_that_cannot_be_read_is_told_though_all_else_is_reloaded(tmp_path: Path) -> None:
    root, key = tmp_path / "root", tmp_path / "key"
    key.write_text("a-key-of-nobody")
    key.chmod(0o600)
    with served(root, tmp_path / "log") as seen:
        file = write_job(tmp_path, "http://127.0.0.1:9/v1")  # where nobody answers, so that the job goes on trying
        file.write_text(file.read_text().replace("[sink]", f'api_key_file = "{key}"\n[sink]'))
        ctl(root, "submit", file)
        waited(lambda: any(each["jobs"] for each in seen.call("GET", "/v1/endpoints")["endpoints"]))
        key.chmod(0o644)
        assert code(root, "reload") == 78
        assert "keys_not_renewed" in (tmp_path / "log").read_text()
        key.chmod(0o600)
        assert ctl(root, "reload") == "reloaded\n"
        (root / "serve.toml").write_text("[serve]\njobs_mx = 3\n")
        assert code(root, "reload") == 78
        assert "not_reloaded" in (tmp_path / "log").read_text()
