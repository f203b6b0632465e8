"""The YAML at the head of a data set card, by which the Hugging Face Hub and its tools read it."""

from collections.abc import Collection, Sequence

from personastream.card.quoting import yaml_text
from personastream.licences.facts import facts_of
from personastream.records import NO_LICENCE

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"),
)


def front_matter(title: str, rows: int, licences: Collection[str]) -> str:
    """With the lines of dashes around it. `licences` are those that hold for the rows, together."""
    lines = [
        "---",
        f"pretty_name: {yaml_text(title)}",
        *_licence_lines(sorted(licences)),
        "annotations_creators:",
        "- machine-generated",
        "language_creators:",
        "- machine-generated",
        "size_categories:",
        f"- {yaml_text(size_category(rows))}",
        "task_categories:",
        "- text-generation",
        "tags:",
        "- synthetic",
        "- personas",
        "- personastream",
        "---",
    ]
    return "\n".join(lines) + "\n"


def size_category(rows: int) -> str:
    """What the Hub calls a data set of so many rows."""
    return next((name for limit, name in SIZES if rows < limit), "10B<n<100B")


def hub_id(licence: str) -> str:
    """What the Hub calls a licence; `other` for those that it does not know, `unknown` where nobody says."""
    if licence == NO_LICENCE:
        return "unknown"
    facts = facts_of(licence)
    return facts.hub if facts else "other"


def _licence_lines(licences: Sequence[str]) -> list[str]:
    if not licences:
        return ["license: unknown"]
    if len(licences) == 1 and hub_id(licences[0]) != "other":
        return [f"license: {hub_id(licences[0])}"]
    name = " AND ".join(f"({one})" if " " in one else one for one in licences)
    facts = facts_of(licences[0]) if len(licences) == 1 else None
    link = [f"license_link: {yaml_text(facts.url)}"] if facts else []
    return ["license: other", f"license_name: {yaml_text(name)}", *link]
