"""`personastream status`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from personastream.cli.figures import figure_lines, figures_of
from personastream.cli.words import counts_lines, json_text, usage_line
from personastream.core.outcomes import Counts, Usage
from personastream.core.spend import shown
from personastream.errors import BadInput
from personastream.launch.extraction_guard import read_guard, told
from personastream.launch.manifest import Manifest, read_manifest
from personastream.launch.purge_apply import INTERRUPTED, purged_from
from personastream.launch.run_directory import is_owned
from personastream.launch.spend_file import read_authorised
from personastream.launch.stage_list import read_stages
from personastream.observe.live_file import read_live
from personastream.observe.rates import duration
from personastream.ports import ShardState
from personastream.sinks.frames import Frames


@click.command("status")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--figures", is_flag=True, help="Read all records of solve and grade: agreement, accuracy.")
def command(run: str, as_json: bool, figures: bool) -> int:
    """Show what is settled, in flight and spent in the run directory RUN. Changes nothing; safe at any time.

    \b
    Rows are counted from the output itself. In flight and rates are those of a
    process working now, if any.
    """
    names = read_stages(Path(run))
    if names is None:
        document, states = _looked_at(Path(run), figures=figures)
        click.echo(json_text(document) if as_json else "\n".join(_lines(document, states)))
        return 0
    here = [name for name in names if read_manifest(Path(run, name)) is not None]
    begun = {name: _looked_at(Path(run, name), figures=figures) for name in here}
    if as_json:
        stages = [{"stage": name, **(begun[name][0] if name in begun else {"state": "not begun"})} for name in names]
        click.echo(json_text({"run": run, "stages": stages}))
        return 0
    for name in names:
        click.echo(f"stage     {name}")
        click.echo("\n".join(_lines(*begun[name])) if name in begun else "          not begun")
    return 0


def _looked_at(directory: Path, *, figures: bool) -> tuple[dict[str, Any], list[ShardState]]:
    manifest = read_manifest(directory)
    if manifest is None:
        raise BadInput(f"{directory} holds no run", hint="Give the directory that [sink] path names.")
    sink = Frames(path=str(directory))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    states = sink.recover(repair=False)
    found = figures_of(directory) if figures else None
    return _document(directory, manifest, states) | ({"figures": found} if found else {}), states


def _document(directory: Path, manifest: Manifest, states: list[ShardState]) -> dict[str, Any]:
    counts = sum((state.counts for state in states), Counts())
    usage = sum((state.usage for state in states), Usage())
    live = read_live(directory)
    finished = all(state.finished for state in states)
    return {
        "run": str(directory),
        "run_id": manifest.run_id,
        "created": manifest.created,
        "state": "finished" if finished else live["state"] if live else _state_without_figures(directory),
        "rows": {
            "settled": counts.settled,
            "delivered": counts.delivered,
            "dropped": dict(counts.dropped),
            "dead": {reason: rows for reason, rows in counts.dead.items() if rows},
        },
        "usage": {**asdict(usage), "authorised_nanos": read_authorised(directory)},
        "shards": {
            "total": len(states),
            "finished": sum(state.finished for state in states),
            "started": sum(not state.finished and bool(state.settled) for state in states),
        },
        "guard": [{**reading._asdict(), "passed": reading.is_passed} for reading in read_guard(directory)],
        "live": live,
        "purge_interrupted": purged_from(directory)[1],
    }


def _state_without_figures(directory: Path) -> str:
    return "running" if is_owned(directory) else "stopped"


def _lines(document: dict[str, Any], states: list[ShardState]) -> list[str]:
    shards, guard = document["shards"], read_guard(Path(document["run"]))
    lines = [
        f"run       {document['run']}  ({document['state']}, started {document['created']})",
        f"shards    {shards['finished']:>12,}  of {shards['total']:,} finished, {shards['started']:,} under way",
        *counts_lines(sum((state.counts for state in states), Counts())),
        usage_line(sum((state.usage for state in states), Usage())),
    ]
    authorised, spent = document["usage"]["authorised_nanos"], document["usage"]["spend_nanos"]
    if authorised > spent:
        more = shown(authorised - spent)
        lines.append(f"          {more:>12}  more may have been spent: set aside, unanswered, or lost in a crash")
    lines += [f"guard     {told(reading)}{', PASSED' if reading.is_passed else ''}" for reading in guard]
    live = document["live"]
    if live and document["state"] != "finished":
        lines.append(
            f"now       {live['in_flight']:>12,}  in flight, {live['rows_per_s']:,.0f} rows/s, "
            f"{live['tokens_per_s']:,.0f} tokens/s, ETA {duration(live['eta_s'])} (process {live['pid']})"
        )
    if document["purge_interrupted"]:
        lines.append(f"purge     {INTERRUPTED}")
    return [*lines, *(figure_lines(document["figures"]) if "figures" in document else [])]
