"""E-mail and internet addresses. Pure."""

import re
from collections.abc import Iterator
from ipaddress import IPv6Address

from personastream.core.personal_data.surroundings import speaks_for, words

_EMAIL = re.compile(
    r"(?<![\w.%+@/-])[\w%+][\w.%+'-]{0,63}@(?:[\w](?:[\w-]{0,61}[\w])?\.){1,8}(?:xn--[\w-]{2,59}|[^\W\d_]{2,24})(?![\w@-])"
)
_SPELT = re.compile(
    r"(?<![\w.])[\w.%+-]{1,64}\s?[(\[]\s?at\s?[)\]]\s?[\w-]{1,63}"
    r"(?:\s?(?:\.|[(\[]\s?(?:dot|punkt|punto|point)\s?[)\]])\s?[\w-]{2,63}){1,4}",
    re.IGNORECASE,
)
_NOT_PEOPLE = frozenset({"git", "hg", "svn"})
"""Users of code repositories: `git@github.com:…` is an address of a repository."""
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "pdf", "js", "ts", "css"})
"""Endings of files, which are named `logo@2x.png`."""

COLONS_MIN = 2
_IPV4 = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_NOT_BEFORE, _NOT_BEHIND = re.compile(r"[\w.:/-]\Z"), re.compile(r"[\w-]|\.\d")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
_ADDRESS_WORDS = words("""
    ip ips ipv address* host hosts server servers login logon logged log logs client clients device devices from ping*
    adress* adresse dirección direccion indirizzo endereço endereco adres router gateway dns connect* traffic request
    requests 地址 アドレス
""")
_VERSION = re.compile(
    r"(?:\bv(?:er(?:sion)?)?\.?\s?|\b(?:releases?|build|firmware|kernel|driver|update[ds]?|upgrade[ds]?|patch(?:ed)?"
    r"|software|package|library|sdk|section|chapter|clause|figure|table|rule)\s(?:to\s|from\s|is\s|at\s)?|§\s?)\Z",
    re.IGNORECASE,
)
_SMALL = 32
"""Four numbers below this are rather a version, or a place in a document."""


def emails(text: str) -> Iterator[tuple[int, int]]:
    """Where e-mail addresses stand."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            local, _, domain = match[0].partition("@")
            if local.lower() not in _NOT_PEOPLE and domain.rpartition(".")[2].lower() not in _FILES:
                yield match.span()
    if "(" in text or "[" in text:
        for match in _SPELT.finditer(text):
            yield match.span()


def ip_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses of version 4 and 6 stand that may be somebody's."""
    for match in _IPV4.finditer(text):
        if _is_somebodys(text, match.start(), match.end(), [int(part) for part in match[0].split(".")]):
            yield match.span()
    if text.count(":") >= COLONS_MIN:
        for match in _IPV6.finditer(text):
            if _is_version_6(match[0]):
                yield match.span()


def _is_somebodys(text: str, start: int, stop: int, parts: list[int]) -> bool:
    if max(parts) > 255 or _NOT_BEHIND.match(text, stop) or _NOT_BEFORE.search(text, max(0, start - 1), start):
        return False
    if parts[0] in (0, 127) or parts[0] >= 224 or parts[:3] == [255, 255, 255]:
        return False
    named = speaks_for(text, start, _ADDRESS_WORDS)
    if named is None or _VERSION.search(text, max(0, start - 24), start):
        return False
    return named or max(parts) >= _SMALL


def _is_version_6(text: str) -> bool:
    if not any(map(str.isdigit, text)) or text.strip(":0") in ("", "1"):
        return False
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
