"""Replies that keep a JSON schema."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.recipes.template_files import load_template
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.service import Service
from personastream.simulator.structured import conforming
from tests.support.effort import tries

PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "problem": {"type": "string"},
        "level": {"enum": ["easy", "hard"]},
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 3},
        "answer": {"type": ["integer", "null"], "minimum": 5, "maximum": 9},
        "is_odd": {"type": "boolean"},
        "title": {"type": "string", "maxLength": 10},
        "kind": {"const": "maths"},
    },
    "required": ["problem", "level", "steps", "answer"],
    "$defs": {"step": {"type": "object", "properties": {"text": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}},
}


def asked(response_format: Any, **more: Any) -> bytes:
    messages = [{"role": "user", "content": 'Start with "Math problem:".\n<persona>\nA nurse\n</persona>\n'}]
    return orjson.dumps({"model": "m", "messages": messages, "response_format": response_format, **more})


def test_a_reply_keeps_the_schema_it_was_asked_for() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "problem", "schema": PROBLEM}}
    answer = Service(Behaviour()).answer(asked(wanted), {}, 0.0)
    value = orjson.loads(orjson.loads(answer.body)["choices"][0]["message"]["content"])
    assert value.keys() == PROBLEM["properties"].keys()
    assert value["problem"].startswith("Math problem: ")
    assert "nurse" in value["problem"]
    assert value["level"] in ("easy", "hard")
    assert len(value["steps"]) == 3
    assert all(isinstance(step["text"], str) for step in value["steps"])
    assert 5 <= value["answer"] <= 9
    assert isinstance(value["is_odd"], bool)
    assert (len(value["title"]), value["kind"]) == (10, "maths")


def test_any_object_is_an_object_and_text_is_text() -> None:
    service = Service(Behaviour())
    contents = [
        orjson.loads(service.answer(asked({"type": kind}), {}, 0.0).body)["choices"][0]["message"]["content"]
        for kind in ("json_object", "text")
    ]
    assert set(orjson.loads(contents[0])) == {"text"}
    assert contents[1].startswith("Math problem: ")


def test_a_limit_cuts_json_as_well() -> None:
    reply = orjson.loads(Service(Behaviour()).answer(asked({"type": "json_object"}, max_tokens=5), {}, 0.0).body)
    assert reply["choices"][0]["finish_reason"] == "length"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(reply["choices"][0]["message"]["content"])


@pytest.mark.parametrize(
    "wrong", [5, {}, {"type": "xml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": 1}]
)
def test_a_wrong_format_is_refused(wrong: Any) -> None:
    answer = Service(Behaviour()).answer(asked(wrong), {}, 0.0)
    assert (answer.status, orjson.loads(answer.body)["error"]["param"]) == (400, "response_format")


def test_a_schema_that_refers_to_itself_ends() -> None:
    orjson.dumps(conforming({"properties": {"child": {"$ref": "#"}}}, "text", 1))
    assert conforming({"$ref": "#"}, "text", 1) is None
    wide = {"type": "array", "items": {"$ref": "#"}, "minItems": 100}
    assert len(orjson.dumps(conforming(wide, "text", 1))) < 1_000_000


def content(template: str, *slots: str, **fillings: str) -> Any:
    """What is answered to a shipped template that demands JSON."""
    prompt = load_template(template, slots).filled(**fillings).render("A nurse")
    body = {"model": "m", "messages": [{"role": "user", "content": prompt.user}], **prompt.parameters}
    answer = orjson.loads(Service(Behaviour()).answer(orjson.dumps(body), {}, 0.0).body)
    return orjson.loads(answer["choices"][0]["message"]["content"])


def test_a_list_of_people_has_everybody_who_was_asked_for() -> None:
    people = content("persona_to_persona_json", "people", people="Person 1 (rival)\nPerson 2 (child)\nPerson 3 (vet)")
    assert [person["relation"] for person in people["people"]] == ["rival", "child", "vet"]
    assert len({person["persona"] for person in people["people"]}) == 3


def test_a_tool_has_names_that_suit_them() -> None:
    tool = content("tool")
    assert list(tool) == ["name", "description", "function_name", "depend", "input_args", "return"]
    assert re.fullmatch("[a-z_]+", tool["function_name"])
    assert all(re.fullmatch("[a-z_]+", argument["name"]) for argument in tool["input_args"])
    assert load_template("tool").contract.problem(orjson.dumps(tool).decode(), "stop") is None


@pytest.mark.parametrize("pattern", ["(", "^x$", 5, None])
def test_a_pattern_that_cannot_be_kept_is_left_alone(pattern: Any) -> None:
    assert conforming({"type": "string", "pattern": pattern}, "text", 1) == "text"


keys = st.sampled_from(
    ["type", "properties", "items", "enum", "const", "$ref", "anyOf", "minItems", "maxItems", "minLength", "minimum"]
)
leaves = st.sampled_from(
    ["object", "array", "string", "integer", "boolean", "#", "#/properties", -5, 3, 10**9, None, 1.5]
)


@pytest.mark.slow
@settings(max_examples=tries(200))
@given(
    st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
    )
)
def test_any_schema_is_answered(schema: Any) -> None:
    orjson.dumps(conforming(schema, "text", 7))
