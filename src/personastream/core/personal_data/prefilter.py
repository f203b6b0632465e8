"""Which of many texts may hold personal data: one pass of a linear-time pattern over all of them. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from personastream.core.personal_data.keys import SIGNS

_FOREIGN_ZEROS = "０٠۰०০"
"""Zeros of other scripts whose digits people write numbers with; the other nine follow each."""
_TO_ASCII = {ord(zero) + value: ord("0") + value for zero in _FOREIGN_ZEROS for value in range(10)}


def suspects(texts: Sequence[str]) -> list[int]:
    """The places of texts that are worth a closer look."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    blob = b"\n".join([*encoded, b""])
    search, at = _pattern().search, 0
    ends = list(accumulate([len(each) + 1 for each in encoded]))
    found = []
    while (match := search(blob, at)) is not None:
        place = bisect_right(ends, match.start())
        found.append(place)
        at = ends[place]
    return found


def with_ascii_digits(text: str) -> str:
    """The same characters, with the digits of other scripts as ASCII ones."""
    return text if text.isascii() else text.translate(_TO_ASCII)


@cache
def _pattern() -> Any:
    """What every kind has at least: enough digits close together, an @, colons between hexadecimal digits, a prefix."""
    import re2

    foreign = "|".join(f"[{zero}-{chr(ord(zero) + 9)}]" for zero in _FOREIGN_ZEROS)
    digit = rf"(?:[0-9]|{foreign})"
    parts = (
        r"[^\s@]@[^\s@]",
        r"[(\[] ?(?i:at) ?[)\]]",
        rf"{digit}(?:(?:[ .(/\x{{a0}}‑–-]|[)] ?| [(])?{digit}){{6}}",
        r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        r"[0-9A-Fa-f]:(?:[0-9A-Fa-f]{0,4}:)+[0-9A-Fa-f]|::[0-9A-Fa-f]",
        r"[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}",
        r"[A-Z]{6}[0-9]{2}[A-Z][0-9]{2}[A-Z]",
        r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
        *map(re2.escape, SIGNS),
    )
    options = re2.Options()
    options.never_nl = False
    options.max_mem = 64 << 20
    return re2.compile("|".join(f"(?:{part})" for part in parts).encode(), options)
