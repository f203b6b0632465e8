"""Data made inert before it stands in a prompt: nothing in it can close a block or spell a control token. Pure."""

import re

_TAG = re.compile(r"<(?=[/!?|｜A-Za-z])")


_TOKEN = re.compile(r"<(?=[|｜]|/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|/?SYS>)>)", re.IGNORECASE)


def inert(data: str) -> str:
    """`data` with every `<` as `‹`: for what a row holds, of which nothing is lost by that."""
    return data.replace("<", "‹")


def inert_tags(data: str) -> str:
    """`data` with each `<` that could begin a tag or a control token as `‹`: code keeps its `a < b` and `x <= 3`."""
    return _TAG.sub("‹", data)


def inert_tokens(data: str) -> str:
    """`data` with each `<` that could begin a control token as `‹`: for a turn of a chat, which needs no block."""
    return _TOKEN.sub("‹", data)
