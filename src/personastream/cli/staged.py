"""`personastream run` over several stages: one after the other, until one is not finished."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from personastream.build import build, build_thinning
from personastream.cli.dedup import carry_out_job
from personastream.cli.run import carry_out_one
from personastream.config import Config, nearest
from personastream.core.spend import NANOS, shown
from personastream.errors import BadInput, ConfigError, ExitCode, SpendLimitReached
from personastream.launch.dedup_stage import dedup_stage
from personastream.launch.licence_gate import check_licences
from personastream.launch.manifest import NAME as MANIFEST
from personastream.launch.stage_list import authorised_elsewhere, begin_stages
from personastream.observe.progress import Display, Style
from personastream.observe.say import say
from personastream.stages import Stage


def carry_out_stages(
    stages: Sequence[Stage], only: str, style: Style, again: str, *, resume: bool, rows_max: int | None
) -> int:
    """Carry on with all stages, or with `only` one; `rows_max` is for each. Returns the exit code of the last one.

    Raises `RunError`.
    """
    names = [stage.name for stage in stages]
    if only and only not in names:
        raise ConfigError(f"{stages[0].config.path} has no stage {only!r}", hint=nearest(only, names))
    for stage in stages:
        _check_licences(stage)
    root = Path(build_thinning(stages[0].config).sink.path).parent
    begin_stages(root, stages, resume=resume or bool(only), command=again)
    for place, stage in enumerate(stages, 1):
        if only and stage.name != only:
            continue
        for earlier in stage.reads:
            if not (root / earlier / MANIFEST).exists():
                hint = f"Run that first, with --stage {earlier}, or all of them, without --stage."
                raise BadInput(f"the stage {stage.name!r} reads {earlier!r}, which has not begun", hint=hint)
        if style not in ("json", "none"):
            say(f"stage {place} of {len(stages)}: {stage.name}")
        code = _carry_out(root, stages, stage, style, again, rows_max)
        if code != ExitCode.DONE:
            return code
    return ExitCode.DONE


def _carry_out(
    root: Path, stages: Sequence[Stage], stage: Stage, style: Style, again: str, rows_max: int | None
) -> int:
    if not stage.config.asks:
        job = dedup_stage(stage.config)
        return carry_out_job(job, Display(style, job.directory), again, resume=True)
    configs = {each.name: each.config for each in stages}
    config = stage.config if stage.own_limit else _what_is_left(root, stages, stage)
    knows = [configs[name] for name in stage.knows]
    return carry_out_one(config, style, again, resume=True, rows_max=rows_max, knows=knows)


def _check_licences(stage: Stage) -> None:
    """Before the first stage sends anything, whether the last one may. Raises `LicenceRefused`."""
    if not stage.config.asks:
        return
    parts = build(stage.config)
    try:
        shards = parts.source.shards()
    except BadInput:
        shards = ()  # what earlier stages are still to write, or what is missing: its own stage will say so
    check_licences(parts, shards)


def _what_is_left(root: Path, stages: Sequence[Stage], stage: Stage) -> Config:
    """The stage's configuration with what other stages leave of the common ceiling. Raises `SpendLimitReached`."""
    config = stage.config
    ceiling = build_thinning(config).limits.spend_max
    if not ceiling:
        return config
    left = round(ceiling * NANOS) - authorised_elsewhere(root, stages, stage)
    if left <= 0:
        raise SpendLimitReached(
            f"all of [limits] spend_max = {ceiling:g} is spent by other stages ({shown(-left)} more than that)",
            hint="Raise it, then run again with --resume.",
        )
    limits = replace(config.limits, values={**config.limits.values, "spend_max": left / NANOS})
    return replace(config, limits=limits)
