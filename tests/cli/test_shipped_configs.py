"""Every shipped configuration, run against the simulator. What is delivered of use cases: see test_use_cases.py."""

import tomllib
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.prompts import OF_PERSONAS, OF_TEXTS
from tests.support.simulated import Simulated
from tests.support.use_cases import USE_CASES
from tests.support.workspace import write_config, write_shard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent.parent
STAGED = ("hub",)
CONFIGS = {path.stem: path for path in sorted((ROOT / "configs").glob("*.toml")) if path.stem not in {*STAGED, "serve"}}
DATA = ROOT.parent / "shared" / "data"
PERSONAS = DATA / "personas" / "shards" / "personahub-00000.jsonl.zst"
TEXTS = DATA / "texts" / "c4.jsonl.zst"
ROWS = 500
TOOL_CODE = "tool_code"  # reads what `tool` has made
OF_PROBLEMS_ALONE = ("math_loop", "eval_math500")

needs_data = pytest.mark.skipif(not PERSONAS.exists() or not TEXTS.exists(), reason=f"no data in {DATA}")


def run(config: Path, simulator: Simulated, run_dir: Path, *settings: str, rows: int) -> list[dict[str, Any]]:
    """The records of a run's first rows, none of which may have died."""
    providers = tomllib.loads(config.read_text("utf-8"))["provider"]
    places = [f".{place}" for place in range(len(providers))] if isinstance(providers, list) else [""]
    addresses = [f"provider{place}.base_url={simulator.base_url}" for place in places]
    settings = (*addresses, f"sink.path={run_dir}", *settings)
    options = [word for setting in settings for word in ("--set", setting)]
    done = personastream("run", config, *options, "--max-rows", str(rows), "--progress", "none")
    assert done.code in (0, 75), done.err
    assert personastream("verify", run_dir, "--json").json()["counts"]["dead"] == {}
    return read_records(run_dir / "data", open_parts=True)


def synthesized(name: str, folder: Path, simulator: Simulated, source: Path, rows: int) -> list[dict[str, Any]]:
    """Records of `generate` with this template."""
    config = write_config(
        folder / f"{name}.toml",
        simulator.base_url,
        source={"paths": [str(source)], "field": "synthesized text" if name == TOOL_CODE else "persona"},
        recipe={"template": name},
        provider={"in_flight_max": 64},
    )
    return run(config, simulator, folder / name, rows=rows)


def tools(folder: Path, simulator: Simulated, source: Path, rows: int) -> Path:
    """A shard of interfaces."""
    return write_shard(folder / "tools.jsonl", map(orjson.dumps, synthesized("tool", folder, simulator, source, rows)))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_shipped_configuration_runs(name: str, tmp_path: Path, simulator: Simulated) -> None:
    settings = ""
    if name == TOOL_CODE:
        shard = tools(tmp_path, simulator, ROOT / "src/personastream/samples/personas-00000.jsonl.zst", 40)
        settings = f"source.paths={orjson.dumps([str(shard)]).decode()}"
    records = run(CONFIGS[name], simulator, tmp_path / "run", *([settings] if settings else []), rows=40)
    rows_made = {"text_to_persona": 16, "persona_to_persona": 120}
    assert len(records) == rows_made.get(name, 16 if name in OF_PROBLEMS_ALONE else 40)
    if name in USE_CASES:
        assert all(map(USE_CASES[name].keeps, records))


def test_the_hub_runs_from_texts_over_six_hops(tmp_path: Path, simulator: Simulated) -> None:
    settings = (f"provider.base_url={simulator.base_url}", f"sink.path={tmp_path / 'hub'}", "stage.1.rows_max=50")
    options = [word for setting in settings for word in ("--set", setting)]
    done = personastream("run", ROOT / "configs" / "hub.toml", *options)
    assert done.code == 0, done.err
    assert personastream("verify", tmp_path / "hub").code == 0
    hops = {record["meta"]["hop"] for record in read_records(tmp_path / "hub" / "hub" / "data")}
    assert hops == set(range(7))


@needs_data
@pytest.mark.parametrize("template", [*OF_TEXTS, *OF_PERSONAS])
def test_real_pages_and_personas_give_personas(template: str, tmp_path: Path, simulator: Simulated) -> None:
    of_texts = template in OF_TEXTS
    recipe = {"type": "text_to_persona", "personas": 2} if of_texts else {"type": "persona_to_persona", "fan_out": 3}
    config = write_config(
        tmp_path / "job.toml",
        simulator.base_url,
        source={"paths": [str(TEXTS if of_texts else PERSONAS)], "field": "text" if of_texts else "persona"},
        recipe={**recipe, "template": template},
        provider={"in_flight_max": 64},
    )
    records = run(config, simulator, tmp_path / "run", rows=ROWS)
    assert len(records) == ROWS * (2 if of_texts else 3)
    assert len({record["persona"] for record in records}) > 0.99 * len(records)
    stem = (TEXTS if of_texts else PERSONAS).name.partition(".")[0]
    assert all(record["meta"]["root"].startswith(f"{stem}:") for record in records)


def test_personas_are_the_source_of_the_next_hop(tmp_path: Path, simulator: Simulated) -> None:
    source = CONFIGS["text_to_persona"]
    pages = run(source, simulator, tmp_path / "hop-0", rows=100)
    hop = CONFIGS["persona_to_persona"]
    paths = f'source.paths=["{tmp_path / "hop-0" / "data" / "*.jsonl.zst"}"]'
    people = run(hop, simulator, tmp_path / "hop-1", paths, rows=100)
    assert (len(pages), len(people)) == (16, 48)
    assert {record["meta"]["parent"] for record in people} == {page["id"] for page in pages}
    assert {record["meta"]["root"] for record in people} == {page["meta"]["root"] for page in pages}
