"""Runs with records of every kind that recipes make, for exports."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.written_run import write_run

CONSTRAINTS = ["Answer in three sentences.", "Use no commas."]


def meta(template: str, **more: object) -> dict[str, object]:
    usage = {"input_tokens": 210, "output_tokens": 384}
    return {
        "template": f"{template}@1f0c",
        "model": "simulated",
        "finish_reason": "stop",
        "usage": usage,
        "created": "2026-01-01T00:00:00Z",
        **more,
    }


def chat(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


def problem(number: int) -> dict[str, object]:
    """A problem without a solution, as the recipe generate makes it."""
    return {
        "input persona": f"persona {number} 老师",
        "synthesized text": f"Math problem: {number} + 1?",
        "description": "math problem",
        "synthetic": True,
        "meta": meta("math"),
    }


def solved(number: int) -> dict[str, object]:
    """A problem with solutions, on which nothing was agreed for every tenth."""
    agreed = number % 10 != 9
    return {
        **problem(number),
        "problem": f"{number} + 1?",
        "split": "held_out" if number % 2 else "train",
        "answer": str(number + 1) if agreed else "",
        "agreed": agreed,
        "agreement": {"asked": 3, "agreeing": [0, 2], "share": 2 / 3},
        "messages": chat(f"{number} + 1?", f"It is {number + 1}.") if agreed else [],
        "solutions": [{"answer": str(number + 1), "method": "chain"}],
    }


def pair(number: int) -> dict[str, object]:
    return {
        **problem(number),
        "prompt": f"Tell of {number}. Use no commas.",
        "constraints": CONSTRAINTS,
        "chosen": f"Once {number}",
        "rejected": f"Once, {number}",
    }


def constrained(number: int) -> dict[str, object]:
    return {**problem(number), "constraints": CONSTRAINTS, "messages": chat(f"Tell of {number}.", "Once.")}


def talk(number: int) -> dict[str, object]:
    messages = [{"role": "system", "content": "Be brief."}, *chat(f"Hello {number}", "Hi.", "And now?", "Bye.")]
    return {**problem(number), "description": "conversation", "messages": messages}


def persona(number: int) -> dict[str, object]:
    origin = {"url": f"http://example.com/{number}"}
    return {"persona": f"A baker ({number})", "synthetic": True, "meta": meta("t2p", root="c4:1", hop=0, origin=origin)}


def tool(number: int) -> dict[str, object]:
    text = '{"name": "x", "description": "y", "function_name": "f", "input_args": "a", "return": "r", "depend": "d"}'
    return {**problem(number), "synthesized text": text, "description": "tool development"}


KINDS = {
    "problem": problem,
    "solved": solved,
    "pair": pair,
    "constrained": constrained,
    "talk": talk,
    "persona": persona,
    "tool": tool,
}


def run_of(folder: Path, kind: str, rows: int = 60, shards: int = 2) -> Path:
    """A finished run whose records are of one kind; every seventh row was dropped."""
    made = KINDS[kind]
    content: dict[str, Mapping[int, Any]] = {
        f"shard-{shard}": {row: [] if row % 7 == 6 else [made(row)] for row in range(shard * rows, (shard + 1) * rows)}
        for shard in range(shards)
    }
    first = {name: {row % rows: records for row, records in each.items()} for name, each in content.items()}
    return write_run(folder, first, [("shard-0", range(20)), ("shard-1", range(30, 40))])
