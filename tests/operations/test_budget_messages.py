"""A budget that is used up is told once, however often the job is tried again."""

from pathlib import Path

import pytest

from personastream.serve.happenings import Kind
from personastream.serve.view import JobState
from tests.support.running_service import job_text, running, write_shard


@pytest.mark.anyio
async def test_a_budget_that_is_used_up_is_told_once(tmp_path: Path) -> None:
    write_shard(tmp_path / "in")
    priced = job_text(tmp_path / "in", limits="spend_max = 2000.0").replace(
        "in_flight_max = 4", "in_flight_max = 4\ninput_price = 1_000_000.0\noutput_price = 1_000_000.0"
    )
    async with running(tmp_path / "root") as seen:
        seen.gate.open()
        await seen.ask("POST", "/v1/jobs", {"name": "dear", "config": priced})
        await seen.until_state("dear", JobState.WAITING)
        await seen.until(lambda: seen.kinds("dear").count(Kind.WAITING) >= 3)
        assert seen.kinds("dear").count(Kind.BUDGET_100) == 1
        (told,) = [each for each in seen.told if each.kind is Kind.BUDGET_100]
        assert "spend_max" in str(told.details["why"])
