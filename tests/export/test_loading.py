"""Exports are loaded by `datasets.load_dataset`, and are column for column what has been published."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.export.destination import Destination
from personastream.export.files import KINDS
from personastream.export.format import load_format
from personastream.export.job import Export
from personastream.export.run_log import RunLog
from personastream.sinks.disk import OsDisk
from tests.support.exportable import run_of
from tests.support.outputs import read_records
from tests.support.written_run import RUN_ID

PUBLISHED_TOOLS = Path(__file__).parents[3] / "shared/data/synthesized/personahub-tool.jsonl.zst"
TEXT = {"dtype": "string", "_type": "Value"}
YES_OR_NO = {"dtype": "bool", "_type": "Value"}
SCHEMAS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "persona_hub": ("tool", {"input persona": TEXT, "synthesized text": TEXT, "description": TEXT}),
    "personas": ("persona", {"persona": TEXT}),
    "tulu_sft": (
        "constrained",
        {
            "id": TEXT,
            "prompt": TEXT,
            "input_persona": TEXT,
            "messages": [{"role": TEXT, "content": TEXT}],
            "constraints": [TEXT],
        },
    ),
    "sharegpt": ("talk", {"id": TEXT, "conversations": [{"from": TEXT, "value": TEXT}], "synthetic": YES_OR_NO}),
    "openai_chat": ("talk", {"messages": [{"role": TEXT, "content": TEXT}]}),
    "dpo": ("pair", {"id": TEXT, "prompt": TEXT, "chosen": TEXT, "rejected": TEXT, "synthetic": YES_OR_NO}),
    "parquet": ("persona", {"meta.usage.input_tokens": {"dtype": "int64", "_type": "Value"}, "synthetic": YES_OR_NO}),
    "jsonl": ("problem", {"id": TEXT, "input persona": TEXT, "synthetic": YES_OR_NO}),
}
"""Of each format: a kind of records that it takes, and the columns. The first three are those of published sets."""

PROGRAM = """
import json, sys, datasets
told = {}
for name, path in json.loads(sys.argv[1]).items():
    rows = datasets.load_dataset(*path, split="train", cache_dir=sys.argv[2])
    told[name] = {"features": rows.features.to_dict(), "rows": len(rows), "first": rows[0], "last": rows[-1]}
print(json.dumps(told, default=str))
"""

pytestmark = pytest.mark.slow


def plain(features: Any) -> Any:
    """Features as `datasets` tells them, without its name for lists, which differs from version to version."""
    if isinstance(features, dict) and features.get("_type") in ("List", "Sequence", "LargeList"):
        return [plain(features["feature"])]
    if isinstance(features, dict) and "_type" not in features:
        return {name: plain(each) for name, each in features.items()}
    return [plain(each) for each in features] if isinstance(features, list) else features


def loaded(paths: Mapping[str, tuple[str, ...]], cache: Path) -> dict[str, Any]:
    pytest.importorskip("datasets", reason="installed by `make test`")
    command = [sys.executable, "-c", PROGRAM, orjson.dumps(paths).decode(), str(cache)]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    done = subprocess.run(command, env=offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every format in a folder of every kind of file that it can be in, as `datasets` loads it."""
    folder = tmp_path_factory.mktemp("exports")
    paths: dict[str, tuple[str, ...]] = {}
    for name, (records, _) in SCHEMAS.items():
        run = run_of(folder / name / "run", records)
        log = RunLog(OsDisk(str(run)), RUN_ID, ("shard-0", "shard-1"))
        for kind in load_format(name).files:
            out = folder / name / kind
            Export(log, name, load_format(name), Destination(out), kind).run({}, replace=False)
            paths[f"{name} {kind}"] = (str(out),)
    return loaded(paths, folder / "cache")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_format_loads_with_the_columns_it_promises(exports: dict[str, Any], name: str) -> None:
    columns = SCHEMAS[name][1]
    for kind in load_format(name).files:
        told = exports[f"{name} {kind}"]
        features = plain(told["features"])
        assert told["rows"] == 103
        if name in ("parquet", "jsonl"):
            assert {column: features[column] for column in columns} == columns
        else:
            assert features == columns
            assert list(features) == list(columns)


def test_every_kind_of_file_holds_the_same_rows(exports: dict[str, Any]) -> None:
    for name in SCHEMAS:
        told = [exports[f"{name} {kind}"] for kind in KINDS if f"{name} {kind}" in exports]
        assert all(each["first"] == told[0]["first"] and each["last"] == told[0]["last"] for each in told)


def test_rows_are_those_of_the_records(exports: dict[str, Any], tmp_path: Path) -> None:
    (first, *_) = read_records(run_of(tmp_path / "run", "talk") / "data")
    assert exports["openai_chat jsonl"]["first"]["messages"] == first["messages"]
    assert exports["sharegpt parquet"]["first"]["id"] == first["id"]


def test_tools_are_what_has_been_published(exports: dict[str, Any], tmp_path: Path) -> None:
    """The published rows, field by field: columns, types, and how the interface is encoded."""
    if not PUBLISHED_TOOLS.exists():
        pytest.skip(f"the shared data is not here: {PUBLISHED_TOOLS}")
    told = loaded({"published": ("json", None, None, str(PUBLISHED_TOOLS))}, tmp_path)["published"]  # type: ignore[dict-item]
    ours = exports["persona_hub jsonl.zst"]
    assert plain(ours["features"]) == plain(told["features"])
    assert ours["first"]["description"] == told["first"]["description"]
    for row in (ours["first"], told["first"]):
        interface = orjson.loads(orjson.loads(row["synthesized text"]))
        assert set(interface) == {"name", "description", "function_name", "input_args", "return", "depend"}
