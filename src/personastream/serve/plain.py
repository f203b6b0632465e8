"""What is told beyond this process, by the log and by webhooks: plain data, printable, bounded, without secrets.

Law: texts come from rows, models and strangers' servers. None of them can forge a line, move a cursor, grow without
end or carry a key out, whatever it holds.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from personastream.core.personal_data.keys import api_keys

TEXT_CHARACTERS_MAX = 500
ENTRIES_MAX = 32
DEPTH_MAX = 3
INTEGER_MAX = 2**63 - 1
SECRET_CHARACTERS_MIN = 8
"""A shorter secret is a placeholder, such as EMPTY, and may be a plain word."""
SECRET_BYTES_MAX = 8192
STRUCK = "[secret]"

_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_SECRET_NAME = re.compile(r"(?i)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)\Z")


class Secrets:
    """What must not be told: secrets that are known, and whatever looks like one."""

    def __init__(self) -> None:
        self._known: list[str] = []

    def add(self, *secrets: str) -> None:
        """From now on these are struck out, wherever they stand."""
        new = {each.strip() for each in secrets if len(each.strip()) >= SECRET_CHARACTERS_MIN}
        self._known = sorted(new.union(self._known), key=len, reverse=True)  # a longer one may hold a shorter one

    def add_surroundings(self, environ: Mapping[str, str]) -> None:
        """Add what this process was given: variables named like secrets, and the credentials of systemd."""
        self.add(*(value for name, value in environ.items() if _SECRET_NAME.search(name)))
        folder = environ.get("CREDENTIALS_DIRECTORY")
        if folder:
            try:
                self.add(*(_start(path) for path in Path(folder).iterdir() if path.is_file()))
            except OSError:  # then nobody can read a secret there, so that none can be told
                return

    def strike(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._known:
            text = text.replace(secret, STRUCK)
        for start, end in sorted(api_keys(text), reverse=True):
            text = text[:start] + STRUCK + text[end:]
        return _BEARER.sub(rf"\1 {STRUCK}", text)


def escaped(text: str) -> str:
    """`text` with each character that is not printable spelt out, such as `\\n` or `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def words(text: str, secrets: Secrets, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """One line of text that may leave: no secrets, printable, cut where it is too long."""
    shown = escaped(secrets.strike(text))  # before it is cut: a part of a secret is not known as one
    left_out = len(shown) - characters_max
    return shown if left_out <= 0 else f"{shown[:characters_max]}… ({left_out} more)"


def plain(value: object, secrets: Secrets, depth: int = 0) -> object:
    """`value` as JSON can hold it; of what is deep, long or of another kind only the words."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= INTEGER_MAX else words(str(value), secrets)
    if depth < DEPTH_MAX and isinstance(value, Mapping):
        pairs = list(value.items())[:ENTRIES_MAX]
        return {words(str(key), secrets, 64): plain(each, secrets, depth + 1) for key, each in pairs}
    if depth < DEPTH_MAX and isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [plain(each, secrets, depth + 1) for each in list(value)[:ENTRIES_MAX]]
    return words(str(value), secrets)


def _start(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(SECRET_BYTES_MAX).decode("utf-8", "replace")
