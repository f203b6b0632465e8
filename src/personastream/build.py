"""Names into things: the only place that turns a section's `type` into an adapter and checks its keys."""

import dataclasses
import importlib
import json
import math
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from personastream.config import Config, Section, nearest
from personastream.errors import ConfigError
from personastream.guard import Guard
from personastream.job import Job
from personastream.licences.rules import NO_RULES, LicenceRules
from personastream.limits import Limits
from personastream.ports import CHAT, MODERATION, Provider, Recipe, Screen, Sink, Source, Transform
from personastream.settings import CREDENTIALS
from personastream.sources.places import is_url

FOLDERS = {
    "source": "sources",
    "transform": "transforms",
    "recipe": "recipes",
    "provider": "providers",
    "sink": "sinks",
    "screen": "screens",
}
SHIPPED = {
    **dict.fromkeys(("template", "continuation", "program_template", "judge_template", "prompt"), ".toml"),
    "setting": ".txt",
}
"""Keys that hold the name of something shipped, or the path of a file with this ending."""

PROVIDER_HINTS = {
    CHAT: 'Give one that answers chats a name: name = "…" in its [[provider]].',
    MODERATION: 'Add a [[provider]] with type = "moderation".',
}
OWN_HINT = "A module of your own must be on the Python path, or beside the configuration file."


@dataclass(frozen=True, slots=True)
class Thinning:
    """What reads rows and thins them, and where to."""

    source: Source
    transforms: list[Transform]
    sink: Sink
    limits: Limits
    licence: LicenceRules
    job: Job


@dataclass(frozen=True, slots=True)
class Parts:
    """All adapters of a run, built; nothing has been opened or sent."""

    source: Source
    transforms: list[Transform]
    recipe: Recipe
    providers: list[Provider]
    sink: Sink
    limits: Limits
    licence: LicenceRules = NO_RULES
    screens: Sequence[Screen] = ()
    guard: Guard | None = None

    @property
    def answering(self) -> list[Provider]:
        """The providers that any request may go to: not those that answer only who asks them by name."""
        return [provider for provider in self.providers if not is_reserved(provider)]


def is_reserved(provider: Provider) -> bool:
    """Whether a provider answers only requests that name it."""
    return bool(getattr(provider, "reserved", False))


def build(config: Config) -> Parts:
    """Build every adapter that a configuration names. Raises `ConfigError`."""
    thinning = build_thinning(config)
    parts = Parts(
        source=thinning.source,
        transforms=thinning.transforms,
        recipe=_adapter(config, config.recipe),
        providers=[_adapter(config, section) for section in config.providers],
        sink=thinning.sink,
        limits=thinning.limits,
        licence=thinning.licence,
        screens=[_adapter(config, section) for section in config.screens],
        guard=None if config.guard is None else _construct(config, config.guard, Guard),
    )
    _check_names(config, parts)
    return parts


def build_thinning(config: Config) -> Thinning:
    """Build all but what asks. Raises `ConfigError`."""
    return Thinning(
        source=_adapter(config, config.source),
        transforms=[_adapter(config, section) for section in config.transforms],
        sink=_adapter(config, config.sink),
        limits=_construct(config, config.limits, Limits),
        licence=_construct(config, config.licence, LicenceRules),
        job=_construct(config, config.job, Job),
    )


def _check_names(config: Config, parts: Parts) -> None:
    """Recipes and screens may ask providers by name only if there are any of that name, which answer with what they
    can read; some must be for all.
    """
    answers: dict[str, set[str]] = {}
    for provider in parts.providers:
        answers.setdefault(getattr(provider, "name", ""), set()).add(getattr(provider, "ANSWERS", CHAT))
    answers.pop("", None)
    asking = [(config.recipe, parts.recipe), *zip(config.screens, parts.screens, strict=True)]
    for section, part in asking:
        wanted = getattr(part, "ASKS", CHAT)
        fitting = [name for name, kinds in answers.items() if kinds == {wanted}]
        for asked in getattr(part, "providers_asked", ()):
            if asked not in fitting:
                where = f"{config.where}: [{section.name}]"
                raise _not_to_be_asked(where, asked, wanted, answers.get(asked, set()), fitting)
    if not parts.answering:
        hint = "Add a [[provider]] for the recipe's requests."
        raise ConfigError(f"{config.path}: every provider answers only who asks it by name", hint=hint)


def _not_to_be_asked(where: str, asked: str, wanted: str, found: set[str], fitting: Sequence[str]) -> ConfigError:
    """There is no provider of the name, or one that answers with something else, or several that differ in that."""
    hint = nearest(asked, fitting) if fitting else PROVIDER_HINTS.get(wanted, PROVIDER_HINTS[CHAT])
    wrong = f"which is no {wanted} provider" if found else "which is not there"
    if wanted in found:
        wrong, hint = "a name of providers of several kinds", "Give each a `name` of its own."
    return ConfigError(f"{where} asks the provider {asked!r}, {wrong}", hint=hint)


def identity(config: Config, parts: Parts) -> dict[str, Any]:
    """What must stay the same in all sittings of a run, by key: settings that shape the output, the template, and
    the digests of other files that shape prompts (a recipe's `materials`).

    Of several providers, only the set of what they are counts: another server for the same model is no change.
    """
    kept: dict[str, Any] = {}
    for section, part in (
        (config.source, parts.source),
        *zip(config.transforms, parts.transforms, strict=True),
        (config.recipe, parts.recipe),
        *zip(config.screens, parts.screens, strict=True),
    ):
        kept |= {f"{section.name}.{key}": value for key, value in _identity(section, part).items()}
        if (section in config.transforms or section in config.screens) and hasattr(part, "fingerprint"):
            kept[f"{section.name}.fingerprint"] = part.fingerprint
    providers = [_identity(section, part) for section, part in zip(config.providers, parts.providers, strict=True)]
    for key in dict.fromkeys(key for each in providers for key in each):
        values = sorted({json.dumps(each[key], sort_keys=True, default=str) for each in providers if key in each})
        kept[f"provider.{key}"] = json.loads(values[0]) if len(values) == 1 else [json.loads(one) for one in values]
    if getattr(parts.source, "licence_column", "") and parts.licence.refuses_anything:  # then they drop rows
        kept |= {f"licence.{key}": value for key, value in dataclasses.asdict(parts.licence).items()}
    fingerprint = getattr(parts.recipe, "fingerprint", None)
    if fingerprint is not None:
        kept["recipe.template"] = fingerprint
    kept |= {f"recipe.{name}": digest for name, digest in getattr(parts.recipe, "materials", {}).items()}
    contract = getattr(parts.recipe, "contract", None)
    if contract is not None:
        kept["recipe.contract"] = contract
    return kept


def _identity(section: Section, part: object) -> dict[str, Any]:
    fields = dataclasses.fields(typing.cast(Any, part))
    shaping = [f for f in fields if f.init and f.metadata.get("identity", True) and not f.metadata.get("path")]
    return {"type": section.type, **{field.name: getattr(part, field.name) for field in shaping}}


def sections(config: Config, parts: Parts | Thinning) -> list[tuple[Section, object]]:
    """Every section of a configuration with what was built of it."""
    asking: list[tuple[Section, object]] = []
    guard: list[tuple[Section, object]] = []
    if isinstance(parts, Parts):
        screens = zip(config.screens, parts.screens, strict=True)
        asking = [(config.recipe, parts.recipe), *screens, *zip(config.providers, parts.providers, strict=True)]
        guard = [(config.guard, parts.guard)] if config.guard is not None else []
    return [
        (config.source, parts.source),
        *zip(config.transforms, parts.transforms, strict=True),
        *asking,
        (config.sink, parts.sink),
        (config.limits, parts.limits),
        (config.licence, parts.licence),
        *guard,
    ]


def effective(section: Section, part: object) -> dict[str, Any]:
    """A section's settings with all defaults, for showing."""
    fields = [field for field in dataclasses.fields(typing.cast(Any, part)) if field.init]
    shown = {field.name: getattr(part, field.name) for field in fields}
    return {"type": section.type, **shown} if section.type else shown


def adapter_class(kind: str, name: str, where: str) -> type[Any]:
    """The dataclass behind a `type`: `near_dedup` is `NearDedup` in its folder, `pkg.mod:Thing` somebody else's."""
    if ":" in name:
        module_name, _, class_name = name.partition(":")
    else:
        folder = FOLDERS[kind]
        class_name = "".join(word.capitalize() for word in name.split("_"))
        module_name = f"personastream.{folder}.{name}"
    if not all(map(str.isidentifier, (*module_name.split("."), class_name))) or name.startswith("_"):
        raise ConfigError(f"{where} type = {name!r} is not a name", hint=nearest(name, known(kind)))
    unknown = nearest(name, known(kind)) if ":" not in name else OWN_HINT
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not module_name.startswith(error.name):
            raise ConfigError(f"{where} type = {name!r} needs the package {error.name!r}, which is missing") from error
        raise ConfigError(f"{where} type = {name!r} is unknown", hint=unknown) from error
    except Exception as error:  # whatever is wrong in somebody else's module
        raise ConfigError(f"{where} type = {name!r}: its module fails: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if found is None:
        raise ConfigError(f"{where} type = {name!r} is unknown: its module has no {class_name}", hint=unknown)
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ConfigError(f"{where} type = {name!r} is not a dataclass", hint=nearest(name, known(kind)))
    if ":" not in name and not all("doc" in field.metadata for field in dataclasses.fields(found) if field.init):
        # a supporting class of an adapter, not one itself
        raise ConfigError(f"{where} type = {name!r} is unknown", hint=nearest(name, known(kind)))
    return found


def adapter_name(part: object) -> str:
    """The `type` that stands for this part's class in a configuration, as `adapter_class` reads it."""
    cls = type(part)
    folder, _, name = cls.__module__.rpartition(".")
    built_in = folder in {f"personastream.{each}" for each in FOLDERS.values()}
    return name if built_in else f"{cls.__module__}:{cls.__qualname__}"


def known(kind: str) -> list[str]:
    """The built-in types of a kind: the modules of its folder that hold the dataclass named after them."""
    folder = Path(__file__).parent / FOLDERS[kind]
    names = [path.stem for path in sorted(folder.glob("[a-z]*.py"))]
    return [name for name in names if _holds_adapter(folder / f"{name}.py", name)]


def _holds_adapter(path: Path, name: str) -> bool:
    """Told from the text, so that listing the choices imports none of them."""
    class_name = "".join(word.capitalize() for word in name.split("_"))
    text = path.read_text(encoding="utf-8")
    has_settings = "= setting(" in text or "field(init=False" in text
    return f"@dataclass\nclass {class_name}(" in text or (f"\nclass {class_name}:" in text and has_settings)


def _adapter(config: Config, section: Section) -> Any:
    kind = section.name.partition("[")[0]
    if ":" in section.type and str(config.directory) not in sys.path:
        sys.path.append(str(config.directory))  # so that a module may lie beside the configuration
    return _construct(config, section, adapter_class(kind, section.type, f"{config.where}: [{section.name}]"))


def _construct(config: Config, section: Section, cls: type[Any]) -> Any:
    return construct(config.where, config.directory, section, cls)


def construct(of: str, directory: Path, section: Section, cls: type[Any]) -> Any:
    """A section's dataclass, its keys checked. Messages begin with `of`; relative paths are taken from `directory`.

    Raises `ConfigError`.
    """
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for key in section.values:
        if key not in fields:
            raise ConfigError(f"{of}: unknown key `{key}` in [{section.name}]", hint=nearest(key, fields))
    hints = typing.get_type_hints(cls)
    values = {}
    for name, field in fields.items():
        where = f"{of}: [{section.name}] {name}"
        if name in section.values:
            values[name] = _checked(where, section.values[name], hints[name], field.metadata)
            if field.metadata.get("path"):
                values[name] = _absolute(where, directory, values[name], name)
            if values[name] == "" and field.default is MISSING:
                raise ConfigError(f"{where} is empty", hint=str(field.metadata.get("doc", "")))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where} is missing", hint=str(field.metadata.get("doc", "")))
    try:
        return cls(**values)
    except ConfigError as error:
        message = error.message.removeprefix(f"[{section.name}] ")
        raise ConfigError(f"{of}: [{section.name}] {message}", hint=error.hint) from error
    except Exception as error:  # a class of somebody else's
        raise ConfigError(f"{of}: [{section.name}] {type(error).__name__}: {error}") from error


_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list[str]: "a list of texts",
    list: "a list",
    dict: "a table",
    dict[str, float]: "a table of numbers",
    dict[str, str]: "a table of texts",
}


def _checked(where: str, value: Any, hint: Any, metadata: Mapping[str, Any]) -> Any:
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(value)
    if not any(_fits(value, one) for one in allowed):
        names = " or ".join(_KINDS.get(one, str(one)) for one in allowed if one is not types.NoneType)
        raise ConfigError(f"{where} = {_shown(value)} must be {names}", hint=str(metadata.get("doc", "")))
    minimum, maximum, choices = (metadata.get(key) for key in ("minimum", "maximum", "choices"))
    if minimum is not None and value < minimum:
        raise ConfigError(f"{where} = {_shown(value)} is below the minimum, {minimum:g}", hint=str(metadata["doc"]))
    if maximum is not None and value > maximum:
        raise ConfigError(f"{where} = {_shown(value)} is above the maximum, {maximum:g}", hint=str(metadata["doc"]))
    if choices and value not in choices:
        raise ConfigError(f"{where} = {_shown(value)} is unknown", hint=nearest(str(value), choices))
    return value


def _shown(value: Any) -> str:
    """As TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _as_float(value: int) -> float:
    """Infinite if there is no such float, for a bound to refuse it."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _fits(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) is list:
        (item,) = typing.get_args(kind)
        return isinstance(value, list) and all(_fits(one, item) for one in value)
    if typing.get_origin(kind) is dict:
        item = typing.get_args(kind)[1]
        whole = int if item is float else item
        return isinstance(value, dict) and all(_fits(one, item) or _fits(one, whole) for one in value.values())
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, float) and value == value
    return isinstance(value, kind)


def _absolute(where: str, directory: Path, value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_absolute(where, directory, one, name) for one in value]
    if "\0" in value:
        raise ConfigError(f"{where}: a path cannot hold a NUL character")
    if name.endswith("_file") and value.startswith(CREDENTIALS):
        return value
    if (name in SHIPPED and not value.endswith(SHIPPED[name])) or (name == "paths" and is_url(value)):
        return value
    return str(directory / value) if value else value
