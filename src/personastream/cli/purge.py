"""`personastream purge`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from personastream.cli.reopened import settings_option
from personastream.core.where_tokens import WhereError
from personastream.errors import ExitCode
from personastream.observe.say import say

if TYPE_CHECKING:
    from personastream.launch.purge_files import Files
    from personastream.launch.purge_job import Plan
    from personastream.launch.purge_search import Found
    from personastream.launch.purge_terms import Terms

EXCERPT_CHARACTERS_MAX = 80


@click.command("purge")
@click.argument("run", type=click.Path(file_okay=False))
@click.option(
    "--id", "ids", multiple=True, metavar="ID", help="A record, or a row with all of its records; repeatable."
)
@click.option("--where", "condition", metavar="EXPRESSION", help="Records of which it is true; see docs/purge.md.")
@click.option(
    "--text",
    "texts",
    multiple=True,
    metavar="PHRASE",
    help="Whatever holds it, in any case, width and spacing; repeatable.",
)
@settings_option
@click.option("--dry-run", is_flag=True, help="Show what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask whether that is wanted.")
def command(
    run: str,
    ids: tuple[str, ...],
    condition: str | None,
    texts: tuple[str, ...],
    settings: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> int:
    """Remove records, dead letters and rows from RUN for good, with everything made of them in later stages.

    \b
    Logs are written anew without them; tombstones, which hold no text, keep them
    from coming back when the run is continued or read again. Killed on the way?
    Before it was decided on, nothing has happened; after, the next start of
    anything that works on the run carries it out. Input files, exports and
    copies elsewhere are not touched.
    \b
    Exit codes: 0 purged, or nothing was found; 75 you said no, or files in RUN
    hold it that a purge does not touch; 65 RUN holds no run; 73 a process works
    on it.
    """
    from personastream.launch.purge_job import carry_out_plan, exports, files_left, look, purging, runs_to_purge

    terms = _terms(ids, condition, texts)
    runs_to_purge(Path(run))
    if not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError("nobody is here to be asked: add --yes, or --dry-run.")
    with purging(Path(run)) as root:
        plan = look(root, terms, settings)
        for line in _found_lines(plan):
            click.echo(line)
        if dry_run or plan.is_empty:
            return _files_told(plan.files)
        if not yes and not click.confirm("Purge all of this? It cannot be undone.", err=True):
            return ExitCode.WORK_LEFT
        carry_out_plan(plan)
        files, exported = files_left(plan), exports(plan)
    for line in _last_lines(plan, exported):
        say(line)
    return _files_told(files)


def _terms(ids: tuple[str, ...], condition: str | None, texts: tuple[str, ...]) -> "Terms":
    from personastream.core.where import compile_where
    from personastream.launch.purge_terms import Terms, phrases_of

    if not (ids or condition is not None or texts):
        raise click.UsageError("say what to purge: --id, --where or --text.")
    if not all(map(str.strip, ids)):
        raise click.UsageError("--id: an id is empty; they look like texts:41 or texts:41#0.")
    try:
        where = None if condition is None else compile_where(condition)
        return Terms(frozenset(ids), where, phrases_of(texts))
    except WhereError as error:
        raise click.UsageError(f"--where: {error}") from error
    except ValueError as error:
        raise click.UsageError(f"--text: {error}.") from error


def _found_lines(plan: "Plan") -> Iterator[str]:
    """What is to go, run by run."""
    if plan.is_empty:
        yield "nothing is found"
    for found in plan.found:
        if found.records or found.letters or found.unsettled:
            if found.stage:
                yield f"stage     {found.stage}"
            yield from _run_lines(found)
    if plan.files.going:
        yield f"files     {len(plan.files.going):>12,}  of the run's own, to be removed or written anew"
    for stage, unread in plan.unread.items():
        where = f" of {stage}" if stage else ""
        yield f"note      the input{where} was not looked through: {unread.why}"
    if plan.terms.where is not None and not all(found.is_finished for found in plan.found):
        yield "note      --where looks at what is there: rows that are asked for later are not held back by it"


def _run_lines(found: "Found") -> Iterator[str]:
    yield f"records   {found.records:>12,}"
    if found.letters:
        yield f"letters   {found.letters:>12,}  of rows that died"
    if found.unsettled:
        yield f"rows      {found.unsettled:>12,}  not asked for yet, and not to be"
    for identity, text in found.examples:
        yield f"          {_shown(identity)}: {_shown(text)}"


def _last_lines(plan: "Plan", exported: Sequence[str]) -> Iterator[str]:
    records, letters = (sum(getattr(found, name) for found in plan.found) for name in ("records", "letters"))
    rows = sum(found.unsettled for found in plan.found)
    counts = [(records, "record"), (letters, "dead letter")] if records or letters or not rows else []
    told = [_counted(*each) for each in counts] + ([f"{_counted(rows, 'row')} of the input"] if rows else [])
    yield f"purged    {', '.join(told[:-1])}{' and ' if told[1:] else ''}{told[-1]}"
    yield "note      journals and reports of the run are gone: they are made again when they are needed"
    for batch in plan.batches:
        yield f"note      the batch {batch} at its service holds some of it: cancel and delete it there"
    for place in exported:
        yield f"note      an export was written to {_shown(place)}: make it again, or delete it"
    yield "note      input files, exports and copies elsewhere are as they were"


def _files_told(files: "Files") -> int:
    """Tell of files that hold it and stay as they are; the exit code."""
    for path, settings in files.needed.items():
        named = f", in {', '.join(map(_shown, settings))}" if settings else ""
        say(f"still there: {path} holds it{named}. It tells how the run was made, is needed, and stays as it is")
    if files.needed:
        say("  Do not change or remove what is needed. To be rid of it, export what is left of this run, or begin a")
        say("  new one with a configuration and paths that do not name it; then delete the folder of this one.")
    for path in files.others:
        say(f"still there: {path} is no file of this run's own and holds it; remove it yourself")
    return ExitCode.WORK_LEFT if files.stay else ExitCode.DONE


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _shown(text: str) -> str:
    """As a terminal may show it: on one line, without what could tell it things."""
    line = "".join(each if each.isprintable() else " " for each in text[: 2 * EXCERPT_CHARACTERS_MAX])
    line = " ".join(line.split())
    return line if len(line) <= EXCERPT_CHARACTERS_MAX else line[: EXCERPT_CHARACTERS_MAX - 1] + "…"
