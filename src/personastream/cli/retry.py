"""`personastream retry`."""

import click

from personastream.cli.reopened import continue_run, reopened, settings_option
from personastream.cli.run import progress_option
from personastream.launch.revival import revive, with_reasons
from personastream.observe.progress import Style
from personastream.observe.say import say


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
    say(f"{revived:,} dead rows will be asked again")
    return continue_run(job, style) if revived else 0
