"""Telephone numbers: international ones, and those of some countries as people write them there. Pure."""

import re
from collections.abc import Iterator, Sequence

from personastream.core.personal_data.surroundings import goes_on, speaks_for, words

_S = r"[ .\-/\u00a0‑–]"
_END = rf"(?![A-Za-z0-9_]|{_S}?\d|[.,:-]\d)"

_INTERNATIONAL = re.compile(
    rf"(?:\+|00(?=[1-9]))[ ]?[1-9](?:{_S}{{0,1}}(?:\(\d{{1,5}}\)|\d)){{6,14}}(?![A-Za-z0-9_]|{_S}?\d)"
)
_WRITTEN = re.compile(
    rf"(?:(?:1{_S})?(?:\([2-9]\d{{2}}\)[ ]?|[2-9]\d{{2}}(?:[.\-]))[2-9]\d{{2}}[ .\-]\d{{4}}"  # North America
    rf"|\(0\d{{1,5}}\)[ ]?\d{{2,8}}(?:[ \-]\d{{2,6}}){{0,3}}|\([1-9]\d\)[ ]?9?\d{{4}}[ -]\d{{4}}"  # brackets; Brazil
    rf"|0[1-9](?:[ .\-]\d{{2}}){{4}}"  # France
    rf"|0[789]0-\d{{4}}-\d{{4}}"  # Japan
    rf"|07\d{{3}}[ ]\d{{6}}|02\d[ ]\d{{4}}[ ]\d{{4}}"  # Britain
    rf"|04\d{{2}}[ ]\d{{3}}[ ]\d{{3}}"  # Australia
    rf"|[679]\d{{2}}(?:[ ]\d{{2}}){{3}}"  # Spain
    rf"|3\d{{2}}[ ]\d{{3}}[ ]\d{{4}}"  # Italy
    rf"|1[3-9]\d[ -]\d{{4}}[ -]\d{{4}}"  # China
    rf"|[6-9]\d{{4}}[ -]\d{{5}}"  # India
    rf"){_END}"
)
_ANY = re.compile(rf"\(?\d{{1,5}}\)?(?:[ .\-/]?\d){{5,12}}{_END}")
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[ ./-](?:0?[1-9]|1[0-2])[ ./-](?:19|20)\d\d(?!\d)"
    r"|(?:0?[1-9]|1[0-2])[ ./-](?:0?[1-9]|[12]\d|3[01])[ ./-](?:19|20)\d\d(?!\d)"
    r"|(?:19|20)\d\d[./-](?:0\d|1[0-2])[./-]\d\d"
)
_WORDS = words("""
    phone* tel telephone* telefon* telefoon* téléphone* teléfono*
    mobile* mobil* mobiel* móvil* movil* cell cellular* celular* cellulare
    call calls called calling fax whatsapp sms text texted texting dial* ring hotline reach reached contact* handy*
    ruf* anruf* erreich* tél portable appel* joindre llam* llám* chiam* bel bellen belt ligue ligar zadzwo* dzwo*
    komórk* ringer nås whats 电话 手机 联系 拨打 致电 電話 携帯 फ़ोन फोन मोबाइल कॉल 전화
""")
_GOES_BEFORE = (".", ",", "+", "/", "#", "-")
"""Behind these stands a part of something longer."""
_DIGITS_MIN, _DIGITS_MAX = 7, 15


def phones(text: str, starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where telephone numbers stand."""
    for start in starts:
        if text[start] != "+" and (text[start - 1 : start] in _GOES_BEFORE or goes_on(text, start)):
            continue
        match = _INTERNATIONAL.match(text, start)
        if match and _fits(match[0]) and (text[start] == "+" or speaks_for(text, start, _WORDS)):
            yield match.span()
            continue
        written = _WRITTEN.match(text, start)
        match = written or _ANY.match(text, start)
        if match and _fits(match[0]):
            said = speaks_for(text, start, _WORDS)
            if said or (written and said is False):
                yield match.span()


def _fits(written: str) -> bool:
    return _DIGITS_MIN <= _digits(written) <= _DIGITS_MAX and not _DATE.match(written)


def _digits(written: str) -> int:
    return sum(map(str.isdigit, written))
