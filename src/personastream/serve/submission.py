"""A submitted configuration: what the service adds to it, and what it does not accept.

Law: a job writes nowhere but inside the service's folder, and brings no code, unless the settings allow it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personastream.build import build, build_thinning, construct
from personastream.config import document_in
from personastream.errors import ConfigError
from personastream.job import Job as JobSettings
from personastream.limits import Limits
from personastream.serve.refusals import Unfit
from personastream.serve.root import NAME_HINT, Root, is_name
from personastream.stages import Stage, stages_in


@dataclass(frozen=True, slots=True)
class Submission:
    """A configuration as it will run. `directory` is that of its run, or of all its stages.

    `left_aside` is the [sink] path that it names, "" unless that is none for a job.
    """

    stages: Sequence[Stage]
    directory: Path
    left_aside: str
    settings: JobSettings
    spend_max: float


def read_submission(
    root: Root, name: str, content: bytes, base: Path, *, own_modules: bool, spend_max: float | None = None
) -> Submission:
    """The stages of the job `name`; relative paths in it are taken from `base`. Builds nothing yet.

    Raises `ConfigError`, or `Unfit` for what no service accepts.
    """
    if not is_name(name):
        raise Unfit(f"{name[:100]!r} is no name for a job", hint=NAME_HINT)
    if not base.is_absolute() or "\0" in str(base):
        raise Unfit("base must be an absolute path", hint="It is the folder that relative paths are taken from.")
    file = root / "jobs" / name / "job.toml"
    document = document_in(content, str(file))
    if not own_modules:
        _refuse_code(document)
    directory, left_aside = _directory(root, name, document, base)
    document["sink"] = {**_table(document, "sink"), "path": str(directory)}
    if spend_max is not None:
        document["limits"] = {**_table(document, "limits"), "spend_max": spend_max}
    stages = stages_in(file, document, base)
    config = stages[0].config
    settings: JobSettings = construct(config.where, base, config.job, JobSettings)
    limits: Limits = construct(config.where, base, config.limits, Limits)
    return Submission(stages, directory, left_aside, settings, limits.spend_max)


def check_submission(submission: Submission) -> None:
    """Build all of it, so that what is wrong is said now. Blocks. Raises `ConfigError`."""
    for stage in submission.stages:
        if stage.config.asks:
            build(stage.config)
        else:
            build_thinning(stage.config)


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"[{name}] must be a table")
    return table


def _directory(root: Root, name: str, document: Mapping[str, Any], base: Path) -> tuple[Path, str]:
    """(where the output goes, the path given if it does not lie where a job may write). Raises `ConfigError`."""
    given, runs = _table(document, "sink").get("path"), root / "runs"
    if given is None:
        return runs / name, ""
    if not isinstance(given, str) or not given or "\0" in given:
        raise ConfigError("[sink] path must be text", hint="Leave it out: the service has a place for it.")
    here, there = runs.resolve(), (base / given).resolve()
    if here in there.parents:
        return runs / there.relative_to(here), ""
    return runs / name, given


def _refuse_code(value: object) -> None:
    """No table, wherever it stands, names a type of somebody else's."""
    if isinstance(value, dict):
        kind = value.get("type")
        if isinstance(kind, str) and ":" in kind:
            raise Unfit(
                f"type = {kind!r} names a module of its own, whose code would run in the service",
                hint="If all who submit jobs may do that, set [serve] own_modules = true.",
            )
        for each in value.values():
            _refuse_code(each)
    elif isinstance(value, list):
        for each in value:
            _refuse_code(each)
