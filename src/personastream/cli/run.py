"""`personastream run`."""

import shlex
from collections.abc import Sequence

import anyio
import click

from personastream.build import build
from personastream.cli.staged import Telling
from personastream.cli.words import program
from personastream.config import Config
from personastream.engine.stop import Stop
from personastream.errors import ExitCode, RunError
from personastream.launch.process import (
    DEDUP_BATCH_ROWS,
    calm_collector,
    connections_of,
    keep_freed_memory,
    raise_file_limit,
)
from personastream.launch.signals import until_told
from personastream.launch.staged import Job
from personastream.launch.staged import carry_out as stages_in_order
from personastream.observe.progress import Style
from personastream.observe.say import say
from personastream.stages import load_stages, waiting

progress_option = click.option(
    "--progress",
    "style",
    type=click.Choice(["auto", "rich", "plain", "json", "none"]),
    default="auto",
    show_default=True,
    help="How to show progress on stderr; auto: a panel on a terminal, plain lines elsewhere.",
)


@click.command("run")
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--resume", is_flag=True, help="Continue the run that the [sink] path holds; start one if there is none.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a setting, such as provider.in_flight_max=64. May be repeated.",
)
@click.option(
    "--max-rows", type=click.IntRange(min=1), help="Ask for at most N rows now, then stop (exit 75 if rows are left)."
)
@click.option("--stage", default="", help="Of a configuration with several stages, carry on with this one alone.")
@click.option("--follow", is_flag=True, help="With --stage: take what earlier stages finish while they still run.")
@progress_option
def command(
    config: str, resume: bool, settings: tuple[str, ...], max_rows: int | None, stage: str, follow: bool, style: Style
) -> int:
    """Run CONFIG: read its shards, drop duplicates, ask the model once per row, commit every outcome.

    \b
    A run may be killed at any moment and continued with --resume: every row
    ends exactly once, delivered, dropped or dead. SIGTERM or Ctrl-C drains
    (rows in flight finish); a second one stops at once. A configuration with
    several stages is carried from one to the next.
    \b
    Exit codes: 0 done, 75 stopped with work left (run again with --resume), 65
    bad input, 69 the model service is down, 73 the run exists or cannot be
    created, 74 damaged output, 77 key or quota refused, 78 wrong configuration.
    """
    return carry_out(config, settings, style, resume=resume, rows_max=max_rows, only=stage, follow=follow)


def carry_out(
    path: str,
    settings: tuple[str, ...],
    style: Style,
    *,
    resume: bool,
    rows_max: int | None,
    only: str = "",
    follow: bool = False,
    once: bool = False,
) -> int:
    """One sitting, with its last words; returns the exit code. Raises `RunError`.

    `once` ends when all that is there now is done, whatever the configuration says of more to come.
    """
    stages = load_stages(path, settings)
    if not stages[0].name and (only or follow):
        raise click.UsageError(f"{path} has no stages: leave --stage and --follow out.")
    if follow and not only:
        raise click.UsageError("--follow needs --stage: all of them are run one after the other.")
    again = [*program(), "run", path, "--resume", *(word for one in settings for word in ("--set", one))]
    stages = [waiting(stage) for stage in stages] if follow else stages
    return carry_out_stages(Job(stages, only, rows_max, shlex.join(again), once), style, resume=resume)


def carry_out_stages(job: Job, style: Style, *, resume: bool) -> int:
    """One sitting in a process of its own, which signals end. Raises `RunError`."""
    prepare_process([stage.config for stage in job.stages if job.only in ("", stage.name)])
    telling = Telling(job, style)

    async def obeying(stop: Stop) -> ExitCode:
        return await stages_in_order(job, resume=resume, stop=stop, audience=telling)

    try:
        code = anyio.run(until_told, obeying, backend_options={"use_uvloop": True})
    except RunError:
        telling.failed()
        raise
    if code == ExitCode.WORK_LEFT and telling.talks:
        say(f"Work is left. To continue: {job.command}")
    return code


def prepare_process(configs: Sequence[Config]) -> None:
    """Room for what each of several runs needs, one after the other. Raises `ConfigError`."""
    for config in configs:
        if not config.asks:
            keep_freed_memory()
            calm_collector(DEDUP_BATCH_ROWS)
            continue
        providers = build(config).providers
        raise_file_limit(connections_of(providers))
        calm_collector(sum(each.in_flight_max for each in providers))
