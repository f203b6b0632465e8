"""Every use case and prompting mode, for snapshots, tests and the acceptance run: settings, and what records keep."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from personastream.core.constraints import Constraint, broken, found_in
from personastream.core.demonstrations import MODES

DEMONSTRATIONS = Path(__file__).parents[2] / "configs" / "demonstrations"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class UseCase:
    """Settings of a recipe, the file of demonstrations that fits, and an independent look at a delivered record."""

    keeps: Callable[[Record], bool]
    recipe: Mapping[str, object]
    shown: str
    of_texts: bool = field(default=False)

    def settings(self, mode: str) -> dict[str, object]:
        """The section `[recipe]` for a mode."""
        shown = (
            {} if mode == "zero_shot" else {"mode": mode, "demonstrations": str(DEMONSTRATIONS / f"{self.shown}.jsonl")}
        )
        return {**self.recipe, **shown}


def text_of(record: Record) -> str:
    return str(record["synthesized text"]).strip()


def opens(*openings: str) -> Callable[[Record], bool]:
    """The text starts with one of these and has something behind it, and gives no solution away."""

    def keeps(record: Record) -> bool:
        text = text_of(record)
        lines = [line.strip().lower() for line in text.splitlines()]
        given_away = any(line.startswith(("solution:", "answer:")) for line in lines)
        return text.startswith(openings) and len(text) > max(map(len, openings)) + 20 and not given_away

    return keeps


def is_character(record: Record) -> bool:
    """Five fields, in order, each with something behind it."""
    text, place = text_of(record), 0
    for name in ("Name:", "Race:", "Class:", "Background:", "Interaction with Players:"):
        found = text.find(name, place)
        if found < 0 or (found and text[found - 1] != "\n") or not text[found + len(name) :].split("\n")[0].strip():
            return False
        place = found + 1
    return text.startswith("Name:")


def is_chinese(record: Record) -> bool:
    """Mostly so, field names apart."""
    letters = [character for character in text_of(record) if character.isalpha()]
    return 2 * sum("\u4e00" <= character <= "\u9fff" for character in letters) >= len(letters)


def is_tool(record: Record) -> bool:
    """Exactly six keys; arguments are a list of objects, always."""
    tool = orjson.loads(text_of(record))
    keys = {"name", "description", "function_name", "input_args", "return", "depend"}
    arguments = tool["input_args"]
    return set(tool) == keys and isinstance(arguments, list) and all(isinstance(one, dict) for one in arguments)


def is_code(record: Record) -> bool:
    """Python that compiles, in a fence."""
    text = text_of(record)
    body = text.removeprefix("```python").removesuffix("```")
    compile(body, "reply", "exec")
    return text.startswith("```python") and "def " in body


def is_exercise(record: Record) -> bool:
    """A question, and the head of a function in a fence behind it."""
    question, fence, code = text_of(record).partition("\n```python\n")
    return question.startswith("Question:") and bool(fence) and "def " in code and opens("Question:")(record)


def is_chat(turns: int) -> Callable[[Record], bool]:
    """User and assistant by turns, none without words."""

    def keeps(record: Record) -> bool:
        messages = record["messages"]
        roles = [message["role"] for message in messages]
        said = all(message["content"].strip() for message in messages)
        return roles == ["user", "assistant"] * (turns // 2) and said

    return keeps


def is_dialogue(record: Record) -> bool:
    """Two people, by turns."""
    return record["second persona"] != record["input persona"] and is_chat(6)(record) and opens("Dialogue:")(record)


def is_constrained(record: Record) -> bool:
    """The message holds its constraints and no others; the answers keep and break what they should."""
    constraints = [Constraint(**one) for one in record["meta"]["constraints"]]
    same = sorted(found_in(text_of(record))) == sorted(constraints) and 1 <= len(constraints) <= 3
    sentences = [constraint.sentence for constraint in constraints] == record["constraints"]
    kept = "messages" not in record or not broken(constraints, record["messages"][1]["content"])
    return same and sentences and kept and opens("User prompt:")(record)


def is_pair(record: Record) -> bool:
    """The chosen answer keeps all constraints; the rejected one breaks the one that was dropped."""
    (dropped,) = found_in(record["dropped constraint"])
    constraints = found_in(record["prompt"])
    chosen, rejected = broken(constraints, record["chosen"]), broken([dropped], record["rejected"])
    relaxed = dropped not in found_in(record["relaxed prompt"])
    return is_constrained(record) and dropped in constraints and not chosen and rejected == [dropped] and relaxed


def both(*looks: Callable[[Record], bool]) -> Callable[[Record], bool]:
    return lambda record: all(look(record) for look in looks)


MATH = opens("Math problem:")


def _plain(template: str, keeps: Callable[[Record], bool], shown: str = "", **more: bool) -> UseCase:
    return UseCase(keeps, {"template": template}, shown or template, **more)


USE_CASES: Mapping[str, UseCase] = {
    "math": _plain("math", MATH),
    "math_geometry": _plain("math_geometry", MATH, "math"),
    "math_olympiad": _plain("math_olympiad", MATH, "math"),
    "math_professional": _plain("math_professional", MATH, "math"),
    "math_grade_school": _plain("math_grade_school", MATH),
    "math_algebra": _plain("math_algebra", MATH),
    "python_problem": _plain("python_problem", is_exercise),
    "logical_reasoning": _plain("logical_reasoning", opens("Logic problem:")),
    "spatial_reasoning": _plain("spatial_reasoning", opens("Spatial problem:")),
    "trick_question": _plain("trick_question", opens("Trick question:")),
    "trick_question_zh": _plain("trick_question_zh", both(opens("问题："), is_chinese)),
    "instruction": _plain("instruction", opens("User prompt:")),
    "conversation": UseCase(
        both(opens("User prompt:"), is_chat(6)), {"type": "conversation", "template": "instruction"}, "instruction"
    ),
    "dialogue": UseCase(is_dialogue, {"type": "dialogue", "template": "dialogue"}, "dialogue"),
    "constrained": UseCase(
        is_constrained, {"type": "constrained", "template": "constrained", "answers": "one"}, "constrained"
    ),
    "preference_pairs": UseCase(
        is_pair, {"type": "constrained", "template": "constrained", "answers": "pair"}, "constrained"
    ),
    "knowledge": _plain("knowledge", opens("Title:")),
    "reading": _plain("reading", opens("Title:")),
    "npc": _plain("npc", is_character),
    "npc_zh": _plain("npc_zh", both(is_character, is_chinese)),
    "tool": _plain("tool", is_tool),
    "tool_code": _plain("tool_code", is_code, of_texts=True),
}
CASES = [(name, mode) for name in USE_CASES for mode in MODES]
