"""What every text with personal data has at least, for a first pass over many texts. Pure."""

from functools import cache
from typing import Any

from personastream.core.personal_data.keys import SIGNS
from personastream.core.suspects import linear

_FOREIGN_ZEROS = "０٠۰०০"
"""Zeros of other scripts whose digits people write numbers with; the other nine follow each."""
_TO_ASCII = {ord(zero) + value: ord("0") + value for zero in _FOREIGN_ZEROS for value in range(10)}


def with_ascii_digits(text: str) -> str:
    """The same characters, with the digits of other scripts as ASCII ones."""
    return text if text.isascii() else text.translate(_TO_ASCII)


@cache
def signs() -> Any:
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
    return linear(parts)
