"""What a run tells of itself: licences in its records, an audit log of its sittings, a card that tools accept."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from huggingface_hub import DatasetCard

from tests.support.command import personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow
NC_SA = "CC-BY-NC-SA-4.0"
VALID = """
import sys, mlcroissant, prov.model
found = mlcroissant.Dataset(sys.argv[1]).metadata
assert not found.ctx.issues.errors, found.ctx.issues.report()
assert not found.ctx.issues.warnings, found.ctx.issues.report()
assert found.data_collection and found.data_limitations and found.personal_sensitive_information
document = prov.model.ProvDocument.deserialize(sys.argv[2], format="json")
kinds = {type(record).__name__ for record in document.get_records()}
assert {"ProvEntity", "ProvActivity", "ProvAgent", "ProvDerivation", "ProvGeneration", "ProvUsage"} <= kinds, kinds
assert document.get_provn()
"""


def check_card(folder: Path) -> dict[str, Any]:
    """What the Hub would read, once the tools have accepted all three files."""
    command = [sys.executable, "-W", "ignore", "-c", VALID, str(folder / "croissant.json"), str(folder / "prov.json")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return dict(DatasetCard.load(folder / "README.md").data.to_dict())


def events(run: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (run / "audit.jsonl").read_bytes().splitlines()]


def names(run: Path) -> list[str]:
    return [event["event"] for event in events(run)]


def job(folder: Path, simulator: Simulated, **sections: Any) -> Path:
    for number in range(2):
        lines = persona_lines(30, seed=number)
        write_shard(folder / "in" / f"shard-{number}.jsonl.zst", [*lines, lines[0]])
    sections = {"source": {"preset": "persona_hub"}, **sections}
    return write_config(folder / "job.toml", simulator.base_url, transforms=["dedup"], **sections)


def test_persona_hub_in_a_commercial_run_is_refused_before_anything_is_sent_or_written(
    tmp_path: Path, simulator: Simulated
) -> None:
    config = job(tmp_path, simulator, licence={"use": "commercial"})
    for verb in ("check", "run"):
        ended = personastream(verb, config)
        assert ended.code == 78
        assert "the licence gate refuses this run" in ended.err
        assert f"shard-0.jsonl.zst: {NC_SA} allows no commercial use" in ended.err
        assert not ended.out
    assert not (tmp_path / "run").exists()
    assert personastream("run", config, "--set", f'licence.allow=["{NC_SA}"]').code == 0
    told = next(event for event in events(tmp_path / "run") if event["event"] == "licence")
    assert {each["rule"] for each in told["details"]["overridden"]} == {"noncommercial"}
    assert len(told["details"]["overridden"]) == 2


def test_every_record_says_what_it_is_and_the_card_says_it_of_all(tmp_path: Path, simulator: Simulated) -> None:
    config = job(tmp_path, simulator, provider={"input_price": 1.0, "output_price": 2.0, "terms": "Apache-2.0"})
    run = tmp_path / "run"
    assert personastream("run", config).code == 0
    for record in read_records(run / "data"):
        assert record["synthetic"] is True
        assert record["input persona"]
        assert {"template", "model", "licence", "created"} <= record["meta"].keys()
        assert record["meta"]["licence"] == NC_SA
    manifest = orjson.loads((run / "run.json").read_bytes())
    assert [shard["licence"] for shard in manifest["shards"]] == [NC_SA, NC_SA]
    assert manifest["terms"][0]["terms"] == "Apache-2.0"
    assert personastream("card", run).code == 0
    assert check_card(run / "card")["license"] == NC_SA.lower()
    page = (run / "card" / "README.md").read_text()
    for told in ("| run | delivered |  | 60 |", "| run | dropped | dedup | 2 |", "Apache-2.0", "shard-1.jsonl.zst"):
        assert told in page
    document = orjson.loads((run / "card" / "croissant.json").read_bytes())
    assert [each["contentUrl"] for each in document["distribution"]] == [
        f"../data/shard-{number}-00000.jsonl.zst" for number in range(2)
    ]
    assert personastream("export", run, "--format", "parquet", "--out", tmp_path / "out").code == 0
    assert check_card_of_export(run, tmp_path / "out")["license"] == NC_SA.lower()
    assert personastream("export", run, "--format", "parquet", "--out", tmp_path / "out", "--force").code == 0
    assert names(run) == ["created", "started", "ended", "carded", "exported", "carded", "exported"]
    assert personastream("verify", run).code == 0


def check_card_of_export(run: Path, out: Path) -> dict[str, Any]:
    assert DatasetCard.load(out / "README.md").data.to_dict()["license"] == NC_SA.lower()
    assert personastream("card", run, "--out", out).code == 0
    document = orjson.loads((out / "croissant.json").read_bytes())
    assert [each["contentUrl"] for each in document["distribution"]] == ["train-00000.parquet"]
    return check_card(out)


def test_the_audit_log_tells_of_sittings_changes_and_kills_and_verify_finds_what_was_changed(
    tmp_path: Path, simulator: Simulated
) -> None:
    config, run = job(tmp_path, simulator), tmp_path / "run"
    assert personastream("run", config, "--max-rows", "10").code == 75
    assert personastream("run", config, "--resume", "--max-rows", "10", "--set", "limits.attempts_max=9").code == 75
    assert names(run) == ["created", "started", "ended", "resumed", "ended"]
    assert events(run)[2]["details"]["exit_code"] == 75
    assert events(run)[3]["details"]["changed"] == {"limits.attempts_max": [4, 9]}
    assert events(run)[4]["details"]["delivered"] == 20
    with started("run", config, "--resume", "--progress", "none") as process:
        while names(run).count("resumed") < 2:
            assert process.poll() is None or names(run).count("resumed") == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert personastream("run", config, "--resume").code == 0
    killed = names(run).count("ended") == 3
    last = next(event for event in reversed(events(run)) if event["event"] == "resumed")
    assert ("last_sitting" in last["details"]) == killed
    told = personastream("verify", run, "--json").json()["audit"]
    assert told["events"] == len(events(run))
    assert personastream("verify", run, "--audit-head", told["head"]).code == 0
    assert personastream("verify", run, "--audit-head", "0" * 64).code == 74
    lines = (run / "audit.jsonl").read_bytes().splitlines(keepends=True)
    (run / "audit.jsonl").write_bytes(b"".join([*lines[:2], *lines[3:]]))
    ended = personastream("verify", run)
    assert ended.code == 74
    assert "PROBLEM   audit.jsonl: line 3: does not follow the line before it" in ended.out
    (run / "audit.jsonl").write_bytes(b"".join(lines[:-1]))
    assert "was cut short" in personastream("verify", run).out


def test_a_licence_in_each_row_is_kept_or_drops_it(tmp_path: Path, simulator: Simulated) -> None:
    licences = ["cc-by-4.0", "cc-by-nc-4.0", None, "our own terms", 7]
    lines = [
        orjson.dumps({**orjson.loads(line), "info": {"licence": licence}})
        for line, licence in zip(persona_lines(5), licences, strict=True)
    ]
    write_shard(tmp_path / "in" / "a.jsonl.zst", lines)
    source = {"licence": "CC0-1.0", "licence_field": "info.licence"}
    config = write_config(tmp_path / "job.toml", simulator.base_url, source=source, licence={"use": "commercial"})
    assert personastream("run", config).code == 0
    found = {record["id"]: record["meta"]["licence"] for record in read_records(tmp_path / "run" / "data")}
    assert found == {"a:0": "CC-BY-4.0", "a:2": "CC0-1.0", "a:3": "LicenseRef-our-own-terms", "a:4": "CC0-1.0"}
    counts = personastream("status", tmp_path / "run", "--json").json()
    assert counts["rows"]["dropped"] == {"licence": 1}
    ended = personastream("run", config, "--set", "licence.rows=refuse", "--set", "sink.path=other")
    assert ended.code == 78
    assert "a.jsonl.zst: row 1: CC-BY-NC-4.0 allows no commercial use" in ended.err


def test_a_row_that_is_asked_again_keeps_its_licence(tmp_path: Path) -> None:
    licences = ["CC-BY-4.0", "MIT", "CC0-1.0"] * 6
    rows = zip(persona_lines(18), licences, strict=True)
    lines = [orjson.dumps({**orjson.loads(line), "licence": licence}) for line, licence in rows]
    write_shard(tmp_path / "in" / "a.jsonl.zst", lines)
    with simulated() as moody:
        source, limits = {"licence_field": "licence"}, {"dead_share_max": 1.0}
        config = write_config(tmp_path / "job.toml", moody.base_url, source=source, limits=limits)
        moody.change(faults={"too-long": 0.5})
        assert personastream("run", config).code == 0
        moody.change(faults={})
        assert personastream("retry", tmp_path / "run").code == 0
    records = {record["id"]: record["meta"]["licence"] for record in read_records(tmp_path / "run" / "data")}
    assert records == {f"a:{number}": licence for number, licence in enumerate(licences)}
    assert "retried" in names(tmp_path / "run")


STAGES = """
[provider]
base_url = "{url}"
model = "simulated"
[sink]
path = "hub"
[[stage]]
name = "people"
source = {{ paths = ["in/*.jsonl.zst"], preset = "persona_hub" }}
recipe = {{ type = "persona_to_persona", template = "persona_to_persona" }}
[[stage]]
name = "distinct"
from = "people"
transform = [{{ type = "dedup" }}]
[[stage]]
name = "math"
from = "distinct"
recipe = {{ template = "math" }}
provider = {{ base_url = "{url}", model = "{model}" }}
"""


def test_stages_pass_the_licence_on_and_have_one_card(tmp_path: Path, simulator: Simulated) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(8))
    config = tmp_path / "hub.toml"
    config.write_text(STAGES.format(url=simulator.base_url, model="gpt-4o"))
    ended = personastream("run", config, "--set", "licence.purpose=train")
    assert ended.code == 78, "the last stage's model is refused before the first stage begins"
    assert "LicenseRef-OpenAI" in ended.err
    assert not (tmp_path / "hub").exists()
    config.write_text(STAGES.format(url=simulator.base_url, model="simulated"))
    assert personastream("run", config).code == 0
    for stage in ("people", "math"):
        records = read_records(tmp_path / "hub" / stage / "data")
        assert {record["meta"]["licence"] for record in records} == {NC_SA}
    assert personastream("card", tmp_path / "hub").code == 0
    assert check_card(tmp_path / "hub" / "card")["license"] == NC_SA.lower()
    lineage = orjson.loads((tmp_path / "hub" / "card" / "prov.json").read_bytes())
    assert len(lineage["activity"]) == 3
    ended = personastream("run", config, "--resume", "--set", "licence.use=commercial")
    assert ended.code == 78
    assert "a.jsonl.zst" in ended.err


def test_a_card_never_replaces_what_is_none(tmp_path: Path, simulator: Simulated) -> None:
    config = job(tmp_path, simulator)
    assert personastream("run", config, "--max-rows", "5").code == 75
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("# mine\n")
    ended = personastream("card", tmp_path / "run", "--out", tmp_path / "mine")
    assert ended.code == 73
    assert (tmp_path / "mine" / "README.md").read_text() == "# mine\n"
    assert personastream("card", tmp_path / "run").code == 0
    assert "was not finished" in (tmp_path / "run" / "card" / "README.md").read_text()
    assert personastream("card", tmp_path / "mine").code == 65
