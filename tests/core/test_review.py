"""What marks of a sample say of a whole run: shares, how sure they are, and how far reviewers agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core.review import MARKS, Drawn, Mark, allocate, kappa, review_figures, verdict

populations = st.dictionaries(st.text(max_size=3), st.integers(1, 10_000), min_size=1, max_size=20)


def drawn(**strata: int) -> list[Drawn]:
    return [Drawn(f"{name}:{at}", name) for name, count in strata.items() for at in range(count)]


def test_the_papers_own_review() -> None:
    """Two experts on 200 problems found 7 of them invalid."""
    sample = drawn(math=200)
    marks: dict[str, Mark] = {each.id: "invalid" if at < 7 else "valid" for at, each in enumerate(sample)}
    told = review_figures(sample, {"math": 50_000}, {"one": marks, "other": marks})
    assert told["valid"]["share"] == pytest.approx(0.965)
    assert (round(told["valid"]["low"], 3), round(told["valid"]["high"], 3)) == (0.93, 0.983)
    assert told["agreement"][0]["kappa"] == 1.0
    assert told["marked"] == 200


@settings(max_examples=25, deadline=None)
@given(populations, st.integers(20, 120))
def test_each_stratum_has_its_share_and_at_least_one(strata: dict[str, int], wanted: int) -> None:
    counts = allocate(strata, wanted)
    total = sum(strata.values())
    assert sum(counts.values()) == min(wanted, total)
    assert all(1 <= counts[name] <= strata[name] for name in strata)
    if wanted < total:
        short = [name for name in strata if counts[name] < int(wanted * strata[name] / total) - len(strata)]
        assert not short
    assert allocate(strata, wanted) == counts


def test_more_strata_than_records_are_refused() -> None:
    with pytest.raises(ValueError, match="3 strata, but only 2 records"):
        allocate({"a": 1, "b": 1, "c": 1}, 2)


def test_a_stratum_counts_for_as_much_as_there_is_of_it() -> None:
    sample = drawn(large=10, small=10)
    marks: dict[str, Mark] = {each.id: "valid" if each.stratum == "large" else "invalid" for each in sample}
    told = review_figures(sample, {"large": 900, "small": 100}, {"anna": marks})
    assert told["valid"]["share"] == pytest.approx(0.9)
    assert told["valid"]["low"] < 0.9 < told["valid"]["high"]
    even = review_figures(drawn(large=20), {"large": 1000}, {"anna": {f"large:{at}": "valid" for at in range(18)}})
    assert told["valid"]["high"] - told["valid"]["low"] > even["valid"]["high"] - even["valid"]["low"]


def test_what_is_not_marked_yet_is_left_out_and_told() -> None:
    told = review_figures(drawn(a=2, b=2), {"a": 10, "b": 10}, {"anna": {"a:0": "valid"}})
    assert (told["marked"], told["valid"]["share"], told["not_covered"]) == (1, 1.0, ["b"])
    nothing = review_figures(drawn(a=2), {"a": 10}, {})
    assert nothing["valid"] == {"marked": 0, "share": None, "low": 0.0, "high": 1.0}


def test_marks_of_records_that_are_not_in_the_sample_count_nowhere() -> None:
    told = review_figures(drawn(a=1), {"a": 1}, {"anna": {"a:0": "valid", "purged:9": "unsafe"}})
    assert (told["marked"], told["unsafe"]["share"], told["reviewers"]["anna"]["marked"]) == (1, 0.0, 1)


def test_several_marks_of_one_record() -> None:
    assert verdict(["valid", "valid"]) == "valid"
    assert verdict(["valid", "invalid"]) == "invalid"
    assert verdict(["valid", "unsafe", "invalid"]) == "unsafe"


def test_kappa_as_in_the_textbook() -> None:
    counts: dict[tuple[Mark, Mark], int] = {
        ("valid", "valid"): 20,
        ("valid", "invalid"): 5,
        ("invalid", "valid"): 10,
        ("invalid", "invalid"): 15,
    }
    pairs = [pair for pair, count in counts.items() for _ in range(count)]
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa([]) is None
    assert kappa([("valid", "valid")] * 5) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(MARKS), st.sampled_from(MARKS)), min_size=1))
def test_kappa_is_symmetrical_and_bounded(pairs: list[tuple[Mark, Mark]]) -> None:
    found = kappa(pairs)
    assert found is None or -1 <= found <= 1 + 1e-9
    other = kappa([(second, first) for first, second in pairs])
    assert found == other or found == pytest.approx(other)
