"""A stage that asks nothing: a dedup job over what earlier stages have written."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from personastream.build import build_thinning
from personastream.config import Config
from personastream.errors import ConfigError
from personastream.launch.dedup_job import DedupJob, in_batches
from personastream.ports import Transform
from personastream.sinks.frames import Frames


def dedup_stage(config: Config) -> DedupJob:
    """The job. Raises `ConfigError`."""
    parts = build_thinning(config)
    if not isinstance(parts.sink, Frames):
        raise ConfigError(f"{config.where}: a stage without a recipe needs [sink] type = 'frames'")
    state = Path(parts.sink.path, "state")
    return DedupJob(
        source=in_batches(parts.source, state),
        transforms=[_with_scratch(transform, state) for transform in parts.transforms],
        sink=parts.sink,
        limits=parts.limits,
    )


def _with_scratch(transform: Transform, state: Path) -> Transform:
    """A transform that needs room on the disk takes it where the output goes, unless it was told another place."""
    if getattr(transform, "scratch", None) != "":
        return transform
    return cast(Transform, replace(cast(Any, transform), scratch=str(state)))
