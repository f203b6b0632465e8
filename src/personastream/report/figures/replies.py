"""Which models answered, how their replies ended, and what they cost."""

from collections import defaultdict
from typing import Any

from personastream.core.outcomes import Usage
from personastream.core.spend import NANOS
from personastream.report.figures.statistics import shares, tally
from personastream.report.sampling import Sample

NAMES_MAX = 8


def reply_figures(sample: Sample, records: int, usage: Usage) -> dict[str, Any] | None:
    """Models, finish reasons and templates by their share of the sampled records; None if these name no model."""
    items = sample.items
    if not any(item.model for item in items):
        return None
    return {
        "models": _models(sample, records, usage),
        "finish_reasons": shares(tally(item.finish_reason for item in items if item.finish_reason), NAMES_MAX),
        "templates": shares(tally(item.template for item in items if item.template), NAMES_MAX),
    }


def _models(sample: Sample, records: int, usage: Usage) -> list[dict[str, Any]]:
    """Each model's part of the records and of what they cost. With several, the latter goes by their tokens."""
    spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for item, each in zip(sample.items, sample.spent, strict=True):
        spent[item.model] = [total + amount for total, amount in zip(spent[item.model], each, strict=True)]
    whole = sample.usage
    told = shares(tally(item.model for item in sample.items if item.model), NAMES_MAX)
    for entry in told:
        if entry["name"] is None:
            continue
        tokens_in, tokens_out, nanos = (
            amount / total if total else 0.0 for amount, total in zip(spent[entry["name"]], whole, strict=True)
        )
        entry["records"] = round(entry["share"] * records)
        entry["input_tokens"] = round(tokens_in * usage.input_tokens)
        entry["output_tokens"] = round(tokens_out * usage.output_tokens)
        entry["spend"] = nanos * usage.spend_nanos / NANOS
    return told
