import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.contract import Contract
from personastream.core.template import parse_template
from personastream.errors import ConfigError

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TEMPLATE = """
description = "card"
user = '''
Answer in JSON.
<persona>
{persona}
</persona>
'''
[reply]
structured = true
[reply.schema]
type = "object"
required = ["name"]
[reply.schema.properties]
name = { type = "string" }
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"name": "Ada", "age": 36}', None),
        (' \n{"age": 36, "name": "Ada"}\n', None),
        ('```json\n{"name": "Ada", "age": 36}\n```', None),
        ('```\n{"name": "Ada", "age": 36}\n```', None),
        ('{"name": "Ada"}', "contract"),
        ('{"name": "Ada", "age": -1}', "contract"),
        ('{"name": "Ada", "age": 36, "x": 1}', "contract"),
        ('{"name": "Ada", "age": 36', "contract"),
        ('Here it is: {"name": "Ada", "age": 36}', "contract"),
        ("null", "contract"),
        ("NaN", "contract"),
        ("", "empty_content"),
        (" \n", "empty_content"),
    ],
)
def test_a_reply_keeps_its_schema_or_breaks_the_contract(text: str, problem: str | None) -> None:
    assert Contract(schema=SCHEMA).problem(text, "stop") == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("既然早起的鸟儿有虫吃，那虫子呢？", None),
        ("他用 Python 写了一个程序，名字叫晨鸟。", None),
        ("Why does the early worm rise?", "contract"),
        ("早起的鸟儿有 many worms to eat", "contract"),
        ("3 + 4 = ?", "contract"),
        ("𠀀𠀁𠀂", None),
        ("", "empty_content"),
    ],
)
def test_a_language_is_told_by_its_script(text: str, problem: str | None) -> None:
    assert Contract(language="zh").problem(text, "stop") == problem


def test_a_language_that_cannot_be_told_is_refused() -> None:
    with pytest.raises(ConfigError, match="'fr' cannot be told") as caught:
        Contract(language="fr")
    assert "zh" in caught.value.hint


def test_json_is_delivered_without_its_fence_and_all_else_as_it_is() -> None:
    assert Contract(schema=SCHEMA).content(' ```json\n{"a": 1}\n```\n') == '{"a": 1}'
    assert Contract(schema=SCHEMA).content('{"a": 1}') == '{"a": 1}'
    assert Contract("x").content("```\nx\n```") == "```\nx\n```"


def test_a_cut_reply_is_never_read_as_json() -> None:
    assert Contract(schema=SCHEMA).problem('{"name": "Ada", "age": 36}', "length") == "length"


@given(st.text(max_size=50))
def test_no_text_is_an_error(text: str) -> None:
    assert Contract(schema=SCHEMA).problem(text, "stop") in ("contract", "empty_content")


def test_a_schema_that_is_none_is_told_with_its_file() -> None:
    with pytest.raises(ConfigError, match=r"card\.toml: reply\.schema is no JSON schema"):
        parse_template(TEMPLATE.replace('type = "object"', 'type = "thing"'), "card.toml")


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(ConfigError, match="needs the package jsonschema") as caught:
        parse_template(TEMPLATE, "card.toml")
    assert "personastream[schema]" in caught.value.hint


def test_a_structured_reply_is_demanded_of_the_server_too() -> None:
    template = parse_template(TEMPLATE, "card.toml")
    assert template.parameters["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "card",
            "strict": True,
            "schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
    }
    free = parse_template(TEMPLATE.replace("structured = true", ""), "card.toml")
    assert "response_format" not in free.parameters
    assert free.contract == template.contract


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("structured = true", "structured = 1", "reply.structured must be true or false"),
        ("structured = true", 'opening = "JSON"', "reply.opening and reply.schema exclude each other"),
        ("[reply.schema]", "[parameters]", "unknown key"),
    ],
)
def test_mistakes_in_a_contract_are_told(old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_template(TEMPLATE.replace(old, new), "card.toml")


def test_structured_without_a_schema_is_a_mistake() -> None:
    text = TEMPLATE.partition("[reply.schema]")[0]
    with pytest.raises(ConfigError, match=r"reply\.structured needs reply\.schema"):
        parse_template(text, "card.toml")


@pytest.mark.parametrize(
    "reference", ["#/$defs/typo", "http://127.0.0.1/schema.json", "other.json", "#name", "#/type/x"]
)
def test_a_reference_that_leads_nowhere_is_told_before_anything_is_paid_for(reference: str) -> None:
    with pytest.raises(ConfigError, match="leads nowhere"):
        Contract(schema={"type": "object", "properties": {"a": {"$ref": reference}}})


def test_references_within_the_schema_are_followed() -> None:
    card = {"$defs": {"a/b": {"allOf": [{"type": "integer"}]}}, "$ref": "#/$defs/a~1b/allOf/0"}
    assert Contract(schema=card).problem("3", "stop") is None
    assert Contract(schema=card).problem('"x"', "stop") == "contract"
    tree = {"properties": {"child": {"$ref": "#"}}, "required": ["name"]}
    assert Contract(schema=tree).problem('{"name": 1, "child": {}}', "stop") == "contract"


LINES = Contract("Name:", lines=("Name:", "Race:", "```python"), without=("Solution:",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Name: a\nRace: b\n```python\nx", None),
        ("Name: a\n\n**Race:** b\n# ```python\nx", None),
        ("Name:\na\nRace:\nb\n```python", None),
        ("Name: a\nand more\nRace: b\nc\n```python\n```\nRace: again", None),
        ("Name: a, no Solution: yet\nRace: b\n```python", None),
        ("Name: a\n```python\nRace: b", "contract"),
        ("Name: a\nRace:\n```python", "contract"),
        ("Name:\nRace: b\n```python", "contract"),
        ("Name: a Race: b\n```python", "contract"),
        ("Name: a\nRace: b\n```python\n**solution: 3**", "contract"),
        ("Name: a\nRace: b", "contract"),
    ],
)
def test_lines_begin_as_they_should_in_order_and_none_as_it_should_not(text: str, problem: str | None) -> None:
    assert LINES.problem(text, "stop") == problem


def test_demands_on_lines_are_told_and_change_the_terms() -> None:
    assert "'Race:'" in LINES.demand
    assert "none with 'Solution:'" in LINES.demand
    terms = [LINES.terms, Contract("Name:", lines=LINES.lines).terms, Contract("Name:", without=("Solution:",)).terms]
    assert len({str(one) for one in terms}) == 3
    assert Contract("Name:").terms == ["Name:", None]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Hello: you ", "you"),
        (" **Hello:** * a list", "* a list"),
        ("__Hello__: *you*", "*you*"),
        ("Hello: **you**", "**you**"),
        ("## Hello:\n\nyou", "you"),
    ],
)
def test_what_follows_the_opening(text: str, rest: str) -> None:
    contract = Contract("Hello:")
    assert contract.problem(text, "stop") is None
    assert contract.behind_opening(text) == rest


def test_no_reply_makes_a_pattern_take_for_ever() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}, "pattern": {}}}
    contract = Contract(schema=schema)
    assert contract.problem('{"x": "%s!"}' % ("a" * 5_000), "stop") == "contract"
    assert contract.problem('{"x": "%s", "pattern": 3}' % ("a" * 5_000), "stop") is None


def test_a_pattern_that_may_take_for_ever_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be matched in linear time"):
        Contract(schema={"type": "string", "pattern": "^(?=a)a"})


def test_a_schema_that_leads_to_itself_without_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="refers to itself without end"):
        Contract(schema={"$ref": "#"})
