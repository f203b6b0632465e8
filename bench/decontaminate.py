"""How much of a planted test set `decontaminate` finds, what it drops by mistake, and how fast it is.

    python -m bench.decontaminate [--rows 1000000] [--data ../shared/data]

Rows of three kinds in turn: built-in personas, replies of the simulated model to the shipped template `math`, and word
problems from a small grammar in the manner of GSM8K, which end in phrases that many test items share. Every item of
GSM8K's test set and of MATH-500 is planted twice among them, within other words: verbatim, and edited lightly, which
is one change of case, one of punctuation and one of white space, all characters that make up words and numbers kept.
A planted row that is not found is missed; any other row that is found is a false positive. Both rules are measured;
`rows_per_s_core` is rows over the process's CPU, from `list[str]` to decisions, in batches of 1,024, with one thread.
`real_texts` are web pages, forum posts, personas and tool replies: what is found there may be a quotation.
"""

import argparse
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bench.machine import report, resident_peak_bytes, say
from personastream import samples
from personastream.launch.estimate import first_request
from personastream.recipes.generate import Generate
from personastream.records import Row
from personastream.simulator.replies import Writer, shipped_openings, take_apart
from personastream.test_sets import Against, read_items

DATA = Path(__file__).parents[2] / "shared/data"
TEST_SETS = ("math/gsm8k-test.jsonl.zst", "math/math500.jsonl.zst")
REAL = ("texts/c4.jsonl.zst", "texts/stackexchange.jsonl.zst", "texts/webpages.jsonl.zst")
REAL_PERSONAS = ("personas/personahub-5k.jsonl.zst", "synthesized/personahub-tool.jsonl.zst")
RULES: Mapping[str, Mapping[str, Any]] = {
    "ngram of 13": {"rule": "ngram"},
    "ngram of 10": {"rule": "ngram", "ngram": 10},
    "coverage of 8": {"rule": "coverage"},
}
BATCH = 1024
PART = 64 * BATCH
SEED = 2026

Edit = Callable[[str], str]
CASES: Sequence[Edit] = (str.upper, str.lower, str.title, str.swapcase)
PUNCTUATION: Sequence[Edit] = (
    lambda text: re.sub(r"(?<!\d)[.,;:!?](?!\d)", "", text),
    lambda text: re.sub(r"[.?!](?=\s|$)", "!!", text),
    lambda text: re.sub(r"[.,;:](?=\s)", " -", text),
    lambda text: text.replace("'", "’").replace('"', "”"),
    lambda text: re.sub(r"['’\"$]", "", text),
    lambda text: f"**{text.rstrip('.?')}**",
)
SPACES: Sequence[Edit] = (
    lambda text: re.sub(r"\s+", "  ", text),
    lambda text: re.sub(r"\s+", "\n", text),
    lambda text: re.sub(r"([-+=(){}])", r" \1 ", text),
    lambda text: f"\t{text}\n\n",
)
FRAMES = ("{}", "Math problem: {}", "{} Show your work.", "Here is a task for you.\n\n{}\n\nThe answer follows.")

PEOPLE = ("Mara", "Tobias", "Ifeoma", "Kenji", "Lucía", "Anders", "Priya", "Samuel", "Noor", "Grete")
THINGS = ("apples", "books", "stickers", "tickets", "cookies", "pencils", "marbles", "shirts", "eggs", "chairs")
PROBLEMS = (
    "{a} has {x} {t} and buys {y} more {t} every day. How many {t} does {a} have after {z} days?",
    "{a} sells {x} {t} for ${y} each at the market and spends half of the money. How much money does {a} have left?",
    "A store has {x} boxes with {y} {t} in each box. If {a} takes {z} of them, how many {t} are left in the store?",
    "{a} is {x} years old. {b} is {y} years older than twice the age of {a}. How old will {b} be in {z} years?",
    "{a} reads {x} pages in the morning and {y} pages at night. How many pages does {a} read in {z} weeks?",
    "If {x}% of the {y} {t} belong to {a} and the rest to {b}, how many more {t} does {b} have than {a}?",
    "Let $f(n) = {x}n^2 - {y}n + {z}$. What is the value of $f({y})$?",
    "Find the sum of all positive integers $n$ such that $n^2 - {x}n + {y}$ is a perfect square.",
)
PHRASES = (
    "Express your answer as a common fraction.",
    "Round your answer to the nearest tenth.",
    "How much money does he make in total?",
    "Enter your answer as an ordered pair, for example (1, 2).",
    "What is the total number of hours that he spends on this every week?",
    "Express your answer in interval notation.",
    "What is the greatest common divisor of the two numbers?",
    "",
)


class Planted(NamedTuple):
    """Rows where items were planted, by row: whether edited."""

    rows: Mapping[int, str]
    edited: Mapping[int, bool]


def main() -> None:
    """Measure and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    paths = [str(options.data / name) for name in TEST_SETS]
    items = [item.text for item in read_items(paths, ["problem"])]
    planted = plant(items, options.rows)
    rules = {name: Against(paths, field=["problem"], **settings) for name, settings in RULES.items()}
    figures: dict[str, Any] = {"rows": options.rows, "items": len(items), "planted": len(planted.rows)}
    results = scan(rules, planted, options.rows)
    real = [text for name in REAL for text in texts_of(options.data / name, "text")]
    real += [text for name in REAL_PERSONAS for text in texts_of(options.data / name, "persona", "synthesized text")]
    figures["characters_per_row"] = results.pop("characters") / options.rows
    for name, against in rules.items():
        found = [text for text, item in zip(real, against.index.find(real).tolist(), strict=True) if item >= 0]
        results[name]["real_texts"] = {"rows": len(real), "found": len(found), "first": [t[:160] for t in found[:2]]}
    report("decontaminate", {**figures, **results, "peak_mb": resident_peak_bytes() >> 20})


def scan(rules: Mapping[str, Against], planted: Planted, rows: int) -> dict[str, Any]:
    """What each rule finds among all rows, and how fast."""
    seconds, missed = dict.fromkeys(rules, 0.0), {name: [0, 0] for name in rules}
    wrong: dict[str, list[str]] = {name: [] for name in rules}
    characters = 0
    made = clean_rows()
    for against in rules.values():
        against.index.find(list(islice(clean_rows(), BATCH)))  # compiled, and in the cache
    for start in range(0, rows, PART):
        texts = [planted.rows.get(row) or next(made) for row in range(start, min(rows, start + PART))]
        characters += sum(map(len, texts))
        for name, against in rules.items():
            begin_s = time.process_time()
            found: list[int] = []
            for at in range(0, len(texts), BATCH):
                found += against.index.find(texts[at : at + BATCH]).tolist()
            seconds[name] += time.process_time() - begin_s
            for row, item in enumerate(found, start):
                if row in planted.edited:
                    missed[name][planted.edited[row]] += item < 0
                elif item >= 0:
                    wrong[name].append(texts[row - start])
        say(f"{start + len(texts):,} rows")
    each = len(planted.rows) // 2
    return {
        name: {
            "recall_verbatim": 1 - missed[name][False] / each,
            "recall_edited": 1 - missed[name][True] / each,
            "false_positives": len(wrong[name]),
            "false_positive_share": len(wrong[name]) / (rows - len(planted.rows)),
            "false_positive_examples": [text[:200] for text in wrong[name][:3]],
            "rows_per_s_core": round(rows / seconds[name]),
            "ngrams": len(against.index),
        }
        for name, against in rules.items()
    } | {"characters": characters}


def plant(items: Sequence[str], rows: int) -> Planted:
    """Every item twice, at places all over the rows."""
    random = Random(SEED)
    places = random.sample(range(rows), 2 * len(items))
    texts, edited = dict[int, str](), dict[int, bool]()
    for place, (item, is_edited) in zip(
        places, ((item, kind) for item in items for kind in (False, True)), strict=True
    ):
        if is_edited:
            for edits in (CASES, PUNCTUATION, SPACES):
                item = random.choice(edits)(item)
        texts[place], edited[place] = random.choice(FRAMES).format(item), is_edited
    return Planted(texts, edited)


def clean_rows() -> Iterator[str]:
    """Endless rows of three kinds in turn."""
    for kind in cycle((personas(), replies(), problems())):
        yield next(kind)


def personas() -> Iterator[str]:
    """Built-in ones."""
    for start in range(0, 1 << 40, 4096):
        yield from samples.personas(4096, SEED, start=start)


def replies() -> Iterator[str]:
    """What the simulated model answers."""
    writer, recipe = Writer(SEED, 60, shipped_openings()), Generate("math")
    for key, persona in enumerate(personas()):
        prompt = take_apart("", first_request(recipe, Row(0, 0, persona)).user)
        yield writer.write(key, prompt, None).text or ""


def problems() -> Iterator[str]:
    """Word problems with numbers of their own."""
    random = Random(SEED)
    while True:
        story = " ".join(random.choice(PROBLEMS) for _ in range(random.choice((1, 1, 2))))
        numbers = {name: random.randint(2, 900) for name in "xyz"}
        a, b = random.sample(PEOPLE, 2)
        for name, value in {**numbers, "a": a, "b": b, "t": random.choice(THINGS)}.items():
            story = story.replace(f"{{{name}}}", str(value))
        yield f"{story} {random.choice(PHRASES)}"


def texts_of(path: Path, *fields: str) -> list[str]:
    """All texts of a file."""
    return [item.text for item in read_items([str(path)], fields)]


if __name__ == "__main__":
    main()
