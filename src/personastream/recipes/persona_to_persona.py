"""`persona_to_persona`: from a persona to people close to it, as in Persona Hub (arXiv 2406.20094, 2.1): one hop."""

from dataclasses import dataclass

from personastream.ports import Ask
from personastream.recipes.lineage import lineage_of, without_lineage
from personastream.recipes.people import PEOPLE_MAX, PeopleRecipe, check_labels, listed
from personastream.records import Row
from personastream.settings import setting

RELATIONSHIPS = (
    *("colleague", "employer", "apprentice", "rival", "customer", "supplier", "patient", "caregiver"),
    *("teacher", "pupil", "parent", "child", "sibling", "partner", "grandparent", "neighbour"),
    *("friend", "critic", "admirer", "assistant behind the scenes", "someone they help", "someone who depends on them"),
)


@dataclass
class PersonaToPersona(PeopleRecipe):
    """Asks a model for `fan_out` people in close relationship with a persona, in one request."""

    SLOTS = ("people",)

    template: str = setting(
        "The prompt: `persona_to_persona`, `persona_to_persona_json`, or the path of your own .toml file.",
        default="persona_to_persona",
        path=True,
        identity=False,
    )
    fan_out: int = setting("People to ask for per persona.", default=3, minimum=1, maximum=PEOPLE_MAX)
    relationships: list[str] = setting(
        "What the people are to the persona: of these, one a person is drawn by the seed and the row.",
        default_factory=lambda: list(RELATIONSHIPS),
    )

    def __post_init__(self) -> None:
        check_labels("relationships", self.relationships)
        super().__post_init__()

    @property
    def people_wanted(self) -> int:
        return self.fan_out

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        request = self._template.render(row.text, people=listed(self.labels_for(row, self.relationships)))
        completion = await self.reply(row, request, ask)
        people = self.people(completion)
        # The model's own label: it may replace one in which nobody could stand to this persona.
        lineage = lineage_of(row)._asdict()
        details = [{"relationship": person.relation, **lineage} for person in people]
        return self.records_of(without_lineage(row), completion, people, details)
