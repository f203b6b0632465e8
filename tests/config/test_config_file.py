"""The configuration file and `--set`: what is accepted, and what is said of everything else."""

from pathlib import Path

import pytest

from personastream.config import CONFIG_BYTES_MAX, Config, load
from personastream.errors import ConfigError, ExitCode

MINIMAL = """
[source]
paths = ["in.jsonl"]
[recipe]
template = "math"
[provider]
base_url = "http://127.0.0.1:1/v1"
model = "m"
[sink]
path = "run"
"""


def config_of(folder: Path, text: str | bytes, *settings: str) -> Config:
    path = folder / "run.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(str(path), settings)


def complaint(folder: Path, text: str | bytes, *settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config_of(folder, text, *settings)
    assert caught.value.exit_code == ExitCode.CONFIG
    return str(caught.value)


def test_sections_have_the_usual_types_unless_they_say_otherwise(tmp_path: Path) -> None:
    config = config_of(tmp_path, MINIMAL + '[[transform]]\ntype = "dedup"\n')
    types = [config.source.type, config.recipe.type, config.providers[0].type, config.sink.type, config.limits.type]
    assert types == ["jsonl", "generate", "openai", "frames", ""]
    assert [(one.name, one.type) for one in config.transforms] == [("transform[0]", "dedup")]
    assert config.limits.values == {}


def test_the_folder_of_the_file_is_known_even_if_it_was_named_relatively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_of(tmp_path, MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load("run.toml").directory == tmp_path


def test_one_provider_may_be_written_as_a_list(tmp_path: Path) -> None:
    config = config_of(tmp_path, MINIMAL.replace("[provider]", "[[provider]]"))
    assert config.providers[0].values["model"] == "m"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: No such file"):
        load(str(tmp_path / "nowhere.toml"))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "[source\n",
        "= 3",
        b"\xff\xfe",
        "[source]\n[source]\n",
        'x = "\\ud800"',
        "x = 1" + "0" * 5000,  # more digits than Python reads
        "x = " + "[" * 100_000,
    ],
    ids=["bracket", "no key", "not UTF-8", "twice", "surrogate", "digits", "depth"],
)
def test_what_is_no_toml_is_an_error_that_names_the_file(tmp_path: Path, text: str | bytes) -> None:
    assert "run.toml is not valid TOML" in complaint(tmp_path, text)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    assert "larger than" in complaint(tmp_path, b"#" * (CONFIG_BYTES_MAX + 1))


@pytest.mark.parametrize("section", ["source", "recipe", "provider", "sink"])
def test_a_missing_section_is_named(tmp_path: Path, section: str) -> None:
    text = complaint(tmp_path, MINIMAL.replace(f"[{section}]", "[limits]"))
    assert "run.toml" in text
    assert f"[{section}] is missing" in text


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("sources", "source"), ("transforms", "transform"), ("limit", "limits"), ("privider", "provider")],
)
def test_an_unknown_section_comes_with_the_nearest_one(tmp_path: Path, wrong: str, nearest: str) -> None:
    text = complaint(tmp_path, f"{MINIMAL}\n[{wrong}]\n")
    assert f"unknown section [{wrong}]" in text
    assert f"`{nearest}`" in text
    assert "run.toml" in text


def test_a_section_like_no_other_comes_with_all_of_them(tmp_path: Path) -> None:
    text = complaint(tmp_path, f"{MINIMAL}\n[zzz]\n")
    assert "limits, provider, recipe, screen, sink, source, transform" in text


def test_a_key_outside_sections_is_told_apart(tmp_path: Path) -> None:
    assert "[model]" in complaint(tmp_path, 'model = "m"\n' + MINIMAL)


def test_transforms_are_a_list(tmp_path: Path) -> None:
    assert "[[transform]]" in complaint(tmp_path, MINIMAL + '[transform]\ntype = "dedup"\n')


def test_a_transform_needs_a_type(tmp_path: Path) -> None:
    text = complaint(tmp_path, MINIMAL + '[[transform]]\ntype = "dedup"\n[[transform]]\ndistance_max = 3\n')
    assert "[transform[1]] needs a `type`" in text


def test_several_providers_are_numbered(tmp_path: Path) -> None:
    config = config_of(tmp_path, MINIMAL.replace("[provider]", "[[provider]]") + '[[provider]]\nmodel = "n"\n')
    assert [section.name for section in config.providers] == ["provider[0]", "provider[1]"]
    assert [section.values["model"] for section in config.providers] == ["m", "n"]


def test_an_empty_list_of_providers_is_none(tmp_path: Path) -> None:
    assert "[provider] is missing" in complaint(tmp_path, "provider = []\n" + MINIMAL.replace("[provider]", "[limits]"))


@pytest.mark.parametrize(
    "line", ["source = 3", 'source = ["a"]', "transform = [1]", "provider = [1]", "provider = 'x'"]
)
def test_a_section_is_a_table(tmp_path: Path, line: str) -> None:
    name = line.partition(" ")[0]
    text = complaint(tmp_path, f"{line}\n" + MINIMAL.replace(f"[{name}]", "[limits]"))
    assert "must be a table" in text


@pytest.mark.parametrize("kind", ["3", "['a']", "''"])
def test_a_type_is_text(tmp_path: Path, kind: str) -> None:
    assert "needs a `type`" in complaint(tmp_path, MINIMAL.replace("[source]", f"[source]\ntype = {kind}"))


# --set


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("source.field=text", "text"),
        ('source.field="text"', "text"),
        ("source.field=true", True),
        ("source.field=64", 64),
        ("source.field=0.5", 0.5),
        ("source.field=['a', 'b']", ["a", "b"]),
        ("source.field=a=b", "a=b"),
        ("source.field=", ""),
        ("source.field=http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        (" source.field =text", "text"),
        ("source.field=1\n[sink]\npath = 2", 1),
    ],
)
def test_a_setting_is_read_as_toml_or_else_as_text(tmp_path: Path, setting: str, value: object) -> None:
    config = config_of(tmp_path, MINIMAL, setting)
    assert config.source.values["field"] == value
    assert config.sink.values == {"path": "run"}


def test_settings_add_sections_keys_and_types(tmp_path: Path) -> None:
    config = config_of(tmp_path, MINIMAL, "limits.attempts_max=9", "provider.in_flight_max=7", "source.type=parquet")
    assert config.limits.values == {"attempts_max": 9}
    assert config.providers[0].values["in_flight_max"] == 7
    assert config.source.type == "parquet"


def test_the_last_setting_of_a_key_counts(tmp_path: Path) -> None:
    config = config_of(tmp_path, MINIMAL, "recipe.samples=2", "recipe.samples=3")
    assert config.recipe.values["samples"] == 3


def test_a_transform_is_set_by_its_number(tmp_path: Path) -> None:
    two = MINIMAL + '[[transform]]\ntype = "dedup"\n[[transform]]\ntype = "near_dedup"\n'
    config = config_of(tmp_path, two, "transform.1.distance_max=2")
    assert [dict(one.values) for one in config.transforms] == [{}, {"distance_max": 2}]


def test_a_setting_may_be_written_as_messages_write_it(tmp_path: Path) -> None:
    transforms = '[[transform]]\ntype = "dedup"\n[[transform]]\ntype = "near_dedup"\n'
    config = config_of(tmp_path, MINIMAL + transforms, "transform[1].distance_max=2")
    assert config.transforms[1].values == {"distance_max": 2}


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    assert config_of(tmp_path, b"\xef\xbb\xbf" + MINIMAL.encode()).sink == config_of(tmp_path, MINIMAL).sink


def test_the_number_of_an_only_entry_may_be_left_out(tmp_path: Path) -> None:
    one = MINIMAL.replace("[provider]", "[[provider]]") + '[[transform]]\ntype = "near_dedup"\n'
    config = config_of(tmp_path, one, "transform.distance_max=2", "provider.model=other")
    assert config.transforms[0].values == {"distance_max": 2}
    assert config.providers[0].values["model"] == "other"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("model", "write section.key=value"),
        ("model=m", "write section.key=value"),
        ("=m", "write section.key=value"),
        ("transform.distance_max=2", "say which one, such as transform.0.distance_max"),
        ("transform.2.distance_max=2", "there is no 2 among 2 entries"),
        ("transform.-1.distance_max=2", "there is no -1"),
        ("transform." + "9" * 5000 + ".distance_max=2", "there is no 9"),
        ("transform.².distance_max=2", "there is no ²"),
        ("transform.near_dedup.distance_max=2", "there is no near_dedup among 2 entries; count from 0"),
        ("source.field.deeper=2", "field is not a section"),
        ("provider.model.name=2", "model is not a section"),
    ],
)
def test_a_setting_that_fits_nowhere_is_quoted(tmp_path: Path, setting: str, says: str) -> None:
    two = MINIMAL.replace("[recipe]", '[recipe]\nfield = "x"').replace("[source]", '[source]\nfield = "x"')
    text = complaint(tmp_path, two + '[[transform]]\ntype = "a"\n[[transform]]\ntype = "b"\n', setting)
    assert says in text
    assert setting in text


def test_a_setting_in_an_unknown_section_comes_with_the_nearest_one(tmp_path: Path) -> None:
    assert "`provider`" in complaint(tmp_path, MINIMAL, "providr.model=m")


@pytest.mark.parametrize("paths", ["'a'", "'a', 'b'"])
def test_a_setting_does_not_reach_into_a_list_of_values(tmp_path: Path, paths: str) -> None:
    text = complaint(tmp_path, MINIMAL, f"source.paths=[{paths}]", "source.paths.0=other.jsonl")
    assert "source.paths.0=other.jsonl: paths is a list of values" in text
    assert "as a whole" in text
