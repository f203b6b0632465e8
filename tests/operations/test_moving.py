"""A service that is moved to other paths, as docs/operations.md says, goes on where it was."""

import re
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest

from personastream.serve.view import JobState
from tests.support.outputs import read_records
from tests.support.running_service import ROWS, job_text, running, write_shard

PAGE = (Path(__file__).parent.parent.parent / "docs" / "operations.md").read_text("utf-8")


@pytest.mark.anyio
async def test_a_folder_that_is_moved_with_its_inputs_goes_on(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write_shard(old / "in")
    async with running(old / "root") as seen:
        body = {"name": "math", "config": job_text(old / "in", sink="commit_rows_max = 1"), "base": str(old)}
        await seen.ask("POST", "/v1/jobs", body)
        seen.gate.open()
        await seen.until(lambda: seen.gate.answered > 0)
        seen.gate.close()
        await seen.ask("POST", "/v1/jobs/math/stop")
        seen.gate.open()
        await seen.until_state("math", JobState.STOPPED, JobState.DONE)
    await anyio.to_thread.run_sync(shutil.move, old, new)
    (line,) = re.findall(r"^sed .*$", PAGE, re.MULTILINE)
    for said, meant in (("/old/place", str(old)), ("/new/place", str(new)), ("DIR", str(new / "root"))):
        line = line.replace(said, meant)
    await anyio.run_process(["bash", "-c", line], stderr=subprocess.STDOUT)
    async with running(new / "root") as seen:
        seen.gate.open()
        if seen.service.jobs.named("math").state is not JobState.DONE:
            await seen.ask("POST", "/v1/jobs/math/resume")
        await seen.until_state("math", JobState.DONE)
    records = read_records(new / "root" / "runs" / "math" / "data")
    assert len({record["id"] for record in records}) == len(records) == ROWS
