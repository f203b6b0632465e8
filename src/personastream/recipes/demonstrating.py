"""Recipes whose prompts may show demonstrations, from a file of the user: see `core.demonstrations`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_128_hexdigest

from personastream.core.demonstrations import MODES, Demonstration, group_for, groups_of, section
from personastream.core.template import Template, digest_of
from personastream.errors import ConfigError, RowError
from personastream.ports import Ask
from personastream.recipes.prompting import Prompted
from personastream.recipes.text_files import read_demonstrations
from personastream.recipes.text_to_persona import TextToPersona
from personastream.records import Row
from personastream.settings import setting

RELATION = "write"
"""What the person behind a demonstration has to do with it."""


@dataclass
class Demonstrated(Prompted):
    """A recipe that shows each row one of a few fixed groups of demonstrations.

    In mode `persona_few_shot`, demonstrations that come without a persona have one inferred before the first row:
    `unknown` names them, `infer` asks, `learn` takes in what was answered, in this sitting or an earlier one.
    """

    mode: str = setting(
        "What a prompt shows besides the task: nothing, example outputs, or pairs of a persona and an output.",
        default="zero_shot",
        choices=MODES,
    )
    demonstrations: str = setting(
        "A file with demonstrations, one JSON object a line: `text`, and `persona` if it is known. Records of an "
        "earlier run will do.",
        default="",
        path=True,
    )
    shots: int = setting("Demonstrations in one prompt.", default=2, minimum=1, maximum=32)
    groups: int = setting(
        "Different choices of demonstrations in the whole run; rows of one group share the beginning of their prompts.",
        default=8,
        minimum=1,
        maximum=1000,
    )
    _shown: list[Demonstration] = field(init=False, repr=False, default_factory=list)
    _groups: list[tuple[int, ...]] = field(init=False, repr=False, default_factory=list)
    _templates: list[Template] = field(init=False, repr=False, default_factory=list)
    _digest: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_mode()
        if self.mode != "zero_shot":
            self._shown = [self._checked(place, one) for place, one in enumerate(self._read(), 1)]
            self._groups = groups_of(len(self._shown), self.shots, self.groups, self.seed or 0)
            self._digest = digest_of([self.mode, *(list(self._shown[one]) for group in self._groups for one in group)])
        self._arrange()

    @property
    def materials(self) -> Mapping[str, str]:
        """Digests of files that shape the prompts, for the manifest."""
        return {"demonstrations": self._digest} if self._digest else {}

    @property
    def unknown(self) -> Mapping[str, str]:
        """Texts whose persona is still to be inferred, by a key that lasts."""
        if self.mode != "persona_few_shot":
            return {}
        places = sorted({place for group in self._groups for place in group})
        return {_key(self._shown[place]): self._shown[place].text for place in places if not self._shown[place].persona}

    async def infer(self, text: str, ask: Ask) -> str:
        """The persona behind a text. Raises `ConfigError` where the model finds none."""
        recipe = TextToPersona(personas=1, relations=[RELATION], seed=self.seed)
        try:
            (record,) = await recipe(Row(0, 0, text), ask)
        except RowError as error:
            message = f"no persona can be inferred for the demonstration {text[:60]!r}: {error.message}"
            raise ConfigError(message, hint=f"Give it a `persona` in {self.demonstrations}.") from error
        return str(record["persona"])

    def learn(self, personas: Mapping[str, str]) -> None:
        """Take in what was inferred, by the keys of `unknown`."""
        self._shown = [one._replace(persona=one.persona or personas.get(_key(one), "")) for one in self._shown]
        self._arrange()

    def template_for(self, row: Row) -> Template:
        """The template with the demonstrations that the row is shown."""
        if len(self._templates) == 1:
            return self._templates[0]
        return self._templates[self._group_of(row)]

    def shown_to(self, row: Row) -> dict[str, object]:
        """What a record says of the demonstrations that its prompt had."""
        return {"mode": self.mode, "demonstrations": f"{self._digest}:{self._group_of(row)}"} if self._digest else {}

    def _group_of(self, row: Row) -> int:
        return group_for(row.shard, row.number, len(self._groups), self.seed or 0)

    def _arrange(self) -> None:
        """One template for each group."""
        self._templates = list(self._with_each_group()) or [self._template]

    def _with_each_group(self) -> Iterator[Template]:
        template = self._template
        for group in self._groups:
            shown: Sequence[Demonstration] = [self._shown[place] for place in group]
            yield template.demonstrated(section(template.examples[self.mode], shown, self.mode, template.block))

    def _check_mode(self) -> None:
        if self.mode == "zero_shot" and self.demonstrations:
            hint = 'Set mode = "few_shot" or "persona_few_shot", or leave demonstrations out.'
            raise ConfigError('mode = "zero_shot" shows no demonstrations, but a file of them is given', hint=hint)
        if self.mode != "zero_shot" and not self.demonstrations:
            hint = "Name a file with one JSON object a line."
            raise ConfigError(f'mode = "{self.mode}" needs demonstrations = "file.jsonl"', hint=hint)

    def _read(self) -> list[Demonstration]:
        found = read_demonstrations(self.demonstrations)
        if len(found) < self.shots:
            raise ConfigError(f"{self.demonstrations} has {len(found)} demonstrations: too few for {self.shots} shots")
        return found

    def _checked(self, place: int, one: Demonstration) -> Demonstration:
        """A demonstration that keeps the template's contract: an opening that is missing is put before it."""
        contract = self._template.contract
        if contract.opening and contract.problem(one.text, "stop") and not one.text.startswith(contract.opening):
            one = one._replace(text=f"{contract.opening} {one.text}")
        if contract.problem(one.text, "stop"):
            message = f"{self.demonstrations}: demonstration {place} does not {contract.demand}"
            raise ConfigError(message, hint="A model does what it is shown: mend it, or leave it out.")
        if self.mode == "persona_few_shot" and not one.persona and self._template.block != "persona":
            message = f"{self.demonstrations}: demonstration {place} does not say what it was made from"
            raise ConfigError(message, hint="Give it `input text`: only personas can be inferred.")
        return one


def _key(one: Demonstration) -> str:
    return xxh3_128_hexdigest(one.text.encode("utf-8", "surrogatepass"))
