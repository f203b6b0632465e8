"""`serve.toml`: the settings of a service. All have defaults, so the file may be missing.

Each section is a dataclass in the module that obeys it; this one reads the file and says what is wrong with it.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from personastream.build import construct
from personastream.config import Section, document_in, nearest
from personastream.core.ceilings import IN_FLIGHT_MAX, NAMES, PER_MINUTE_MAX
from personastream.errors import ConfigError
from personastream.settings import setting

NAME = "serve.toml"


@dataclass(frozen=True, slots=True)
class Serve:
    """How many jobs run side by side, and when they are tried again."""

    jobs_max: int = setting(
        "Jobs that run side by side; others wait in line. One that follows its input and waits for more holds no "
        "place, and goes on at once when more comes, beside however many run then.",
        default=4,
        minimum=1,
        maximum=64,
        identity=False,
    )
    retry_s: float = setting(
        "A job that could not go on is tried again after about so many seconds; then after twice as many, and so on.",
        default=60.0,
        minimum=0.01,
        maximum=3600.0,
        identity=False,
    )
    retry_s_max: float = setting(
        "Longest pause before a job is tried again, in seconds.",
        default=900.0,
        minimum=0.01,
        maximum=86400.0,
        identity=False,
    )
    drain_s_max: float = setting(
        "Time for rows in flight to finish when the service ends, in seconds; then they are given up and asked again.",
        default=120.0,
        minimum=0.0,
        maximum=3600.0,
        identity=False,
    )
    memory_bytes_max: int = setting(
        "No job starts that would take the service beyond so much memory, in bytes. 0: 80 % of what the machine or "
        "its control group has.",
        default=0,
        minimum=0,
        maximum=1 << 46,
        identity=False,
    )
    disk_bytes_min: int = setting(
        "No job starts with less room than this on the disk of the root, in bytes, and /readyz says so.",
        default=1 << 30,
        minimum=0,
        maximum=1 << 50,
        identity=False,
    )
    own_modules: bool = setting(
        'Whether jobs may name adapters in modules of their own (type = "package.module:Class"): their code then runs '
        "in the service, with all that it may do.",
        default=False,
        identity=False,
    )


@dataclass(frozen=True, slots=True)
class Api:
    """Where the service is spoken to. Everything but health, metrics and the page itself needs the token."""

    listen: str = setting(
        "Address and port, or unix:PATH (relative to the root). Port 0: any that is free.",
        default="127.0.0.1:8765",
        identity=False,
    )
    beyond_loopback: bool = setting(
        "Whether `listen` may name an address that other machines reach. The token then travels in clear: put a proxy "
        "with TLS before it.",
        default=False,
        identity=False,
    )
    hosts: list[str] = setting(
        'Further names, with their ports, by which the service may be called, such as ["personas.example:443"].',
        default_factory=list,
        identity=False,
    )


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What all jobs together may take."""

    spend_max: float = setting(
        "Ceiling on what all jobs together may cost, in the currency of the prices; 0 for none. Crashes count as "
        "spending.",
        default=0.0,
        minimum=0.0,
        maximum=1e9,
        identity=False,
    )


@dataclass(frozen=True, slots=True)
class EndpointCeilings:
    """Ceilings of one shared endpoint, in place of the strictest that any job names for it."""

    id: str = setting("Which one, as `ctl endpoints` names it: the same in every process.", identity=False)
    in_flight_max: int | None = setting(
        "Most requests at once.", default=None, minimum=1, maximum=IN_FLIGHT_MAX, identity=False
    )
    requests_per_minute: float | None = setting(
        "Most requests a minute; 0: no limit.", default=None, minimum=0, maximum=PER_MINUTE_MAX, identity=False
    )
    tokens_per_minute: float | None = setting(
        "Most tokens a minute; 0: no limit.", default=None, minimum=0, maximum=PER_MINUTE_MAX, identity=False
    )
    input_tokens_per_minute: float | None = setting(
        "Most input tokens a minute; 0: no limit.", default=None, minimum=0, maximum=PER_MINUTE_MAX, identity=False
    )
    output_tokens_per_minute: float | None = setting(
        "Most output tokens a minute; 0: no limit.", default=None, minimum=0, maximum=PER_MINUTE_MAX, identity=False
    )

    @property
    def ceilings(self) -> dict[str, float]:
        """Those that are given."""
        return {name: getattr(self, name) for name in NAMES if getattr(self, name) is not None}


SINGLE = {
    "serve": "personastream.serve.settings:Serve",
    "api": "personastream.serve.settings:Api",
    "limits": "personastream.serve.settings:Ceilings",
    "log": "personastream.serve.log:LogSettings",
    "telemetry": "personastream.serve.telemetry:TelemetrySettings",
}
SEVERAL = {
    "endpoint": "personastream.serve.settings:EndpointCeilings",
    "webhook": "personastream.serve.webhook_settings:Webhook",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections: of those that may stand several times, a list."""

    single: Mapping[str, Any] = field(default_factory=dict)
    several: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def serve(self) -> Serve:
        """`[serve]`."""
        return self.single["serve"]  # type: ignore[no-any-return]

    @property
    def api(self) -> Api:
        """`[api]`."""
        return self.single["api"]  # type: ignore[no-any-return]

    @property
    def limits(self) -> Ceilings:
        """`[limits]`."""
        return self.single["limits"]  # type: ignore[no-any-return]

    @property
    def endpoints(self) -> Sequence[EndpointCeilings]:
        """`[[endpoint]]`."""
        return self.several["endpoint"]


def load_settings(path: Path, changes: Sequence[str] = ()) -> Settings:
    """The settings of a file, or the defaults if there is none. Raises `ConfigError`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    document = document_in(content, str(path), changes)
    valid = {*SINGLE, *SEVERAL}
    for name in document:
        if name not in valid:
            raise ConfigError(f"{path}: unknown section [{name}]", hint=nearest(name, valid))
    single = {name: _section(path, name, document.get(name, {}), where) for name, where in SINGLE.items()}
    several = {name: _sections(path, name, document.get(name, []), where) for name, where in SEVERAL.items()}
    return Settings(single, several)


def _section(path: Path, name: str, table: object, where: str) -> Any:
    """A section as the dataclass that `where` names: module:Class."""
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [{name}] must be a table")
    module, _, cls = where.partition(":")
    return construct(str(path), path.parent, Section(name, "", table), getattr(importlib.import_module(module), cls))


def _sections(path: Path, name: str, tables: object, where: str) -> list[Any]:
    if not isinstance(tables, list):
        raise ConfigError(f"{path}: write [[{name}]], in double brackets: there may be several")
    return [_section(path, f"{name}[{place}]", table, where) for place, table in enumerate(tables)]
