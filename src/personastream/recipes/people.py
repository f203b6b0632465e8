"""Recipes that ask for people, several in one request, each under a label that says what ties them to the row.

The prompt lists `Person 1 (label)`, `Person 2 (label)` … in its slot `{people}`; the reply repeats each of these
lines with a description behind it. If the template demands JSON, it is `{"people": [{"relation": …, "persona": …}]}`.

One request a row, whatever their number: a row's cost is known before, and its kept reply answers for all of it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xxhash import xxh3_128_intdigest

from personastream.core.contract import json_value
from personastream.errors import ConfigError
from personastream.recipes.lineage import identity_of
from personastream.recipes.prompting import Prompted, scalar_values
from personastream.records import Completion, Row

PEOPLE_MAX = 20
LABEL_CHARACTERS_MAX = 60
PERSONA_CHARACTERS_MAX = 1_000
"""What is longer is a text, not a persona: the longest of 5,000 published ones has 63 words."""

_HEAD = re.compile(r"^[\s*_#>-]*Person\s+\d+\s*[(（]([^()（）\n]+)[)）][\s*_]*[:：]", re.MULTILINE)
_AROUND = " \t*_\"'“”«»"


class Person(NamedTuple):
    """One of the people in a reply: the label as the reply gives it, and the description on one line."""

    relation: str
    persona: str


@dataclass
class PeopleRecipe(Prompted, ABC):
    """A recipe whose template has the slot `{people}`. Replies give `people_wanted` people or break the contract."""

    @property
    @abstractmethod
    def people_wanted(self) -> int:
        """How many people to ask for."""

    @property
    def demand(self) -> str:
        return f"{super().demand} and describe each of {self.people_wanted} people"

    def problem(self, completion: Completion) -> str | None:
        problem = super().problem(completion)
        return problem or (None if self.people(completion) else "contract")

    def people(self, completion: Completion) -> list[Person]:
        """The first `people_wanted` people of a reply; none if there are fewer, or one is no description."""
        text = scalar_values(completion.text)
        found = _from_lines(text) if self._template.contract.schema is None else _from_json(text)
        wanted = found[: self.people_wanted]
        return wanted if len(wanted) == self.people_wanted and all(map(_is_described, wanted)) else []

    def labels_for(self, row: Row, labels: Sequence[str]) -> list[str]:
        """`people_wanted` of the labels, drawn by the seed and the row; none comes twice before all have come."""
        number = xxh3_128_intdigest(f"{self.seed or 0}:{identity_of(row)}".encode())
        chosen: list[str] = []
        left: list[str] = []
        while len(chosen) < self.people_wanted:
            left = left or list(labels)
            number, place = divmod(number, len(left))
            chosen.append(left.pop(place))
        return chosen

    def records_of(
        self, row: Row, completion: Completion, people: Sequence[Person], details: Sequence[Mapping[str, object]]
    ) -> list[dict[str, object]]:
        """One record a person; `details` are what `meta` says of each besides. All share the usage of one reply."""
        meta = self.meta(row, completion)
        return [
            {
                "persona": person.persona,
                "description": self._template.description,
                "synthetic": True,
                "meta": {**meta, **detail},
            }
            for person, detail in zip(people, details, strict=True)
        ]


def listed(labels: Sequence[str]) -> str:
    """The lines of a prompt that ask for people."""
    return "\n".join([f"Person {place} ({label})" for place, label in enumerate(labels, 1)])


def check_labels(key: str, labels: Sequence[str]) -> None:
    """Raises `ConfigError` for labels that cannot stand in a prompt's list."""
    if not labels:
        raise ConfigError(f"{key} is empty", hint="Name at least one, or leave the key out.")
    for label in labels:
        if (
            not label.strip()
            or len(label) > LABEL_CHARACTERS_MAX
            or not label.isprintable()
            or set("()（）") & {*label}
        ):
            hint = f"A few words, without brackets, of at most {LABEL_CHARACTERS_MAX} characters."
            raise ConfigError(f"{key} holds {label[: 2 * LABEL_CHARACTERS_MAX]!r}", hint=hint)


def _from_lines(text: str) -> list[Person]:
    """What follows each `Person k (label):`, up to an empty line: behind one, models add remarks."""
    _, *pieces = _HEAD.split(text)
    paragraphs = [piece.strip().partition("\n\n")[0] for piece in pieces[1::2]]
    return [_person(label, paragraph) for label, paragraph in zip(pieces[::2], paragraphs, strict=True)]


def _from_json(text: str) -> list[Person]:
    value = json_value(text.strip())
    people = value.get("people") if isinstance(value, dict) else None
    if not isinstance(people, list) or not all(isinstance(each, dict) for each in people):
        return []
    return [_person(str(each.get("relation", "")), str(each.get("persona", ""))) for each in people]


def _person(label: str, description: str) -> Person:
    return Person(*(" ".join(part.split()).strip(_AROUND) for part in (label, description)))


def _is_described(person: Person) -> bool:
    relation, persona = person
    fits = 0 < len(relation) <= LABEL_CHARACTERS_MAX and len(persona) <= PERSONA_CHARACTERS_MAX
    return fits and persona != relation and any(map(str.isalpha, persona))
