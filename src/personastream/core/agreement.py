"""Which of several answers agree, and which problems are held out."""

from collections.abc import Callable, Sequence
from itertools import combinations

from xxhash import xxh3_64_intdigest


def agreeing(places: Sequence[int], same: Callable[[int, int], bool], least: int) -> tuple[int, ...]:
    """The largest group of places of which each is the same as each other; () if it has not `least`, or is not alone.

    Sameness need not be transitive: an answer that is like two others, which differ, does not make them agree. Two
    groups of equal size decide nothing. `places` are few: all groups are looked at.
    """
    for size in range(len(places), least - 1, -1):
        groups = [group for group in combinations(places, size) if all(same(*pair) for pair in combinations(group, 2))]
        if groups:
            return groups[0] if len(groups) == 1 else ()
    return ()


def is_held_out(problem: str, seed: int, share: float) -> bool:
    """Whether a problem is held out: by itself and the seed alone, so that copies of it stay on one side."""
    return xxh3_64_intdigest(problem.encode("utf-8", "replace"), seed=seed) < share * 2**64
