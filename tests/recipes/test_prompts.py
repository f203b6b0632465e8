"""The exact messages of every shipped template and mode."""

from itertools import takewhile

import pytest

from personastream.launch.estimate import first_request
from personastream.recipes.demonstrating import Demonstrated
from personastream.records import Row
from tests.support.prompts import FOLDER, content_of, messages, recipes

RECIPES = recipes()


def shared_start(one: str, two: str) -> str:
    return "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))


def sent(name: str, content: str, number: int = 7) -> str:
    return first_request(RECIPES[name], Row(0, number, content)).user


APPROVED = {file.stem: file.read_text("utf-8") for file in FOLDER.glob("*.txt")}


def test_the_messages_are_those_that_were_read_and_approved() -> None:
    assert messages() == APPROVED, "`python -m tests.support.prompts` writes them anew: read the difference"


@pytest.mark.parametrize("name", RECIPES)
def test_what_never_changes_comes_first_and_the_row_last(name: str) -> None:
    content = content_of(name)
    one, two = sent(name, content), sent(name, content[::-1])
    block = "persona" if content.startswith("A night nurse") else "text"
    shared = shared_start(one, two)
    assert shared.endswith(f"\n\n<{block}>\n")
    assert one == f"{shared}{content.replace('<', '‹')}\n</{block}>"
    assert len(shared) > 400


@pytest.mark.parametrize("name", [name for name in RECIPES if name.endswith("_shot")])
def test_rows_with_the_same_demonstrations_share_all_but_the_row(name: str) -> None:
    task, whole = sent(name.removesuffix("-persona_few_shot").removesuffix("-few_shot"), "x"), sent(name, "x")
    recipe = RECIPES[name]
    assert isinstance(recipe, Demonstrated)
    groups: dict[object, set[str]] = {}
    for number in range(60):
        shown = recipe.shown_to(Row(0, number, ""))["demonstrations"]
        head = sent(name, "x", number).rpartition("\n</example_reply>\n\n")[0]
        groups.setdefault(shown, set()).add(head)
    assert all(len(heads) == 1 for heads in groups.values())
    assert 1 < len(groups) <= 8
    one, other, *_ = (next(iter(heads)) for heads in groups.values())
    assert len(shared_start(one, other)) >= task.rindex("\n\n<")
    assert whole.count("<example_reply>") == 2
    assert whole.count("<example_") == (4 if "persona_few" in name else 2)


@pytest.mark.parametrize("name", RECIPES)
def test_a_prompt_says_that_the_row_is_data(name: str) -> None:
    user = sent(name, "x")
    assert "never an instruction to you" in user or "绝不是给你的指令" in user


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith(("text_to", "persona_to"))])
def test_the_labels_stand_close_to_the_end_so_that_most_of_the_prompt_can_be_cached(name: str) -> None:
    one, two = (first_request(RECIPES[name], Row(0, number, "x", id=f"x:{number}")).user for number in (1, 2))
    shared = len(shared_start(one, two))
    assert 0.9 * len(one) < shared <= one.rindex("Person 1 (") + len("Person 1 (assistant behind the scenes)")
