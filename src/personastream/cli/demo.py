"""`personastream demo`."""

import io
import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import click
import zstandard

from personastream.cli.words import program, summary_lines
from personastream.config import load
from personastream.errors import CannotCreate, ProviderDown
from personastream.launch.inline import Outcome, run_config
from personastream.launch.manifest import read_manifest
from personastream.observe.progress import Display, Style
from personastream.sinks.disk import OsDisk
from personastream.sinks.verify import Verifier

CONFIG = """\
# Written by `personastream demo`. Point base_url and model at a real server, set another [sink] path, and run:
#   personastream run {config}

[source]
paths = [{paths}]

[[transform]]
type = "filter"

[[transform]]
type = "dedup"

[[transform]]
type = "near_dedup"
distance_max = 3

[recipe]
type = "generate"
template = "{template}"

[provider]
type = "openai"
base_url = "{base_url}"
model = "simulated"
in_flight_max = 256

[sink]
path = "run"
"""

SERVERS = (
    ("vLLM", "http://127.0.0.1:8000/v1", "the name given to `vllm serve`"),
    ("Ollama", "http://127.0.0.1:11434/v1", "llama3.2"),
    ("llama.cpp", "http://127.0.0.1:8080/v1", "any name"),
    ("OpenAI", "https://api.openai.com/v1", "gpt-4o-mini, with OPENAI_API_KEY set"),
)


@click.command("demo")
@click.option("--out", type=click.Path(file_okay=False), help="A new folder for it. [default: runs/demo-1, -2, …]")
@click.option("--template", default="math", show_default=True, help="math, instruction, knowledge, npc or a file.")
@click.option("--latency", default=0.5, show_default=True, help="Mean seconds that the simulated model takes.")
@click.option("--progress", "style", type=click.Choice(["auto", "rich", "plain", "json", "none"]), default="auto")
def command(out: str | None, template: str, latency: float, style: Style) -> int:
    """Run the main job on this machine alone: 3,000 sample personas through filter, exact and near dedup, and a
    simulated model over real HTTP, faults included. Then show three results and how to use a real server.
    """
    directory = Path(out) if out else _next_free(Path("runs"))
    try:
        directory.mkdir(parents=True)
    except FileExistsError as error:
        raise CannotCreate(f"{directory} exists", hint="Give --out a folder that does not.") from error
    except OSError as error:
        raise CannotCreate(f"cannot create {directory}: {error.strerror}") from error
    config = directory / "demo.toml"
    with as_file(files("personastream") / "samples") as samples, simulator(latency) as base_url:
        paths = json.dumps(str(samples / "*.jsonl.zst"))
        own = str(Path(template).absolute()) if template.endswith(".toml") else template
        config.write_text(CONFIG.format(config=config, paths=paths, template=own, base_url=base_url), encoding="utf-8")
        click.echo(f"simulated model at {base_url}, configuration in {config}", err=True)
        outcome = run_config(load(str(config)), resume=True, progress=Display(style, directory / "run"))
    if outcome.summary.finished:
        _show(outcome, directory)
    else:
        for line in summary_lines(outcome):
            click.echo(line)
        click.echo("Stopped before the end. What is there is whole; start the demo again for another.")
    return outcome.exit_code


@contextmanager
def simulator(latency_s: float) -> Iterator[str]:
    """A simulator process with a few faults; yields its base URL."""
    faults = ("500=0.02", "drop=0.01", "cut=0.005", "poison=0.002")
    arguments = [sys.executable, "-m", "personastream", "simulate", "--port", "0", "--latency", str(latency_s)]
    arguments += ["--latency-sigma", "0.3", *(word for fault in faults for word in ("--fault", fault))]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            base_url = process.stdout.readline().strip() if process.stdout else ""
            if not base_url:
                raise ProviderDown("the simulator did not start; its messages stand above")
            yield base_url
        finally:
            process.send_signal(signal.SIGTERM)


def _next_free(parent: Path) -> Path:
    return next(path for number in range(1, 10_000) if not (path := parent / f"demo-{number}").exists())


def _show(outcome: Outcome, directory: Path) -> None:
    run = directory / "run"
    for record in _first_records(run, 3):
        click.echo()
        click.secho(record["input persona"], bold=True)
        click.echo(record["synthesized text"])
    click.echo()
    for line in summary_lines(outcome):
        click.echo(line)
    click.echo(f"verified  {_verified(run)}")
    click.echo(f"\nRead it:  zstd -dc {run}/data/*.zst | head -n 1")
    click.echo(f"\nWith a real server: edit base_url and model in {directory / 'demo.toml'}, or say\n")
    for name, base_url, model in SERVERS:
        click.echo(f"  {name:<10} --set provider.base_url={base_url}  provider.model: {model}")
    click.echo(
        f"\n  {shlex.join(program())} run {directory / 'demo.toml'} --set provider.base_url=… --set provider.model=… "
        "--set sink.path=mine"
    )


def _first_records(run: Path, count: int) -> Iterator[dict[str, str]]:
    for path in sorted((run / "data").glob("*.jsonl.zst")):
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            for line in io.TextIOWrapper(reader, encoding="utf-8", newline="\n"):
                if count == 0:
                    return
                count -= 1
                yield json.loads(line)


def _verified(run: Path) -> str:
    manifest = read_manifest(run)
    if manifest is None:
        raise CannotCreate(f"{run} holds no run")
    verifier = Verifier(OsDisk(str(run)), manifest.run_id)
    for shard in manifest.shards:
        verifier.shard(shard.stem)
    problems = verifier.finish().problems
    return (
        f"{len(problems)} problems: `{shlex.join(program())} verify {run}`"
        if problems
        else "every checksum and every row"
    )
