"""One sitting of a job in the service's event loop: dead rows revived if that is wanted, then all stages in order."""

from personastream.errors import ExitCode
from personastream.launch.inline import sit
from personastream.serve.jobs import Jobs
from personastream.serve.live_job import LiveJob
from personastream.serve.sitting import Sitting


class Carrier:
    """Carries jobs out, one call a sitting."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def __call__(self, job: LiveJob, sitting: Sitting) -> ExitCode:
        """Raises `RunError`."""
        (stage,) = job.stages
        statistics = sitting.begin(stage.name)
        outcome = await sit(stage.config, resume=True, stop=sitting.stop, statistics=statistics, watch=sitting)
        return outcome.exit_code
