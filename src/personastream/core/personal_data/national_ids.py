"""Numbers that states give to people, with the checks that each country has. Pure.

One check digit lets one number in ten pass. Numbers with more to them are believed wherever they stand; others only
where they are written in the way of their country, or where a word before them names them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import NamedTuple

from personastream.core.personal_data.surroundings import goes_on, speaks_for, words

_END = r"(?![A-Za-z0-9_-]|[.,]\d|[ ]\d)"


class Form(NamedTuple):
    """How a number is written, with how many digits it begins, what checks it, and whether a word must name it."""

    country: str
    begins: tuple[int, ...]
    pattern: "re.Pattern[str]"
    check: str
    named: bool = False


def _form(country: str, begins: tuple[int, ...], pattern: str, check: str, *, named: bool = False) -> Form:
    return Form(country, begins, re.compile(f"(?:{pattern}){_END}"), check, named)


_WORDS = {
    "US": words("ssn ssns social security"),
    "GB": words("national insurance ni nino"),
    "DE": words("steuer* identifikationsnummer idnr tax"),
    "FR": words("sécu sécurité sociale nir insee"),
    "ES": words("dni nif nie documento extranjero"),
    "IT": words("codice fiscale cf"),
    "PL": words("pesel*"),
    "NL": words("bsn burgerservice* sofinummer"),
    "SE": words("personnummer personal pnr"),
    "BR": words("cpf cadastro"),
    "IN": words("aadhaar aadhar uidai uid आधार"),
    "CN": words("identity 身份证 公民"),
    "JP": words("mynumber my_number マイナンバー 個人番号"),
    "CA": words("sin nas insurance assurance"),
    "AU": words("tfn tax"),
}
"""What people call the number of a country."""

FORMS: Sequence[Form] = (
    _form("US", (3,), r"\d{3}-\d{2}-\d{4}", "us.ssn"),
    _form("US", (3, 9), r"\d{3} \d{2} \d{4}|\d{9}", "us.ssn", named=True),
    _form("GB", (0,), r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]( ?)\d{2}(?:\1\d{2}){2}\1[A-D]", "nino"),
    _form("DE", (2,), r"\d{2} \d{3} \d{3} \d{3}", "de.idnr"),
    _form("DE", (11,), r"\d{11}", "de.idnr", named=True),
    _form("FR", (1, 6, 15), r"[1-478]( ?)\d{2}\1\d{2}\1\d[\dAB]\1\d{3}\1\d{3}\1\d{2}", "fr.nir"),
    _form("ES", (8,), r"\d{8}[ -]?[A-HJ-NP-TV-Z]", "es.dni"),
    _form("ES", (0,), r"[XYZ][ -]?\d{7}[ -]?[A-HJ-NP-TV-Z]", "es.nie"),
    _form("IT", (0,), r"[A-Z]{6}[\dL-NP-V]{2}[A-EHLMPRST][\dL-NP-V]{2}[A-Z][\dL-NP-V]{3}[A-Z]", "it.codicefiscale"),
    _form("PL", (11,), r"\d{11}", "pl.pesel", named=True),
    _form("NL", (4, 9), r"\d{9}|\d{4}[. ]\d{2}[. ]\d{3}", "nl.bsn", named=True),
    _form("SE", (6, 8), r"(?:\d{2})?\d{6}[-+]\d{4}", "se.personnummer"),
    _form("SE", (10, 12), r"(?:\d{2})?\d{10}", "se.personnummer", named=True),
    _form("BR", (3,), r"\d{3}\.\d{3}\.\d{3}-\d{2}", "br.cpf"),
    _form("BR", (11,), r"\d{11}", "br.cpf", named=True),
    _form("IN", (4,), r"[2-9]\d{3}([ -])\d{4}\1\d{4}", "in_.aadhaar"),
    _form("IN", (12,), r"[2-9]\d{11}", "in_.aadhaar", named=True),
    _form("CN", (17, 18), r"[1-8]\d{5}(?:19|20)\d{9}[\dXx]", "cn.ric"),
    _form("JP", (4, 12), r"\d{12}|\d{4}([ -])\d{4}\1\d{4}", "jp.in_", named=True),
    _form("CA", (3, 9), r"\d{9}|\d{3}([ -])\d{3}\1\d{3}", "ca.sin", named=True),
    _form("AU", (3, 8, 9), r"\d{8,9}|\d{3} \d{3} \d{2,3}", "au.tfn", named=True),
)

_DIGITS = re.compile(r"[0-9]*")
_BY_BEGINNING = {count: [form for form in FORMS if count in form.begins] for count in range(20)}


def national_ids(text: str, starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where such numbers stand."""
    for _, start, stop in with_countries(text, starts):
        yield start, stop


def with_countries(text: str, starts: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """Whose number stands from where to where."""
    for start in starts:
        if text[start - 1 : start] in (".", "/", "-", "+"):
            continue
        digits = _DIGITS.match(text, start)
        for form in _BY_BEGINNING.get(digits.end() - start if digits else 0, ()):
            match = form.pattern.match(text, start)
            if match and _check(form.check)(match[0].replace(" ", "")):
                said = speaks_for(text, start, _WORDS[form.country])
                if said or (said is False and not form.named and not goes_on(text, start)):
                    yield form.country, *match.span()


@cache
def _check(name: str) -> Callable[[str], bool]:
    """The check of that name, of those that python-stdnum has."""
    if name == "nino":  # it has no check digit, only prefixes that are never given
        return lambda number: number[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
    check: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return check
