"""Section `[licence]`: what the records are for, and which licences that allows. A run that breaks it is refused."""

from dataclasses import dataclass

from personastream.errors import ConfigError
from personastream.licences.expression import canonical
from personastream.records import NO_LICENCE
from personastream.settings import setting


@dataclass(frozen=True, slots=True)
class LicenceRules:
    """Without this section nothing is refused. What `allow` names is accepted all the same; the audit log says so."""

    use: str = setting(
        "What the records are for; `commercial` refuses sources and models that do not allow that.",
        default="",
        choices=("", "research", "commercial"),
        identity=False,
    )
    purpose: str = setting(
        "`train`: other models are to be trained on the records; refuses models whose terms restrict that.",
        default="",
        choices=("", "train", "evaluate"),
        identity=False,
    )
    output: str = setting(
        "The licence under which the records are to be passed on, if they are; it must suit those of the sources.",
        default="",
        identity=False,
    )
    allow: list[str] = setting(
        "Licences and terms that are accepted in spite of the rules.",
        default_factory=list,
        identity=False,
    )
    deny: list[str] = setting("Licences and terms that are refused in any case.", default_factory=list, identity=False)
    unknown: str = setting(
        "What to do with sources without a licence, and models whose terms are not known.",
        default="warn",
        choices=("warn", "refuse"),
        identity=False,
    )
    rows: str = setting(
        "Of a source with a licence in each row, what to do with rows that the rules refuse: drop them, or stop.",
        default="drop",
        choices=("drop", "refuse"),
        identity=False,
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", known("output", self.output) if self.output else "")
        object.__setattr__(self, "allow", [known("allow", one) for one in self.allow])
        object.__setattr__(self, "deny", [known("deny", one) for one in self.deny])
        both = sorted({*self.allow} & {*self.deny})
        if both:
            raise ConfigError(f"allow and deny both name {both[0]}")
        if self.output == NO_LICENCE:
            raise ConfigError('output = "" or a licence', hint="Leave it out if the records are not passed on.")

    @property
    def refuses_anything(self) -> bool:
        """Whether there is anything that these rules refuse."""
        return bool(self.use == "commercial" or self.purpose == "train" or self.output or self.deny) or (
            self.unknown == "refuse"
        )


NO_RULES = LicenceRules()


def known(key: str, text: str) -> str:
    """A licence as a configuration names it, in its one form. Raises `ConfigError`."""
    try:
        return canonical(text)
    except ValueError as error:
        raise ConfigError(
            f"{key} = {text[:100]!r} {error}",
            hint="Write an SPDX id such as CC-BY-4.0 (https://spdx.org/licenses/), or LicenseRef-… for your own.",
        ) from error
