"""Near deduplication by us and by other packages: the same rows, the same machine, taking turns.

    make peers                                            environments for the other packages
    python -m bench.dedup_peers [--rows 100000] [--rounds 3] [--quality-rows 20000] [--peers rensa …]

From a list of str to decisions, CPU time of one core; each contender is a process of its own on core 0, and has seen
fifty rows before its clock starts. A ratio is the median of the rounds' ratios to ours (`jaccard` for what works on
sets of words, `simhash` for what works on bits). Those that need minutes get fewer rows. Quality is taken once, on rows
that differ in normal form: recall and precision of dropped rows against all pairs with Jaccard similarity 0.9 or more
to a row kept before. Packages that cluster keep any row of a group, not the earliest, so only their speed is compared.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import processes
from bench.machine import report, say, spread
from bench.near_dedup import best_similarity, decide
from bench.peer import PEERS, cpu_s, resident_bytes
from bench.planted import planted
from personastream.dedup import hash_words, normalise
from personastream.transforms.near_dedup import NearDedup

ENVIRONMENTS = {
    "one": ("rensa", "rensa_lsh", "gaoya_minhash", "gaoya_simhash", "datasketch", "simhash", "text_dedup"),
    "two": ("simhash_pybind",),
    "three": ("datatrove",),
}
OURS = {"jaccard": {"method": "jaccard", "similarity_min": 0.9}, "simhash": {}}
ROWS_MAX = {"simhash": 20_000, "datatrove": 10_000}
"""Where more would take minutes."""
BY_BITS = {"gaoya_simhash", "simhash", "simhash_pybind"}
CLUSTERING = {"text_dedup", "datatrove"}
SEED = 7
BATCH_ROWS = 8192


class Contenders:
    """Runs one of us or of the others on the first so many of the texts."""

    def __init__(self, folder: Path, environments: Path) -> None:
        self._folder = folder
        self._python = {
            name: environments / environment / "bin" / "python"
            for environment, names in ENVIRONMENTS.items()
            for name in names
        }

    def has(self, name: str) -> bool:
        """Whether the environment of a peer is there."""
        return self._python[name].exists()

    def run(self, name: str, texts: list[str]) -> dict[str, Any]:
        """What it printed."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            for part in ("warm", "all"):
                Path(folder, part).mkdir()
            source = Path(folder, "texts")
            source.write_text("".join(f"{text}\n" for text in texts), "utf-8")
            if name.startswith("ours_"):
                command = [sys.executable, "-m", "bench.dedup_peers", "--as", name, str(source)]
            else:
                command = [str(self._python[name]), str(Path(__file__).with_name("peer.py")), name, str(source), folder]
            figures: dict[str, Any] = json.loads(processes.run(command).stdout.splitlines()[-1])
            return figures


def ours(name: str, source: str) -> None:
    """Print what one of our methods did, as `bench.peer` does for others."""
    settings: dict[str, Any] = OURS[name.removeprefix("ours_")]
    texts = Path(source).read_text("utf-8").split("\n")[:-1]
    decide(NearDedup(**settings), texts[:50], BATCH_ROWS)
    before_s, before_bytes = cpu_s(), resident_bytes()
    near = NearDedup(**settings)
    near.expect(len(texts))
    kept, _ = decide(near, texts, BATCH_ROWS)
    figures = {"cpu_s": cpu_s() - before_s, "bytes": resident_bytes() - before_bytes}
    print(json.dumps({**figures, "kept": "".join("01"[one] for one in kept.tolist())}))


def quality(contenders: Contenders, name: str, texts: list[str]) -> dict[str, float]:
    """Recall and precision of what it drops."""
    kept: NDArray[np.bool_] = np.array([one == "1" for one in contenders.run(name, texts)["kept"]])
    words = hash_words(texts)
    sets = [np.unique(words.hashes[start:stop]) for start, stop in zip(words.starts, words.starts[1:], strict=False)]
    starts = np.append(0, np.cumsum([len(row) for row in sets]))
    copies = best_similarity(np.concatenate(sets), starts, kept) >= 0.9
    return {
        "recall": round(float((~kept)[copies].mean()), 4),
        "precision": round(float(copies[~kept].mean()), 4),
    }


def compare(contenders: Contenders, names: list[str], texts: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """All in turns; rows a second, bytes a row, and how many times as long as ours it takes."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            runs[name].append(contenders.run(name, texts[: ROWS_MAX.get(name, len(texts))]))
        say(f"round {number}: " + ", ".join(f"{name} {found[-1]['cpu_s']:.2f} s" for name, found in runs.items()))
    table = {}
    for name in names:
        rows = min(len(texts), ROWS_MAX.get(name, len(texts)))
        us_a_row = [1e6 * one["cpu_s"] / rows for one in runs[name]]
        like = [1e6 * one["cpu_s"] / len(texts) for one in runs["ours_simhash" if name in BY_BITS else "ours_jaccard"]]
        table[name] = {
            "rows": rows,
            "rows_per_s": round(1e6 / statistics.median(us_a_row)),
            "bytes_per_row": round(runs[name][0]["bytes"] / rows),
            "times_ours": spread([a / b for a, b in zip(us_a_row, like, strict=True)]),
        }
    return table


def main() -> None:
    """Compare and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--quality-rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--environments", type=Path, default=Path(".venv-peers"))
    parser.add_argument("--as", nargs=2, dest="alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        return ours(*options.alone)
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        contenders = Contenders(Path(folder), options.environments.absolute())
        missing = [name for name in options.peers if not contenders.has(name)]
        names = [f"ours_{name}" for name in OURS] + [name for name in options.peers if name not in missing]
        table = compare(contenders, names, planted(options.rows, SEED, "medium").texts, options.rounds)
        unlike = list(
            {normalise(text): text for text in planted(options.quality_rows, SEED + 1, "medium").texts}.values()
        )
        for name in names:
            if name not in CLUSTERING:
                table[name] |= quality(contenders, name, unlike[: ROWS_MAX.get(name, len(unlike))])
    return report("dedup_peers", {"table": table, "not_installed": missing, "targets": {"rensa_times_ours_min": 5.0}})


if __name__ == "__main__":
    main()
