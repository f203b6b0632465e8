"""Section `[guard]`: when a run pauses because its replies look like a dump of a model's memory."""

from dataclasses import dataclass

from personastream.settings import setting


@dataclass(frozen=True, slots=True)
class Guard:
    """Caps on what is drawn from a model, all off without this section. They may change between sittings.

    When one is passed the run drains, says why and ends with exit 75; raise the cap and go on with --resume.
    """

    protected: list[str] = setting(
        "Files or globs of texts that replies must not repeat: .txt (a text each), .jsonl, .json or .parquet, plain or "
        "with .gz or .zst.",
        default_factory=list,
        identity=False,
        path=True,
    )
    protected_field: list[str] = setting(
        "Keys under which those files have their texts; of each row the first that is there counts.",
        default_factory=lambda: ["text"],
        identity=False,
    )
    overlap_words: int = setting(
        "A reply overlaps if it repeats so many consecutive words of protected texts.",
        default=50,
        minimum=13,
        maximum=10_000,
        identity=False,
    )
    overlap_share: float = setting(
        "A reply overlaps, too, if so large a share of its words stands in 13-word pieces of protected texts.",
        default=0.5,
        minimum=0.01,
        maximum=1.0,
        identity=False,
    )
    overlaps_max: int = setting(
        "Replies of the whole run that may overlap.", default=0, minimum=0, maximum=1_000_000_000, identity=False
    )
    near_copies_share_max: float = setting(
        "Of the last replies, the share that may be near copies of an earlier one of these; 1: any.",
        default=0.5,
        minimum=0.0,
        maximum=1.0,
        identity=False,
    )
    window_replies: int = setting(
        "How many replies that share is taken of.", default=10_000, minimum=100, maximum=100_000, identity=False
    )
    records_per_model_max: int = setting(
        "Records of the whole run that may come from one model; 0: any number.",
        default=0,
        minimum=0,
        maximum=1_000_000_000_000,
        identity=False,
    )
    output_tokens_per_model_max: int = setting(
        "Output tokens of the whole run's records that may come from one model; 0: any number.",
        default=0,
        minimum=0,
        maximum=1_000_000_000_000_000,
        identity=False,
    )
    alert_share: float = setting(
        "From so large a share of a cap on, progress and status tell of it.",
        default=0.8,
        minimum=0.0,
        maximum=1.0,
        identity=False,
    )
