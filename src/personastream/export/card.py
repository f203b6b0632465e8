"""The card of an export: what it is, where each row comes from, and that models wrote it.

In a folder it is a data set card, by which `datasets.load_dataset` finds the files.
"""

import json
from collections.abc import Mapping

KEYS_MAX = 1000


def card(*, files: str, provenance: str, facts: Mapping[str, object]) -> bytes:
    """The card as Markdown. What people and models wrote stands in it as JSON only."""
    front = ["---", "configs:", "- config_name: default", f"  data_files: {json.dumps(files)}", "tags:", "- synthetic"]
    text = [
        "---",
        "",
        "# Synthetic data, exported by personastream",
        "",
        "Language models wrote every row. Before using it, mind the terms of those models and the licences of the",
        "sources; check it for the benchmarks that you want to measure with it.",
        "",
        f"Where a row comes from: {provenance}",
        "",
        "```json",
        json.dumps(facts, indent=2, ensure_ascii=True).replace("`", "\\u0060"),
        "```",
        "",
    ]
    return "\n".join([*front, *text]).encode()
