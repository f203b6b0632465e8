"""Agreement, the split, and figures that add up."""

from itertools import combinations
from math import isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personastream.core.accuracy import accuracy_figures, wilson
from personastream.core.agreement import agreeing, is_held_out
from personastream.core.math_figures import math_figures


def agreed(answers: str, least: int = 2) -> tuple[int, ...]:
    return agreeing(range(len(answers)), lambda one, other: answers[one] == answers[other], least)


@pytest.mark.parametrize(
    ("answers", "least", "group"),
    [
        ("aaa", 2, (0, 1, 2)),
        ("aba", 2, (0, 2)),
        ("abb", 2, (1, 2)),
        ("abc", 2, ()),
        ("aab", 3, ()),
        ("aabb", 2, ()),
        ("aabbb", 2, (2, 3, 4)),
        ("a", 1, (0,)),
        ("", 2, ()),
    ],
)
def test_the_largest_group_agrees(answers: str, least: int, group: tuple[int, ...]) -> None:
    assert agreed(answers, least) == group


def test_one_that_is_like_two_others_does_not_make_them_agree() -> None:
    alike = {(0, 1), (1, 2)}
    assert agreeing(range(3), lambda one, other: (one, other) in alike, 2) == ()
    assert agreeing(range(3), lambda one, other: (one, other) in alike, 3) == ()


@given(st.lists(st.sampled_from("abc"), max_size=7), st.integers(2, 5))
def test_whoever_agrees_has_the_same_answer(answers: list[str], least: int) -> None:
    group = agreeing(range(len(answers)), lambda one, other: answers[one] == answers[other], least)
    assert len({answers[place] for place in group}) <= 1
    assert not group or len(group) >= least
    assert all(answers.count(answer) < least or group for answer in {*answers}) or max(map(answers.count, answers)) < 4


@pytest.mark.parametrize("share", [0.0, 0.018, 0.5, 1.0])
def test_the_split_has_its_share_and_depends_on_the_problem_and_the_seed_alone(share: float) -> None:
    problems = [f"problem {number}" for number in range(20_000)]
    chosen = [is_held_out(problem, 1, share) for problem in problems]
    assert isclose(sum(chosen) / 20_000, share, abs_tol=0.01)
    assert chosen == [is_held_out(problem, 1, share) for problem in reversed(problems)][::-1]
    if share == 0.5:
        assert chosen != [is_held_out(problem, 2, share) for problem in problems]


def solution(method: str, answer: str, agrees: bool) -> dict[str, object]:
    return {"method": method, "answer": answer, "agrees": agrees, **({} if answer else {"problem": "program_timeout"})}


def test_the_figures_of_the_loop_add_up() -> None:
    chain, program = "chain_of_thought", "program_of_thought"
    both = {"split": "held_out", "agreement": {"asked": 3, "agreeing": [0, 2]}, "judgements": [{}]}
    one = solution(chain, "1", True)
    none = [solution(chain, "1", False), solution(program, "2", False), solution(chain, "3", False)]
    records: list[dict[str, Any]] = [
        {"split": "train", "agreed": None, "solutions": [one]},
        {**both, "agreed": True, "solutions": [one, solution(program, "", False), one]},
        {**both, "agreed": False, "agreement": {"asked": 3, "agreeing": []}, "solutions": none},
    ]
    figures = math_figures(records, {"no_agreement": 2, "contract": 4, "refused": 0})
    assert figures["problems"] == figures["train"] + figures["held_out"] + sum(figures["dead"].values()) == 9
    assert figures["held_out"] == figures["agreed"] + figures["not_agreed"] == 4
    assert figures["agreed_share"] == 0.25
    assert figures["agreements"] == {"2 of 3": 1, "0 of 3": 1}
    assert figures["solutions"] == 7
    counted = ("asked", "answered", "compared", "agreeing", "problems")
    by_program, by_thought = (tuple(figures["methods"][method][key] for key in counted) for method in (program, chain))
    assert by_program == (2, 1, 1, 0, {"program_timeout": 1})
    assert by_thought == (5, 5, 4, 2, {})
    assert figures["judged"] == 2
    assert math_figures([])["agreed_share"] is None


def test_wilsons_interval() -> None:
    low, high = wilson(325, 500)
    assert (round(low, 4), round(high, 4)) == (0.6072, 0.6905)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share(right: int, wrong: int) -> None:
    low, high = wilson(right, right + wrong)
    assert 0 <= low <= right / max(1, right + wrong) <= high <= 1 or right + wrong == 0


def test_accuracy_is_told_apart_by_columns() -> None:
    records = [
        {"correct": right, "answer": "1" if right else "", "groups": {"level": level}}
        for level, right in [(1, True), (1, False), (2, True)]
    ]
    figures = accuracy_figures(records, {"refused": 1})
    assert (figures["right"], figures["problems"], figures["unanswered"]) == (2, 3, 1)
    assert figures["by"]["level"]["1"]["accuracy"] == 0.5
    assert figures["dead"] == {"refused": 1}
    assert accuracy_figures([])["accuracy"] is None
    assert all(one != other for one, other in combinations(figures["by"]["level"], 2))
