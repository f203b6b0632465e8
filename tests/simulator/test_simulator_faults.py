"""Which request meets which fault."""

from collections import Counter

import pytest

from personastream.errors import ConfigError
from personastream.simulator.draws import draw
from personastream.simulator.faults import FAULTS, POISON, FaultPlan

KEYS = [draw(key, 0, 99) for key in range(20_000)]


def fates(plan: FaultPlan, attempt: int, seed: int = 1) -> list[str | None]:
    return [plan.choose(key, draw(key, attempt, seed)) for key in KEYS]


def test_faults_come_at_their_rates() -> None:
    rates = {"500": 0.05, "drop": 0.02, "hang": 0.001, POISON: 0.03}
    counts = Counter(fates(FaultPlan(rates, seed=1), attempt=0))
    for name, rate in rates.items():
        expected = rate * len(KEYS)
        assert abs(counts[name] - expected) < 5 * expected**0.5
    assert set(counts) == {None, *rates}


def test_without_rates_there_are_no_faults() -> None:
    assert set(fates(FaultPlan({}, seed=1), 0)) == {None}
    assert set(fates(FaultPlan(dict.fromkeys(FAULTS, 0.0), seed=1), 0)) == {None}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.slow
def test_rate_one_hits_every_request(name: str) -> None:
    assert set(fates(FaultPlan({name: 1.0}, seed=1), 0)) == {name}


def test_rates_may_fill_up_to_one() -> None:
    assert None not in fates(FaultPlan({"500": 0.7, "503": 0.2, "cut": 0.1}, seed=1), 0)


def test_a_retry_meets_a_fate_of_its_own() -> None:
    plan = FaultPlan({"500": 0.5}, seed=1)
    pairs = Counter(zip(fates(plan, 0), fates(plan, 1), strict=True))
    assert all(abs(count - len(KEYS) / 4) < 400 for count in pairs.values())
    assert len(pairs) == 4


def test_poison_is_decided_by_the_body_alone() -> None:
    plan = FaultPlan({POISON: 0.1, "500": 0.3}, seed=1)
    poisoned = [{key for key, fate in zip(KEYS, fates(plan, n), strict=True) if fate == POISON} for n in range(5)]
    assert len(poisoned[0]) > 1000
    assert all(keys == poisoned[0] for keys in poisoned)


def test_another_seed_poisons_others() -> None:
    first, second = (fates(FaultPlan({POISON: 0.1}, seed), 0) for seed in (1, 2))
    assert first != second


def test_the_order_in_which_faults_are_given_changes_nothing() -> None:
    assert fates(FaultPlan({"500": 0.1, "cut": 0.2}, 1), 0) == fates(FaultPlan({"cut": 0.2, "500": 0.1}, 1), 0)


@pytest.mark.parametrize("rates", [{"501": 0.1}, {"500": 1.1}, {"500": -0.1}, {"500": float("nan")}])
def test_a_wrong_fault_or_rate_is_named(rates: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(rates))):
        FaultPlan(rates, seed=1)


def test_rates_above_one_together_are_refused_but_poison_stands_apart() -> None:
    with pytest.raises(ConfigError, match="add up"):
        FaultPlan({"500": 0.6, "503": 0.6}, seed=1)
    FaultPlan({"500": 0.6, "503": 0.4, POISON: 1.0}, seed=1)
