"""What all sources of rows from files share: which column is the text, which rows and columns are wanted."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from personastream.core.columns import keeper
from personastream.core.rows import RowReader
from personastream.core.sampling import Sampling
from personastream.core.where import compile_where
from personastream.core.where_tokens import WhereError
from personastream.errors import ConfigError
from personastream.settings import setting
from personastream.sources.presets import PRESETS

DEFAULT_FIELD = "persona"


@dataclass
class RowsFromFiles:
    """Files of rows, each an object with a text among its columns."""

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
    batch_rows: int = setting("Rows read at a time.", default=1024, minimum=1, maximum=65_536, identity=False)
    text_bytes_max: int = setting("A longer text is a dead row.", default=1 << 20, minimum=1, maximum=1 << 30)
    reader: RowReader = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        preset = PRESETS.get(self.preset)
        self.field = self.field or (preset.field if preset else DEFAULT_FIELD)
        self.keep = self.keep or (list(preset.keep) if preset else [])
        try:
            where = None if self.where is None else compile_where(self.where)
        except WhereError as error:
            raise ConfigError(f"where: {error}", hint=error.hint) from error
        keep = keeper(self.keep)
        self.reader = RowReader(self.field, self.text_bytes_max, keep if self.keep else None, where)

    def sampled(self, stem: str, start: int, count: int) -> Sequence[bool]:
        """Which of so many rows of a shard are in the sample; nothing if all are."""
        return () if self.sample is None else Sampling(self.sample, self.sample_seed).taken(stem, start, count)
