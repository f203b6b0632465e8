"""One configuration with several stages, each a run of its own: what one writes, a later one reads.

[sink]                      what stands at the top holds for all stages, unless they say otherwise
path = "runs/hub"           each stage writes to a folder in it

[[stage]]
name = "people"
from = "personas"           read what that stage has written, or several: ["personas", "people"]
hops = 6                    as six stages, people-1 to people-6, each reading the one before
rows_max = 100_000          ask for at most about so many rows, a sample
source = { … }              sections as in other configurations; a stage without a recipe only thins
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from personastream.config import Config, document_of, nearest, sections_of
from personastream.errors import ConfigError

HOPS_MAX = 20
STAGES_MAX = 100
SECTIONS = ("source", "transform", "recipe", "screen", "provider", "sink", "licence", "guard", "limits", "job")
KEYS = ("name", "from", "hops", "rows_max", *(name for name in SECTIONS if name != "job"))

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of a configuration.

    `name` is that of its folder; "" if the configuration has no stages. `reads` are the stages it reads, and `knows`
    those whose rows its transforms have to know beforehand, in order. `own_limit` tells that `spend_max` is for this
    stage alone.
    """

    name: str
    config: Config
    reads: Sequence[str] = ()
    knows: Sequence[str] = ()
    own_limit: bool = True


def load_stages(path: str, settings: Iterable[str] = ()) -> list[Stage]:
    """The stages of a configuration, in order; a single one without a name if it has none. Raises `ConfigError`."""
    return stages_in(*document_of(path, settings))


def stages_in(file: Path, document: dict[str, Any], base: Path | None = None) -> list[Stage]:
    """The stages of what a file says; relative paths are taken from `base`, or its folder. Raises `ConfigError`."""
    if "stage" not in document:
        return [Stage("", sections_of(file, document, base=base))]
    tables = document.pop("stage")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{file}: write [[stage]], in double brackets: there may be several")
    if unknown := next((name for name in document if name not in SECTIONS), None):
        raise ConfigError(f"{file}: unknown section [{unknown}]", hint=nearest(unknown, [*SECTIONS, "stage"]))
    root = _root(file, document)
    families: dict[str, list[str]] = {}
    stages: list[Stage] = []
    growing: set[str] = set()
    for place, table in enumerate(tables):
        where = f"{file}: stage[{place}]"
        _check_keys(where, table)
        name, hops = _name(where, table, families), _whole(where, table, "hops", 1, HOPS_MAX)
        reads = _reads(where, table, families)
        family: list[str] = []
        for hop in range(1, hops + 1):
            own = f"{name}-{hop}" if "hops" in table else name
            if own in families:
                raise ConfigError(f"{where}: there are two stages {own!r}")
            source = reads if hop == 1 else family[-1:]
            merged = {**_merged(document, table), "sink": {**_table(document, table, "sink"), "path": f"{root}/{own}"}}
            if source:
                merged["source"] = _source(where, table, [f"{root}/{each}" for each in source], growing & set(source))
            if "screen" in table and "recipe" not in merged:
                raise ConfigError(f"{where}: screens judge what a recipe makes, and this stage has none")
            config = sections_of(file, merged, stage=own, base=base)
            stages.append(Stage(own, config, source, list(family), "spend_max" in _section(table, "limits")))
            family.append(own)
            growing |= {own} if config.source.values.get("follow") is True else set()
        families |= {name: family, **{one: [one] for one in family}}
    if not 1 <= len(stages) <= STAGES_MAX:
        raise ConfigError(f"{file} has {len(stages)} stages; 1 to {STAGES_MAX} are allowed")
    return stages


def stage_of(path: str, name: str, settings: Iterable[str] = ()) -> Stage:
    """The stage with a name. Raises `ConfigError`."""
    stages = load_stages(path, settings)
    for stage in stages:
        if stage.name == name:
            return stage
    raise ConfigError(f"{path} has no stage {name!r}", hint=nearest(name, [stage.name for stage in stages]))


def waiting(stage: Stage) -> Stage:
    """The stage, to take what those it reads finish while they still run."""
    source = stage.config.source
    if not stage.reads:
        return stage
    return replace(stage, config=replace(stage.config, source=replace(source, values={**source.values, "wait": True})))


def _root(file: Path, document: Mapping[str, Any]) -> str:
    path = _section(document, "sink").get("path")
    if not isinstance(path, str) or not path:
        raise ConfigError(f"{file}: [sink] path is missing", hint="Stages write to folders in it.")
    return path


def _check_keys(where: str, table: Mapping[str, Any]) -> None:
    for key in table:
        if key not in KEYS:
            raise ConfigError(f"{where}: unknown key `{key}`", hint=nearest(key, KEYS))
    for key in ("hops", "rows_max"):
        if key in table and "from" not in table:
            raise ConfigError(f"{where}: {key} is for stages with `from`")
    if "path" in _section(table, "sink"):
        raise ConfigError(f"{where}: sink.path is given by the name", hint="[sink] path at the top is for all stages.")


def _name(where: str, table: Mapping[str, Any], families: Mapping[str, Sequence[str]]) -> str:
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: name = {name!r} is none", hint="Letters, digits, - and _: it names a folder.")
    if name in families:
        raise ConfigError(f"{where}: there are two stages {name!r}")
    return name


def _whole(where: str, table: Mapping[str, Any], key: str, default: int, maximum: int) -> int:
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= maximum:
        raise ConfigError(f"{where}: {key} = {value!r} must be a whole number from 1 to {maximum}")
    return value


def _reads(where: str, table: Mapping[str, Any], families: Mapping[str, Sequence[str]]) -> list[str]:
    """The stages that `from` names; the name of a stage with hops stands for all of them."""
    wanted = table.get("from", [])
    names = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(names, list) or ("from" in table and not names):
        raise ConfigError(f"{where}: from = {wanted!r} must be the name of a stage, or a list of names")
    for name in names:
        if not isinstance(name, str) or name not in families:
            known = nearest(str(name), families) if families else "Put the stage it reads before it."
            raise ConfigError(f"{where}: from = {name!r} is no earlier stage", hint=known)
    return list(dict.fromkeys(one for name in names for one in families[name]))


def _source(where: str, table: Mapping[str, Any], paths: list[str], growing: set[str]) -> dict[str, Any]:
    """What a stage reads that reads others; if any of these follows, so does it."""
    own = _section(table, "source")
    for key in ("type", "paths"):
        if key in own:
            raise ConfigError(f"{where}: source.{key} and `from` exclude each other")
    if growing and own.get("follow", True) is not True:
        raise ConfigError(f"{where}: it reads {min(growing)!r}, which follows, and so it must")
    given = {"rows_max": table["rows_max"]} if "rows_max" in table else {}
    follow = {"follow": True} if growing else {}
    return {"type": "run", "paths": paths, **given, **follow, **own}


def _merged(document: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The stage's sections: of a table, the stage's keys over those at the top; a list replaces the one at the top."""
    merged = {}
    for section in SECTIONS:
        value = table.get(section, document.get(section))
        if isinstance(value, dict):
            value = _table(document, table, section)
        if value is not None:
            merged[section] = value
    return merged


def _table(document: Mapping[str, Any], table: Mapping[str, Any], section: str) -> dict[str, Any]:
    return {**_section(document, section), **_section(table, section)}


def _section(table: Mapping[str, Any], section: str) -> dict[str, Any]:
    value = table.get(section, {})
    return value if isinstance(value, dict) else {}
