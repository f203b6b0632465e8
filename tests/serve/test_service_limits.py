"""What jobs of one service share, changed while they run: endpoints, places, money, keys."""

from pathlib import Path

import anyio
import pytest

from personastream.serve.happenings import Kind
from personastream.serve.view import JobState
from tests.support.running_service import ROWS, SETTINGS, Running, job_text, running, write_shard

pytestmark = pytest.mark.slow

PRICED = "input_price = 1_000_000.0\noutput_price = 1_000_000.0"


async def submit(seen: Running, folder: Path, name: str, **changes: str) -> None:
    write_shard(folder)
    await seen.ask("POST", "/v1/jobs", {"name": name, "config": job_text(folder, **changes)})


def test_two_jobs_share_one_endpoint_and_its_ceiling_follows_the_api(tmp_path: Path) -> None:
    async def scenario() -> str:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path, "one")
            await submit(seen, tmp_path, "two")
            await seen.until(lambda: seen.gate.asked == 4)
            await seen.until(lambda: all(len(each.jobs) == 2 for each in seen.service.exchange.endpoints.values()))
            (endpoint,) = (await seen.ask("GET", "/v1/endpoints"))["endpoints"]
            assert (sorted(endpoint["jobs"]), endpoint["in_flight"], endpoint["in_flight_max"]) == (
                ["one", "two"],
                4,
                4,
            )
            changed = await seen.ask("PATCH", f"/v1/endpoints/{endpoint['id']}", {"in_flight_max": 7})
            assert changed["in_flight_max"] == 7
            await seen.until(lambda: seen.gate.asked == 7)  # requests that waited went out
            lowered = await seen.ask("PATCH", f"/v1/endpoints/{endpoint['id']}", {"in_flight_max": 2})
            assert (lowered["in_flight"], lowered["in_flight_max"]) == (7, 2)  # none was dropped
            assert (await seen.status("PATCH", "/v1/endpoints/nowhere", body=b"{}"))[0] == 404
            seen.gate.open()
            for name in ("one", "two"):
                await seen.until_state(name, JobState.DONE)
            assert seen.gate.answered == 2 * ROWS
            return str(endpoint["id"])

    identity = anyio.run(scenario)

    async def again() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path, "three")
            await seen.until(lambda: seen.gate.asked == 2)
            (endpoint,) = (await seen.ask("GET", "/v1/endpoints"))["endpoints"]
            assert (endpoint["id"], endpoint["in_flight_max"]) == (identity, 2)  # a restart forgets no change
            seen.gate.open()
            await seen.until_state("three", JobState.DONE)

    anyio.run(again)


def test_a_paused_job_sends_nothing_and_leaves_its_share_to_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path, "one")
            await seen.until(lambda: seen.gate.asked == 4)
            await seen.ask("POST", "/v1/jobs/one/pause")
            await submit(seen, tmp_path, "two")
            seen.gate.open()
            await seen.until_state("two", JobState.DONE)
            one = await seen.ask("GET", "/v1/jobs/one")
            assert (one["state"], one["requests"], one["in_flight"]) == ("paused", 4, 0)
            await seen.ask("POST", "/v1/jobs/one/resume")
            await seen.until_state("one", JobState.DONE)

    anyio.run(scenario)


def test_a_paused_job_is_stopped_without_another_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path, "one")
            await submit(seen, tmp_path, "two")
            await seen.until(lambda: seen.gate.asked == 4)
            for name in ("one", "two"):
                await seen.ask("POST", f"/v1/jobs/{name}/pause")
                await seen.ask("POST", f"/v1/jobs/{name}/stop")
            seen.gate.open()
            for name in ("one", "two"):
                await seen.until_state(name, JobState.STOPPED)
            assert seen.gate.answered == 4
            for name in ("one", "two"):
                await seen.ask("POST", f"/v1/jobs/{name}/resume")
                await seen.until_state(name, JobState.DONE)

    anyio.run(scenario)


def test_priority_and_weight_change_while_a_job_runs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path, "one")
            await seen.until_state("one", JobState.RUNNING)
            await seen.ask("PATCH", "/v1/jobs/one", {"priority": 9, "weight": 0.5})
            sitting = seen.service.jobs.named("one").sitting
            assert sitting is not None
            assert (sitting.share.priority, sitting.share.weight) == (9, 0.5)
            for wrong in (b'{"priority": 1000}', b'{"weight": -1}', b'{"weight": "x"}', b'{"spend_max": -1}'):
                headers = {"Content-Type": "application/json"}
                assert (await seen.status("PATCH", "/v1/jobs/one", body=wrong, headers=headers))[0] == 422

    anyio.run(scenario)


def test_what_all_jobs_spend_has_a_ceiling_that_can_be_raised(tmp_path: Path) -> None:
    """A request costs 7 + 11 tokens of 1.00 each, and may cost more, so that only some rows fit."""
    settings = SETTINGS + "[limits]\nspend_max = 2000.0\n"

    async def scenario() -> None:
        async with running(tmp_path / "root", settings) as seen:
            seen.gate.open()
            await submit(seen, tmp_path, "one")
            await seen.until_state("one", JobState.FAILED)
            assert "prices" in (await seen.ask("GET", "/v1/jobs/one"))["why"]
            write_shard(tmp_path)
            text = job_text(tmp_path).replace("in_flight_max = 4", f"in_flight_max = 1\n{PRICED}")
            await seen.ask("POST", "/v1/jobs", {"name": "two", "config": text})
            await seen.until(lambda: Kind.WAITING in seen.kinds("two"))
            (told,) = [each for each in seen.told if each.kind is Kind.BUDGET_100]
            assert (told.job, told.details["spend_max"]) == ("two", 2000.0)  # the service's: the job has none
            assert told.details["spend"] == (await seen.ask("GET", "/v1/state"))["spend"]
            assert 0 <= (await seen.ask("GET", "/v1/state"))["spend"] <= 2000.0
            await seen.ask("PATCH", "/v1/service", {"spend_max": 1e8})
            await seen.until_state("two", JobState.DONE)
            state = await seen.ask("GET", "/v1/state")
            assert (state["spend"], state["spend_max"]) == (18.0 * ROWS, 1e8)

    anyio.run(scenario)


def test_reload_reads_serve_toml_and_wakes_jobs_whose_key_was_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            seen.gate.key_is_good = False
            await submit(seen, tmp_path, "one")
            await seen.until_state("one", JobState.FAILED)
            file = tmp_path / "root" / "serve.toml"
            file.write_text(SETTINGS.replace("[api]", "jobs_max = 9\n[api]"))
            seen.gate.key_is_good = True
            seen.gate.open()
            await seen.ask("POST", "/v1/service/reload")
            await seen.until_state("one", JobState.DONE)
            assert seen.service.supervisor.jobs_max == 9
            file.write_text("[serve]\njobs_mix = 3\n")
            assert (await seen.status("POST", "/v1/service/reload"))[0] == 422
            assert seen.service.supervisor.jobs_max == 9

    anyio.run(scenario)


def test_drain_ends_sittings_in_order_and_then_the_service(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path, "one")
            await seen.until(lambda: seen.gate.asked == 4)
            assert (await seen.ask("POST", "/v1/service/drain"))["state"] == "draining"
            assert (await seen.status("GET", "/readyz"))[0] == 503
            assert (await seen.status("GET", "/livez"))[0] == 200
            seen.gate.open()
            await seen.until(lambda: seen.told[-1].kind is Kind.ENDED)
            assert seen.gate.answered == 4
        async with running(tmp_path / "root") as seen:
            seen.gate.open()
            await seen.until_state("one", JobState.DONE)

    anyio.run(scenario)


def test_a_drain_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    settings = SETTINGS.replace("[api]", "drain_s_max = 0.05\n[api]")

    async def scenario() -> None:
        async with running(tmp_path / "root", settings) as seen:
            await submit(seen, tmp_path, "one")
            await seen.until(lambda: seen.gate.asked == 4)
            await seen.ask("POST", "/v1/service/drain")
            await seen.until(lambda: seen.told[-1].kind is Kind.ENDED)  # though the gate stays closed
            assert seen.gate.answered == 0

    anyio.run(scenario)


def test_a_retry_at_the_very_end_is_not_lost(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path, "one", limits="dead_share_max = 1.0")
            await seen.until(lambda: seen.gate.asked == 4)
            await seen.ask("POST", "/v1/jobs/one/retry")  # ends the sitting; rows that die now are asked again
            seen.gate.refuses = True
            seen.gate.open()
            await seen.until(lambda: seen.gate.asked > 4)
            seen.gate.refuses = False
            await seen.until_state("one", JobState.DONE)
            assert seen.kinds("one").count(Kind.STARTED) == 2

    anyio.run(scenario)
