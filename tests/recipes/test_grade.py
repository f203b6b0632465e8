"""One problem, one reply, one verdict."""

from typing import Any

import pytest

from personastream.errors import RowError
from personastream.recipes.grade import Grade
from personastream.records import Completion, Request, Row
from tests.support.virtual import on_virtual_clock


def graded(reply: str, answer: object, finish_reason: str = "stop", **settings: Any) -> dict[str, Any]:
    asked: list[Request] = []

    async def ask(request: Request) -> Completion:
        asked.append(request)
        return Completion(reply if len(asked) == 1 else "Yes", finish_reason, "m", 3, 5, b"{}")

    recipe = Grade(**settings)
    row = Row(0, 1, "What is 1/2?", id="p:1", origin={"answer": answer, "level": 3})
    try:
        (record,) = on_virtual_clock(recipe, row, ask)
    finally:
        recipe.close()
    assert asked[0].parameters["temperature"] == 0
    assert "seed" not in asked[0].parameters
    assert len(asked) == 1 + bool(record["judged"])
    return dict(record)


@pytest.mark.parametrize(
    ("reply", "answer", "correct"),
    [
        ("Answer: 1/2", "\\frac{1}{2}", True),
        ("It is \\boxed{0.5}.", "\\frac{1}{2}", True),
        ("Answer: 50\\%", "so it is 1/2\n#### 0.5", True),
        ("Answer: $1,234", "1234", True),
        ("Answer: 12", 12, True),
        ("Answer: 13", 12, False),
        ("I cannot tell.", "12", False),
        ("", "12", False),
        ("Answer: Evelyn", "\\text{Evelyn}", True),
        ("Answer: Ev", "\\text{Evelyn}", False),
    ],
)
def test_replies_are_graded_as_they_are(reply: str, answer: object, correct: bool) -> None:
    record = graded(reply, answer)
    assert record["correct"] is correct
    assert record["groups"] == {"level": 3}
    assert record["synthesized text"] == reply


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
def test_a_reply_that_was_cut_or_refused_is_wrong_and_not_asked_again(finish_reason: str) -> None:
    record = graded("so far", "12", finish_reason)
    assert (record["correct"], record["answer"]) == (False, "")
    assert record["meta"]["finish_reason"] == finish_reason


@pytest.mark.slow
def test_a_judge_is_asked_where_algebra_cannot_tell() -> None:
    record = graded("Answer: the 3rd of May", "May 3", judge_template="math_judge")
    assert (record["correct"], record["judged"]) == (True, True)
    assert not graded("Answer: 4", "3", judge_template="math_judge")["judged"]


@pytest.mark.slow
def test_algebra_is_asked_before() -> None:
    assert graded("Answer: $2x+2$", "2(x+1)")["correct"]
    assert not graded("Answer: $2x+2$", "2(x-1)")["correct"]


@pytest.mark.parametrize("answer", [None, "", "  ", [1], {"a": 1}])
def test_a_row_without_a_right_answer_is_dead(answer: object) -> None:
    with pytest.raises(RowError, match="keep") as caught:
        graded("Answer: 1", answer)
    assert caught.value.reason == "no_reference"
