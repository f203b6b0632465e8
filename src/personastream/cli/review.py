"""`personastream review`."""

import getpass
import sys
import tempfile
import webbrowser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from personastream.cli.words import json_text
from personastream.core.review import MARKS
from personastream.errors import BadInput, ConfigError, ExitCode
from personastream.observe.say import say

if TYPE_CHECKING:
    from personastream.launch.review_files import Sample

T = TypeVar("T")

WANTED = 200
WANTED_MAX = 5_000
BY = "stage"


@click.command("review")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--n", "wanted", type=click.IntRange(1, WANTED_MAX), help=f"Records to judge.  [default: {WANTED}]")
@click.option(
    "--by",
    metavar="COLUMN",
    help="Draw from each group in proportion: stage, recipe, template, model, reason, label, or a column's path, such "
    f"as meta.origin.url.  [default: {BY}]",
)
@click.option("--seed", type=int, help="Another seed draws another sample.  [default: 0]")
@click.option("--as", "reviewer", metavar="NAME", help="Who judges.  [default: the name of the user]")
@click.option("--result", is_flag=True, help="One JSON object on stdout of what is marked by now; opens no page.")
@click.option("--browser", is_flag=True, help="Open the page in a browser.")
def command(
    run: str, wanted: int | None, by: str | None, seed: int | None, reviewer: str | None, result: bool, browser: bool
) -> int:
    """Let people judge a sample of the records in RUN: valid, invalid or unsafe, with the keyboard, on a page.

    \b
    The page is served to this machine alone, at an address that is told here and
    nowhere else. Each mark is on the disk, in RUN/review/, before the next record
    is shown. Ctrl-C ends it, with the figures; called again, it goes on with the
    same records. Others judge the same ones under names of their own (--as).
    \b
    Exit codes: 0 all records are marked, or --result; 75 some are left.
    """
    from personastream.launch.review_files import review_of

    directory = Path(run)
    if result:
        figures = review_of(directory)
        if figures is None:
            raise BadInput(f"{run} holds no review", hint=f"Begin one: personastream review {run}")
        click.echo(json_text({"run": run, **figures}))
        return ExitCode.DONE
    name = reviewer or getpass.getuser()
    left = _review(directory, {"n": wanted, "by": by, "seed": seed}, name, browser=browser)
    for line in result_lines(review_of(directory) or {}):
        click.echo(line)
    return ExitCode.WORK_LEFT if left else ExitCode.DONE


def _review(directory: Path, options: Mapping[str, Any], name: str, *, browser: bool) -> int:
    """One sitting of one reviewer; returns how many records they have not marked."""
    from personastream.launch.review_files import MarksFile, review_lock
    from personastream.launch.review_server import ReviewServer
    from personastream.report.review_sample import read_documents

    sample = _sample(directory, options)
    with review_lock(directory, alone=False), closing(MarksFile(directory, name)) as marks:
        documents = read_documents(directory, sample)
        server = ReviewServer(directory.absolute().name, name, sample.drawn, documents, marks)
        with ExitStack() as stack:
            server.serve(lambda url: _opened(url, stack if browser else None))
        there = [each.id for each, document in zip(sample.drawn, documents, strict=True) if document is not None]
        if server.failure is not None:
            raise server.failure
        return sum(identity not in marks.said or marks.said[identity].mark is None for identity in there)


def _sample(directory: Path, options: Mapping[str, Any]) -> "Sample":
    """What was drawn, or is drawn now. Raises `ConfigError` if that was done otherwise than it is wanted now."""
    from personastream.launch.review_files import read_sample, review_lock, write_sample
    from personastream.report.review_sample import draw_sample

    if read_sample(directory) is None:
        drawn = draw_sample(directory, options["n"] or WANTED, options["by"] or BY, options["seed"] or 0, _watched)
        with review_lock(directory, alone=True):
            if read_sample(directory) is None:
                write_sample(directory, drawn)
    sample = read_sample(directory)
    assert sample is not None
    was = {"n": sample.wanted, "by": sample.by, "seed": sample.seed}
    if other := [key for key, value in options.items() if value not in (None, was[key])]:
        raise ConfigError(
            f"{directory} is reviewed by a sample with --{other[0]} {was[other[0]]}",
            hint=f"To go on with it, leave --{other[0]} out. To draw another: move {directory}/review/ away.",
        )
    return sample


def _watched(members: Sequence[T], words: str) -> Iterable[T]:
    """The members, with a bar on a terminal."""
    with click.progressbar(members, label=f"draw {words}", file=sys.stderr, hidden=not sys.stderr.isatty()) as shown:
        yield from shown


def _opened(url: str, browser: ExitStack | None) -> None:
    """Tell the address, and have a browser go there by way of a file that nobody else may read."""
    click.echo(url)
    say("Judge with v, i and u; Ctrl-C here ends the review. Every mark is kept at once.")
    if browser is not None:
        with suppress(OSError):
            webbrowser.open(browser.enter_context(_door(url)))


@contextmanager
def _door(url: str) -> Iterator[str]:
    """A page that leads to the address: on a command line, everybody on this machine could read it."""
    with tempfile.TemporaryDirectory(prefix="personastream-") as folder:
        path = Path(folder, "review.html")
        path.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={url}">', "utf-8")
        yield path.as_uri()


def result_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures of a review, for people."""
    yield f"marked    {figures['marked']:>8,}  of {figures['sample']:,} records"
    for mark in MARKS:
        told = figures[mark]
        if told["share"] is not None:
            between = f"95 % between {told['low']:.1%} and {told['high']:.1%}"
            yield f"{mark:<9} {told['share']:>8.1%}  of all records; {between}"
    if len(figures["strata"]) > 1:
        for name, told in figures["strata"].items():
            share = f"{told['valid'] / told['marked']:>8.1%}" if told["marked"] else f"{'–':>8}"
            of = f"{told['marked']:,} marked of {told['drawn']:,}, drawn from {told['records']:,}"
            yield f"          {share}  valid of {_line(name)}: {of}"
    if figures["not_covered"]:
        yield f"          nothing is marked yet of {len(figures['not_covered']):,} groups: the shares leave them out"
    for name, told in figures["reviewers"].items():
        counts = ", ".join(f"{told[mark]:,} {mark}" for mark in MARKS)
        yield f"reviewer  {told['marked']:>8,}  by {name}: {counts}"
    for told in figures["agreement"]:
        if told["records"]:
            kappa = "is not defined" if told["kappa"] is None else f"{told['kappa']:.2f}"
            who = f"{told['records']:,} records by {' and '.join(told['reviewers'])}"
            yield f"agreement {told['agreed'] / told['records']:>8.1%}  of {who}; Cohen's kappa {kappa}"


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)
