"""`personastream reparse`."""

from pathlib import Path

import click

from personastream.cli.reopened import continue_run, reopened, settings_option
from personastream.cli.run import progress_option
from personastream.errors import ConfigError
from personastream.launch.audit import record
from personastream.launch.endpoints import parse_of
from personastream.launch.revival import revive, whose_reply_is_good
from personastream.observe.progress import Style
from personastream.observe.say import say


@click.command("reparse")
@click.argument("run", type=click.Path(file_okay=False))
@settings_option
@progress_option
def command(run: str, settings: tuple[str, ...], style: Style) -> int:
    """Read the kept replies of dead rows in RUN again, by the template's contract as it is now; only screens ask.

    \b
    Mend the [reply] table of the template first: it may change during a run,
    the prompt may not. Rows whose kept reply is good now are delivered, the
    others stay dead.
    """
    job = reopened(run, settings, contract_may_change=True)
    parse = parse_of(job.parts.answering)
    if parse is None:
        raise ConfigError("this provider does not read kept replies again")
    with job.owned() as (sink, states):
        revived = revive(sink, states, whose_reply_is_good(job.parts.recipe, parse))
        record(Path(sink.path), "reparsed", rows=revived, contract=getattr(job.parts.recipe, "contract", None))
    say(f"{revived:,} kept replies are good now")
    return continue_run(job, style, rows_max=revived) if revived else 0
