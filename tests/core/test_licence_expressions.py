"""Licence expressions: one form for each, and whatever a column of a row holds becomes one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.licences.expression import canonical, ids, judged, of_data, together
from personastream.licences.facts import all_facts, facts_of, terms_by_model
from personastream.records import NO_LICENCE

names = st.sampled_from(["MIT", "CC-BY-4.0", "CC-BY-NC-4.0", "LicenseRef-llama3"])
expressions = st.recursive(
    names,
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda three: f"({' '.join(three)})"),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("Apache-2.0", "Apache-2.0"),
        ("odc-by", "ODC-By-1.0"),
        ("llama3 and cc-by-4.0", "LicenseRef-llama3 AND CC-BY-4.0"),
        ("openai", "LicenseRef-OpenAI"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("LicenseRef-house", "LicenseRef-house"),
        ("  ( mit OR  apache-2.0 ) ", "(MIT OR Apache-2.0)"),
        ("unknown", NO_LICENCE),
        ("other", NO_LICENCE),
        ("", NO_LICENCE),
    ],
)
def test_one_form(written: str, form: str) -> None:
    assert canonical(written) == form
    assert canonical(form) == form


@pytest.mark.parametrize("text", ["CC BY 4.0", "MIT AND", "() OR MIT", "x" * 201, "mit " + "or mit " * 21, "MIT\0"])
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ValueError, match=r"is |of |joins "):
        canonical(text)


@given(st.text(max_size=300))
def test_whatever_a_row_says_becomes_an_expression(text: str) -> None:
    found = of_data(text)
    assert found.isascii()
    assert found.isprintable()
    assert canonical(found) == found


@given(expressions, st.sets(names))
def test_joined_licences_must_all_do_and_one_of_alternatives(expression: str, bad: set[str]) -> None:
    words = expression.replace("(", " ( ").replace(")", " ) ").split()
    same = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    python = " ".join(same.get(word, str(word not in bad)) for word in words)
    complaint = judged(expression, lambda one: one if one in bad else None)
    assert (complaint is None) == _truth(python)
    assert set(ids(expression)) == {word for word in words if word not in ("(", ")", "AND", "OR")}


def _truth(python: str) -> bool:
    import ast

    def value(node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            values = [value(one) for one in node.values]
            return all(values) if isinstance(node.op, ast.And) else any(values)
        assert isinstance(node, ast.Constant)
        return bool(node.value)

    return value(ast.parse(python, mode="eval").body)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("MIT", "MIT", "MIT"),
        ("MIT", "", "MIT"),
        ("", "MIT", "MIT"),
        ("MIT", "CC-BY-4.0", "CC-BY-4.0 AND MIT"),
        ("MIT OR CC-BY-4.0", "MIT", "(MIT OR CC-BY-4.0) AND MIT"),
        ("MIT", NO_LICENCE, NO_LICENCE),
    ],
)
def test_what_is_made_of_two_sources(first: str, second: str, both: str) -> None:
    assert together(first, second) == both
    assert canonical(both) == both


def test_facts_are_whole() -> None:
    for facts in all_facts().values():
        assert canonical(facts.id) == facts.id
        assert facts.url.startswith("https://")
        assert {facts.commercial, facts.training} <= {"yes", "no", "conditions"}
        assert facts.derivatives in ("yes", "no", "same")
        assert all(facts_of(other) for other in facts.same)
        assert all(canonical(name) == facts.id for name in (*facts.names, facts.hub) if name != "other")
        if "no" in (facts.training,) or "conditions" in (facts.training, facts.commercial):
            assert facts.says


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        ("gpt-4o-mini", "LicenseRef-OpenAI"),
        ("openai/gpt-oss-20b", ""),
        ("o3-mini", "LicenseRef-OpenAI"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "LicenseRef-llama3"),
        ("meta-llama/Llama-3.3-70B-Instruct", "LicenseRef-llama3.3"),
        ("llama3.1:8b", "LicenseRef-llama3.1"),
        ("google/gemma-2-9b-it", "LicenseRef-gemma"),
        ("Qwen/Qwen3-32B", ""),
        ("simulated", ""),
    ],
)
def test_well_known_models_by_their_names(model: str, terms: str) -> None:
    assert terms_by_model(model) == terms
