"""`personastream top`."""

from pathlib import Path

import click

from personastream.errors import ExitCode


@click.command("top")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="PERSONASTREAM_ROOT",
    help="Folder of the service; or $PERSONASTREAM_ROOT, or the present folder.",
)
@click.option("--once", is_flag=True, help="Show it once and end: so it is anyway where stdout is no terminal.")
def command(root: Path, once: bool) -> int:
    """Watch a service: its jobs, rates, endpoints and spending, once a second. Ctrl-C ends the watching only.

    \b
    Exit codes: 0 done, 69 nobody serves the folder, 77 the token is refused.
    """
    from rich.console import Console

    from personastream.serve.watching import show_live, show_once

    console = Console()
    if once or not console.is_terminal:
        show_once(root, console)
    else:
        show_live(root, console)
    return ExitCode.DONE
