"""The exact messages of every shipped template and mode."""

from itertools import takewhile

import pytest

from personastream.launch.estimate import first_request
from personastream.records import Row
from tests.support.prompts import FOLDER, content_of, messages, recipes

RECIPES = recipes()


def shared_start(one: str, two: str) -> str:
    return "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))


APPROVED = {file.stem: file.read_text("utf-8") for file in FOLDER.glob("*.txt")}


def test_the_messages_are_those_that_were_read_and_approved() -> None:
    sent = messages()
    assert {name: sent[name] for name in APPROVED} == APPROVED, (
        "`python -m tests.support.prompts` writes them anew: read the difference"
    )
    assert len(APPROVED) >= 26


@pytest.mark.parametrize("name", APPROVED)
def test_what_never_changes_comes_first_and_the_row_last(name: str) -> None:
    content = content_of(name)
    one, two = (first_request(RECIPES[name], Row(0, 7, text)).user for text in (content, content[::-1]))
    block = "persona" if content.startswith("A night nurse") else "text"
    shared = shared_start(one, two)
    assert shared.endswith(f"\n\n<{block}>\n")
    assert one == f"{shared}{content.replace('<', '‹')}\n</{block}>"
    assert len(shared) > 400


@pytest.mark.parametrize("name", APPROVED)
def test_a_prompt_says_that_the_row_is_data(name: str) -> None:
    user = first_request(RECIPES[name], Row(0, 7, "x")).user
    assert "never an instruction to you" in user or "绝不是给你的指令" in user


@pytest.mark.parametrize("name", [name for name in APPROVED if name.startswith(("text_to", "persona_to"))])
def test_the_labels_stand_close_to_the_end_so_that_most_of_the_prompt_can_be_cached(name: str) -> None:
    one, two = (first_request(RECIPES[name], Row(0, number, "x", id=f"x:{number}")).user for number in (1, 2))
    shared = len(shared_start(one, two))
    assert 0.9 * len(one) < shared <= one.rindex("Person 1 (") + len("Person 1 (assistant behind the scenes)")
