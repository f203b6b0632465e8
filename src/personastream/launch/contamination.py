"""What of records holds texts of test sets: counts by test set, examples, and the ids of those that do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from personastream.test_sets import Against

EXCERPT_CHARACTERS = 600


class Texts(NamedTuple):
    """A record, by its id, and the texts in it."""

    id: str
    texts: tuple[str, ...]


class Hit(NamedTuple):
    """A record that holds a text, the most of one that it holds: file, row in it, share of its tokens."""

    id: str
    against: str
    row: int
    share: float


@dataclass(slots=True)
class Contamination:
    """Counts records that hold items. Each is told to `tell`; so many `examples` are kept, of different items."""

    against: Against
    examples_max: int
    tell: Callable[[Hit], None]
    records: int = 0
    contaminated: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    _records_of: dict[str, int] = field(default_factory=dict)
    _items: set[int] = field(default_factory=set)

    def take(self, records: Sequence[Texts]) -> None:
        """Look at so many more records."""
        self.records += len(records)
        texts = [(record.id, text) for record in records for text in record.texts]
        found = self.against.index.find([text for _, text in texts]).tolist()
        by_record: dict[str, list[str]] = {}
        for (identity, text), item in zip(texts, found, strict=True):
            if item >= 0:
                by_record.setdefault(identity, []).append(text)
        for identity, guilty in by_record.items():
            self._count(identity, guilty)

    def _count(self, identity: str, texts: list[str]) -> None:
        held = [(holding, text) for text in texts for holding in self.against.index.holdings(text)]
        most, text = max(held, key=lambda one: one[0].share)
        items = self.against.items
        is_new = most.item not in self._items
        self.contaminated += 1
        self._items.update(holding.item for holding, _ in held)
        for path in dict.fromkeys(items[holding.item].path for holding, _ in held):
            self._records_of[path] = self._records_of.get(path, 0) + 1
        item = items[most.item]
        hit = Hit(identity, item.path, item.row, round(most.share, 4))
        self.tell(hit)
        if is_new and len(self.examples) < self.examples_max:
            excerpts = {"item": item.text[:EXCERPT_CHARACTERS], "text": text[:EXCERPT_CHARACTERS]}
            self.examples.append({**hit._asdict(), **excerpts, "passage": most.passage[:EXCERPT_CHARACTERS]})

    def report(self) -> Mapping[str, Any]:
        """All figures, as one document."""
        against, items = self.against, self.against.items
        counts = dict.fromkeys((item.path for item in items), 0)
        for item in items:
            counts[item.path] += 1
        found = [items[number].path for number in self._items]
        return {
            "rule": against.rule,
            "ngram": against.size,
            **({"share_min": against.share_min} if against.rule == "coverage" else {}),
            "fingerprint": against.fingerprint,
            "records": self.records,
            "contaminated": self.contaminated,
            "share": self.contaminated / self.records if self.records else 0.0,
            "sets": [
                {
                    "path": path,
                    "items": count,
                    "items_found": found.count(path),
                    "records": self._records_of.get(path, 0),
                }
                for path, count in counts.items()
            ],
            "examples": self.examples,
        }
