"""Drops rows that are no good persona, each for the rule it breaks: heuristics that hold in every language."""

from dataclasses import dataclass

from personastream.core.quality import RULES, judge
from personastream.records import Batch
from personastream.settings import setting


@dataclass(frozen=True)
class Quality:
    """A row is dropped for the first rule it breaks, in the order given here; the reason is the rule's name.

    The lengths give `too_short` and `too_long`; every other rule is switched off by `false`.
    """

    characters_min: int = setting(
        "Shortest persona; a character of Chinese, Japanese or Korean counts as three.", default=8, minimum=0
    )
    characters_max: int = setting("Longest persona, in characters.", default=1000, minimum=1)
    control_characters: bool = setting(
        "Drop control characters, marks that turn the direction of text, and what stands where decoding failed.",
        default=True,
    )
    mojibake: bool = setting("Drop UTF-8 that was read as Latin-1 or Windows-1252.", default=True)
    repeated_characters: bool = setting("Drop six equal characters in a row, but digits and full stops.", default=True)
    markup: bool = setting("Drop HTML tags, Markdown fences and bold, control tokens of chat templates.", default=True)
    refusal: bool = setting("Drop a model's refusals and what it says of being a model.", default=True)
    preamble: bool = setting('Drop a model\'s talk around a reply, such as "Sure, here is".', default=True)
    instructions: bool = setting("Drop what tells a model or a reader to do something.", default=True)
    contact_data: bool = setting("Drop e-mail and web addresses, and telephone numbers.", default=True)
    list_residue: bool = setting("Drop what begins like an entry of a list, or is a list.", default=True)
    not_a_persona: bool = setting(
        'Drop questions, headings, placeholders such as "N/A", JSON, and texts that are mostly no letters.',
        default=True,
    )
    first_person: bool = setting(
        "Drop what begins in the first person; the published personas have some.", default=False
    )

    def __call__(self, batch: Batch) -> Batch:
        rules = ["too_short", "too_long", *(rule for rule in RULES if getattr(self, rule, False))]
        reasons = judge(batch.texts, rules, self.characters_min, self.characters_max)
        for reason in RULES:
            if reason in reasons:
                batch = batch.keep([other != reason for other in reasons], reason)
                reasons = [other for other in reasons if other != reason]
        return batch
