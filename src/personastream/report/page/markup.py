"""HTML and SVG as values: whatever is not markup already is escaped, and cleaned of characters that could do harm."""

import re
from collections.abc import Iterable
from html import escape

VOID = frozenset({"br", "col", "hr", "link", "meta"})
REPLACEMENT = "\ufffd"

_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, with which a terminal could be told things
    "\u202a-\u202e\u2066-\u2069"  # they turn the direction of whatever follows
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\ufff9-\ufffb"  # no characters, or annotations
    "\U000e0000-\U000e007f]"  # tags, which nobody sees
)


_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_TOWER = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")
"""No language puts so many marks on one letter; piled up, they cover the lines above."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = Markup | str | float | bool | None | Iterable["Child"]
"""What may stand in an element; None and False are nothing."""


def clean(text: str) -> str:
    """`text` as it may stand on a page: a replacement character for each one that a page had better not hold.

    Of a tower of combining marks the lowest are left.
    """
    return _TOWER.sub(r"\1", _HARMFUL.sub(REPLACEMENT, text.replace("\r\n", "\n")))


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """An element. `class_` is `class`, `stroke_width` is `stroke-width`; None and False leave an attribute out."""
    told = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    if name in VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Children one after the other."""
    return Markup("".join(map(_child, children)))


def _child(child: Child) -> str:
    if child is None or child is False:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int | float):
        return escape(clean(str(child)), quote=False)
    return "".join(map(_child, child))


def _attribute(name: str, value: str | float | bool) -> str:
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(clean(str(value)))}"'
