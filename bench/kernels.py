"""What the kernels of `personastream.dedup` cost, in rows a second of CPU on one core.

    python -m bench.kernels [--rows 4096] [--rounds 15] [--peer-rows 1000]

Three kinds of rows, made from the built-in samples: `short` of 13 words and `medium` of 26, both ASCII, and `mixed`,
the samples as they are, of 21 words, one in ten of them not ASCII. Each figure is the median of the rounds, of one
batch after the other in turn. `words to simhash` and the like start from the kernel before; `packed to simhash` from
packed bytes; all others from `list[str]`. Where the package `simhash` of PyPI is installed it is given the same words,
and `times_simhash_package` tells how many times as fast `packed to simhash` is. The last line is one JSON object.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any

from bench.machine import report, say, spread
from personastream import samples
from personastream.dedup import (
    hash_texts,
    hash_texts_128,
    hash_words,
    minhash,
    signatures_and_sketches,
    simhash,
    simhash_128,
    sketches,
    split_words,
)
from personastream.dedup.backend import kernels
from personastream.dedup.text import pack_words

SEED = 2026
WORDS = {"short": 13, "medium": 26}
REPEATS = 5


def ascii_rows(words: int) -> Iterator[str]:
    """Endless rows of exactly so many words of samples in ASCII, one sample after the other."""
    waiting: list[str] = []
    for start in range(0, 1 << 40, 8192):
        for text in samples.personas(8192, SEED, start=start):
            waiting += text.split() if text.isascii() else []
            while len(waiting) >= words:
                yield " ".join(waiting[:words])
                waiting = waiting[words:]


def cases(texts: Sequence[str]) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    packed, words = pack_words(texts), hash_words(texts)

    def packed_to_simhash() -> None:
        kernels().simhash(*kernels().hash_words(packed.data, packed.begins, packed.ends), True)

    return {
        "texts to keys": partial(hash_texts, texts),
        "texts to keys of 128 bits": partial(hash_texts_128, texts),
        "texts to packed": partial(pack_words, texts),
        "packed to words": lambda: kernels().hash_words(packed.data, packed.begins, packed.ends),
        "packed to simhash": packed_to_simhash,
        "words to simhash": partial(simhash, words),
        "words to simhash of single words": partial(simhash, words, pairs=False),
        "words to simhash of 128 bits": partial(simhash_128, words),
        "words to sketches": partial(sketches, words),
        "words to minhash of 128": partial(minhash, words),
        "texts to signatures and sketches": partial(signatures_and_sketches, texts),
    }


def cpu_ns(action: Callable[[], object], rows: int) -> float:
    """CPU of one call in nanoseconds a row."""
    start_ns = time.process_time_ns()
    for _ in range(REPEATS):
        action()
    return (time.process_time_ns() - start_ns) / (REPEATS * rows)


def measure(texts: Sequence[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Rates in millions of rows a second."""
    actions = cases(texts)
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(rounds + 1):
        for name, action in actions.items():
            found = cpu_ns(action, len(texts))
            if turn:  # the first one compiles
                taken[name].append(1e3 / found)
    return {name: spread(rates, digits=3) for name, rates in taken.items()}


def measure_peer(texts: Sequence[str]) -> float | None:
    """Millions of rows a second of the `simhash` package from words, if it is there."""
    try:
        peer = import_module("simhash").Simhash
    except ImportError:
        return None
    words, counts = split_words(texts)
    rest = iter(word.decode() for word in words)
    rows = [list(islice(rest, count)) for count in counts.tolist()]
    start_ns = time.process_time_ns()
    for row in rows:
        peer(row)
    return 1e3 * len(rows) / (time.process_time_ns() - start_ns)


def main() -> None:
    """Measure all kinds of rows and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peer-rows", type=int, default=1000)
    options = parser.parse_args()
    rows = {name: list(islice(ascii_rows(words), options.rows)) for name, words in WORDS.items()}
    rows["mixed"] = list(samples.personas(options.rows, SEED))
    found: dict[str, Any] = {}
    for name, texts in rows.items():
        rates = measure(texts, options.rounds)
        found[name] = {
            "bytes_per_row": round(sum(len(text.encode()) for text in texts) / len(texts), 1),
            "words_per_row": round(float(hash_words(texts).counts.mean()), 1),
            "million_rows_per_s": rates,
        }
        for case, rate in rates.items():
            say(f"{name:7} {case:34} {rate['median']:7.2f} M rows/s  {1e3 / rate['median']:6.0f} ns")
    peer = measure_peer(rows["medium"][: options.peer_rows])
    ours = found["medium"]["million_rows_per_s"]["packed to simhash"]["median"]
    found["simhash_package"] = "not installed" if peer is None else {"million_rows_per_s": round(peer, 5)}
    found["times_simhash_package"] = None if peer is None else round(ours / peer)
    report("kernels", {"rows": options.rows, **found})


if __name__ == "__main__":
    main()
