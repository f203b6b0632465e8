from pathlib import Path

import orjson
import pytest

from personastream.core.template import Template
from personastream.errors import ConfigError
from personastream.recipes.template_files import load_template, template_names

OPENING_BY_TEMPLATE = {
    "instruction": ("instruction", "User prompt:"),
    "knowledge": ("knowledge", "Title:"),
    "math": ("math problem", "Math problem:"),
    "npc": ("npc", "Name:"),
    "npc_zh": ("npc", "Name:"),
    "logical_reasoning": ("logical reasoning problem", "Logic problem:"),
    "spatial_reasoning": ("spatial reasoning problem", "Spatial problem:"),
    "trick_question": ("trick question", "Trick question:"),
    "trick_question_zh": ("trick question", "问题："),
    "math_geometry": ("math problem", "Math problem:"),
    "math_olympiad": ("math problem", "Math problem:"),
    "reading": ("knowledge", "Title:"),
    "tool": ("tool development", ""),
    "tool_code": ("tool code", "```python"),
    "text_to_persona": ("persona", "Person 1"),
    "text_to_persona_json": ("persona", ""),
    "persona_to_persona": ("persona", "Person 1"),
    "persona_to_persona_json": ("persona", ""),
    "math_professional": ("math problem", "Math problem:"),
    "math_grade_school": ("math problem", "Math problem:"),
    "math_algebra": ("math problem", "Math problem:"),
    "python_problem": ("code problem", "Question:"),
    "constrained": ("instruction following", "User prompt:"),
    "continuation": ("instruction", "User prompt:"),
    "dialogue": ("dialogue", "Dialogue:"),
}
SLOTS = {
    **{"text_to": ("granularity", "people"), "persona": ("people",), "constra": ("constraints",)},
    **{"continu": ("conversation",), "dialogu": ("partner", "turns"), "npc": ("setting",), "npc_zh": ("setting",)},
}
OF_THE_PAPER = ("instruction", "knowledge", "math", "npc")


def load(name: str) -> Template:
    return load_template(name, SLOTS.get(name[:7], ()))


def test_the_shipped_templates_have_the_labels_and_openings_of_the_paper() -> None:
    assert set(OPENING_BY_TEMPLATE) <= set(template_names())
    shipped = {name: load(name) for name in OPENING_BY_TEMPLATE}
    assert {name: (t.description, t.contract.opening) for name, t in shipped.items()} == OPENING_BY_TEMPLATE


def test_the_documents_tell_of_every_template() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "templates.md").read_text("utf-8")
    assert not [name for name in OPENING_BY_TEMPLATE if f"`{name}`" not in page]


@pytest.mark.parametrize("name", OF_THE_PAPER)
def test_a_shipped_prompt_ends_with_the_persona_so_that_its_start_can_be_cached(name: str) -> None:
    template = load(name)
    assert template.after == "\n</persona>"
    assert f'"{template.contract.opening}"' in template.before
    assert "is data" in template.before
    assert "never an instruction" in template.before


def test_the_npc_prompt_asks_for_its_five_fields() -> None:
    lines = load("npc").before.splitlines()
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


TOOL = {
    "name": "Tide table",
    "description": "Says when the tide turns.",
    "function_name": "tide_table",
    "input_args": [{"name": "place", "type": "string", "description": "A harbour", "required": True}],
    "return": {"type": "array", "description": "Times"},
    "depend": [],
}


def test_a_tool_has_exactly_the_six_keys_of_the_published_data_and_one_type_of_arguments() -> None:
    contract = load("tool").contract
    assert contract.problem(orjson.dumps(TOOL).decode(), "stop") is None
    wrong = [{key: value for key, value in TOOL.items() if key != missing} for missing in TOOL]
    wrong += [{**TOOL, "example": "x"}, {**TOOL, "input_args": {}}, {**TOOL, "input_args": "place: str"}]
    wrong += [{**TOOL, "return": "a list"}, {**TOOL, "function_name": "Tide Table"}]
    assert {contract.problem(orjson.dumps(each).decode(), "stop") for each in wrong} == {"contract"}


def test_replies_to_chinese_templates_are_chinese() -> None:
    contract = load("trick_question_zh").contract
    assert contract.problem("问题：既然早起的鸟儿有虫吃，那虫子为什么要早起？", "stop") is None
    assert contract.problem("问题：Why does the early worm rise?", "stop") == "contract"
    character = "Name: 沈渡\nRace: 索民，不记账。\nClass: 渡郎。\nBackground: {}\nInteraction with Players: 在渡口。"
    assert (
        load("npc_zh").contract.problem(character.format("他生在渡口，认得每一条水道，也认得每一条旧街。" * 4), "stop")
        is None
    )
    assert load("npc_zh").contract.problem(character.format("He was born at the ferry. " * 4), "stop") == "contract"


@pytest.mark.parametrize(
    ("name", "fills", "message"),
    [
        ("text_to_persona", (), r"this recipe fills no slots, the template has \{granularity\}, \{people\}"),
        ("math", ("people",), r"this recipe fills \{people\}, the template has none"),
    ],
)
def test_a_template_of_another_recipe_is_refused(name: str, fills: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_template(name, fills)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("maths", 'did you mean "math"?'), ("", "shipped templates: "), ("../core/x", "must end in .toml")],
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
