"""Own words and foreign ones: decided field by field."""

from typing import Any

import pytest

from personastream.core.leaves import leaves
from personastream.core.own_words import foreign_origin, foreign_words, foreign_words_of_letter, is_lineage

OURS = "ours"


def record(**fields: Any) -> dict[str, Any]:
    return {"id": f"{OURS}:0#1", "input persona": "A nun", "description": OURS, "synthetic": True, **fields}


def found(value: object) -> list[str]:
    return [text for text in leaves(value) if "foreign" in text or OURS in text]


@pytest.mark.parametrize(
    "meta",
    [
        {"template": OURS, "model": OURS, "finish_reason": OURS, "created": OURS},
        {"usage": {OURS: 1}, "licence": OURS, "screens": {OURS: [OURS]}},
        {"root": OURS, "parent": OURS, "hop": 1},
        {"mode": OURS, "demonstrations": OURS, "turns": 2, "constraints": [{"kind": OURS}], "relation": OURS},
        {"granularity": OURS},
        {"origin": {"id": f"{OURS}:41#0", "meta.root": OURS, "meta.licence": OURS, "meta.screens.x": OURS}},
        {"origin": {"meta": {"licence": OURS}}},
    ],
)
def test_own_words_of_meta(meta: dict[str, Any]) -> None:
    assert found(foreign_words(record(meta=meta))) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"meta": {"relationship": "foreign"}},
        {"meta": {"a third party says": ["foreign"]}},
        {"meta": {"origin": {"description": "foreign"}}},
        {"meta": {"origin": {"id": "foreign"}}},
        {"meta": {"origin": {"meta.author": "foreign"}}},
        {"meta": {"origin": {"meta.origin.url": "foreign"}}},
        {"meta": {"origin": {"meta": {"author": "foreign"}}}},
        {"messages": [{"role": OURS, "content": "foreign"}]},
        {"solutions": [{"method": OURS, "provider": OURS, "problem": OURS, "text": "foreign"}]},
        {"split": OURS, "problem": "foreign"},
        {"second persona": "foreign"},
        {"groups": {"subject": "foreign"}},
    ],
)
def test_foreign_words_of_records(fields: dict[str, Any]) -> None:
    assert found(foreign_words(record(**fields))) == ["foreign"]


def test_rows_as_they_were_read_hold_no_words_of_ours() -> None:
    row = {"id": "foreign 1", "description": "foreign 2", "model": "foreign 3", "meta": {"author": "foreign 4"}}
    assert len(found(foreign_words(row))) == 4
    assert found(foreign_origin({"id": "x:1", "name": "foreign"})) == ["foreign"]


def test_letters_and_what_services_send() -> None:
    letter = {"id": OURS, "reason": OURS, "licence": OURS, "asked": True, "text": "foreign 1", "detail": "foreign 2"}
    sent = {"id": OURS, "model": OURS, "choices": [{"message": {"role": OURS, "content": "foreign 3"}}]}
    assert sorted(found(foreign_words_of_letter(letter, sent))) == ["foreign 1", "foreign 2", "foreign 3"]
    assert found(foreign_words_of_letter({}, record(answer="foreign", meta={"licence": OURS}))) == ["foreign"]
    assert found(foreign_words_of_letter({}, "foreign as it came")) == ["foreign as it came"]


@pytest.mark.parametrize(
    ("column", "told"), [("id", True), ("meta.root", True), ("idea", False), ("identity", False), ("metadata", False)]
)
def test_lineage(column: str, told: bool) -> None:
    assert is_lineage(column) is told
