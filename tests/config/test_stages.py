"""Several stages in one configuration: what each inherits, reads and knows, and what is refused."""

from pathlib import Path

import pytest

from personastream.build import build, build_thinning
from personastream.config import load
from personastream.errors import ConfigError
from personastream.sources.run import Run
from personastream.stages import Stage, load_stages, stage_of

TOP = """
[sink]
path = "out"
compression_level = 5
[provider]
base_url = "http://127.0.0.1:1/v1"
model = "m"
in_flight_max = 7
[limits]
attempts_max = 3
"""
FIRST = """
[[stage]]
name = "personas"
source = { paths = ["in/*.jsonl"], field = "text" }
recipe = { type = "text_to_persona" }
"""
HOPS = """
[[stage]]
name = "people"
from = "personas"
hops = 3
rows_max = 50
source = { sample_seed = 4 }
transform = [{ type = "dedup" }]
recipe = { type = "persona_to_persona", fan_out = 2 }
provider = { in_flight_max = 9 }
limits = { spend_max = 2.0 }
"""
LAST = """
[[stage]]
name = "hub"
from = ["personas", "people"]
transform = [{ type = "dedup" }]
"""


def stages(folder: Path, text: str, *settings: str) -> list[Stage]:
    (folder / "hub.toml").write_text(TOP + text)
    return load_stages(str(folder / "hub.toml"), settings)


def test_hops_become_stages_that_read_the_one_before_and_know_all_before(tmp_path: Path) -> None:
    told = [(stage.name, list(stage.reads), list(stage.knows)) for stage in stages(tmp_path, FIRST + HOPS + LAST)]
    assert told == [
        ("personas", [], []),
        ("people-1", ["personas"], []),
        ("people-2", ["people-1"], ["people-1"]),
        ("people-3", ["people-2"], ["people-1", "people-2"]),
        ("hub", ["personas", "people-1", "people-2", "people-3"], []),
    ]


def test_a_stage_has_what_stands_at_the_top_and_its_own_on_top_of_it(tmp_path: Path) -> None:
    first, hop, *_ = stages(tmp_path, FIRST + HOPS)
    one, two = build(first.config), build(hop.config)
    assert (one.providers[0].in_flight_max, two.providers[0].in_flight_max) == (7, 9)
    assert (one.limits.attempts_max, one.limits.spend_max) == (3, 0)
    assert (two.limits.attempts_max, two.limits.spend_max) == (3, 2.0)
    assert (first.own_limit, hop.own_limit) == (False, True)
    assert two.sink.path == str(tmp_path / "out" / "people-1")
    assert isinstance(two.source, Run)
    assert (two.source.paths, two.source.rows_max, two.source.sample_seed) == (
        [str(tmp_path / "out" / "personas")],
        50,
        4,
    )


def test_a_stage_without_a_recipe_asks_nothing(tmp_path: Path) -> None:
    *_, hub = stages(tmp_path, FIRST + HOPS + LAST)
    assert not hub.config.asks
    assert len(build_thinning(hub.config).transforms) == 1


def test_settings_reach_into_stages(tmp_path: Path) -> None:
    _, hop, *_ = stages(tmp_path, FIRST + HOPS, "stage.1.rows_max=60", "stage.1.recipe.fan_out=5")
    assert hop.config.source.values["rows_max"] == 60
    assert hop.config.recipe.values["fan_out"] == 5


def test_a_stage_is_found_by_its_name(tmp_path: Path) -> None:
    stages(tmp_path, FIRST + HOPS)
    path = str(tmp_path / "hub.toml")
    assert stage_of(path, "people-2").reads == ["people-1"]
    with pytest.raises(ConfigError, match="no stage 'people-4'"):
        stage_of(path, "people-4")


def test_a_file_without_stages_is_one_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(TOP + '[source]\npaths = ["x.jsonl"]\n[recipe]\ntemplate = "math"\n')
    (stage,) = load_stages(str(tmp_path / "job.toml"))
    assert (stage.name, stage.config) == ("", load(str(tmp_path / "job.toml")))


def test_what_takes_one_run_says_so_of_several(tmp_path: Path) -> None:
    stages(tmp_path, FIRST)
    with pytest.raises(ConfigError, match="has several stages"):
        load(str(tmp_path / "hub.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[stage]\nname = 'a'", r"write \[\[stage\]\]"),
        ("stage = 3", r"write \[\[stage\]\]"),
        ("[[stage]]\nname = '../x'", "name = '../x' is none"),
        ("[[stage]]\nfrom = 'x'", "name = None is none"),
        (FIRST + FIRST, "two stages 'personas'"),
        (FIRST + HOPS + FIRST.replace("personas", "people-2"), "two stages 'people-2'"),
        (FIRST + FIRST.replace("personas", "people-2") + HOPS, "two stages 'people-2'"),
        (FIRST + HOPS.replace('"personas"', '"persona"'), "from = 'persona' is no earlier stage"),
        (HOPS + FIRST, "from = 'personas' is no earlier stage"),
        (FIRST + HOPS.replace("hops = 3", "hops = 0"), "hops = 0 must be a whole number from 1 to 20"),
        (FIRST + HOPS.replace("hops = 3", "hop = 3"), "unknown key `hop`"),
        (FIRST.replace("source", "hops = 2\nsource"), "hops is for stages with `from`"),
        (FIRST.replace("recipe", "sink = { path = 'x' }\nrecipe"), "sink.path is given by the name"),
        (
            FIRST + HOPS.replace("{ sample_seed = 4 }", "{ paths = ['x'] }"),
            "source.paths and `from` exclude each other",
        ),
        (FIRST + LAST.replace('["personas", "people"]', "[]"), r"from = \[\] must be the name of a stage"),
        ("[sources]\n" + FIRST, r"unknown section \[sources\]"),
        (FIRST.replace('source = { paths = ["in/*.jsonl"], field = "text" }', ""), r"section \[source\] is missing"),
    ],
)
def test_mistakes_are_named_with_their_stage(tmp_path: Path, text: str, message: str) -> None:
    top = TOP if "sources" not in text else TOP + "\n"
    (tmp_path / "hub.toml").write_text(text + TOP if text.startswith("stage") else top + text)
    with pytest.raises(ConfigError, match=message):
        load_stages(str(tmp_path / "hub.toml"))


def test_the_top_must_say_where_all_stages_go(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(FIRST)
    with pytest.raises(ConfigError, match=r"\[sink\] path is missing"):
        load_stages(str(tmp_path / "hub.toml"))


def test_an_adapter_that_is_refused_is_named_with_its_stage(tmp_path: Path) -> None:
    _, hop, *_ = stages(tmp_path, FIRST + HOPS.replace("fan_out = 2", "fan_out = 0"))
    with pytest.raises(ConfigError, match=r"stage 'people-1': \[recipe\] fan_out = 0"):
        build(hop.config)
