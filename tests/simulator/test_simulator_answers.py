"""What the simulated model makes of demands, dialogues, chats and exercises."""

from typing import Any

import orjson
import pytest

from personastream.core.constraints import found_in
from personastream.launch.estimate import first_request
from personastream.recipes.constrained import Constrained
from personastream.recipes.dialogue import Dialogue
from personastream.recipes.generate import Generate
from personastream.records import Completion, Row
from personastream.simulator.fault_replies import EDITS
from personastream.simulator.replies import Writer, shipped_openings, take_apart

WRITER = Writer(3, 120, shipped_openings())


def reply(recipe: Any, number: int) -> str:
    request = first_request(recipe, Row(0, number, "A harbour pilot"))
    return WRITER.write(number, take_apart("", request.user), None).text or ""


@pytest.mark.parametrize("turns", [2, 7, 40])
def test_a_dialogue_has_the_turns_that_are_asked_for(turns: int) -> None:
    texts = {reply(Dialogue(turns=turns), number) for number in range(20)}
    assert len(texts) == 20
    for text in texts:
        opening, *lines = text.split("\n")
        assert opening == "Dialogue:"
        assert [line[:3] for line in lines] == [f"{'AB'[place % 2]}: " for place in range(turns)]


def test_a_message_holds_the_demands_of_its_block_and_no_others() -> None:
    for number in range(50):
        recipe = Constrained()
        user = first_request(recipe, Row(0, number, "A harbour pilot")).user
        text = reply(recipe, number)
        assert text.startswith("User prompt: ")
        assert found_in(text) == found_in(user)


def test_an_exercise_ends_with_the_head_of_a_function() -> None:
    problem = Generate("python_problem").problem
    for number in range(50):
        text = reply(Generate("python_problem"), number)
        assert problem(Completion(text, "stop", "m", 1, 1, b"")) is None
        compile(text.partition("```python\n")[2].removesuffix("```"), "it", "exec")


def test_a_message_without_a_block_is_answered() -> None:
    texts = {WRITER.write(key, take_apart("Be kind.", "How do I sort herbs?"), None).text or "" for key in range(20)}
    assert len(texts) == 20
    assert not any("sort herbs" in text for text in texts)
    assert not any("person" in text.split(".")[0] for text in texts)


@pytest.mark.parametrize(
    ("text", "nearly"),
    [
        ("Math problem: x", "Sure! Here is what you asked for:\n\nMath problem: x"),
        ('{"a":1,"b":2}', '{"a":1}'),
        ("{}", "{}"),
        ("", "Sure! Here is what you asked for:\n\n"),
    ],
)
def test_a_reply_nearly_keeps_its_contract(text: str, nearly: str) -> None:
    openai: dict[str, Any] = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    anthropic: dict[str, Any] = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    for document in (openai, anthropic):
        EDITS["near-contract"](document)
    assert openai["choices"][0]["message"]["content"] == anthropic["content"][0]["text"] == nearly
    assert orjson.dumps([openai, anthropic])
