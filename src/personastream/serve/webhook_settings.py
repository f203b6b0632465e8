"""Section `[[webhook]]` of serve.toml: who is told, of what, and the secret by which they know that it is us."""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from yarl import URL

from personastream.errors import ConfigError
from personastream.serve.happenings import Kind
from personastream.serve.secret_files import checked_address, read_secret
from personastream.settings import setting

TOLD = (Kind.DONE, Kind.PAUSED, Kind.FAILED, Kind.BUDGET_80, Kind.BUDGET_100)
SECRET_MARK = "whsec_"
SECRET_BYTES = 32
SECRET_CHARACTERS_MIN = 16
OWN_SECRET = "webhook.secret"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told by a POST when something happens to a job.

    Addresses often hold a secret themselves, so that they are never shown but for their host.
    """

    url: str = setting("Where to POST.", default="", identity=False)
    url_file: str = setting(
        "File that holds the address instead, if it is a secret; may begin with $CREDENTIALS_DIRECTORY/.",
        default="",
        identity=False,
        path=True,
    )
    secret_file: str = setting(
        "File with the secret that signs; readable by its owner only; may begin with $CREDENTIALS_DIRECTORY/. If it "
        f"is not given, {OWN_SECRET} in the service's folder is used, and made if need be.",
        default="",
        identity=False,
        path=True,
    )
    events: list[str] = setting(
        "Which events to tell.", default_factory=lambda: [each.value for each in TOLD], identity=False
    )
    timeout_s: float = setting(
        "Time for one attempt, in seconds.", default=10.0, minimum=0.1, maximum=120.0, identity=False
    )
    retry_s: float = setting(
        "Pause after the first failed attempt; it doubles with each further one, up to ten minutes.",
        default=2.0,
        minimum=0.01,
        maximum=600.0,
        identity=False,
    )
    give_up_s: float = setting(
        "A message that could not be delivered for so long is given up.",
        default=3 * 86400.0,
        minimum=1.0,
        maximum=30 * 86400.0,
        identity=False,
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook that is ready to be told. `id` is a short stable name of its address."""

    id: str
    url: URL = field(repr=False)
    key: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    events: frozenset[str]
    timeout_s: float
    retry_s: float
    give_up_s: float

    @property
    def shown(self) -> str:
        """Its host, for people."""
        return self.url.host or ""


def targets(hooks: list[Webhook], root: Path, environ: Mapping[str, str] = os.environ) -> list[Target]:
    """All webhooks, with addresses and secrets read and checked. Raises `ConfigError`."""
    found = [_target(hook, f"[[webhook]] {place}", root, environ) for place, hook in enumerate(hooks)]
    if len({each.id for each in found}) < len(found):
        raise ConfigError("two [[webhook]] have the same address", hint="Name all events in one of them.")
    return found


def _target(hook: Webhook, named: str, root: Path, environ: Mapping[str, str]) -> Target:
    known = sorted(kind.value for kind in Kind)
    for event in hook.events:
        if event not in known:
            raise ConfigError(f"{named}: there is no event {event!r}", hint=f"Events are {', '.join(known)}.")
    if bool(hook.url) == bool(hook.url_file):
        raise ConfigError(f"{named} needs either url or url_file")
    address = hook.url or read_secret(hook.url_file, f"{named}: url_file", environ)
    own = root / OWN_SECRET
    secret = read_secret(hook.secret_file, f"{named}: secret_file", environ) if hook.secret_file else _own_secret(own)
    url = checked_address(address, f"{named}: the address")
    return Target(
        id=hashlib.sha256(str(url).encode()).hexdigest()[:12],
        url=url,
        key=_key(secret, named),
        secrets=(secret, *((url.raw_path_qs,) if len(url.raw_path_qs) > SECRET_CHARACTERS_MIN else ())),
        events=frozenset(hook.events),
        timeout_s=hook.timeout_s,
        retry_s=hook.retry_s,
        give_up_s=hook.give_up_s,
    )


def _key(secret: str, named: str) -> bytes:
    """The bytes that sign: what follows `whsec_` is base64, anything else is taken as it is."""
    if len(secret) < SECRET_CHARACTERS_MIN:
        raise ConfigError(
            f"{named}: the secret has fewer than {SECRET_CHARACTERS_MIN} characters",
            hint="Make one: openssl rand -base64 32",
        )
    if not secret.startswith(SECRET_MARK):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_MARK), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"{named}: what follows {SECRET_MARK} in the secret is not base64") from error


def _own_secret(path: Path) -> str:
    """The service's own secret, made when it is first needed."""
    made = SECRET_MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
            file.write(made + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return read_secret(str(path), "the service's own secret", {})
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}") from error
    return made
