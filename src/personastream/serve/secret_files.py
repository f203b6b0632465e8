"""Secrets that the service's settings name: read from files that nobody else can read, and never shown."""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from yarl import URL

from personastream.errors import ConfigError
from personastream.providers.access import check_destination
from personastream.settings import CREDENTIALS

FILE_BYTES_MAX = 4096


def read_words(name: str, named: str, environ: Mapping[str, str] = os.environ) -> str:
    """The text of a small file; `named` is how messages call the setting. Raises `ConfigError`."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "") if name.startswith(CREDENTIALS) else ""
    path = f"{folder}/{name.removeprefix(CREDENTIALS)}" if folder else name
    try:
        with open(path, encoding="ascii") as file:
            mode, text = os.fstat(file.fileno()).st_mode, file.read(FILE_BYTES_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise ConfigError(f"{named} = {name!r} cannot be read: {why}") from error
    if mode & (0o007 if folder else 0o077):  # systemd's access list shows as a group that may read
        raise ConfigError(f"{named} = {name!r} can be read by others", hint=f"Run: chmod 600 {name}")
    return text


def read_secret(name: str, named: str, environ: Mapping[str, str] = os.environ) -> str:
    """The one word that a file holds. Raises `ConfigError`."""
    text = read_words(name, named, environ)
    if not text or re.search(r"\s", text):
        raise ConfigError(f"{named} = {name!r} does not hold one word alone")
    return text


def checked_address(address: str, named: str) -> URL:
    """A plain http(s) address, which messages keep to themselves: it may be a secret. Raises `ConfigError`."""
    try:
        parts, url = urlsplit(address), URL(address)
        is_good = parts.scheme in ("http", "https") and url.host and url.user is None and url.password is None
    except ValueError:
        is_good = False
    if not is_good or not address.isprintable() or " " in address:
        raise ConfigError(
            f"{named} is not a plain http(s) address",
            hint="It looks like https://example.org/hook, without a user name or password.",
        )
    try:
        check_destination(url, has_key=False)
    except ConfigError as error:
        raise ConfigError(f"{named} is for machines' own metadata") from error
    return url
