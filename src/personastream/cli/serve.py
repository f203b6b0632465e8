"""`personastream serve`."""

from pathlib import Path

import click

from personastream.errors import ExitCode


@click.command("serve")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of the service: its settings, jobs and their output. Made if it is missing.",
)
@click.option(
    "--set", "changes", multiple=True, metavar="SECTION.KEY=VALUE", help="Change a setting of serve.toml; repeatable."
)
def command(root: Path, changes: tuple[str, ...]) -> int:
    """Serve: take jobs, run them side by side under shared limits, until told to end.

    \b
    Jobs come by `personastream ctl submit`, by the API, or as files renamed into
    DIR/inbox/. A page to watch them on is at the address that is told here;
    `personastream ctl page` tells it with the token. All state is in DIR: kill
    the process at any moment, start it again, and all jobs go on.
    \b
    SIGTERM or Ctrl-C ends all sittings in order (jobs go on at the next start),
    a second one at once; SIGHUP reads serve.toml and all keys again.
    \b
    Exit codes: 0 ended as told, 73 DIR is served already or cannot be created,
    74 damaged state, 78 wrong settings.
    """
    from personastream.serve.daemon import serve  # a web server is of no use to others

    serve(root, changes)
    return ExitCode.DONE
