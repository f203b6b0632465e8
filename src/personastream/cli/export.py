"""`personastream export`."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from personastream.core.where import Where, compile_where
from personastream.core.where_tokens import WhereError
from personastream.errors import BadInput
from personastream.export.destination import Destination
from personastream.export.files import KINDS
from personastream.export.format import NAMES, load_format
from personastream.export.job import FILE_BYTES_MAX, Export
from personastream.export.run_log import RunLog
from personastream.launch.audit import record_reading
from personastream.launch.manifest import Manifest, read_manifest
from personastream.launch.stage_list import read_stages
from personastream.observe.say import say
from personastream.sinks.disk import OsDisk

OTHER_SUFFIXES = (".json", ".csv", ".tsv", ".txt", ".zst", ".gz", ".arrow", ".pq")


@click.command("export")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--format", "name", type=click.Choice(NAMES), required=True, help="What the rows are to be.")
@click.option("--out", type=click.Path(), required=True, help="A file, by its ending, or else a folder of files.")
@click.option("--where", "condition", metavar="EXPRESSION", help="Only records for which this is true.")
@click.option("--without", type=click.Path(), help="A file of ids to leave out, as `decontaminate --out` writes it.")
@click.option("--files", type=click.Choice(KINDS), help="What kind of files a folder is to hold.")
@click.option(
    "--file-bytes-max",
    type=click.IntRange(1 << 10, 1 << 40),
    default=FILE_BYTES_MAX,
    show_default=True,
    help="In a folder, the next file is begun at this size.",
)
@click.option("--force", is_flag=True, help="Replace an export that is there already.")
def command(run: str, name: str, out: str, force: bool, **options: Any) -> int:
    """Write the records of the run directory RUN as training data that other tools read.

    \b
      persona_hub   input persona, synthesized text, description: the published sets
      personas      persona
      tulu_sft      id, prompt, input_persona, messages, constraints
      sharegpt      id, conversations
      openai_chat   messages
      dpo           id, prompt, chosen, rejected
      parquet       whole records, flattened into typed columns
      jsonl         whole records as they are

    Of a run that is under way, what is committed is taken. The export is there whole or not at all; a card beside it
    tells where it comes from.
    """
    manifest = manifest_to_read(run)
    form, destination = load_format(name), _destination(out, options["files"])
    log = RunLog(OsDisk(run), manifest.run_id, [shard.stem for shard in manifest.shards])
    kind = destination.kind or options["files"] or form.files[0]
    where, without = _where(options["condition"]), _ids(options["without"])
    with click.progressbar(
        length=log.bytes_all, label="export", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        job = Export(log, name, form, destination, kind, where, options["file_bytes_max"], without)
        job.progress = lambda bytes_read: bar.update(bytes_read - bar.pos)
        facts = {"run": manifest.run_id, "run begun": manifest.created, "where": options["condition"]}
        facts |= {"left out by id": len(without)} if options["without"] else {}
        job.run(facts, replace=force)
    untold = record_reading(Path(run), "exported", out=str(destination.out.absolute()), format=name, rows=job.rows)
    options_used = " and ".join(name for name, used in (("--where", where), ("--without", without)) if used)
    left_out = f", {job.records - job.rows:,} left out by {options_used}" if options_used else ""
    files = "1 file" if job.files == 1 else f"{job.files:,} files"
    click.echo(f"records   {job.records:>12,}  read{left_out}{', more to come' if log.is_open else ''}")
    click.echo(f"rows      {job.rows:>12,}  of {name} in {files}, {job.size_bytes:,} bytes")
    if not job.rows:
        say("No record was written." + (" Is --where right?" if where else ""))
    if untold:
        say(f"Not in the run's audit log: {untold}")
    click.echo(f"output    {destination.out}  described in {destination.card}")
    return 0


def manifest_to_read(run: str) -> Manifest:
    """The manifest of a run that holds records. Raises `BadInput`."""
    manifest = read_manifest(Path(run))
    if manifest is not None and manifest.identity.get("output") != "plan":
        return manifest
    if manifest is not None:
        raise BadInput(f"{run} holds a plan, not records", hint="Apply it with the transform `planned`.")
    if stages := read_stages(Path(run)):
        hint = f"Name one of them: {', '.join(str(Path(run, stage)) for stage in stages)}"
        raise BadInput(f"{run} holds {len(stages)} stages", hint=hint)
    raise BadInput(f"{run} holds no run", hint="Give the directory that [sink] path names.")


def _ids(path: str | None) -> frozenset[str]:
    """The ids in a file of JSON lines, each an object with an `id`. Raises `BadInput`."""
    if path is None:
        return frozenset()
    try:
        return frozenset(str(orjson.loads(line)["id"]) for line in Path(path).read_bytes().splitlines() if line)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is no list of ids: {error}", hint='Each line is an object with an "id".') from error


def _destination(out: str, files: str | None) -> Destination:
    """Raises `UsageError` for a path that is meant as something else than it would become."""
    path = Path(out)
    destination = Destination(path)
    if not path.name:
        raise click.UsageError(f"--out {out}: name a file, or a folder that is not there yet")
    if path.suffix in OTHER_SUFFIXES and destination.is_folder:
        raise click.UsageError(f"--out {out}: files end in {', '.join(f'.{kind}' for kind in KINDS)}")
    if files and not destination.is_folder:
        raise click.UsageError(f"--files is for folders; {out} is one file")
    return destination


def _where(condition: str | None) -> Where | None:
    try:
        return None if condition is None else compile_where(condition)
    except WhereError as error:
        raise click.UsageError(f"--where: {error}\n  {error.hint}") from error
