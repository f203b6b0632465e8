"""The configuration file: TOML into sections, with `--set` on top. Says nothing yet of what a section's keys mean."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personastream.errors import ConfigError

CONFIG_BYTES_MAX = 1 << 20
UNTYPED = ("limits", "licence", "guard", "job")
DEFAULT_TYPES = {"source": "jsonl", "recipe": "generate", "provider": "openai", "sink": "frames"} | dict.fromkeys(
    UNTYPED, ""
)
EXAMPLE_TYPES = {"transform": "dedup", "screen": "personal_data"}
REQUIRED = ("source", "recipe", "provider", "sink")
OF_ASKING = ("recipe", "provider")
LISTS = ("transform", "screen", "provider")


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the file. `name` is how messages name it, such as `source` or `transform[1]`."""

    name: str
    type: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration; relative paths in it are taken from `directory`. `stage` names the stage of it, if it has any.

    That is the file's own folder, or `base`: a service keeps configurations elsewhere than where they were written.
    A stage without a recipe asks nothing; its recipe is a section without a type, and it has no providers.
    """

    path: Path
    source: Section
    transforms: Sequence[Section]
    recipe: Section
    providers: Sequence[Section]
    sink: Section
    limits: Section
    licence: Section = Section("licence", "", {})
    stage: str = ""
    screens: Sequence[Section] = ()
    guard: Section | None = None
    job: Section = Section("job", "", {})
    base: Path | None = None

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"{self.path}: stage {self.stage!r}" if self.stage else str(self.path)

    @property
    def asks(self) -> bool:
        """Whether a model is asked for each row."""
        return bool(self.recipe.type)

    @property
    def directory(self) -> Path:
        """The folder that relative paths start from."""
        return self.base or self.path.parent


_INDEX = re.compile(r"\[(\d+)\]")
_NO_RECIPE = Section("recipe", "", {})


def load(path: str, settings: Iterable[str] = ()) -> Config:
    """Read a file; apply settings such as `provider.model=x` or `transform.1.distance_max=2`. Raises `ConfigError`."""
    file, document = document_of(path, settings)
    _refuse_stages(path, document)
    return sections_of(file, document)


def load_thinning(path: str, out: str) -> Config:
    """Read a file for its source and transforms, whatever it asks; what is left goes to `out`. Raises `ConfigError`."""
    file, document = document_of(path)
    _refuse_stages(path, document)
    kept = {name: table for name, table in document.items() if name not in ("sink", *OF_ASKING)}
    return sections_of(file, {**kept, "sink": {"path": str(Path(out).absolute())}}, asks=False)


def _refuse_stages(path: str, document: Mapping[str, Any]) -> None:
    if "stage" in document:
        raise ConfigError(
            f"{path} has several stages", hint="Only `run`, `check`, `status` and `verify` take such a file."
        )


def document_of(path: str, settings: Iterable[str] = ()) -> tuple[Path, dict[str, Any]]:
    """(absolute path, what a file says with the settings on top). Raises `ConfigError`."""
    file = Path(path)
    try:
        with file.open("rb") as opened:
            content = opened.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    return file.absolute(), document_in(content, path, settings)


def document_in(content: bytes, path: str, settings: Iterable[str] = ()) -> dict[str, Any]:
    """What the content of a file says, with the settings on top. Raises `ConfigError`."""
    if len(content) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{path} is larger than {CONFIG_BYTES_MAX} bytes")
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # the parser lets both pass, for endless numbers and brackets
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    for setting in settings:
        _set(document, setting)
    return document


def nearest(word: str, valid: Iterable[str]) -> str:
    """A hint that names the valid word closest to `word`, or all of them."""
    words = sorted(valid)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"Did you mean `{close[0]}`?" if close else f"Valid here: {', '.join(words)}."


def sections_of(
    path: Path, document: Mapping[str, Any], stage: str = "", *, asks: bool | None = None, base: Path | None = None
) -> Config:
    """A document as sections. Only a stage may do without a recipe, or what `asks` nothing. Raises `ConfigError`."""
    valid = {*DEFAULT_TYPES, "transform", "screen"}
    for name in document:
        if name not in valid:
            raise ConfigError(f"{path}: unknown section [{name}]", hint=nearest(name, valid))
    asks = (not stage or "recipe" in document) if asks is None else asks
    for name in REQUIRED:
        if name not in document and (asks or name not in OF_ASKING):
            of_stage = f" in stage {stage!r}" if stage else ""
            raise ConfigError(f"{path}: section [{name}] is missing{of_stage}")
    return Config(
        path=path,
        transforms=_several(path, "transform", document),
        screens=_several(path, "screen", document) if asks else [],
        providers=_providers(path, document["provider"]) if asks else [],
        recipe=_section(path, "recipe", document["recipe"], DEFAULT_TYPES["recipe"]) if asks else _NO_RECIPE,
        stage=stage,
        guard=_section(path, "guard", document["guard"], "") if "guard" in document else None,
        base=base,
        **{
            name: _section(path, name, document.get(name, {}), DEFAULT_TYPES[name])
            for name in ("source", "sink", "limits", "licence", "job")
        },
    )


def _several(path: Path, name: str, document: Mapping[str, Any]) -> list[Section]:
    """The sections of a kind of which there may be any number."""
    tables = document.get(name, [])
    if not isinstance(tables, list):
        raise ConfigError(f"{path}: write [[{name}]], in double brackets: there may be several")
    return [_section(path, f"{name}[{place}]", table, "") for place, table in enumerate(tables)]


def _providers(path: Path, tables: object) -> list[Section]:
    """One [provider], or several [[provider]], over which the load is spread."""
    if not isinstance(tables, list):
        return [_section(path, "provider", tables, DEFAULT_TYPES["provider"])]
    if not tables:
        raise ConfigError(f"{path}: section [provider] is missing")
    return [
        _section(path, f"provider[{place}]" if len(tables) > 1 else "provider", table, DEFAULT_TYPES["provider"])
        for place, table in enumerate(tables)
    ]


def _section(path: Path, name: str, table: object, default_type: str) -> Section:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [{name}] must be a table")
    if name in UNTYPED:
        return Section(name, "", table)
    kind = table.get("type", default_type)
    if not isinstance(kind, str) or not kind:
        such = EXAMPLE_TYPES.get(name.partition("[")[0]) or default_type
        raise ConfigError(f'{path}: [{name}] needs a `type`, such as type = "{such}"')
    return Section(name, kind, {key: value for key, value in table.items() if key != "type"})


def _set(document: dict[str, Any], setting: str) -> None:
    """Apply `section.key=value`; the value is read as TOML, or as text if it is none."""
    if not setting.isascii() and any("\ud800" <= character <= "\udfff" for character in setting):
        raise ConfigError(f"--set {setting!r}: is not UTF-8")
    place, equals, text = setting.partition("=")
    *tables, key = _INDEX.sub(r".\1", place.strip()).split(".")  # messages say transform[0]
    if not equals or not tables:
        raise ConfigError(f"--set {setting}: write section.key=value, such as --set provider.in_flight_max=64")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    table: Any = document
    for name in tables:
        if isinstance(table, list):
            if name not in map(str, range(len(table))):
                raise ConfigError(f"--set {setting}: there is no {name} among {len(table)} entries; count from 0")
            table = table[int(name)]
        else:
            table = table.setdefault(name, {})
        if not isinstance(table, dict | list):
            raise ConfigError(f"--set {setting}: {name} is not a section")
    if isinstance(table, list):
        if not all(isinstance(one, dict) for one in table):
            raise ConfigError(f"--set {setting}: {tables[-1]} is a list of values", hint="Set it as a whole, in [ ].")
        if len(table) != 1:
            raise ConfigError(f"--set {setting}: say which one, such as {tables[0]}.0.{key}")
        table = table[0]
    table[key] = value
