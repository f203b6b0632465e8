"""The math loop, row by row: what is asked of whom, what agrees, and what becomes of the rest."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest

from personastream.errors import ConfigError, RowError
from personastream.launch.revival import whose_reply_is_good
from personastream.recipes.solve import CHAIN, PROGRAM, Solve
from personastream.records import Completion, DeadRow, Request, Row
from tests.support.virtual import on_virtual_clock

ROW = Row(0, 3, "**Math problem:** What is 1/4 + 1/4?", id="p:3")
THREE = {"solutions": [CHAIN, PROGRAM, CHAIN], "held_out_share": 1.0}


class Model:
    """Answers with these replies, one after another; notes what it was asked."""

    def __init__(self, *replies: str | Exception) -> None:
        self._replies: Iterator[str | Exception] = iter(replies)
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Completion:
        self.asked.append(request)
        reply = next(self._replies)
        if isinstance(reply, Exception):
            raise reply
        body = orjson.dumps({"said": reply})
        return Completion(reply, "stop", f"model-{len(self.asked)}", 10, 5, body)


def program(text: str) -> str:
    return f"This will do:\n```python\n{text}\n```\nIt prints the answer."


def solved(model: Model, row: Row = ROW, **settings: Any) -> dict[str, Any]:
    recipe = Solve(**{**THREE, **settings})
    try:
        (record,) = on_virtual_clock(recipe, row, model)
    finally:
        recipe.close()
    return dict(record)


def test_three_that_agree_in_different_words() -> None:
    model = Model("Half.\nAnswer: $\\frac{1}{2}$", program("print(1/4 + 1/4)"), "\\boxed{50\\%}")
    record = solved(model)
    assert record["problem"] == "What is 1/4 + 1/4?"
    assert record["input text"] == ROW.text
    assert (record["split"], record["agreed"], record["answer"]) == ("held_out", True, "$\\frac{1}{2}$")
    assert record["agreement"] == {"asked": 3, "answered": 3, "agreeing": (0, 1, 2), "share": 1.0}
    assert record["messages"] == [
        {"role": "user", "content": "What is 1/4 + 1/4?"},
        {"role": "assistant", "content": "Half.\nAnswer: $\\frac{1}{2}$"},
    ]
    assert record["synthesized text"] == record["messages"][1]["content"]
    assert record["solutions"][1]["output"] == "0.5\n"
    assert [each["model"] for each in record["solutions"]] == ["model-1", "model-2", "model-3"]
    assert record["meta"]["usage"] == {"input_tokens": 30, "output_tokens": 15}
    assert record["meta"]["template"].startswith("math_solution@")
    assert "+math_program@" in record["meta"]["template"]
    assert [request.user.count("What is 1/4 + 1/4?") for request in model.asked] == [1, 1, 1]
    assert len({request.parameters.get("seed") for request in model.asked}) == 3


@pytest.mark.parametrize(
    ("replies", "agreeing", "answer"),
    [
        (("Answer: 1", program("print(2)"), "Answer: 2"), (1, 2), "2"),
        (("Answer: 2", program("print(1)"), "Answer: 2"), (0, 2), "2"),
        (("Answer: 2", program("print(2)"), "Answer: 1"), (0, 1), "2"),
        (("Answer: 1", program("print(2)"), "Answer: 3"), (), ""),
        (("Answer: 2", program("1 / 0"), "Answer: 2"), (0, 2), "2"),
        (("Answer: 2", program("print('')"), "Answer: 1"), (), ""),
    ],
)
def test_a_planted_wrong_solution_is_never_among_those_that_agree(
    replies: Sequence[str], agreeing: tuple[int, ...], answer: str
) -> None:
    record = solved(Model(*replies))
    assert (record["agreement"]["agreeing"], record["answer"]) == (agreeing, answer)
    assert record["agreed"] is bool(agreeing)
    assert [each["agrees"] for each in record["solutions"]] == [place in agreeing for place in range(3)]
    assert bool(record["messages"]) is bool(agreeing)
    assert len([each for each in record["solutions"] if each["text"]]) == 3, "what was paid for is kept"


def test_reasoning_represents_rather_than_a_program() -> None:
    record = solved(Model(program("print(2)"), "Answer: 1", "Answer: 2"), solutions=[PROGRAM, CHAIN, CHAIN])
    assert record["synthesized text"] == "Answer: 2"
    record = solved(Model(program("print(2)"), "Answer: 1", program("print(2)")), solutions=[PROGRAM, CHAIN, PROGRAM])
    assert record["synthesized text"] == program("print(2)")


def test_the_others_are_solved_once() -> None:
    model = Model("Answer: 2")
    record = solved(model, held_out_share=0.0)
    assert (record["split"], record["agreed"], record["answer"]) == ("train", None, "2")
    assert len(record["solutions"]) == 1
    assert "seed" not in model.asked[0].parameters


def test_the_split_is_that_of_the_problem_wherever_it_stands() -> None:
    def split(row: Row, seed: int) -> str:
        replies = ["Answer: 2"] * 3
        return str(solved(Model(*replies), row, solutions=[CHAIN] * 3, held_out_share=0.5, seed=seed)["split"])

    problems = [f"What is {number} + {number}?" for number in range(30)]
    first = [split(Row(0, place, text, id=f"a:{place}"), 1) for place, text in enumerate(problems)]
    assert {*first} == {"train", "held_out"}
    assert first == [
        split(Row(4, 99 - place, f"Math problem: {text}", id="b:1"), 1) for place, text in enumerate(problems)
    ]
    assert first != [split(Row(0, place, text), 2) for place, text in enumerate(problems)]


def test_disagreement_may_be_a_dead_letter_that_keeps_all_replies() -> None:
    with pytest.raises(RowError) as caught:
        solved(Model("Answer: 1", program("print(2)"), "Answer: 3"), disagreement="dead")
    assert caught.value.reason == "no_agreement"
    kept = orjson.loads(caught.value.response)
    assert [each["answer"] for each in kept["solutions"]] == ["1", "2", "3"]
    assert kept["solutions"][0]["text"] == "Answer: 1"


def test_a_solution_that_does_not_come_is_one_without_an_answer() -> None:
    refused = RowError("too long for this model", reason="too_long", response=b"{}")
    record = solved(Model("Answer: 2", refused, "Answer: 2"))
    assert record["agreement"]["agreeing"] == (0, 2)
    assert record["solutions"][1]["problem"] == "too_long"
    assert record["meta"]["usage"]["input_tokens"] == 20


def test_replies_without_an_answer_are_asked_again_and_kept_in_the_end() -> None:
    model = Model("Well.", "Hm.", "Answer: 2", "no program", program("print(2)"), "Let me see")
    record = solved(model, reasks_max=2, solutions=[CHAIN, PROGRAM])
    assert record["agreement"]["answered"] == 2
    model = Model("Well.", "Hm.", program("print(2)"), "Answer: 2")
    record = solved(model, reasks_max=1)
    assert record["solutions"][0]["problem"] == "contract"
    assert record["solutions"][0]["text"] == '{"said":"Hm."}'
    assert record["agreement"]["agreeing"] == (1, 2)


def test_a_row_of_which_nothing_came_dies_of_what_the_last_one_died_of() -> None:
    errors = [RowError(f"no {place}", reason="refused") for place in range(3)]
    with pytest.raises(RowError) as caught:
        solved(Model(*errors))
    assert caught.value is errors[2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("while True: pass", "program_timeout"),
        ("print(open('/etc/passwd').read())", "program_error"),
        ("import os\nos.abort()", "program_crashed"),
        ("print('x' * 10**6)", "program_output"),
        ("print('x' * 5000)", "program_output"),
        ("pass", "program_output"),
    ],
)
@pytest.mark.slow
def test_the_only_program_of_a_row_that_fails_is_its_death(text: str, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        solved(Model(program(text)), train_solutions=[PROGRAM], held_out_share=0.0, program_cpu_s=1)
    assert caught.value.reason == reason
    assert b"said" in caught.value.response


def test_the_kept_reply_of_a_row_that_died_of_its_program_is_read_again() -> None:
    """`reparse` works outside of any event loop, and asks nothing."""
    recipe = Solve(train_solutions=[PROGRAM], held_out_share=0.0)
    replies = {"good": program("print(2)"), "bad": program("1 / 0")}

    def parse(body: bytes) -> Completion:
        return Completion(replies[body.decode()], "stop", "m", 1, 1, body)

    is_good = whose_reply_is_good(recipe, parse)
    assert is_good(0, DeadRow(3, "program_error", "", "1 + 1?", "good"))
    assert not is_good(0, DeadRow(3, "program_error", "", "1 + 1?", "bad"))


def test_providers_are_asked_by_name() -> None:
    model = Model("Answer: 2", program("print(2)"), "Answer: two", "Yes", "Yes")
    solutions = [f"{CHAIN} @ first", PROGRAM, f"{CHAIN}@second"]
    settings: dict[str, Any] = {"solutions": solutions, "judge_template": "math_judge", "judge_provider": "third"}
    record = solved(model, **settings)
    assert [request.provider for request in model.asked] == ["first", "", "second", "third", "third"]
    assert [each["provider"] for each in record["solutions"]] == ["first", "", "second"]
    assert Solve(**{**THREE, **settings}).providers_asked == {"first", "second", "third"}


def test_a_model_judges_where_algebra_cannot() -> None:
    settings: dict[str, Any] = {"solutions": [CHAIN] * 3, "judge_template": "math_judge", "agree_min": 2}
    model = Model("Answer: north-east", "Answer: the north east", "Answer: south", "Yes.", "No", "no")
    record = solved(model, **settings)
    assert record["agreement"]["agreeing"] == (0, 1)
    assert record["judgements"] == [
        {"answers": ["north-east", "the north east"], "same": True},
        {"answers": ["north-east", "south"], "same": False},
        {"answers": ["the north east", "south"], "same": False},
    ]
    assert record["meta"]["usage"]["input_tokens"] == 60
    assert "<text>\nnorth-east\nthe north east\n</text>" in model.asked[3].user
    no = RowError("no", reason="refused")
    model = Model("Answer: north-east", "Answer: the north east", "Answer: south", no, "", "?", "?", "?")
    assert solved(model, **settings)["agreed"] is False


def test_without_a_judge_they_count_as_different() -> None:
    assert solved(Model("Answer: north-east", "Answer: the north east"), solutions=[CHAIN] * 2)["agreed"] is False


@pytest.mark.slow
def test_algebra_decides_where_numbers_do_not() -> None:
    replies = ("Answer: $(x+1)^2$", "Answer: x^2 + 2x + 1", "Answer: x^2 + 1")
    assert solved(Model(*replies), solutions=[CHAIN] * 3)["agreement"]["agreeing"] == (0, 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"solutions": ["chain_of_thoughts"]}, "chain_of_thoughts"),
        ({"solutions": ["chain_of_thought @"]}, "chain_of_thought @"),
        ({"solutions": []}, "0 entries"),
        ({"solutions": [CHAIN] * 10}, "10 entries"),
        ({"solutions": [CHAIN], "held_out_share": 0.5}, "2 of 1 cannot agree"),
        ({"solutions": [CHAIN] * 3, "agree_min": 4}, "4 of 3 cannot agree"),
        ({"train_solutions": [], "held_out_share": 0.5}, "train_solutions has 0"),
        ({"program_packages": ["no_such_package"]}, "no_such_package not installed"),
        ({"template": "math_judg"}, "math_judge"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Solve(**settings)
    assert said in str(caught.value)


def test_what_depends_on_the_settings_is_told() -> None:
    make: Callable[..., Solve] = Solve
    assert make(held_out_share=0.5).samples == 2.0
    assert make(solutions=[CHAIN] * 2).fingerprint.count("@") == 1
    assert make().fingerprint.count("@") == 2
    assert make(judge_template="math_judge").fingerprint.count("@") == 3
    assert make().contract == make(judge_template="math_judge").contract
