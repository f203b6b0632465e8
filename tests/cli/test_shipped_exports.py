"""What shipped configurations make is exported to the format that it is meant for."""

import tomllib
from pathlib import Path

import orjson
import pytest

from tests.support.command import personastream
from tests.support.simulated import Simulated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CONFIGS = Path(__file__).parent.parent.parent / "configs"
MEANT_FOR = [
    ("math", "persona_hub", ()),
    ("conversation", "sharegpt", ()),
    ("dialogue", "openai_chat", ()),
    ("constrained", "tulu_sft", ()),
    ("preference_pairs", "dpo", ()),
    ("math_loop", "openai_chat", ("--where", "agreed != false")),
]


@pytest.mark.parametrize(("config", "form", "options"), MEANT_FOR)
def test_records_of_a_use_case_are_rows_of_its_format(
    config: str, form: str, options: tuple[str, ...], tmp_path: Path, simulator: Simulated
) -> None:
    path = CONFIGS / f"{config}.toml"
    providers = tomllib.loads(path.read_text("utf-8"))["provider"]
    places = [f".{place}" for place in range(len(providers))] if isinstance(providers, list) else [""]
    settings = [
        f"sink.path={tmp_path / 'run'}",
        *(f"provider{place}.base_url={simulator.base_url}" for place in places),
    ]
    words = [word for setting in settings for word in ("--set", setting)]
    assert personastream("run", path, *words, "--max-rows", "12", "--progress", "none").code in (0, 75)
    done = personastream("export", tmp_path / "run", "--format", form, "--out", tmp_path / "rows.jsonl", *options)
    assert done.code == 0, done.err
    rows = [orjson.loads(line) for line in (tmp_path / "rows.jsonl").read_bytes().splitlines()]
    assert len(rows) >= 8
    assert all(row.keys() == rows[0].keys() for row in rows)
