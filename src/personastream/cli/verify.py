"""`personastream verify`."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from personastream.cli.words import counts_lines, usage_line
from personastream.errors import BadInput, ExitCode
from personastream.launch.audit import NAME as AUDIT
from personastream.launch.audit_check import AuditCheck, check_audit
from personastream.launch.manifest import read_manifest
from personastream.launch.purge_apply import INTERRUPTED, purged_from
from personastream.launch.stage_list import read_stages, stages_gone
from personastream.sinks.disk import OsDisk
from personastream.sinks.verify import Problem, Report, Verifier


@click.command("verify")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--audit-head", default="", metavar="HASH", help="A head of the audit log that was kept elsewhere.")
def command(run: str, as_json: bool, audit_head: str) -> int:
    """Read everything in the run directory RUN back and prove it whole. Changes nothing.

    \b
    Checks every checksum and hash, that no row has two outcomes, that each
    record stands where its commit says, that finished shards obey read =
    delivered + dropped + dead, and that the events of the audit log follow from
    one another. Exit code 0 if all holds, else 74.
    """
    names = read_stages(Path(run))
    if names is None:
        found = {"": _verified(Path(run), audit_head)}
        _tell(found, found[""].document() if as_json else None)
    else:
        if audit_head:
            raise click.UsageError("Each stage has an audit log of its own: name the folder of one for --audit-head.")
        found = {name: _verified(Path(run, name)) for name in names if read_manifest(Path(run, name)) is not None}
        for gone, later in stages_gone(Path(run)):
            found[later].report.problems.append(Problem(gone, f"this stage is gone, and {later} was made of it"))
        _tell(found, {name: each.document() for name, each in found.items()} if as_json else None)
    return ExitCode.IO_ERROR if any(each.report.problems for each in found.values()) else ExitCode.DONE


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in a run."""

    report: Report
    shards: int
    audit: AuditCheck

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self.report), "audit": {"events": self.audit.events, "head": self.audit.head}}


def _verified(directory: Path, audit_head: str = "") -> Verified:
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
    audit = check_audit(directory, manifest, audit_head)
    if audit.problem:
        report.problems.append(Problem(AUDIT, audit.problem))
    if audit.note:
        report.notes.append(Problem(AUDIT, audit.note))
    return Verified(report, len(manifest.shards), audit)


def _tell(found: Mapping[str, Verified], document: object) -> None:
    with suppress(BrokenPipeError):  # whoever reads only the first lines may still want the exit code
        if document is not None:
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
            return
        for name, each in found.items():
            if name:
                click.echo(f"stage     {name}")
            _print(each)


def _print(verified: Verified) -> None:
    report = verified.report
    click.echo(
        f"read      {report.bytes:>12,}  bytes: {report.parts:,} parts, {report.commits:,} commits, "
        f"{report.lines:,} lines"
    )
    click.echo(f"shards    {report.shards_finished:>12,}  of {verified.shards:,} finished")
    for line in (*counts_lines(report.counts), usage_line(report.usage)):
        click.echo(line)
    if verified.audit.events:
        click.echo(f"audit     {verified.audit.events:>12,}  events, up to {verified.audit.head or 'the damage'}")
    for note in report.notes:
        click.echo(f"note      {note.path}: {note.what}")
    for problem in report.problems:
        click.echo(f"PROBLEM   {problem.path}: {problem.what}")
    click.echo("damaged: restore the files named above" if report.problems else "all is well")
