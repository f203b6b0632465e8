"""`personastream run`."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from personastream.build import build_thinning
from personastream.cli.words import program, summary_lines
from personastream.config import Config
from personastream.errors import RunError
from personastream.launch.inline import run_config
from personastream.observe.progress import Display, Style
from personastream.observe.say import say
from personastream.stages import following, load_stages

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
) -> int:
    """One sitting, with its last words; returns the exit code. Raises `RunError`."""
    stages = load_stages(path, settings)
    again = [*program(), "run", path, "--resume", *(word for one in settings for word in ("--set", one))]
    if stages[0].name:
        from personastream.cli.staged import carry_out_stages  # dedup and its figures are of no use to others

        if follow and not only:
            raise click.UsageError("--follow needs --stage: all of them are run one after the other.")
        stages = [following(stage) for stage in stages] if follow else stages
        return carry_out_stages(stages, only, style, shlex.join(again), resume=resume, rows_max=rows_max)
    if only or follow:
        raise click.UsageError(f"{path} has no stages: leave --stage and --follow out.")
    return carry_out_one(stages[0].config, style, shlex.join(again), resume=resume, rows_max=rows_max)


def carry_out_one(
    config: Config, style: Style, again: str, *, resume: bool, rows_max: int | None, knows: Sequence[Config] = ()
) -> int:
    """One sitting of one run that asks; `again` is what to type to continue. Raises `RunError`."""
    display = Display(style, Path(build_thinning(config).sink.path))
    try:
        outcome = run_config(config, resume=resume, progress=display, rows_max=rows_max, command=again, knows=knows)
    except RunError:
        display.say_last()
        raise
    if style == "json":
        display.say_last()
    elif style != "none":
        for line in summary_lines(outcome):
            say(line)
        if display.last is not None and display.last.alert:
            say(f"near a cap: {display.last.alert}")
        if not outcome.summary.finished:
            say(f"Work is left. To continue: {again}")
    return outcome.exit_code
