"""Drops rows that hold texts of test sets."""

from dataclasses import dataclass

from personastream.records import Batch
from personastream.test_sets import Against


@dataclass
class Decontaminate(Against):
    """Drops rows whose text holds one of a test set, apart from case, punctuation, spacing and markup; reason
    `contaminated`. See docs/decontamination.md.
    """

    def __call__(self, batch: Batch) -> Batch:
        return batch.keep((self.index.find(batch.texts) < 0).tolist(), "contaminated")
