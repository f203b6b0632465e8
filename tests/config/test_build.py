"""Names and keys into adapters: every complaint says which file, section and key, and what would be right."""

from pathlib import Path
from typing import Any

import pytest

from personastream.build import FOLDERS, Parts, adapter_name, build, identity, known
from personastream.config import Config, load
from personastream.errors import ConfigError, ExitCode
from personastream.limits import Limits
from personastream.recipes.generate import Generate
from personastream.sinks.frames import Frames
from personastream.sources.jsonl import Jsonl
from personastream.transforms.near_dedup import NearDedup
from tests.support.adapters import Parrot, Shorter

SHORTER = '[[transform]]\ntype = "tests.support.adapters:Shorter"\nneeded = "x"\n'


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(
        """
[source]
paths = ["in/*.jsonl", "/elsewhere/b.jsonl"]
[recipe]
template = "math"
[provider]
base_url = "http://127.0.0.1:1/v1"
model = "m"
[sink]
path = "out/run"
"""
    )
    return path


def built(path: Path, *settings: str, more: str = "") -> tuple[Config, Parts]:
    path.write_text(path.read_text() + more)
    config = load(str(path), settings)
    return config, build(config)


def complaint(path: Path, *settings: str, more: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        built(path, *settings, more=more)
    assert caught.value.exit_code == ExitCode.CONFIG
    return str(caught.value)


def test_a_configuration_becomes_the_parts_it_names(config_path: Path) -> None:
    _, parts = built(config_path, more='[[transform]]\ntype = "near_dedup"\ndistance_max = 2\n')
    assert isinstance(parts.source, Jsonl)
    assert isinstance(parts.recipe, Generate)
    assert isinstance(parts.sink, Frames)
    assert isinstance(parts.transforms[0], NearDedup)
    assert parts.transforms[0].distance_max == 2
    assert parts.limits == Limits()


def test_building_opens_and_makes_nothing(config_path: Path) -> None:
    built(config_path)
    assert [path.name for path in config_path.parent.iterdir()] == ["run.toml"]


def test_paths_are_taken_from_the_folder_of_the_file(config_path: Path) -> None:
    folder = config_path.parent
    _, parts = built(config_path)
    assert isinstance(parts.source, Jsonl)
    assert parts.source.paths == [str(folder / "in/*.jsonl"), "/elsewhere/b.jsonl"]
    assert parts.sink.path == str(folder / "out/run")


def test_somebody_elses_adapters_are_named_by_module_and_class(config_path: Path) -> None:
    _, parts = built(config_path, more=SHORTER)
    assert parts.transforms == [Shorter(needed="x")]


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_built_in_types_are_those_that_can_be_built(kind: str) -> None:
    shipped = {
        "source": {"jsonl"},
        "transform": {"dedup", "near_dedup", "filter"},
        "recipe": {"generate"},
        "provider": {"openai"},
        "sink": {"frames"},
        "screen": {"refusal"},
    }
    assert shipped[kind] <= set(known(kind))
    assert not {"part", "series", "limit", "input_file", "template_files", "checkpoints", "screen_settings"} & set(
        known(kind)
    )


@pytest.mark.parametrize(
    ("section", "wrong", "nearest"),
    [
        ("source", "json", "jsonl"),
        ("source", "Jsonl", "jsonl"),
        ("source", "input_file", "jsonl"),
        ("recipe", "genrate", "generate"),
        ("provider", "open_ai", "openai"),
        ("sink", "frame", "frames"),
        ("sink", "series", "frames"),
        ("sink", "../frames", "frames"),
        ("sink", "frames.py", "frames"),
        ("sink", "_frames", "frames"),
        ("transform.0", "near_dedupe", "near_dedup"),
        ("transform.0", "dedupe", "dedup"),
        ("transform.0", "filters", "filter"),
        ("transform.0", "zzz", "filter"),
    ],
)
def test_an_unknown_type_comes_with_the_nearest_one(config_path: Path, section: str, wrong: str, nearest: str) -> None:
    text = complaint(config_path, f"{section}.type={wrong}", more=SHORTER)
    assert "run.toml" in text
    assert f"[{section.replace('.0', '[0]')}] type = {wrong!r}" in text
    assert nearest in text.partition("\n")[2]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("tests.support.adapters:Shorte", "is unknown"),
        ("tests.support.nothing:Shorter", "is unknown"),
        ("no_such_package:Thing", "no_such_package"),
        ("tests.support.adapters:Plain", "is not a dataclass"),
        ("tests.support.adapters:PARROT_IN_RED", "is not a dataclass"),
        ("tests.support.adapters:", "is not a name"),
        (":Shorter", "is not a name"),
        (":", "is not a name"),
        ("..:Shorter", "is not a name"),
        (".adapters:Shorter", "is not a name"),
        ("tests.support.adapters:Shorter:x", "is not a name"),
        ("a b:C", "is not a name"),
    ],
)
def test_what_is_no_adapter_of_somebody_else_is_an_error_that_names_it(config_path: Path, name: str, says: str) -> None:
    text = complaint(config_path, f'transform.0.type="{name}"', more=SHORTER)
    assert "run.toml" in text
    assert f"[transform[0]] type = {name!r}" in text
    assert says in text


def test_a_module_that_lacks_a_package_names_the_package(config_path: Path, tmp_path: Path) -> None:
    (tmp_path / "needs_more.py").write_text("import no_such_package_at_all\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        text = complaint(config_path, "transform.0.type=needs_more:Thing", more=SHORTER)
    assert "needs the package 'no_such_package_at_all'" in text


@pytest.mark.parametrize(
    ("section", "wrong", "nearest"),
    [
        ("source", "path", "paths"),
        ("source", "feild", "field"),
        ("recipe", "sample", "samples"),
        ("provider", "in_flight", "in_flight_max"),
        ("provider", "timeout", "timeout_s"),
        ("sink", "commit_rows", "commit_rows_max"),
        ("limits", "attempts", "attempts_max"),
        ("transform[0]", "character_max", "characters_max"),
    ],
)
def test_an_unknown_key_comes_with_the_nearest_one(config_path: Path, section: str, wrong: str, nearest: str) -> None:
    setting = f"{section.replace('[', '.').replace(']', '')}.{wrong}=1"
    text = complaint(config_path, setting, more=SHORTER)
    assert f"unknown key `{wrong}` in [{section}]" in text
    assert "run.toml" in text
    assert nearest in text


def test_limits_have_no_type(config_path: Path) -> None:
    assert "[limits]" in complaint(config_path, "limits.type=strict")


def test_internal_state_is_no_key(config_path: Path) -> None:
    assert "unknown key `_seen`" in complaint(config_path, "transform.0._seen=1", more=SHORTER)
    assert "unknown key `_session`" in complaint(config_path, "provider._session=1")


def test_a_missing_key_comes_with_what_it_is_for(config_path: Path) -> None:
    text = complaint(config_path, more='[[transform]]\ntype = "tests.support.adapters:Shorter"\n')
    assert "run.toml: [transform[0]] needed is missing" in text
    assert "Must be given." in text


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("characters_max=0", "characters_max = 0 is below the minimum, 1"),
        ("characters_max=1001", "characters_max = 1001 is above the maximum, 1000"),
        ("characters_max=1.5", "characters_max = 1.5 must be a whole number"),
        ("characters_max=true", "characters_max = true must be a whole number"),
        ("characters_max='5'", "characters_max = '5' must be a whole number"),
        ("share=1.01", "share = 1.01 is above the maximum, 1"),
        ("share=-0.1", "share = -0.1 is below the minimum, 0"),
        ("share=nan", "share = nan must be a number"),
        ("share=inf", "share = inf is above the maximum, 1"),
        ("share=-inf", "share = -inf is below the minimum, 0"),
        ("share=true", "share = true must be a number"),
        ("share=1" + "0" * 400, "is above the maximum, 1"),
        ("mode=gentel", "mode = 'gentel' is unknown"),
        ("mode=3", "mode = 3 must be text"),
        ("loud=1", "loud = 1 must be true or false"),
        ("loud=yes", "loud = 'yes' must be true or false"),
        ("words=['a', 3]", "must be a list of texts"),
        ("words=a", "words = 'a' must be a list of texts"),
        ("limit=-1", "limit = -1 is below the minimum, 0"),
        ("limit=x", "limit = 'x' must be a whole number"),
        ("needed=2026-01-01", "must be text"),
        ("needed={a = 1}", "must be text"),
    ],
)
def test_a_value_out_of_bounds_or_of_another_kind_is_told_what_would_be_right(
    config_path: Path, setting: str, says: str
) -> None:
    text = complaint(config_path, f"transform.0.{setting}", more=SHORTER)
    assert "run.toml: [transform[0]]" in text
    assert says in text
    assert text.partition("\n")[2].strip(), "a hint says what the key is for"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("characters_max=1", 1),
        ("characters_max=1000", 1000),
        ("share=0", 0.0),
        ("share=1", 1.0),
        ("mode=strict", "strict"),
        ("loud=true", True),
        ("words=[]", []),
        ("words=['a', 'b']", ["a", "b"]),
        ("limit=0", 0),
    ],
)
def test_values_within_bounds_are_taken(config_path: Path, setting: str, value: Any) -> None:
    _, parts = built(config_path, f"transform.0.{setting}", more=SHORTER)
    found = getattr(parts.transforms[0], setting.partition("=")[0])
    assert (found, type(found)) == (value, type(value))


def test_a_wrong_choice_comes_with_the_nearest_one(config_path: Path) -> None:
    assert "`gentle`" in complaint(config_path, "transform.0.mode=gentel", more=SHORTER)


def test_what_an_adapter_says_of_its_settings_comes_with_file_and_section(config_path: Path) -> None:
    text = complaint(config_path, more='[[transform]]\ntype = "tests.support.adapters:Picky"\ntext = "x"\n')
    assert "run.toml: [transform[0]] text = 'x' is not to my taste" in text
    assert "Try another." in text


def test_an_unknown_template_comes_with_file_section_and_the_nearest_one(config_path: Path) -> None:
    text = complaint(config_path, "recipe.template=maths")
    assert "run.toml: [recipe]" in text
    assert "math" in text.partition("\n")[2]


@pytest.mark.parametrize("setting", ['sink.path="a\\u0000b"', 'provider.api_key_file="a\\u0000b"'])
def test_a_path_cannot_hold_nul(config_path: Path, setting: str) -> None:
    assert "NUL" in complaint(config_path, setting)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host/v1", "http://", "", "http://user:pass@host/v1"])
def test_an_address_that_is_none_is_named_without_its_password(config_path: Path, url: str) -> None:
    text = complaint(config_path, f'provider.base_url="{url}"')
    assert "[provider] base_url" in text
    assert "pass" not in text


# What a run is made of


def test_identity_is_what_shapes_the_output(config_path: Path) -> None:
    kept = identity(*built(config_path, more=SHORTER))
    assert kept["source.field"] == "persona"
    assert kept["transform[0].characters_max"] == 100
    assert kept["transform[0].type"] == "tests.support.adapters:Shorter"
    assert kept["provider.model"] == "m"
    assert kept["recipe.samples"] == 1
    assert kept["recipe.template"].startswith("math@")


@pytest.mark.parametrize(
    "setting",
    [
        "provider.base_url=http://127.0.0.1:2/v1",
        "provider.in_flight_max=3",
        "provider.requests_per_minute=3",
        "provider.timeout_s=3",
        "provider.api_key_env=OTHER",
        "limits.attempts_max=3",
        "limits.dead_share_max=1.0",
        "sink.path=elsewhere",
        "sink.commit_rows_max=1",
        "source.batch_rows=3",
        "source.paths=['other/*.jsonl']",
        "recipe.reasks_max=0",
        "transform.0.loud=true",
    ],
)
def test_limits_and_addresses_are_not_identity(config_path: Path, setting: str) -> None:
    assert identity(*built(config_path, setting, more=SHORTER)) == identity(*built(config_path))


@pytest.mark.parametrize(
    "setting",
    [
        "provider.model=other",
        "recipe.template=npc",
        "recipe.samples=2",
        "recipe.temperature=0.1",
        "recipe.max_tokens=9",
        "recipe.seed=1",
        "source.field=text",
        "source.text_bytes_max=99",
        "transform.0.characters_max=99",
        "transform.0.words=['x']",
    ],
)
def test_what_shapes_the_output_is_identity(config_path: Path, setting: str) -> None:
    assert identity(*built(config_path, setting, more=SHORTER)) != identity(*built(config_path))


def test_the_order_of_transforms_is_identity(config_path: Path) -> None:
    one, two = '[[transform]]\ntype = "dedup"\n', '[[transform]]\ntype = "filter"\n'
    first = config_path.read_text()
    kept = identity(*built(config_path, more=one + two))
    config_path.write_text(first)
    assert identity(*built(config_path, more=two + one)) != kept


def test_a_template_is_known_by_its_content_not_by_its_place(config_path: Path, tmp_path: Path) -> None:
    text = "[reply]\n[parameters]\nmax_tokens = 9\n"
    head = 'description = "d"\nuser = """\nWrite.\n<persona>\n{persona}\n</persona>"""\n'
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.toml").write_text(head + text)
    kept = [identity(*built(config_path, f"recipe.template={folder}/own.toml")) for folder in ("a", "b")]
    assert kept[0] == kept[1]
    (tmp_path / "b" / "own.toml").write_text(head.replace("Write.", "Draw.") + text)
    assert identity(*built(config_path, "recipe.template=b/own.toml")) != kept[0]


def test_no_secret_is_identity(config_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-123")
    config, parts = built(config_path)
    assert "canary" not in repr(identity(config, parts))
    assert "canary" not in repr(parts)


def test_a_provider_of_somebody_else_may_serve(config_path: Path) -> None:
    text = config_path.read_text().replace(
        'base_url = "http://127.0.0.1:1/v1"', 'type = "tests.support.adapters:Parrot"'
    )
    config_path.write_text(text)
    _, parts = built(config_path)
    assert parts.providers == [Parrot(model="m")]


@pytest.mark.parametrize(
    "name",
    ["attempts_max", "backoff_s", "backoff_s_max", "outage_s_max", "pause_s_max", "drain_s_max", "dead_share_max"],
)
def test_every_limit_has_bounds(config_path: Path, name: str) -> None:
    assert "is above the maximum" in complaint(
        config_path, f"limits.{name}=1e12" if "_s" in name else f"limits.{name}=999999"
    )
    assert "is below the minimum" in complaint(config_path, f"limits.{name}=-1")


def test_a_part_is_called_what_a_configuration_calls_it() -> None:
    assert adapter_name(NearDedup()) == "near_dedup"
    assert adapter_name(Shorter(needed="x")) == "tests.support.adapters:Shorter"
