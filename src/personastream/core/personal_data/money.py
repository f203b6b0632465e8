"""Payment cards and bank accounts. Pure."""

import re
from collections.abc import Iterator, Sequence

from personastream.core.personal_data.surroundings import goes_on, speaks_for, words

IBAN_CHARACTERS_MIN = 15
"""Norway's."""

_CARD = re.compile(
    r"(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?"
    r"|3[47]\d{2}([ -]?)\d{6}\2\d{5}"
    r"|3[068]\d{2}([ -]?)\d{6}\3\d{4}"
    r"|\d{13,19})(?![A-Za-z0-9_-]|[ ]?\d)"
)
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}\Z|(?:5[1-5]|2[2-7])\d{14}\Z|3[47]\d{13}\Z|3(?:0[0-5]|[689]\d)\d{11}(?:\d{2})?\Z"
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?\Z|35(?:2[89]|[3-8]\d)\d{12}\Z|62\d{14,17}\Z|(?:5[0678]|6[37])\d{10,17}\Z"
)
"""Visa, Mastercard, American Express, Diners Club, Discover, JCB, UnionPay, Maestro."""
_CARD_WORDS = words("""
    card cards credit debit visa mastercard amex express discover diners jcb maestro unionpay cvv kredit* karte* carte
    cb tarjeta carta cartão cartao kart* creditcard kort* paid pay payment charge charged charges 卡 カード कार्ड
""")
_IBAN = re.compile(r"[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")


def cards(text: str, starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where numbers of payment cards stand: an issuer's, of its length, with its check digit."""
    for start in starts:
        match = _CARD.match(text, start)
        if match and text[start - 1 : start] not in (".", "/", "-", "+"):
            digits = match[0].replace(" ", "").replace("-", "")
            if _ISSUERS.match(digits) and _keeps_luhn(digits):
                said = speaks_for(text, start, _CARD_WORDS)
                if said or (said is False and not goes_on(text, start)):
                    yield match.span()


def ibans(text: str, starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where international bank account numbers stand; behind one may be words that look like more of it."""
    for start in starts:
        match = _IBAN.match(text, start)
        if match:
            yield from _longest(match[0], start)


def _longest(written: str, start: int) -> Iterator[tuple[int, int]]:
    from stdnum import iban

    while len(written) >= IBAN_CHARACTERS_MIN:
        if _keeps_mod_97(written.replace(" ", "")) and iban.is_valid(written):
            yield start, start + len(written)
            return
        written = written[:-1].rstrip()


def _keeps_mod_97(number: str) -> bool:
    """The check of ISO 7064, which tells most lengths apart before anything dearer is tried."""
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1


def _keeps_luhn(digits: str) -> bool:
    from stdnum import luhn

    return bool(luhn.is_valid(digits)) and len(set(digits)) > 1
