"""How models that judge texts answer, read strictly: what is none of these forms is no judgement. Pure.

`llama_guard` says `safe`, or `unsafe` and labels of categories on the next line; `yes_no` says whether a text breaks
the rules (ShieldGemma); `names` says `none`, or a name a line.
"""

import re
from collections.abc import Mapping

FORMATS = ("llama_guard", "yes_no", "names")
UNSAFE, OTHER = "unsafe", "other"
NAMES_MAX = 20

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9]{0,3}\Z")
_NAME = re.compile(r"[^\W\d_][\w .'’·-]{1,80}\Z")
_AROUND = " \t\r\n.*\"'`"


def verdict(answer: str, form: str, categories: Mapping[str, str]) -> tuple[str, ...] | None:
    """Reasons why the text that was asked about must not pass; none if it may; None if the answer says neither.

    Of the form `names`, they are the names themselves.
    """
    lines = [line.strip(_AROUND) for line in answer.strip().splitlines() if line.strip(_AROUND)]
    if not lines:
        return None
    first, *rest = lines
    if form == "yes_no":
        return {"yes": (UNSAFE,), "no": ()}.get(re.split(r"[\W_]+", first.lower(), maxsplit=1)[0])
    if form == "names":
        return _names(lines)
    if first.lower() == "safe" and not rest:
        return ()
    if first.lower() != "unsafe" or len(rest) > 1:
        return None
    labels = [label.strip() for label in rest[0].split(",")] if rest else []
    if not all(map(_LABEL.match, labels)):
        return None
    return tuple(dict.fromkeys(categories.get(label.upper(), OTHER) for label in labels)) or (UNSAFE,)


def _names(lines: list[str]) -> tuple[str, ...] | None:
    if [line.lower() for line in lines] == ["none"]:
        return ()
    names = tuple(dict.fromkeys(line.removeprefix("- ") for line in lines))
    return names if len(names) <= NAMES_MAX and all(map(_NAME.match, names)) else None
