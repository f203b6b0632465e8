"""Jobs as they lie in the root: read into what the service holds of them, whatever is wrong with them. Blocks."""

from dataclasses import dataclass, replace
from pathlib import Path

from personastream.errors import ConfigError, ExitCode, PersonaStreamError
from personastream.serve.clock import iso_now
from personastream.serve.live_job import LiveJob
from personastream.serve.root import Root
from personastream.serve.submission import Submission, read_submission
from personastream.serve.view import JobState
from personastream.serve.wanted import Ending, Wanted


@dataclass(slots=True)
class Shelf:
    """`own_modules` says whether jobs may bring code."""

    root: Root
    own_modules: bool

    def jobs(self) -> list[LiveJob]:
        """All there are, in the order in which they were submitted. A damaged one is a job that failed."""
        return sorted(map(self._read, self.root.job_names()), key=lambda job: job.wanted.order)

    def submission(self, name: str, content: bytes, base: str) -> Submission:
        """A new configuration. Raises `ConfigError` or `Unfit`."""
        return read_submission(self.root, name, content, Path(base), own_modules=self.own_modules)

    def again(self, name: str, wanted: Wanted) -> Submission:
        """The configuration of a job, as its file is now: somebody may have mended it. Raises `PersonaStreamError`."""
        content, _ = self.root.read_job(name)
        base = Path(wanted.base)
        submission = read_submission(
            self.root, name, content, base, own_modules=self.own_modules, spend_max=wanted.spend_max
        )
        if submission.directory.resolve() != Path(wanted.directory).resolve():
            raise ConfigError(
                f"{self.root / 'jobs' / name / 'job.toml'} writes to {submission.directory}, and began in "
                f"{wanted.directory}",
                hint="Move the run there and name that place in job.json, or give the job its old [sink] path.",
            )
        return submission

    def _read(self, name: str) -> LiveJob:
        try:
            _, wanted = self.root.read_job(name)
        except PersonaStreamError as error:
            ending = Ending(JobState.FAILED, "", ExitCode.IO_ERROR, error.message, error.hint)
            unknown = Wanted(order=0, submitted="", base="", directory="", ending=ending)
            return LiveJob(name, unknown, self.root / "runs" / name, fault=error.message)
        job = LiveJob(name, wanted, Path(wanted.directory))
        try:
            submission = self.again(name, wanted)
            job.take(submission)
        except PersonaStreamError as error:  # not written: the next start may find it mended
            ending = wanted.ending or Ending(JobState.FAILED, iso_now(), ExitCode.CONFIG, error.message, error.hint)
            job.wanted = replace(wanted, ending=ending)
        return job
