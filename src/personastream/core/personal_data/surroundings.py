"""Where long numbers may begin in a text, and what the words before one say it is. Pure."""

import re
from typing import NamedTuple

REACH = 48
"""So many characters before a number may name it."""

_TOKEN = re.compile(r"[^\W\d_]+|[#№]")
_LONG = re.compile(r"[0-9](?:[ .()/\-+\u00a0‑–]{0,2}[0-9A-Z]){5,}")
_BEGINNING = re.compile(r"(?<![A-Za-z0-9_])[0-9A-Z(+]")
"""Words of scripts without blanks may stand right before it."""
_LETTERS_BEFORE = 8
"""A number may begin with so many letters and blanks."""


class Words(NamedTuple):
    """Words that name something: whole ones, beginnings, what stands in scripts without blanks, phrases."""

    whole: frozenset[str]
    stems: tuple[str, ...]
    unspaced: tuple[str, ...]
    phrases: tuple[str, ...]


def words(listed: str) -> Words:
    """Words from a list, in lower case: `tele*` is a beginning, `my_number` a phrase."""
    each = listed.split()
    stems = tuple(word[:-1] for word in each if word.endswith("*"))
    unspaced = tuple(word for word in each if min(word) >= "\u0900")
    phrases = tuple(word.replace("_", " ") for word in each if "_" in word)
    return Words(frozenset(each) - {*unspaced}, stems, unspaced, phrases)


_SOMETHING_ELSE = words("""
    # № order orders invoice invoices ticket tickets tracking isbn isbns issn ean eans upc sku serial serials part parts
    model version versions build ref refs reference references parcel shipment batch lot catalog catalogue article item
    doi commit hash checksum port release firmware chapter section patent licence license page timestamp epoch
    transaction confirmation booking flight coordinate coordinates protocol dataset record row barcode lottery
    bestell* rechnung* auftrag* sendung* artikel* serien* version* commande commandes facture colis pedido factura envío
    ordine fattura spedizione zamówieni* faktur* paczk* bestelling* factuur pakket beställning* nota encomenda
    订单 发票 单号 版本 注文 請求 伝票 ऑर्डर बिल
""")


def beginnings(text: str) -> list[int]:
    """Where numbers of six digits and more may begin: at each group of one that is written in groups."""
    found: list[int] = []
    end = 0
    for match in _LONG.finditer(text):
        first = max(end, match.start() - _LETTERS_BEFORE)
        found += [each.start() for each in _BEGINNING.finditer(text, first, match.end())]
        end = match.end()
    return found


def goes_on(text: str, start: int) -> bool:
    """Whether what begins at `start` is a later group of something longer."""
    return text[start - 1 : start] in (" ", ":") and text[start - 2 : start - 1].isdigit()


def speaks_for(text: str, start: int, named_by: Words) -> bool | None:
    """Whether words before `start` name what stands there; None if nearer ones say that it is something else."""
    before = text[max(0, start - REACH) : start].lower()
    tokens = [(match.start(), match[0]) for match in _TOKEN.finditer(before)]
    named = _last(named_by, before, tokens)
    if _last(_SOMETHING_ELSE, before, tokens) > named:
        return None
    return named >= 0


def _last(wanted: Words, before: str, tokens: list[tuple[int, str]]) -> int:
    """Where the last of the words stands; -1 if none does."""
    sought = wanted.phrases if before.isascii() else (*wanted.phrases, *wanted.unspaced)
    found = max(map(before.rfind, sought), default=-1) if sought else -1
    for start, token in reversed(tokens):
        if token in wanted.whole or token.startswith(wanted.stems):
            return max(start, found)
    return found
