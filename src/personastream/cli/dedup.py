"""`personastream dedup`."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from personastream.build import build_thinning
from personastream.cli.run import progress_option
from personastream.cli.words import counts_lines, program
from personastream.config import load_thinning
from personastream.errors import RunError
from personastream.launch.dedup_input import known_rows
from personastream.launch.dedup_job import DedupEnd, DedupJob, in_batches, run_dedup
from personastream.launch.dedup_plot import write_plot
from personastream.launch.dedup_report import NAME, read_report
from personastream.limits import Limits
from personastream.observe.progress import Display, Style
from personastream.observe.rates import duration
from personastream.observe.say import say
from personastream.ports import Source, Transform
from personastream.sinks.frames import Frames
from personastream.sources.jsonl import Jsonl
from personastream.transforms.dedup import Dedup
from personastream.transforms.near_dedup import NearDedup

BAR_CHARACTERS = 30
SET_SIMILARITY_MIN = 0.9
"""The similarity for methods that have no other criterion."""
_METHODS_WITH = {"distance_max": {"simhash"}, "similarity_min": {"simhash", "jaccard", "minhash"}}


class Share(click.FloatRange):
    """A number from 0 to 1, which "nan" is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


@click.command("dedup")
@click.argument("sources", metavar="[SOURCE]...", nargs=-1)
@click.option("--out", required=True, type=click.Path(file_okay=False), help="A directory for the result.")
@click.option("--field", default="persona", show_default=True, help="The key that holds the text of a row.")
@click.option(
    "--method",
    type=click.Choice(["simhash", "jaccard", "minhash", "none"]),
    help="How near copies are found; `none` drops exact ones alone.  [simhash]",
)
@click.option("--distance-max", type=click.IntRange(0, 6), help="For simhash: bits by which near copies may differ.")
@click.option(
    "--similarity-min",
    type=Share(0, 1),
    help="Jaccard similarity from which rows are copies; for jaccard and minhash 0.5 at least.",
)
@click.option(
    "--against", multiple=True, metavar="RUN_OR_FILE", help="Rows known beforehand; repeat it for several. Read first."
)
@click.option("--plan", is_flag=True, help="Write which rows are kept, not the rows: see the transform `planned`.")
@click.option("--config", type=click.Path(dir_okay=False), help="Source and transforms from a run's configuration.")
@click.option("--level", type=click.IntRange(1, 19), default=1, show_default=True, help="zstd level of the output.")
@click.option("--resume", is_flag=True, help="Continue the job that --out holds; start one if there is none.")
@progress_option
def command(sources: tuple[str, ...], out: str, against: tuple[str, ...], style: Style, **options: Any) -> int:
    """Drop duplicates from SOURCE, files or quoted globs, and write the rows that are left to --out. No model.

    \b
    Rows are written as they were read, in their order; the earliest of a group
    survives. A job may be killed at any moment and continued with --resume;
    SIGTERM or Ctrl-C stops it (exit 75). `status` and `verify` work as for runs.
    \b
    Exit codes: 0 done, 75 stopped with work left, 65 bad input, 73 the job
    exists or cannot be created, 74 damaged output, 78 other settings than before.
    """
    again = shlex.join([*program(), "dedup", *_again(sources, out, against, options)])
    state = Path(out, "state")
    source, transforms, limits = _source(sources, options), _transforms(options, state), Limits()
    if options["config"] is not None:
        _refuse_both(sources, options)
        parts = build_thinning(load_thinning(options["config"], out))
        source, transforms, limits = parts.source, parts.transforms, parts.limits
    job = DedupJob(
        source=in_batches(source, state),
        transforms=transforms,
        sink=Frames(path=out, compression_level=options["level"]),
        against=[in_batches(known_rows(each, _like(source, options), state), state) for each in against],
        output="plan" if options["plan"] else "rows",
        limits=limits,
    )
    return carry_out_job(job, Display(style, job.directory), again, resume=options["resume"])


def carry_out_job(job: DedupJob, display: Display, again: str, *, resume: bool) -> int:
    """One sitting of a job, with its last words; returns the exit code. Raises `RunError`."""
    try:
        end = run_dedup(job, resume=resume, progress=display, command=again)
    except RunError:
        display.say_last()
        raise
    if display.style == "json":
        display.say_last()
    elif display.style != "none":
        say_end(job, end)
        if not end.finished:
            say(f"Work is left. To continue: {again}")
    elif end.mostly_dead:
        say(_mostly_dead(job))
    return end.exit_code


def say_end(job: DedupJob, end: DedupEnd) -> None:
    """The last words of a sitting."""
    for line in _last_words(job, end):
        say(line)
    if end.mostly_dead:
        say(_mostly_dead(job))


def _mostly_dead(job: DedupJob) -> str:
    return f"Most rows could not be read: see {job.directory}/dead/. Is --field, or [source] field, right?"


def _source(sources: tuple[str, ...], options: dict[str, Any]) -> Source:
    if not sources and options["config"] is None:
        raise click.UsageError("Name files or globs to read, or give --config.")
    return Jsonl(paths=list(sources), field=options["field"])


def _like(source: Source, options: dict[str, Any]) -> Jsonl:
    """How files are read that are named on the command line."""
    return source if isinstance(source, Jsonl) else Jsonl(paths=[], field=options["field"])


def _transforms(options: dict[str, Any], state: Path) -> list[Transform]:
    method = options["method"] or "simhash"
    for key, methods in _METHODS_WITH.items():
        if options[key] is not None and method not in methods:
            raise click.UsageError(f"--{key.replace('_', '-')} says nothing with --method {method}: leave it out.")
    near = {key: options[key] for key in ("method", "distance_max", "similarity_min") if options[key] is not None}
    if near.get("method") == "none":
        return [Dedup()]
    if near.get("method") in ("jaccard", "minhash"):
        near.setdefault("similarity_min", SET_SIMILARITY_MIN)
    return [Dedup(), NearDedup(**near, scratch=str(state))]


def _refuse_both(sources: tuple[str, ...], options: dict[str, Any]) -> None:
    given = [key for key in ("method", "distance_max", "similarity_min") if options[key] is not None]
    if sources or given:
        what = "SOURCE" if sources else f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{what} and --config exclude each other: the file says what is read and dropped.")


def _again(sources: tuple[str, ...], out: str, against: tuple[str, ...], options: dict[str, Any]) -> Iterator[str]:
    """The words that continue this job."""
    yield from sources
    yield from ("--out", out)
    for each in against:
        yield from ("--against", each)
    for key, value in options.items():
        flag = f"--{key.replace('_', '-')}"
        if value is True and key != "resume":
            yield flag
        elif value is not None and not isinstance(value, bool):
            yield from (flag, str(value))
    yield "--resume"


def _last_words(job: DedupJob, end: DedupEnd) -> Iterator[str]:
    yield from counts_lines(end.counts)
    report = read_report(job.directory) if end.finished else None
    if report is not None:
        yield from _report_lines(report)
        with suppress(OSError):
            write_plot(job.directory, report)
    rate = end.rows / end.seconds if end.seconds > 0 else 0.0
    yield f"this time {end.rows:>12,}  rows in {duration(end.seconds)} ({rate:,.0f} a second)"
    told = f"  report in {job.directory / NAME}" if end.finished else ""
    yield f"output    {job.directory}/{'plan' if job.output == 'plan' else 'data'}/{told}"


def _report_lines(report: dict[str, Any]) -> Iterator[str]:
    """Rows known beforehand; sizes of groups as bars, on a scale of their logarithms; what indexes gave up."""
    if known := report.get("known"):
        dead = sum(known["dead"].values())
        yield f"known     {known['read'] + dead:>12,}  rows read beforehand, {dead:,} of them could not be used"
    for told in report["transforms"]:
        groups = told.get("groups")
        if groups and groups["counted"]:
            share = "" if groups["share_counted"] == 1 else f", counted for {groups['share_counted']:.2%} of them"
            yield f"groups of exact duplicates by size, the largest of {groups['largest']:,}{share}"
            widest = max(count.bit_length() for count in groups["sizes"].values())
            for size, count in groups["sizes"].items():
                bar = "█" * max(1, BAR_CHARACTERS * count.bit_length() // widest)
                yield f"  {size:<12}{count:>8,}  {bar}"
        if told["given_up"]:
            yield f"note      {told['given_up']:>12,}  links given up by {told['type']} in crowded places of its index"
