"""Drops rows that hold personal data: patterns and checksums, on every row, before anything is asked."""

from dataclasses import dataclass

from personastream.core.personal_data import KINDS, find
from personastream.errors import ConfigError
from personastream.records import Batch
from personastream.settings import setting
from personastream.transforms.dropping import without_found


@dataclass(frozen=True)
class PersonalData:
    """A row is dropped for the first kind that is found in it; the reason is `personal_data_` and the kind."""

    kinds: list[str] = setting(f"Which kinds to look for: {', '.join(KINDS)}.", default_factory=lambda: list(KINDS))

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise ConfigError(f"kinds = {self.kinds!r} is not a list of kinds", hint=f"Valid: {', '.join(KINDS)}.")

    def __call__(self, batch: Batch) -> Batch:
        return without_found(batch, find(batch.texts, self.kinds), "personal_data")
