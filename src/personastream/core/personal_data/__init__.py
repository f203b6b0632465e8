"""Personal data in texts: what is found, of which kind, and where; marks in its place. Pure.

One pass over many texts finds the few that may hold something; these alone are looked at closely. What has a checksum
is believed if that holds, and if nothing around it says that it is something else; what has none, by how it is written
and by the words before it. `docs/screens.md` lists kinds, countries and limits.
"""

from collections.abc import Collection, Sequence

from personastream.core.marks import Found, apart
from personastream.core.personal_data.addresses import emails, ip_addresses
from personastream.core.personal_data.keys import api_keys
from personastream.core.personal_data.money import cards, ibans
from personastream.core.personal_data.national_ids import national_ids
from personastream.core.personal_data.phones import phones
from personastream.core.personal_data.prefilter import signs, with_ascii_digits
from personastream.core.personal_data.surroundings import beginnings
from personastream.core.suspects import suspects

KINDS = ("api_key", "email", "iban", "card", "national_id", "ip_address", "phone")
"""Where two are found at one place, the earlier one here counts."""


def find(texts: Sequence[str], kinds: Collection[str] = KINDS) -> dict[int, list[Found]]:
    """What is found in each text that has something, by its place in `texts`."""
    found = {}
    for place in suspects(texts, signs()):
        if here := _in(texts[place], kinds):
            found[place] = here
    return found


def _in(text: str, kinds: Collection[str]) -> list[Found]:
    """What is found in a text, in order, without overlaps."""
    plain = with_ascii_digits(text)
    starts = beginnings(plain)
    spans = {
        "api_key": api_keys(plain),
        "email": emails(plain),
        "iban": ibans(plain, starts),
        "card": cards(plain, starts),
        "national_id": national_ids(plain, starts),
        "ip_address": ip_addresses(plain),
        "phone": phones(plain, starts),
    }
    return apart([Found(kind, *span) for kind in KINDS if kind in kinds for span in spans[kind]])
