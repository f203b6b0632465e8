"""Which of many texts may hold something: one pass of a linear-time pattern over all of them. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

SEPARATOR = b"\n"


def linear(parts: Sequence[str]) -> Any:
    """A pattern of RE2 for any of `parts`, for `suspects`."""
    import re2

    options = re2.Options()
    options.max_mem = 64 << 20
    return re2.compile("|".join(f"(?:{part})" for part in parts).encode(), options)


def suspects(texts: Sequence[str], pattern: Any) -> list[int]:
    """The places of texts that the pattern is in."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    blob = SEPARATOR.join([*encoded, b""])
    ends = list(accumulate([len(each) + 1 for each in encoded]))
    search, at, found = pattern.search, 0, []
    while (match := search(blob, at)) is not None:
        place = bisect_right(ends, match.start())
        if place == len(ends):
            break
        found.append(place)
        at = ends[place]
    return found
