"""`personastream report`: what it tells of real runs, against hand counts; that it changes nothing; mistakes."""

import re
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.report.document import Options, document
from personastream.report.page import page
from tests.support.command import personastream, started
from tests.support.ended_run import unwatched
from tests.support.held_server import held_server
from tests.support.outputs import fingerprint, read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
WRITTEN = {"report.html", "report.figures.json"}
PRICES = {"input_price": 2.0, "output_price": 8.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with two models, drops, and deaths of several kinds. Reports may be written into it."""
    folder = tmp_path_factory.mktemp("reported")
    for number in range(2):
        lines = persona_lines(200, number)
        broken = [b"{", b"[]", b"", b'{"persona": 7}']
        write_shard(folder / "in" / f"shard-{number}.jsonl", [*lines, *lines[:15], *broken])
    with simulated("--fault", "poison=0.05", "--seed", "5") as server:
        config = write_config(
            folder / "job.toml", server.base_url, transforms=["dedup"], provider=PRICES, sink={"commit_rows_max": 40}
        )
        assert personastream("run", config).code == 0
    return folder / "run"


def figures_of(run: Path, *options: str) -> dict[str, Any]:
    done = personastream("report", run, "--json", *options)
    assert (done.code, done.err) == (0, "")
    figures: dict[str, Any] = done.json()
    return figures


def made(run: Path) -> tuple[dict[str, Any], str]:
    """The figures of a run, and its page, made in this process: that loads all libraries once."""
    told = document(run, Options(20_000, 0), unwatched)
    return told, page(told)


@pytest.fixture(scope="module")
def whole(run: Path) -> dict[str, Any]:
    """The figures of that run, with all of its records looked at."""
    (stage,) = figures_of(run)["stages"]
    told: dict[str, Any] = stage
    return told


def test_figures_are_those_of_the_records(run: Path, whole: dict[str, Any]) -> None:
    records, letters = read_records(run / "data"), read_records(run / "dead")
    told = whole
    usage = personastream("status", run, "--json").json()["usage"]
    assert told["state"] == "finished"
    assert told["rows"] == {"settled": 438, "delivered": len(records), "dropped": 30, "dead": len(letters)}
    assert told["rows"]["delivered"] + 30 + len(letters) == 438
    assert told["records"] == told["sampled"]["records"] == len(records)
    assert {name: told["usage"][name] for name in usage if name != "authorised_nanos"} == {
        name: value for name, value in usage.items() if name != "authorised_nanos"
    }
    assert [(entry["name"], entry["count"]) for entry in told["reasons"]["dropped"]] == [("dedup", 30)]
    dead = Counter(letter["reason"] for letter in letters)
    assert {entry["name"]: entry["count"] for entry in told["reasons"]["dead"]} == dict(dead)
    assert len(dead) >= 4
    assert {example["id"] for entry in told["reasons"]["dead"] for example in entry["examples"]} <= {
        letter["id"] for letter in letters
    }
    texts = [record["synthesized text"] for record in records]
    characters = told["lengths"]["outputs"]["characters"]["spread"]
    assert (characters["min"], characters["max"]) == (min(map(len, texts)), max(map(len, texts)))
    assert characters["mean"] == pytest.approx(sum(map(len, texts)) / len(texts))
    assert told["diversity"]["outputs"]["openings"]["distinct"] == len({" ".join(text.split()[:3]) for text in texts})
    assert told["scripts"] == [{"name": "Latin", "count": len(texts), "share": 1.0}]
    (model,) = told["replies"]["models"]
    assert (model["name"], model["records"]) == (records[0]["meta"]["model"], len(records))
    assert model["spend"] == pytest.approx(usage["spend_nanos"] / 1e9)


def test_time_is_that_of_the_records(run: Path, whole: dict[str, Any]) -> None:
    created = sorted(record["meta"]["created"] for record in read_records(run / "data"))
    told = whole["time"]
    assert (told["first"], told["last"]) == (created[0], created[-1])
    assert sum(told["records"]) == pytest.approx(len(created))
    assert sum(told["input_tokens"]) == pytest.approx(whole["usage"]["input_tokens"])
    assert sum(told["spend"]) == pytest.approx(whole["usage"]["spend"])


def test_a_sample_tells_how_large_it_is_and_counts_stay_exact(run: Path, whole: dict[str, Any]) -> None:
    (some,) = figures_of(run, "--sample", "50", "--seed", "4")["stages"]
    assert 25 <= some["sampled"]["records"] <= 100
    assert some["sampled"]["of"] == whole["records"]
    for exact in ("rows", "records", "usage", "shards", "files"):
        assert some[exact] == whole[exact]


def test_the_page_lies_in_the_run_and_nothing_else_is_touched(run: Path) -> None:
    before = {name: content for name, content in fingerprint(run).items() if name not in WRITTEN}
    done = personastream("report", run)
    assert (done.code, done.out) == (0, f"{run / 'report.html'}\n")
    after = fingerprint(run)
    assert set(after) - set(before) == WRITTEN
    assert {name: after[name] for name in before} == before
    assert orjson.loads(after["report.figures.json"])["stages"][0]["rows"]["settled"] == 438
    assert b"438 rows read" in after["report.html"]
    assert personastream("verify", run).code == 0
    assert personastream("status", run).code == 0
    config = run.parent / "job.toml"
    assert personastream("run", config).code == 73, "it is a run still"
    assert personastream("run", config, "--resume").code == 0


def test_vectors_are_asked_for_once(run: Path, simulator: Simulated, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    options = (
        "--sample",
        "200",
        "--output",
        str(path),
        "--embeddings-url",
        simulator.base_url,
        "--embeddings-model",
        "simulated",
    )
    asked = []
    for _ in range(2):
        assert personastream("report", run, *options).code == 0
        asked.append(simulator.stats()["calls"].get("POST /v1/embeddings", 0))
    assert asked[0] == asked[1] > 0
    told = orjson.loads((tmp_path / "page.figures.json").read_bytes())["stages"][0]["similarity"]
    assert (told["scale"], told["model"]) == ("cosine", "simulated")
    assert 100 <= told["personas"] <= 400
    assert [level["personas_alike"] for level in told["levels"]] == [0.4, 0.6, 0.8]
    assert told["levels"][0]["box"]["median"] > 0
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", "page.figures.json", "page.vectors.sqlite"}
    assert "Fig. 10" in path.read_text("utf-8")


STAGES = """
[provider]
base_url = "{url}"
model = "simulated"
in_flight_max = 16

[sink]
path = "hub"

[[stage]]
name = "pages"
source = {{ paths = ["in/*.jsonl"], field = "text" }}
recipe = {{ type = "text_to_persona", personas = 2 }}

[[stage]]
name = "people"
from = "pages"
hops = 2
transform = [{{ type = "dedup" }}]
recipe = {{ type = "persona_to_persona", fan_out = 3 }}

[[stage]]
name = "all"
from = ["pages", "people"]
transform = [{{ type = "dedup" }}]
"""


def test_stages_and_the_lineage_of_their_personas(tmp_path: Path, simulator: Simulated) -> None:
    texts = [orjson.dumps({"text": f"A text about the number {number}. It has two sentences."}) for number in range(12)]
    write_shard(tmp_path / "in" / "texts.jsonl", texts)
    (tmp_path / "job.toml").write_text(STAGES.format(url=simulator.base_url))
    assert personastream("run", tmp_path / "job.toml", "--progress", "none").code == 0
    hub = tmp_path / "hub"
    told_of_all, _ = made(hub)
    stages = {stage["name"]: stage for stage in told_of_all["stages"]}
    assert list(stages) == ["pages", "people-1", "people-2", "all"]
    assert [stage["reads"] for stage in stages.values()] == [
        [],
        ["pages"],
        ["people-1"],
        ["pages", "people-1", "people-2"],
    ]
    for name, stage in stages.items():
        assert stage["records"] == len(read_records(hub / name / "data"))
    assert stages["people-2"]["rows"]["settled"] == stages["people-1"]["records"]
    people = [record for name in ("pages", "people-1", "people-2") for record in read_records(hub / name / "data")]
    hops = Counter(record["meta"]["hop"] for record in people)
    roots = {hop: len({each["meta"]["root"] for each in people if each["meta"]["hop"] == hop}) for hop in hops}
    told = told_of_all["lineage"]
    assert {hop["hop"]: (hop["personas"], hop["roots"]) for hop in told["hops"]} == {
        hop: (hops[hop], roots[hop]) for hop in hops
    }
    assert [hop["fan_out"] for hop in told["hops"]] == [2, 3, 3]
    assert (told["exact"], told["roots"]) == (True, 12)
    assert personastream("run", tmp_path / "job.toml", "--resume", "--progress", "none").code == 0
    assert personastream("verify", hub / "all").code == 0


def test_every_number_of_the_math_loop_is_told(tmp_path: Path, simulator: Simulated) -> None:
    config = ROOT / "configs" / "math_loop.toml"
    where = (f'provider.{place}.base_url="{simulator.base_url}"' for place in range(2))
    settings = [word for setting in (*where, f'sink.path="{tmp_path / "run"}"') for word in ("--set", setting)]
    assert personastream("run", config, *settings, "--progress", "none").code == 0
    expected = personastream("status", tmp_path / "run", "--figures", "--json").json()["figures"]
    assert expected["problems"] == expected["train"] + expected["held_out"] == 16
    told_of_all, shown = made(tmp_path / "run")
    (told,) = told_of_all["stages"]
    assert told["mathematics"] == expected
    law = f"{expected['held_out']} = {expected['agreed']} agreed + {expected['not_agreed']} not agreed."
    assert law in shown
    assert told["accuracy"] is None


def test_accuracy_is_that_of_the_evaluation(tmp_path: Path, simulator: Simulated) -> None:
    where = ("--provider-url", simulator.base_url, "--model", "simulated", "--run", tmp_path / "run")
    problems = ("--data", ROOT / "configs" / "problems.jsonl")
    figures = personastream("eval", "math", *problems, *where, "--json", "--progress", "none").json()
    told_of_all, shown = made(tmp_path / "run")
    told = told_of_all["stages"][0]["accuracy"]
    assert {name: figures[name] for name in told} == told
    assert f"{figures['right']} of {figures['problems']}" in shown


@pytest.mark.parametrize("format_", ["rows", "plan"])
def test_a_dedup_job_has_a_report_beside_its_own(format_: str, tmp_path: Path) -> None:
    lines = persona_lines(40)
    write_shard(tmp_path / "in.jsonl", [*lines, *lines[:5], b"{"])
    job = tmp_path / "job"
    options = ("--field", "persona", "--out", str(job), *(["--plan"] if format_ == "plan" else []))
    assert personastream("dedup", tmp_path / "in.jsonl", *options).code == 0
    own = (job / "report.json").read_bytes()
    (told,) = made(job)[0]["stages"]
    assert told["rows"] == {"settled": 46, "delivered": 40, "dropped": 5, "dead": 1}
    assert told["records"] == (40 if format_ == "rows" else 0)
    assert (told["time"], told["replies"]) == (None, None)
    assert (job / "report.json").read_bytes() == own


def test_a_run_under_way_can_be_looked_at(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "shard.jsonl", persona_lines(9))
    with held_server() as server:
        config = write_config(tmp_path / "job.toml", server.base_url, provider={"in_flight_max": 4})
        with started("run", config):
            server.wait_for(4)
            while not (tmp_path / "run" / "state" / "live.json").exists():
                time.sleep(0.01)
            (told,) = figures_of(tmp_path / "run")["stages"]
    assert (told["state"], told["rows"]["settled"]) == ("running", 0)


def test_mistakes_are_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words, code, said in (
        (["report", str(tmp_path / "nowhere")], 65, "cannot read"),
        (["report", str(tmp_path / "empty")], 65, "holds no run"),
        (["report", str(run), "--output", str(tmp_path / "no" / "page.html")], 73, "--output"),
        (["report", str(run), "--sample", "0"], 64, "--sample"),
        (["report", str(run), "--embeddings-url", "http://127.0.0.1:9/v1"], 64, "go together"),
    ):
        done = personastream(*words)
        assert (done.code, done.out) == (code, "")
        assert said in done.err


def test_damage_is_74_and_the_file_is_named(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("report.*"))
    part = next(iter(sorted((copy / "data").iterdir())))
    content = bytearray(part.read_bytes())
    content[60] ^= 1
    part.write_bytes(content)
    done = personastream("report", copy)
    assert done.code == 74
    assert re.search(rf"data/{re.escape(part.name)}: the commit at byte 0 is damaged", done.err)
    assert not (copy / "report.html").exists()
