"""What each format makes of each kind of record, or why it refuses it."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.card.columns import Columns, Kind, fits
from personastream.export.conversation import Unfit
from personastream.export.format import NAMES, load_format
from personastream.export.formats import parquet
from personastream.export.formats.tulu_sft import identity
from tests.support import exportable


def record(kind: str, number: int = 3) -> dict[str, Any]:
    return {"id": f"shard-0:{number}", **exportable.KINDS[kind](number)}


def row(name: str, made: dict[str, Any], sample: dict[str, Any] | None = None) -> dict[str, Any]:
    form = load_format(name)
    columns = form.columns([made if sample is None else sample])
    found = dict(form.row(made, columns))
    assert not columns or found.keys() <= columns.keys()
    assert all(
        columns[key] in ("turns", "json") or fits(value, columns[key]) for key, value in found.items() if columns
    )
    return found


def test_persona_hub_has_the_three_published_columns() -> None:
    assert row("persona_hub", record("problem")) == {
        "input persona": "persona 3 老师",
        "synthesized text": "Math problem: 3 + 1?",
        "description": "math problem",
    }


def test_interfaces_of_tools_are_encoded_twice_as_published() -> None:
    text = row("persona_hub", record("tool"))["synthesized text"]
    assert len(orjson.loads(orjson.loads(text))) == 6


def test_personas_have_the_one_published_column() -> None:
    assert row("personas", record("persona")) == {"persona": "A baker (3)"}


def test_tulu_rows_hold_the_conversation_and_its_start() -> None:
    found = row("tulu_sft", record("constrained"))
    assert list(found) == ["id", "prompt", "input_persona", "messages", "constraints"]
    assert found["prompt"] == "Tell of 3."
    assert found["constraints"] == exportable.CONSTRAINTS
    assert found["messages"] == exportable.chat("Tell of 3.", "Once.")
    assert list(row("tulu_sft", record("solved"))) == ["id", "prompt", "input_persona", "messages"]
    assert row("tulu_sft", record("talk"))["prompt"] == "Hello 3"


def test_a_solution_has_the_persona_of_its_problem_if_that_was_kept() -> None:
    made = {"messages": exportable.chat("a", "b"), "meta": {"origin": {"input persona": "A baker"}}}
    assert row("tulu_sft", made)["input_persona"] == "A baker"


def test_a_record_with_constraints_is_not_robbed_of_them() -> None:
    with pytest.raises(Unfit, match="has constraints, as none"):
        row("tulu_sft", record("constrained"), record("solved"))
    assert row("tulu_sft", record("solved"), record("constrained"))["constraints"] == []


def test_tulu_ids_are_as_published_and_stay_the_same() -> None:
    ids = {identity(record("solved", number)) for number in range(500)}
    assert len(ids) == 500
    assert all(one.startswith("personahub_") and len(one) == 35 and one[11:].isalnum() for one in ids)
    assert all(one == one.lower() for one in ids)
    assert identity(record("solved")) == identity(dict(reversed(record("solved").items())))


def test_sharegpt_names_speakers_in_its_own_way() -> None:
    found = row("sharegpt", record("talk"))
    assert [turn["from"] for turn in found["conversations"]] == ["system", "human", "gpt", "human", "gpt"]
    assert found["conversations"][0]["value"] == "Be brief."
    assert (found["id"], found["synthetic"]) == ("shard-0:3", True)


def test_openai_chat_holds_messages_and_nothing_else() -> None:
    assert row("openai_chat", record("solved")) == {"messages": exportable.chat("3 + 1?", "It is 4.")}
    answered = {"id": "a:1", "synthesized text": "How?", "response": "So."}
    assert row("openai_chat", answered) == {"messages": exportable.chat("How?", "So.")}
    asked = {"id": "a:1", "prompt": "What?", "synthesized text": "How?", "response": "So."}
    assert row("openai_chat", asked) == {"messages": exportable.chat("What?", "So.")}


def test_dpo_holds_a_pair_of_answers() -> None:
    found = row("dpo", record("pair"))
    assert list(found) == ["id", "prompt", "chosen", "rejected", "synthetic"]
    assert (found["prompt"], found["chosen"]) == ("Tell of 3. Use no commas.", "Once 3")


@pytest.mark.parametrize(
    ("name", "made", "what"),
    [
        ("persona_hub", record("persona"), "no `input persona`"),
        ("personas", record("problem"), "no `persona`"),
        ("tulu_sft", record("problem"), r"no answer \(math problem\)"),
        ("sharegpt", record("persona"), "no answer: neither `messages`, nor `response`"),
        ("openai_chat", record("solved", 9), "nothing was agreed on"),
        ("openai_chat", {"messages": "hello"}, "no list of objects"),
        ("openai_chat", {"messages": [{"role": "user", "content": "x", "more": "y"}]}, "no list of objects"),
        ("openai_chat", {"messages": exportable.chat("a")}, "answered to the end"),
        ("openai_chat", {"messages": exportable.chat("a", "b", "c")}, "answered to the end"),
        ("openai_chat", {"messages": [{"role": "system", "content": "x"}]}, "answered to the end"),
        ("openai_chat", {"messages": exportable.chat("a", "b")[::-1]}, "in turn"),
        ("openai_chat", {"response": "yes"}, "no `prompt`"),
        ("tulu_sft", {"messages": exportable.chat("a", "b"), "persona": "x"}, "no `input persona`"),
        ("dpo", record("solved"), "no `chosen` answer"),
        ("dpo", {"prompt": "a", "chosen": "b", "rejected": "b"}, "the same answer twice"),
    ],
)
def test_what_has_no_place_is_refused_with_advice(name: str, made: dict[str, Any], what: str) -> None:
    with pytest.raises(Unfit, match=what) as caught:
        row(name, made)
    assert caught.value.hint


def test_parquet_flattens_whole_records_into_typed_columns() -> None:
    columns = parquet.columns([record("solved"), record("solved", 9), record("constrained")])
    wanted: dict[str, Kind] = {
        "id": "text",
        "synthetic": "boolean",
        "meta.usage.output_tokens": "integer",
        "agreement.share": "number",
        "agreement.agreeing": "json",
        "messages": "messages",
        "constraints": "texts",
        "solutions": "json",
        "agreed": "boolean",
    }
    assert wanted.items() <= dict(columns).items()
    found = parquet.row(record("solved"), columns)
    assert found["meta.usage.input_tokens"] == 210
    assert orjson.loads(found["solutions"]) == [{"answer": "4", "method": "chain"}]
    assert parquet.EXTRA not in found


def test_parquet_loses_nothing_of_records_unlike_the_first() -> None:
    columns = parquet.columns([record("problem")])
    other = {**record("problem"), "synthetic": "very", "new": [1, {"a": None}], "input persona": None}
    found = parquet.row(other, columns)
    assert orjson.loads(found[parquet.EXTRA]) == {"synthetic": "very", "new": [1, {"a": None}]}
    clash = {"a.b": 1, "a": {"b": 2}, parquet.EXTRA: "mine"}
    found = parquet.row(clash, parquet.columns([clash]))
    assert found == {"`a.b`": 1, "a.b": 2, parquet.EXTRA: '{"_extra":"mine"}'}


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-1e9, 1e9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "z.w"]), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["x", "y", "x.y", parquet.EXTRA]), VALUES, max_size=3)


@given(st.lists(OBJECTS, max_size=3), OBJECTS)
def test_every_value_of_any_record_is_in_its_row(sample: list[dict[str, Any]], made: dict[str, Any]) -> None:
    columns = parquet.columns([*sample])
    found = dict(parquet.row(made, columns))
    extra = orjson.loads(found.pop(parquet.EXTRA, "{}"))
    for path, value in found.items():
        assert columns[path] == "json" or fits(value, columns[path])
    told = {path: orjson.loads(value) if columns[path] == "json" else value for path, value in found.items()}
    leaves = {path: value for path, value in parquet._leaves(made) if value is not None}
    assert repr(sorted({**told, **extra}.items())) == repr(sorted(leaves.items()))


def test_all_formats_load_and_tell_about_provenance() -> None:
    for name in NAMES:
        form = load_format(name)
        assert form.provenance.endswith(".")
        assert form.files
        columns: Columns = form.columns([])
        assert isinstance(columns, dict)
