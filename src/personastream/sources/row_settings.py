"""What all sources of rows from files share: which column is the text, which rows and columns are wanted."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import ClassVar

from personastream.core.columns import keeper, text_column
from personastream.core.rows import RowReader
from personastream.core.sampling import Sampling
from personastream.core.where import compile_where
from personastream.core.where_tokens import WhereError
from personastream.dedup.json_lines import unsure_lines
from personastream.errors import ConfigError
from personastream.licences.expression import of_data
from personastream.licences.rules import known
from personastream.records import NO_LICENCE, Shard
from personastream.settings import setting
from personastream.sources.presets import PRESETS

DEFAULT_FIELD = "persona"


@dataclass
class RowsFromFiles:
    """Files of rows, each an object with a text among its columns."""

    LICENCE_COLUMN: ClassVar[str] = ""

    paths: list[str] = setting(
        "Files, globs or URLs (s3://, gs://, hf://, https:// …). Globs are sorted by name.", path=True
    )
    preset: str = setting(
        "A data set whose columns are known: fills `field` and `keep` where they are not given.",
        default="",
        choices=tuple(PRESETS),
        identity=False,
    )
    field: str = setting("The key that holds the text; if empty, what the preset says, or `persona`.", default="")
    keep: list[str] = setting(
        "Other columns to carry along, as dotted paths: records tell them in meta.origin.", default_factory=list
    )
    where: str | None = setting(
        "Only rows for which this is true, such as 'age >= 30 and occupation in [\"nurse\"]'; see docs/sources.md.",
        default=None,
    )
    sample: float | None = setting("Only about this share of the rows.", default=None, minimum=0.0, maximum=1.0)
    sample_seed: int = setting("Which rows a sample holds.", default=0)
    licence: str | dict[str, str] | None = setting(
        "Under which licence the rows are: an SPDX id, or a table of them by file, the first match counts.",
        default=None,
    )
    licence_field: str | None = setting(
        "A column of each row that names its licence, as a dotted path; `licence` is for rows without it.",
        default=None,
    )
    batch_rows: int = setting("Rows read at a time.", default=1024, minimum=1, maximum=65_536, identity=False)
    text_bytes_max: int = setting("A longer text is a dead row.", default=1 << 20, minimum=1, maximum=1 << 30)
    follow: bool = setting(
        "Never end: take shards that come later, as soon as they are whole, in the order in which they come.",
        default=False,
        identity=False,
    )
    follow_s: float = setting(
        "With `follow`, how often to look for more.", default=5.0, minimum=0.1, maximum=3600.0, identity=False
    )
    reader: RowReader = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        preset = PRESETS.get(self.preset)
        self.field = self.field or (preset.field if preset else DEFAULT_FIELD)
        self.keep = self.keep or (list(preset.keep) if preset else [])
        try:
            where = None if self.where is None else compile_where(self.where)
        except WhereError as error:
            raise ConfigError(f"where: {error}", hint=error.hint) from error
        if self.licence is None and preset and preset.licence:
            self.licence = preset.licence
        self.licence = _checked(self.licence)
        keep = keeper(self.keep) if self.keep else None
        licence = licence_reader(self.licence_column) if self.licence_column else None
        self.reader = RowReader(self.field, self.text_bytes_max, keep, where, licence, unsure_lines)

    @property
    def licence_column(self) -> str:
        """The column of each row that names its licence; "" if there is none."""
        return self.LICENCE_COLUMN if self.licence_field is None else self.licence_field

    def licensed(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards with the licence that is declared for each; one that has a licence already keeps it."""
        return [replace(shard, licence=shard.licence or self._licence_of(shard.path)) for shard in shards]

    def _licence_of(self, path: str) -> str:
        if not isinstance(self.licence, dict):
            return self.licence or ""
        found = (each for each in self.licence if fnmatchcase(path, each) or fnmatchcase(path, f"*/{each}"))
        return str(self.licence.get(next(found, ""), ""))

    def says_licence_of(self, shard: Shard) -> bool:
        """Whether all rows of a shard are under its licence; else each says under which it is."""
        return not self.licence_column

    def sampled(self, stem: str, start: int, count: int) -> Sequence[bool]:
        """Which of so many rows of a shard are in the sample; nothing if all are."""
        return () if self.sample is None else Sampling(self.sample, self.sample_seed).taken(stem, start, count)


def licence_reader(path: str) -> Callable[[Mapping[str, object]], str]:
    """A function that tells the licence that a row names, in its one form; "" where it names none."""
    text = text_column(path)

    def licence(row: Mapping[str, object]) -> str:
        named = text(row)
        found = of_data(named) if named else NO_LICENCE
        return "" if found == NO_LICENCE else found

    return licence


def _checked(licence: str | dict[str, str] | None) -> str | dict[str, str] | None:
    """What is declared, in one form. Raises `ConfigError`."""
    if not licence:
        return licence
    if isinstance(licence, str):
        return known("licence", licence)
    return {pattern: known(f"licence.{pattern}", value) for pattern, value in licence.items()}
