"""One other package that finds near duplicates, run in an environment of its own: needs nothing but that package.

    <environment>/bin/python bench/peer.py NAME TEXTS FOLDER

TEXTS has a text a line. Every package is given the same words (runs of letters and digits, case folded), 128
permutations and a similarity of 0.9, or 64 bits and a distance of 3, and else its own defaults; each row is compared
with the rows kept before it where the package allows that. Prints one JSON object: CPU seconds of the work, resident
memory before and after, and the rows kept, as 0 and 1.
"""

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

WORD = re.compile(r"\w+")
PERMUTATIONS, SIMILARITY, DISTANCE = 128, 0.9, 3


def words(text: str) -> list[str]:
    """The words of a text."""
    return WORD.findall(text.casefold())


def rensa(texts: list[str], _: Path) -> list[bool]:
    """RMinHashDeduplicator, one row at a time."""
    from rensa import RMinHash, RMinHashDeduplicator

    index = RMinHashDeduplicator(SIMILARITY, PERMUTATIONS, True, None, 42)
    kept: list[bool] = []
    for row, text in enumerate(texts):
        signature = RMinHash(PERMUTATIONS, 42)
        signature.update(words(text))
        kept.append(index.add(str(row), signature))
    return kept


def rensa_lsh(texts: list[str], _: Path) -> list[bool]:
    """RMinHashLSH with 8 bands, whose candidates are believed without verification."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(SIMILARITY, PERMUTATIONS, 8)
    kept: list[bool] = []
    for start in range(0, len(texts), 8192):
        tokens = [words(text) for text in texts[start : start + 8192]]
        for signature in RMinHash.from_token_sets(tokens, PERMUTATIONS, 42):
            new = not index.query(signature)
            if new:
                index.insert(len(kept), signature)
            kept.append(new)
    return kept


def gaoya_minhash(texts: list[str], _: Path) -> list[bool]:
    """MinHashStringIndex, 9 bands of 14, words split by its own analyser."""
    from gaoya.minhash import MinHashStringIndex

    return _one_by_one(MinHashStringIndex(32, SIMILARITY, 9, 14, None, "word", True, (1, 1)), texts)


def gaoya_simhash(texts: list[str], _: Path) -> list[bool]:
    """SimHashStringIndex over words, within 3 bits."""
    from gaoya.simhash import SimHashStringIndex

    return _one_by_one(SimHashStringIndex(64, 6, DISTANCE, "word", True, (1, 1)), texts)


def datasketch(texts: list[str], _: Path) -> list[bool]:
    """MinHashLSH as it chooses its bands."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=SIMILARITY, num_perm=PERMUTATIONS)
    kept: list[bool] = []
    for start in range(0, len(texts), 1024):
        tokens = [[word.encode() for word in words(text)] for text in texts[start : start + 1024]]
        for signature in MinHash.bulk(tokens, num_perm=PERMUTATIONS):
            new = not index.query(signature)
            if new:
                index.insert(len(kept), signature)
            kept.append(new)
    return kept


def simhash(texts: list[str], _: Path) -> list[bool]:
    """SimhashIndex over words, within 3 bits."""
    import logging

    from simhash import Simhash, SimhashIndex

    logging.disable(logging.CRITICAL)
    index = SimhashIndex([], k=DISTANCE)
    kept: list[bool] = []
    for row, text in enumerate(texts):
        signature = Simhash(words(text))
        new = not index.get_near_dups(signature)
        if new:
            index.add(str(row), signature)
        kept.append(new)
    return kept


def simhash_pybind(texts: list[str], _: Path) -> list[bool]:
    """compute and find_all over all rows at once; of each pair the later row goes."""
    import hashlib

    from simhash import compute, find_all

    def hashed(word: str) -> int:
        return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")

    signatures = [compute([hashed(word) for word in words(text)]) for text in texts]
    rows: dict[int, list[int]] = {}
    for row, signature in enumerate(signatures):
        rows.setdefault(signature, []).append(row)
    first = {signature: found[0] for signature, found in rows.items()}
    kept = [first[signature] == row for row, signature in enumerate(signatures)]
    for a, b in find_all(list(rows), 6, DISTANCE):
        kept[max(first[a], first[b])] = False
    return kept


def text_dedup(texts: list[str], folder: Path) -> list[bool]:
    """Its command for MinHash, with files in and out; it clusters, and keeps one row of each cluster."""
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps({"id": row, "text": text}) + "\n" for row, text in enumerate(texts)))
    options = f"--data_files {rows} --cache_dir {folder}/cache --split train --output {folder}/kept --column text"
    more = f"--path json --ngram 1 --min_length 1 --num_perm {PERMUTATIONS} --threshold {SIMILARITY} --hash_func xxh3"
    command = [sys.executable, "-m", "text_dedup.minhash", *options.split(), *more.split(), "--num_proc", "1"]
    subprocess.run(command, check=True, capture_output=True)
    from datasets import load_from_disk

    kept = [False] * len(texts)
    for row in load_from_disk(str(folder / "kept"))["id"]:
        kept[row] = True
    return kept


def datatrove(texts: list[str], folder: Path) -> list[bool]:
    """Its four steps for MinHash, 9 buckets of 14, in one process; it clusters, and keeps one row of each cluster."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.logging import logger

    logger.remove()
    config = minhash.MinhashConfig(
        n_grams=1, num_buckets=9, hashes_per_bucket=14, hash_config=HashConfig(precision=64, hash_fc="xxhash")
    )
    documents = [Document(text, str(row)) for row, text in enumerate(texts)]
    signatures, buckets, removed = (str(folder / name) for name in ("signatures", "buckets", "removed"))
    minhash.MinhashDedupSignature(signatures, config).run(iter(documents), 0, 1)
    for bucket in range(config.num_buckets):
        minhash.MinhashDedupBuckets(signatures, buckets, config=config).run(None, bucket, config.num_buckets)
    minhash.MinhashDedupCluster(buckets, removed, config=config).run(None, 0, 1)
    kept = [False] * len(texts)
    for document in minhash.MinhashDedupFilter(removed).run(iter(documents), 0, 1):
        kept[int(document.id)] = True
    return kept


def _one_by_one(index: object, texts: list[str]) -> list[bool]:
    """Query, then insert what is new."""
    query: Callable[[str], list[int]] = index.query  # type: ignore[attr-defined]
    insert: Callable[[int, str], None] = index.insert_document  # type: ignore[attr-defined]
    kept: list[bool] = []
    for row, text in enumerate(texts):
        new = not query(text)
        if new:
            insert(row, text)
        kept.append(new)
    return kept


PEERS: dict[str, Callable[[list[str], Path], list[bool]]] = {
    peer.__name__: peer
    for peer in (
        rensa, rensa_lsh, gaoya_minhash, gaoya_simhash, datasketch, simhash, simhash_pybind, text_dedup, datatrove,
    )
}  # fmt: skip


def cpu_s() -> float:
    """CPU time of this process and of its children that have ended, user and system."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def resident_bytes() -> int:
    """Of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Run one and print what it did."""
    name, source, folder = sys.argv[1:]
    texts = Path(source).read_text("utf-8").split("\n")[:-1]
    PEERS[name](texts[:50], Path(folder, "warm"))  # loads and compiles what it needs
    before_s, before_bytes = cpu_s(), resident_bytes()
    begin_s = time.monotonic()
    kept = PEERS[name](texts, Path(folder, "all"))
    figures = {
        "cpu_s": cpu_s() - before_s,
        "wall_s": time.monotonic() - begin_s,
        "bytes": resident_bytes() - before_bytes,
        "kept": "".join("01"[one] for one in kept),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
