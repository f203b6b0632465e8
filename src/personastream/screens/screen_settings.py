"""What screens have in common: when they judge, how many rows, and what follows from what they find."""

from dataclasses import dataclass
from typing import ClassVar

from personastream.errors import ConfigError
from personastream.ports import CHAT
from personastream.settings import setting

SAMPLE_MIN = 0.0001
"""A screen that judges nothing is a mistake: who wants none leaves it out."""


@dataclass
class Judging:
    """Settings of all screens. `PLACES` tells whether a screen knows where in a text the fault is, `MODEL_ONLY` whether
    it judges only what the model wrote, less what that quotes of its row.
    """

    PLACES: ClassVar[bool] = False
    MODEL_ONLY: ClassVar[bool] = False

    on: str = setting(
        "What is judged: rows before they are asked for, records after it (input columns included), or both.",
        default="both",
        choices=("row", "reply", "both"),
    )
    policy: str = setting(
        "What follows: the row is dropped, marks such as [email] take the place of what was found, or the record "
        "tells of it in meta.screens.",
        default="drop",
        choices=("drop", "redact", "flag"),
    )
    sample: float = setting(
        "Share of the rows that is judged, drawn by their ids; records of others say `not_sampled` in meta.screens.",
        default=1.0,
        minimum=SAMPLE_MIN,
        maximum=1.0,
    )

    def __post_init__(self) -> None:
        if self.policy == "redact" and not self.PLACES:
            raise ConfigError(
                'policy = "redact" needs a place in the text, and this screen judges texts as a whole',
                hint="Choose drop or flag.",
            )

    @property
    def name(self) -> str:
        """By which records and counts tell of it: that of its module."""
        return type(self).__module__.rpartition(".")[2]


@dataclass
class Asking(Judging):
    """Settings of screens that ask a service. `ASKS` tells what kind of answer they can read."""

    ASKS: ClassVar[str] = CHAT

    unavailable: str = setting(
        "What follows if the service does not judge: nothing goes out (a service that is down holds the row up, "
        "one that answers nonsense ends it as a dead letter), or the record goes out and says `unscreened`.",
        default="closed",
        choices=("closed", "open"),
    )
    patience_s: float = setting(
        'How long a judgement may take if unavailable = "open", in seconds.',
        default=60.0,
        minimum=0.1,
        maximum=3600.0,
        identity=False,
    )
    asks_max: int = setting(
        "How often to ask for a judgement that can be understood.", default=3, minimum=1, maximum=10, identity=False
    )
