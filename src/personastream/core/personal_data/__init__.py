"""Personal data in texts: what is found, of which kind, and where; marks in its place. Pure.

One pass over many texts finds the few that may hold something; these alone are looked at closely. What has a checksum
is believed if that holds, and if nothing around it says that it is something else; what has none, by how it is written
and by the words before it. `docs/screens.md` lists kinds, countries and limits.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from personastream.core.personal_data.addresses import emails, ip_addresses
from personastream.core.personal_data.keys import api_keys
from personastream.core.personal_data.money import cards, ibans
from personastream.core.personal_data.national_ids import national_ids
from personastream.core.personal_data.phones import phones
from personastream.core.personal_data.prefilter import suspects, with_ascii_digits
from personastream.core.personal_data.surroundings import beginnings

KINDS = ("api_key", "email", "iban", "card", "national_id", "ip_address", "phone")
"""Where two are found at one place, the earlier one here counts."""


class Found(NamedTuple):
    """What kind of data stands from `start` to before `stop`."""

    kind: str
    start: int
    stop: int


def find(texts: Sequence[str], kinds: Collection[str] = KINDS) -> dict[int, list[Found]]:
    """What is found in each text that has something, by its place in `texts`."""
    found = {}
    for place in suspects(texts):
        if here := _in(texts[place], kinds):
            found[place] = here
    return found


def redacted(text: str, found: Sequence[Found]) -> str:
    """`text` with `[email]` and the like in place of what was found in it."""
    pieces, end = [], 0
    for each in found:
        pieces += [text[end : each.start], f"[{each.kind}]"]
        end = each.stop
    return "".join([*pieces, text[end:]])


def _in(text: str, kinds: Collection[str]) -> list[Found]:
    """What is found in a text, in order, without overlaps."""
    plain = with_ascii_digits(text)
    starts = beginnings(plain)
    taken: list[Found] = []
    for kind, spans in (
        ("api_key", api_keys(plain)),
        ("email", emails(plain)),
        ("iban", ibans(plain, starts)),
        ("card", cards(plain, starts)),
        ("national_id", national_ids(plain, starts)),
        ("ip_address", ip_addresses(plain)),
        ("phone", phones(plain, starts)),
    ):
        if kind in kinds:
            for start, stop in spans:
                if all(stop <= other.start or other.stop <= start for other in taken):
                    taken.append(Found(kind, start, stop))
    return sorted(taken, key=lambda each: each.start)
