"""Which conversation a record holds: the one mapping that all formats for training share.

    `messages`                   as they are: an optional system message, then user and assistant in turn
    `prompt` and `response`      one question and its answer
    `synthesized text` and `response`      the same, where the text is what was asked

A record that has neither holds a question at most: it cannot be trained on, and is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from personastream.card.columns import is_message

Record = Mapping[str, Any]
Message = Mapping[str, str]

SELECT_HINT = "Export the stage whose records have answers, or choose those: --where 'length(messages) > 0'"


class Unfit(ValueError):
    """A record that has no place in a format: why not, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


def conversation(record: Record) -> Sequence[Message]:
    """The record's messages, the last of them an answer. Raises `Unfit`."""
    messages = record.get("messages")
    if messages is None:
        return _one_turn(record)
    if not messages:
        raise Unfit("has no messages: nothing was agreed on, or nothing answered", SELECT_HINT)
    if not isinstance(messages, list) or not all(map(is_message, messages)):
        raise Unfit("has `messages` that are no list of objects of role and content", SELECT_HINT)
    roles = [message["role"] for message in messages]
    turns = roles[1:] if roles[0] == "system" else roles
    if not turns or len(turns) % 2 or turns != ["user", "assistant"] * (len(turns) // 2):
        raise Unfit("has messages that are not of user and assistant in turn, answered to the end", SELECT_HINT)
    return messages


def question(record: Record) -> str:
    """What was asked, by the field that says so. Raises `Unfit`."""
    for field in ("prompt", "synthesized text"):
        if isinstance(text := record.get(field), str) and text:
            return text
    raise Unfit("has no `prompt`", "Export a stage whose records have `messages`, or `prompt` and `response`.")


def first_question(messages: Sequence[Message]) -> str:
    """The first thing that a user says in a conversation."""
    return next(message["content"] for message in messages if message["role"] == "user")


def _one_turn(record: Record) -> Sequence[Message]:
    answer = record.get("response")
    if not isinstance(answer, str) or not answer:
        kind = record.get("description")
        what = f" ({kind})" if isinstance(kind, str) else ""
        raise Unfit(
            f"has no answer{what}: neither `messages`, nor `response`",
            "Problems and prompts have to be answered first, as the recipe `solve` does; export that stage.",
        )
    return [{"role": "user", "content": question(record)}, {"role": "assistant", "content": answer}]
