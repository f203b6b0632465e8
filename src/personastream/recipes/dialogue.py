"""`dialogue`: two personas talk, written down in one reply. The second is drawn from the input, or from a file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

from personastream.core.template import digest_of
from personastream.errors import ConfigError
from personastream.licences.expression import together
from personastream.ports import Ask
from personastream.recipes.assistant import chat
from personastream.recipes.demonstrating import Demonstrated
from personastream.recipes.prompting import scalar_values
from personastream.recipes.text_files import read_personas
from personastream.records import Completion, Row
from personastream.settings import setting

_TURN = re.compile(r"[\s*_]*([AB])[*_]*[:：][*_]*(.*)")


@dataclass
class Dialogue(Demonstrated):
    """Asks for a dialogue between a row's persona, A, and another one, B: the same B for the row on every sitting."""

    SLOTS = ("partner", "turns")

    template: str = setting(
        "The prompt: `dialogue`, or the path of your own .toml file with the slots `{partner}` and `{turns}`.",
        default="dialogue",
        path=True,
        identity=False,
    )
    turns: int = setting("Turns of both together.", default=6, minimum=2, maximum=40)
    partners: str = setting(
        "A file with personas for B, one JSON object a line; empty: they are drawn from the beginning of the input.",
        default="",
        path=True,
    )
    partners_max: int = setting(
        "Of the input, how many rows from the first on may be drawn as B.", default=10_000, minimum=2, maximum=1_000_000
    )
    _partners: Sequence[str] = field(init=False, repr=False, default=())
    _licences: Mapping[str, str] = field(init=False, repr=False, default_factory=dict)
    _digest_of_partners: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._template = self._template.filled(turns=str(self.turns))
        self._arrange()
        if self.partners:
            self.meet(read_personas(self.partners))
            self._digest_of_partners = digest_of(self._partners)

    @property
    def materials(self) -> dict[str, str]:
        own = {"partners": self._digest_of_partners} if self._digest_of_partners else {}
        return {**super().materials, **own}

    @property
    def strangers(self) -> int:
        """How many rows of the input this recipe has to know before the first one is asked for."""
        return 0 if self._partners else self.partners_max

    def meet(self, personas: Sequence[str], licences: Sequence[str] = ()) -> None:
        """Take in those of whom B is drawn, with their licences. Raises `ConfigError` if there are fewer than two."""
        self._partners = list(dict.fromkeys(personas))
        self._licences = dict(zip(reversed(personas), reversed(licences), strict=False))
        if len(self._partners) < 2:
            raise ConfigError("a dialogue needs two different personas to draw from", hint="Name a file: partners = …")

    @property
    def demand(self) -> str:
        return f"{super().demand} and have {self.turns} turns, one a line, of A and B alternately"

    def problem(self, completion: Completion) -> str | None:
        return super().problem(completion) or (None if self._said(completion) else "contract")

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        partner = self._partner_of(row)
        completion = await self.reply(row, self.template_for(row).render(row.text, partner=partner), ask)
        licence = together(row.licence, self._licences.get(partner, ""))
        return [
            {
                f"input {self._template.block}": row.text,
                "second persona": partner,
                "synthesized text": scalar_values(completion.text),
                "messages": chat(self._said(completion)),
                "description": self._template.description,
                "synthetic": True,
                "meta": {**self.meta(row._replace(licence=licence), completion), **self.shown_to(row)},
            }
        ]

    def _partner_of(self, row: Row) -> str:
        """Somebody else, by the seed and the row; the persona itself where nobody is known, as in a look ahead."""
        place = xxh3_64_intdigest(f"{self.seed or 0}:{row.shard}:{row.number}:partner".encode())
        for step in range(min(2, len(self._partners))):
            partner = self._partners[(place + step) % len(self._partners)]
            if partner != row.text:
                return partner
        return row.text

    def _said(self, completion: Completion) -> list[str]:
        """The turns of a reply, one a line; none if they are too few, do not alternate, or stand among other lines."""
        text = scalar_values(self._template.contract.behind_opening(completion.text))
        lines = [line for line in text.split("\n") if line.strip()]
        found = [_TURN.fullmatch(line) for line in lines]
        turns = [(match[1], match[2].strip()) for match in found if match]
        alternate = all(who == "AB"[place % 2] and said for place, (who, said) in enumerate(turns))
        return [said for _, said in turns] if alternate and self.turns <= len(turns) == len(lines) else []
