"""`personastream retry`."""

from collections.abc import Sequence
from pathlib import Path

import click

from personastream.cli.reopened import continue_run, reopened, settings_option
from personastream.cli.run import progress_option
from personastream.launch.audit import record
from personastream.launch.revival import revive, with_reasons
from personastream.observe.progress import Style
from personastream.observe.say import say
from personastream.ports import ShardState


@click.command("retry")
@click.argument("run", type=click.Path(file_okay=False))
@click.option(
    "--reason", "reasons", multiple=True, help="Only rows that died for it, as `status` names it; repeatable."
)
@settings_option
@progress_option
def command(run: str, reasons: tuple[str, ...], settings: tuple[str, ...], style: Style) -> int:
    """Ask the dead rows of the run directory RUN again, into the same run, and settle what else is left there.

    \b
    The configuration is the one that the run was started with; --set changes
    what may change, such as limits.attempts_max. Rows that could not be read
    stay dead. A reply that was kept and is good now is not paid for again.
    Killed on the way? Go on with `personastream run CONFIG --resume`.
    """
    job = reopened(run, settings)
    with job.owned() as (sink, states):
        revived = revive(sink, states, with_reasons(reasons))
        record(Path(sink.path), "retried", rows=revived, reasons=reasons or "all")
    say(f"{revived:,} dead rows will be asked again")
    if not revived:
        say(_what_is_dead(states))
        return 0
    return continue_run(job, style)


def _what_is_dead(states: Sequence[ShardState]) -> str:
    reasons = sorted({reason for state in states for reason, rows in state.counts.dead.items() if rows})
    return f"The dead rows of this run died for: {', '.join(reasons)}" if reasons else "No row of this run is dead"
