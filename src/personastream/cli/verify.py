"""`personastream verify`."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click
import orjson

from personastream.cli.words import counts_lines, usage_line
from personastream.errors import BadInput, ExitCode
from personastream.launch.manifest import read_manifest
from personastream.launch.purge_apply import INTERRUPTED, purged_from
from personastream.launch.stage_list import read_stages, stages_gone
from personastream.sinks.disk import OsDisk
from personastream.sinks.verify import Problem, Report, Verifier


@click.command("verify")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(run: str, as_json: bool) -> int:
    """Read everything in the run directory RUN back and prove it whole. Changes nothing.

    \b
    Checks every checksum and hash, that no row has two outcomes, that each
    record stands where its commit says, and that finished shards obey read =
    delivered + dropped + dead. Exit code 0 if all holds, else 74.
    """
    names = read_stages(Path(run))
    if names is None:
        report, shards = _verified(Path(run))
        _tell({"": (report, shards)}, report if as_json else None)
        return ExitCode.IO_ERROR if report.problems else ExitCode.DONE
    found = {name: _verified(Path(run, name)) for name in names if read_manifest(Path(run, name)) is not None}
    for gone, later in stages_gone(Path(run)):
        found[later][0].problems.append(Problem(gone, f"this stage is gone, and {later} was made of it"))
    _tell(found, {name: report for name, (report, _) in found.items()} if as_json else None)
    return ExitCode.IO_ERROR if any(report.problems for report, _ in found.values()) else ExitCode.DONE


def _verified(directory: Path) -> tuple[Report, int]:
    """What was found, and how many shards there are."""
    manifest = read_manifest(directory)
    if manifest is None:
        raise BadInput(f"{directory} holds no run", hint="Give the directory that [sink] path names.")
    purged, is_pending = purged_from(directory)
    verifier = Verifier(OsDisk(str(directory)), manifest.run_id, manifest.identity.get("output", "records"), purged)
    if is_pending:
        verifier.report.notes.append(Problem("purge", INTERRUPTED))
    with click.progressbar(manifest.shards, label="verify", file=sys.stderr, hidden=not sys.stderr.isatty()) as shards:
        for shard in shards:
            verifier.shard(shard.stem)
    report = verifier.finish()
    if manifest.identity.get("output") == "plan":
        from personastream.launch.plan_check import plan_problems  # numpy is of no use to others

        report.problems.extend(plan_problems(directory, manifest, report))
    return report, len(manifest.shards)


def _tell(found: Mapping[str, tuple[Report, int]], document: object) -> None:
    with suppress(BrokenPipeError):  # whoever reads only the first lines may still want the exit code
        if document is not None:
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
            return
        for name, (report, shards) in found.items():
            if name:
                click.echo(f"stage     {name}")
            _print(report, shards)


def _print(report: Report, shards: int) -> None:
    click.echo(
        f"read      {report.bytes:>12,}  bytes: {report.parts:,} parts, {report.commits:,} commits, "
        f"{report.lines:,} lines"
    )
    click.echo(f"shards    {report.shards_finished:>12,}  of {shards:,} finished")
    for line in (*counts_lines(report.counts), usage_line(report.usage)):
        click.echo(line)
    for note in report.notes:
        click.echo(f"note      {note.path}: {note.what}")
    for problem in report.problems:
        click.echo(f"PROBLEM   {problem.path}: {problem.what}")
    click.echo("damaged: restore the files named above" if report.problems else "all is well")
