"""Where a service is and with which key it is asked: read from the configuration, and never shown."""

import os
import re
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from yarl import URL

from personastream.errors import ConfigError
from personastream.providers.faults import one_line
from personastream.settings import CREDENTIALS

METADATA_NAME = "metadata.google.internal"
METADATA = frozenset({ip_address("169.254.169.254"), ip_address("fd00:ec2::254")})
"""Where clouds tell machines their secrets."""
SECRET_CHARACTERS_MIN = 12
"""A shorter key is a placeholder, such as EMPTY: often a plain word, which replies may hold."""


def api_url(base_url: str, path: str) -> URL:
    """Where to send requests. Raises `ConfigError`; its message keeps user names and passwords to itself."""
    try:
        address = urlsplit(base_url)
        url = URL(base_url.rstrip("/") + path)
        if (
            address.scheme in ("http", "https")
            and url.host
            and base_url.isprintable()
            and not set(base_url) & set(" @?#")
        ):
            return url
    except ValueError:  # a port or an IPv6 address that is none
        pass
    shown = one_line(re.sub("^([^/@]*//)?.*@", r"\1", base_url, flags=re.DOTALL).partition("?")[0])
    raise ConfigError(
        f'[provider] base_url = "{shown}" is not a plain http(s) address',
        hint='It looks like base_url = "http://127.0.0.1:8000/v1"; keys go into api_key_env, not into the address.',
    )


def check_destination(url: URL, has_key: bool) -> None:
    """Refuse addresses that no model service has, and to send a key unencrypted beyond private networks.

    Judged by the address as it is written; names are not looked up. Raises `ConfigError`.
    """
    host = url.host or ""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if host == METADATA_NAME or address in METADATA or (address is not None and address.is_link_local):
        raise ConfigError(f"[provider] base_url names {host}, which is for machines' own metadata, not for models")
    if has_key and url.scheme == "http" and address is not None and address.is_global:
        raise ConfigError(
            f"[provider] base_url is http://{host}: the key would cross the internet unencrypted",
            hint="Use https://, or a tunnel to a private address.",
        )


def read_key(variable: str, file: str) -> str:
    """The API key from a file, or else from an environment variable; empty if there is none. Raises `ConfigError`."""
    if variable and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", variable):  # never shown: it may be the key itself
        raise ConfigError(
            "[provider] api_key_env holds something that is no name of an environment variable",
            hint='Write the variable\'s name there, such as "OPENAI_API_KEY", and the key into the variable.',
        )
    if not file:
        return _checked_key(os.environ.get(variable, ""), f"the environment variable {variable}")
    path, others = (_credential(file), 0o007) if file.startswith(CREDENTIALS) else (file, 0o077)
    try:
        with open(path, encoding="ascii") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            key = opened.read(4096)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[provider] api_key_file {file} cannot be read: {error}") from error
    if mode & others:
        raise ConfigError(f"[provider] api_key_file {file} can be read by others", hint=f"Run: chmod 600 {file}")
    return _checked_key(key, file)


def service_of(url: str, model: str, variable: str, file: str) -> str:
    """A service under one key, in words that last: the key itself may change."""
    return f"{url} {model} {f'file {file}' if file else f'variable {variable}'}"


def spellings(key: str) -> tuple[bytes, ...]:
    """The ways in which a server may quote a key: as it is, with slashes escaped, and as part of an address."""
    if len(key) < SECRET_CHARACTERS_MIN:
        return ()
    return tuple({key.encode(), key.replace("/", "\\/").encode(), quote(key, safe="").encode()})


def _credential(file: str) -> str:
    """Where systemd has put a credential. Its group may seem to read it: that is how an access list shows."""
    directory, name = os.environ.get("CREDENTIALS_DIRECTORY", ""), file.removeprefix(CREDENTIALS)
    if not directory:
        raise ConfigError(
            f"[provider] api_key_file {file}: there is no $CREDENTIALS_DIRECTORY",
            hint=f"systemd sets it for a unit with LoadCredential={name}:/where/the/key/is, or SetCredential=.",
        )
    if not name or "/" in name or name in (".", ".."):
        raise ConfigError(f"[provider] api_key_file {file} names no credential", hint=f"Write {CREDENTIALS}NAME.")
    return os.path.join(directory, name)


def _checked_key(key: str, origin: str) -> str:
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"[provider] the key in {origin} holds a line break or another character that no key has",
            hint="Put the key there alone, on one line.",
        )
    return key
