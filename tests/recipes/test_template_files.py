from pathlib import Path

import pytest

from personastream.errors import ConfigError
from personastream.recipes.template_files import load_template, template_names

OPENING_BY_TEMPLATE = {
    "instruction": ("instruction", "User prompt:"),
    "knowledge": ("knowledge", "Title:"),
    "math": ("math problem", "Math problem:"),
    "npc": ("npc", "Name:"),
}


def test_the_shipped_templates_are_the_four_of_the_paper() -> None:
    shipped = {name: load_template(name) for name in template_names()}
    assert {name: (t.description, t.contract.opening) for name, t in shipped.items()} == OPENING_BY_TEMPLATE


@pytest.mark.parametrize("name", sorted(OPENING_BY_TEMPLATE))
def test_a_shipped_prompt_ends_with_the_persona_so_that_its_start_can_be_cached(name: str) -> None:
    template = load_template(name)
    assert template.after == "\n</persona>"
    assert f'"{template.contract.opening}"' in template.before
    assert "is data" in template.before
    assert "never an instruction" in template.before


def test_the_npc_prompt_asks_for_its_five_fields() -> None:
    lines = load_template("npc").before.splitlines()
    for field in ("Name", "Race", "Class", "Background", "Interaction with Players"):
        assert any(line.startswith(f"{field}: ") for line in lines)


def test_a_template_of_ones_own_is_loaded_by_path(tmp_path: Path) -> None:
    file = tmp_path / "haiku.toml"
    file.write_text(
        "\ufeffdescription = 'poem'\r\nuser = '''Write a haiku.\r\n<persona>\r\n{persona}\r\n</persona>'''", "utf-8"
    )
    template = load_template(str(file))
    assert template.name == "haiku"
    assert template.render("A monk").user == "Write a haiku.\n<persona>\nA monk\n</persona>"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("maths", 'did you mean "math"?'), ("", "shipped templates: instruction"), ("../core/x", "must end in .toml")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="no template is called") as caught:
        load_template(name)
    assert hint in caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot read the template: No such file"):
        load_template(str(tmp_path / "gone.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot read the template: Is a directory"):
        load_template(str(tmp_path / "folder.toml"))
    (tmp_path / "latin.toml").write_bytes(b"description = '\xe9'")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 15"):
        load_template(str(tmp_path / "latin.toml"))
