"""Use cases and prompting modes on real personas, with a model that breaks contracts now and then: a smaller
`bench.use_cases`. Each delivered record is looked at by code that the recipes do not share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.use_cases import PERSONAS, look, made_tools
from tests.support.simulated import Simulated, simulated
from tests.support.use_cases import CASES, USE_CASES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PERSONAS.exists(), reason=f"no personas: {PERSONAS}"),
]
ROWS = 40
FEW_SHOT = ("math", "npc_zh")  # few-shot differs from persona-enhanced in words alone
CHOSEN = [
    (name, mode) for name, mode in CASES if mode == "persona_few_shot" or (mode == "few_shot" and name in FEW_SHOT)
]
"""Zero-shot, they are those of `configs/`, run by test_shipped_configs.py."""


@pytest.fixture(scope="module")
def sloppy() -> Iterator[Simulated]:
    with simulated("--fault", "off-contract=0.02", "--fault", "near-contract=0.03") as running:
        yield running


@pytest.mark.parametrize(("name", "mode"), CHOSEN)
def test_what_is_delivered_keeps_its_contract(name: str, mode: str, tmp_path: Path, sloppy: Simulated) -> None:
    source = PERSONAS
    if USE_CASES[name].of_texts:
        source = made_tools(tmp_path / "tools", sloppy, PERSONAS, ROWS)
    found = look(tmp_path / "it", sloppy, source, ROWS, name, mode)
    assert found["keep"] == found["delivered"] == found["different"]
    assert found["delivered"] + sum(found["dead"].values()) == ROWS
    assert found["delivered"] >= 0.9 * ROWS
    assert found["requests"] >= ROWS
    assert len(found["shown"]) >= 2


def test_rows_die_of_a_contract_that_is_always_broken(tmp_path: Path, sloppy: Simulated) -> None:
    with simulated("--fault", "near-contract=1") as broken:
        found = look(tmp_path, broken, PERSONAS, 10, "tool", "zero_shot")
    assert (found["delivered"], found["dead"], found["requests"]) == (0, {"contract": 10}, 40)
