"""What people do to jobs, through the API of a service in this process."""

import re
from pathlib import Path

import anyio
import orjson
import pytest

from personastream.errors import ExitCode
from personastream.serve.happenings import Kind
from personastream.serve.root import Root
from personastream.serve.view import JobState
from tests.support.outputs import read_records
from tests.support.running_service import ROWS, Running, job_text, running, write_shard

RUNNING, DONE, PAUSED, STOPPED = JobState.RUNNING, JobState.DONE, JobState.PAUSED, JobState.STOPPED


async def submit(seen: Running, folder: Path, name: str = "math", **changes: str) -> None:
    write_shard(folder)
    await seen.ask("POST", "/v1/jobs", {"name": name, "config": job_text(folder, **changes)})


def test_a_job_is_submitted_runs_and_is_done(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path)
            await seen.until(lambda: seen.gate.asked == 4)
            state = await seen.ask("GET", "/v1/state")
            (job,) = state["jobs"]
            assert (job["state"], job["in_flight"], job["name"]) == ("running", 4, "math")
            seen.gate.open()
            await seen.until_state("math", DONE)
            job = await seen.ask("GET", "/v1/jobs/math")
            assert (job["delivered"], job["exit_code"], job["stages"][0]["state"]) == (ROWS, 0, "done")
            assert seen.kinds("math") == [Kind.SUBMITTED, Kind.STARTED, Kind.DONE]
            records = (await seen.ask("GET", "/v1/jobs/math/records?limit=3"))["records"]
            assert [record["id"] for record in records] == [f"personas:{ROWS - each}" for each in (1, 2, 3)]
            assert (await seen.ask("GET", "/v1/jobs/math/config")) == job_text(tmp_path)

    anyio.run(scenario)
    assert len(list(read_records(tmp_path / "root" / "runs" / "math" / "data"))) == ROWS


def test_stop_lets_go_of_the_run_and_resume_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path)
            await seen.until(lambda: seen.gate.asked == 4)
            assert (await seen.ask("POST", "/v1/jobs/math/stop"))["state"] == "stopping"
            seen.gate.open()
            await seen.until_state("math", STOPPED)
            assert (await seen.ask("GET", "/v1/jobs/math"))["delivered"] == 4
            await seen.ask("POST", "/v1/jobs/math/resume")
            await seen.until_state("math", DONE)
            assert seen.kinds("math")[-4:] == [Kind.STOPPED, Kind.RESUMED, Kind.STARTED, Kind.DONE]

    anyio.run(scenario)
    assert len(list(read_records(tmp_path / "root" / "runs" / "math" / "data"))) == ROWS


def test_cancel_ends_a_job_for_good(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path)
            await seen.until(lambda: seen.gate.asked == 4)
            await seen.ask("POST", "/v1/jobs/math/cancel")
            seen.gate.open()
            await seen.until_state("math", JobState.CANCELLED)
            for verb in ("resume", "pause", "stop", "retry", "cancel"):
                assert (await seen.status("POST", f"/v1/jobs/math/{verb}"))[0] == 409
        async with running(tmp_path / "root") as seen:
            assert seen.service.jobs.named("math").state is JobState.CANCELLED

    anyio.run(scenario)


def test_dead_rows_are_shown_page_by_page_and_asked_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            seen.gate.refuses = True
            seen.gate.open()
            await submit(seen, tmp_path, limits="dead_share_max = 1.0")
            await seen.until_state("math", DONE)
            assert (await seen.ask("GET", "/v1/jobs/math"))["dead"] == {"refused_by_test": ROWS}
            found, after = [], ""
            while True:
                page = await seen.ask("GET", f"/v1/jobs/math/dead?limit=5&after={after}&reason=refused_by_test")
                found += [letter["id"] for letter in page["letters"]]
                after = page["next"]
                if not after:
                    break
            assert sorted(found) == sorted(f"personas:{row}" for row in range(ROWS))
            assert (await seen.ask("GET", "/v1/jobs/math/dead?reason=other"))["letters"] == []
            seen.gate.refuses = False
            await seen.ask("POST", "/v1/jobs/math/retry", {"reasons": ["refused_by_test"]})
            await seen.until(lambda: seen.kinds("math")[-1:] == [Kind.DONE] and len(seen.kinds("math")) == 6)
            job = await seen.ask("GET", "/v1/jobs/math")
            assert (job["delivered"], job["dead"]) == (ROWS, {})
            assert (await seen.ask("GET", "/v1/jobs/math/dead"))["letters"] == []

    anyio.run(scenario)


def test_a_job_whose_provider_is_down_waits_and_goes_on_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            seen.gate.down = True
            await submit(seen, tmp_path, limits="outage_s_max = 0.0\nbackoff_s = 0.0")
            await seen.until(lambda: seen.kinds("math").count(Kind.WAITING) >= 2)
            waiting = next(each for each in seen.told if each.kind is Kind.WAITING)
            assert waiting.details["exit_code"] == ExitCode.UNAVAILABLE
            seen.gate.down = False
            seen.gate.open()
            await seen.until_state("math", DONE)

    anyio.run(scenario)


def test_a_refused_key_fails_the_job_until_it_is_resumed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            seen.gate.key_is_good = False
            await submit(seen, tmp_path)
            await seen.until_state("math", JobState.FAILED)
            assert (await seen.ask("GET", "/v1/jobs/math"))["exit_code"] == ExitCode.NO_PERMISSION
            seen.gate.key_is_good = True
            seen.gate.open()
            await seen.ask("POST", "/v1/jobs/math/resume")
            await seen.until_state("math", DONE)

    anyio.run(scenario)


def test_a_bug_in_one_job_ends_that_job_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            seen.gate.breaks = True
            await submit(seen, tmp_path)
            await seen.until_state("math", JobState.FAILED)
            job = await seen.ask("GET", "/v1/jobs/math")
            assert (job["exit_code"], "ZeroDivisionError" in job["why"]) == (1, True)
            assert "Traceback" not in str(job)
            (bug,) = [each for each in seen.told if each.kind is Kind.BUG]
            assert "ZeroDivisionError" in str(bug.details["traceback"])
            seen.gate.breaks = False
            seen.gate.open()
            await submit(seen, tmp_path, "other")
            await seen.until_state("other", DONE)

    anyio.run(scenario)


def test_jobs_above_the_limit_wait_in_line_by_priority(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await seen.ask("PATCH", "/v1/service", {"jobs_max": 1})
            await submit(seen, tmp_path, "first")
            await seen.until_state("first", RUNNING)
            await submit(seen, tmp_path, "low", job="priority = -1")
            await submit(seen, tmp_path, "high", job="priority = 5")
            await seen.until(lambda: bool(seen.service.jobs.named("low").waits_for))
            assert "1 job runs already" in (await seen.ask("GET", "/v1/jobs/low"))["why"]
            seen.gate.open()
            for name in ("first", "low", "high"):
                await seen.until_state(name, DONE)
            order = [each.job for each in seen.told if each.kind is Kind.STARTED]
            assert order == ["first", "high", "low"]
        assert Root(tmp_path / "root").read_limits()["service"] == {"jobs_max": 1}

    anyio.run(scenario)


def test_a_job_that_only_waits_for_more_input_holds_no_place(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await seen.ask("PATCH", "/v1/service", {"jobs_max": 1})
            seen.gate.open()
            write_shard(tmp_path)
            text = job_text(tmp_path).replace("[recipe]", "follow = true\n[recipe]")
            await seen.ask("POST", "/v1/jobs", {"name": "follower", "config": text})
            await seen.until_state("follower", JobState.FOLLOWING)
            await submit(seen, tmp_path, "other")
            await seen.until_state("other", DONE)
            assert seen.service.jobs.named("follower").state is JobState.FOLLOWING

    anyio.run(scenario)


def test_the_configurations_that_come_along_can_be_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-nobody")
    project = Path(__file__).parents[2]
    (readme,) = [
        text
        for text in re.findall(r"```toml\n(.*?)```", (project / "README.md").read_text(), re.DOTALL)
        if "[sink]" in text
    ]
    configs = {name: (project / "configs" / f"{name}.toml").read_text() for name in ("math", "hub")}

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            for name, text in {**configs, "readme": readme}.items():
                body = {"name": name, "config": text, "base": str(project / "configs"), "paused": True}
                job = await seen.ask("POST", "/v1/jobs", body)
                assert job["directory"] == str(tmp_path / "root" / "runs" / name)
                assert job["left_aside"] in text
                assert job["left_aside"]

    anyio.run(scenario)


def test_a_key_that_cannot_be_read_is_told_by_a_reload(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a-key-of-nobody")
    key.chmod(0o600)
    provider = f'type = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "x"\napi_key_file = "{key}"'

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            text = job_text(tmp_path).replace('type = "tests.support.gated:Gated"', provider)
            await seen.ask("POST", "/v1/jobs", {"name": "math", "config": text})
            await seen.until(lambda: any(each.jobs for each in seen.service.exchange.endpoints.values()))
            assert (await seen.ask("POST", "/v1/service/reload"))["key_errors"] == []
            key.chmod(0o644)
            (why,) = (await seen.ask("POST", "/v1/service/reload"))["key_errors"]
            assert str(key) in why
            (told,) = [each for each in seen.told if each.kind is Kind.KEYS_NOT_RENEWED]
            assert told.details["errors"] == [why]
            (tmp_path / "root" / "serve.toml").write_text("[serve]\njobs_mix = 3\n")
            assert (await seen.status("POST", "/v1/service/reload"))[0] == 422
            assert seen.told[-1].kind is Kind.NOT_RELOADED

    anyio.run(scenario)


@pytest.mark.parametrize("hold", [True, False])
def test_what_was_wanted_is_known_after_a_restart(tmp_path: Path, hold: bool) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            body = {"name": "math", "config": job_text(tmp_path), "paused": hold, "priority": 7, "weight": 2.5}
            await seen.ask("POST", "/v1/jobs", body)
        async with running(tmp_path / "root") as seen:
            job = await seen.ask("GET", "/v1/jobs/math")
            assert (job["priority"], job["weight"]) == (7, 2.5)
            assert (job["state"] == "paused") == hold
            await seen.ask("POST", "/v1/jobs/math/resume")
            seen.gate.open()
            await seen.until_state("math", DONE)

    anyio.run(scenario)


def test_a_job_that_was_mended_by_hand_is_read_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path)
            await seen.until_state("math", RUNNING)
        file = tmp_path / "root" / "jobs" / "math" / "job.toml"
        good = file.read_text()
        file.write_text(good.replace("in_flight_max", "in_flight_mix"))
        async with running(tmp_path / "root") as seen:
            seen.gate.open()
            await seen.until_state("math", JobState.FAILED)
            assert "in_flight_max" in (await seen.ask("GET", "/v1/jobs/math"))["hint"]
            file.write_text(good)
            await seen.ask("POST", "/v1/jobs/math/resume")
            await seen.until_state("math", DONE)

    anyio.run(scenario)


def test_a_damaged_job_harms_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path)
        folder = tmp_path / "root" / "jobs"
        (folder / "broken").mkdir()
        (folder / "broken" / "job.json").write_text('{"format": 1, "order": "x"')
        (folder / "unfinished").mkdir()
        async with running(tmp_path / "root") as seen:
            assert [job["name"] for job in (await seen.ask("GET", "/v1/jobs"))["jobs"]] == ["broken", "math"]
            broken = await seen.ask("GET", "/v1/jobs/broken")
            assert (broken["state"], "damaged" in broken["why"]) == ("failed", True)
            assert (await seen.status("POST", "/v1/jobs/broken/resume"))[0] == 409
            seen.gate.open()
            await seen.until_state("math", DONE)

    anyio.run(scenario)


def test_stages_run_one_after_the_other_and_each_shows_its_counts(tmp_path: Path) -> None:
    text = f"""
[provider]
type = "tests.support.gated:Gated"
in_flight_max = 4
[[stage]]
name = "first"
source = {{ paths = ["{tmp_path}/personas.jsonl"] }}
recipe = {{ template = "math" }}
[[stage]]
name = "second"
from = "first"
source = {{ field = "synthesized text" }}
recipe = {{ template = "math" }}
"""

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            await seen.ask("POST", "/v1/jobs", {"name": "hub", "config": text})
            await seen.until(lambda: seen.gate.asked == 4)
            job = await seen.ask("GET", "/v1/jobs/hub")
            assert (job["stage"], [stage["state"] for stage in job["stages"]]) == ("first", ["running", "not begun"])
            seen.gate.open()
            await seen.until_state("hub", DONE)
        async with running(tmp_path / "root") as seen:
            job = await seen.ask("GET", "/v1/jobs/hub")
            told = [(stage["name"], stage["state"], stage["delivered"], stage["reads"]) for stage in job["stages"]]
            assert told == [("first", "done", ROWS, []), ("second", "done", ROWS, ["first"])]

    anyio.run(scenario)


def test_a_job_brings_no_code_and_writes_nowhere_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root", '[api]\nlisten = "127.0.0.1:0"\n') as seen:
            write_shard(tmp_path)
            headers = {"Content-Type": "application/json"}
            nested = '[source]\ntype = "jsonl"\n[[stage]]\nname = "a"\nrecipe = { type = "os:path" }\n'
            for text in (
                job_text(tmp_path),
                nested,
                job_text(tmp_path).replace("tests.support.gated:Gated", "os:system"),
            ):
                body = orjson.dumps({"name": "math", "config": text})
                status, told = await seen.status("POST", "/v1/jobs", body=body, headers=headers)
                assert (status, "own_modules" in told["error"]["hint"]) == (422, True)
            assert len(seen.service.jobs) == 0

    anyio.run(scenario)
