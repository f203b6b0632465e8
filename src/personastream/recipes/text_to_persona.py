"""`text_to_persona`: from a text to people who may have to do with it, as in Persona Hub (arXiv 2406.20094, 2.1)."""

from dataclasses import dataclass

from personastream.ports import Ask
from personastream.recipes.beginning import beginning
from personastream.recipes.people import PEOPLE_MAX, PeopleRecipe, check_labels, listed
from personastream.records import Row
from personastream.settings import setting


@dataclass
class TextToPersona(PeopleRecipe):
    """Asks a model who is likely to read, write, like or dislike a text: one request for all people of a text."""

    SLOTS = ("granularity", "people")

    template: str = setting(
        "The prompt: `text_to_persona`, `text_to_persona_json`, or the path of your own .toml file.",
        default="text_to_persona",
        path=True,
        identity=False,
    )
    personas: int = setting("People to ask for per text.", default=1, minimum=1, maximum=PEOPLE_MAX)
    relations: list[str] = setting(
        "What the people do with the text, as verbs: of these, one a person is drawn by the seed and the row.",
        default_factory=lambda: ["read", "write", "like", "dislike"],
    )
    granularity: str = setting(
        "How closely to describe them: by an occupation or interest, or by what sets them apart within it.",
        default="fine",
        choices=("coarse", "fine"),
    )
    characters_max: int = setting(
        "A longer text is cut at a sentence's end before so many characters.",
        default=8_000,
        minimum=200,
        maximum=1_000_000,
    )

    def __post_init__(self) -> None:
        check_labels("relations", self.relations)
        super().__post_init__()
        self._template = self._template.filled(granularity=self.granularity)

    @property
    def people_wanted(self) -> int:
        return self.personas

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        relations = self.labels_for(row, self.relations)
        request = self._template.render(beginning(row.text, self.characters_max), people=listed(relations))
        completion = await self.reply(row, request, ask)
        source = {"granularity": self.granularity, "root": row.id, "hop": 0}
        details = [{"relation": relation, **source} for relation in relations]
        return self.records_of(row, completion, self.people(completion), details)
