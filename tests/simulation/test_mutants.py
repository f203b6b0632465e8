"""The oracle bites: with any one rule of the protocol taken out, some crash breaks a promise."""

import pytest

from tests.simulation.mutants import CAUGHT, NOT_CAUGHT, Mutant

SEEDS_MAX = 300
SEEDS_OF_NOT_CAUGHT = 15


@pytest.mark.slow
@pytest.mark.parametrize("mutant", CAUGHT, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_noticed(mutant: Mutant) -> None:
    caught = mutant.first_caught(range(SEEDS_MAX))
    assert caught is not None
    assert mutant.original().first_caught([caught[0]]) is None


@pytest.mark.parametrize("mutant", NOT_CAUGHT.values(), ids=lambda mutant: mutant.name)
@pytest.mark.slow
def test_a_rule_that_no_crash_needs_is_known_as_such(mutant: Mutant) -> None:
    assert mutant.first_caught(range(SEEDS_OF_NOT_CAUGHT)) is None
