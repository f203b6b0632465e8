"""One sitting of a job in the service's event loop: dead rows taken back if that is wanted, then all its stages."""

from dataclasses import replace

import anyio.to_thread

from personastream.engine.budget import Purse
from personastream.errors import ExitCode
from personastream.launch import staged
from personastream.launch.reopening import revive_rows
from personastream.serve.jobs import Jobs
from personastream.serve.live_job import LiveJob
from personastream.serve.sitting import Sitting


class Carrier:
    """Carries jobs out, one call a sitting."""

    def __init__(self, jobs: Jobs, purse: Purse) -> None:
        self._jobs = jobs
        self._purse = purse

    async def __call__(self, job: LiveJob, sitting: Sitting) -> ExitCode:
        """Raises `RunError`."""
        if job.wanted.revive:
            await self._revive(job)
        command = f"personastream ctl resume {job.name}"
        task = staged.Job(job.stages, command=command)
        return await staged.carry_out(
            task, resume=True, stop=sitting.stop, audience=sitting, share=sitting.share, purse=self._purse
        )

    async def _revive(self, job: LiveJob) -> None:
        """A kill before the wish is taken back does it twice, which finds nothing the second time."""
        await anyio.to_thread.run_sync(revive_rows, job.stages, job.directory, job.wanted.reasons)
        await self._jobs.write(job, lambda wanted: replace(wanted, revive=False, reasons=()))
