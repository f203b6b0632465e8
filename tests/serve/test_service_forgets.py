"""Jobs that are forgotten, second chances that nobody needs, and a full disk: what a service says of them."""

import shutil
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from personastream.cli.ctl import command
from personastream.errors import ConfigError
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.log import Log
from personastream.serve.refusals import NotThere
from personastream.serve.root import Root
from personastream.serve.view import JobState
from tests.support.outputs import read_records
from tests.support.running_service import ROWS, Running, job_text, running, write_shard


async def submit(seen: Running, folder: Path, name: str = "math", **changes: str) -> None:
    write_shard(folder)
    await seen.ask("POST", "/v1/jobs", {"name": name, "config": job_text(folder, **changes)})


async def refusal(seen: Running, method: str, path: str, body: bytes | None = None) -> str:
    """The words of a 409."""
    headers = {"Content-Type": "application/json"} if body else None
    status, told = await seen.status(method, path, body=body, headers=headers)
    assert status == 409
    return f"{told['error']['message']} | {told['error']['hint']}"


def test_a_job_that_has_ended_is_forgotten_and_its_run_is_gone_on_with(tmp_path: Path) -> None:
    root = tmp_path / "root"

    async def scenario() -> None:
        async with running(root) as seen:
            await submit(seen, tmp_path)
            await seen.until(lambda: seen.gate.asked == 4)
            assert "only what has ended can be forgotten" in await refusal(seen, "DELETE", "/v1/jobs/math")
            seen.gate.open()
            await seen.until_state("math", JobState.DONE)
            assert (await seen.ask("DELETE", "/v1/jobs/math"))["directory"] == str(root / "runs" / "math")
            assert seen.kinds("math")[-1] is Kind.FORGOTTEN
            assert not (root / "jobs" / "math").exists()
            assert (await seen.status("DELETE", "/v1/jobs/math"))[0] == 404
            asked = seen.gate.asked
            await submit(seen, tmp_path)  # the same job goes on with that run, in which all is done
            await seen.until_state("math", JobState.DONE)
            assert (seen.gate.asked, (await seen.ask("GET", "/v1/jobs/math"))["delivered"]) == (asked, ROWS)
            await seen.ask("DELETE", "/v1/jobs/math")
            text = job_text(tmp_path).replace('template = "math"', 'template = "instruction"')
            await seen.ask("POST", "/v1/jobs", {"name": "math", "config": text})  # another one is none of its run
            await seen.until_state("math", JobState.FAILED)
            failed = await seen.ask("GET", "/v1/jobs/math")
            assert "template" in failed["why"]
            assert failed["hint"]
            await seen.ask("DELETE", "/v1/jobs/math")
        async with running(root) as seen:
            assert len(seen.service.jobs) == 0

    anyio.run(scenario)
    assert len(list(read_records(root / "runs" / "math" / "data"))) == ROWS


def test_what_is_left_of_a_job_after_a_kill_is_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as seen:
            await submit(seen, tmp_path)
            await seen.ask("POST", "/v1/jobs/math/cancel")
            seen.gate.open()
            await seen.until_state("math", JobState.CANCELLED)

    anyio.run(scenario)
    root = Root(tmp_path)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    root.remove_job("math")
    assert (tmp_path / "jobs" / "math").exists()
    assert root.job_names() == []


def test_whoever_waits_for_a_job_that_is_forgotten_writes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as seen:
            seen.gate.open()
            await submit(seen, tmp_path)
            await seen.until_state("math", JobState.DONE)
            old = seen.service.jobs.named("math")
            await seen.service.forget("math")
            seen.gate.close()
            await submit(seen, tmp_path, job="priority = 3")
            with pytest.raises(NotThere, match="forgotten"):
                await seen.service.jobs.write(old, lambda wanted: wanted)
            assert Root(tmp_path).read_job("math")[1].priority == 3

    anyio.run(scenario)


def test_a_retry_without_dead_rows_is_declined_and_nothing_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            seen.gate.open()
            await submit(seen, tmp_path)
            await seen.until_state("math", JobState.DONE)
            assert "nothing to ask again" in await refusal(seen, "POST", "/v1/jobs/math/retry")
            seen.gate.refuses = True
            await submit(seen, tmp_path, "dead", limits="dead_share_max = 1.0")
            await seen.until_state("dead", JobState.DONE)
            told = await refusal(seen, "POST", "/v1/jobs/dead/retry", b'{"reasons": ["nosuch"]}')
            assert told == "dead: no row died for nosuch | Rows died for refused_by_test."
            assert [seen.kinds(name)[-2:] for name in ("math", "dead")] == [[Kind.STARTED, Kind.DONE]] * 2
            assert seen.service.jobs.named("dead").state is JobState.DONE

    anyio.run(scenario)


def test_a_full_disk_is_told_once_and_once_that_there_is_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            await submit(seen, tmp_path)
            await seen.until(lambda: seen.gate.asked == 4)
            sitting = seen.service.jobs.named("math").sitting
            assert sitting is not None
            for why in ("no space left to write to x", "no space left to write to x", "", ""):
                sitting.statistics.paused = why
                seen.service._mind_disk("math", sitting)
            told = [(each.kind, dict(each.details)) for each in seen.told if each.job == "math"][2:]
            assert told == [
                (Kind.DISK_FULL, {"why": "no space left to write to x"}),
                (Kind.DISK_HAS_ROOM, {}),
            ]
            sitting.statistics.paused = "no space left to write to x"
            await seen.until(lambda: seen.kinds("math")[-1] is Kind.DISK_FULL)  # the service looks by itself

    anyio.run(scenario)


@pytest.mark.parametrize("kind", [Kind.DISK_FULL, Kind.DISK_HAS_ROOM])
def test_the_log_warns_of_it(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    happenings = Happenings()
    happenings.listen(Log().hear)
    happenings.tell(kind, "math")
    assert f'"level":"warning","event":"{kind}"' in capsys.readouterr().err


def test_no_browser_opens_a_socket(tmp_path: Path) -> None:
    (tmp_path / "address").write_text("unix:/x/api.sock\n")
    Root(tmp_path).token()
    found = CliRunner().invoke(command, ["--root", str(tmp_path), "page"], standalone_mode=False)
    assert isinstance(found.exception, ConfigError)
    assert "no browser can open" in found.exception.message
    assert "listen = " in found.exception.hint
    assert found.stdout == ""
    (tmp_path / "address").write_text("http://127.0.0.1:1\n")
    found = CliRunner().invoke(command, ["--root", str(tmp_path), "page"], standalone_mode=False)
    assert found.stdout == f"http://127.0.0.1:1/#token={Root(tmp_path).token()}\n"


def test_a_token_that_was_deleted_needs_a_restart(tmp_path: Path) -> None:
    (tmp_path / "address").write_text("http://127.0.0.1:1\n")
    found = CliRunner().invoke(command, ["--root", str(tmp_path), "list"], standalone_mode=False)
    assert isinstance(found.exception, ConfigError)
    assert "restart" in found.exception.hint
