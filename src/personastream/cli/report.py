"""`personastream report`."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from personastream.cli.words import json_text
from personastream.errors import CannotCreate
from personastream.observe.say import say

if TYPE_CHECKING:
    from personastream.report.vectors import KeptVectors

T = TypeVar("T")

NAME = "report.html"
FIGURES_SUFFIX = ".figures.json"
VECTORS_SUFFIX = ".vectors.sqlite"


@click.command("report")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--output", type=click.Path(dir_okay=False), help="Where to write the page.  [default: RUN/report.html]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, and no page.")
@click.option(
    "--sample",
    type=click.IntRange(1, 200_000),
    default=20_000,
    show_default=True,
    help="Records to read of each run, spread evenly over it. Counts are exact, however large the run is.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed draws another sample.")
@click.option("--embeddings-url", help="An OpenAI-compatible API with /embeddings, to compare texts by meaning.")
@click.option("--embeddings-model", help="The model to ask it for.")
@click.option(
    "--embeddings-key-env",
    default="OPENAI_API_KEY",
    show_default=True,
    help="Name of the environment variable that holds the key.",
)
def command(
    run: str,
    output: str | None,
    as_json: bool,
    sample: int,
    seed: int,
    embeddings_url: str | None,
    embeddings_model: str | None,
    embeddings_key_env: str,
) -> int:
    """Write a page about the run directory RUN, or about the runs in folders of it.

    \b
    What it shows: where the rows went and why, speed and spending over time,
    lengths, languages, how much the texts repeat, whether unlike personas give
    unlike texts, where personas come from, and records to read. The page is one
    file that loads nothing; its figures lie beside it, as report.figures.json.
    \b
    With --embeddings-url and --embeddings-model, up to 2,000 personas and 600
    outputs a run are sent there, once: the vectors are kept beside the page. Without
    them, words are compared instead.
    \b
    Changes nothing in the run; safe at any time.
    """
    if bool(embeddings_url) != bool(embeddings_model):
        raise click.UsageError("--embeddings-url and --embeddings-model go together.")
    from personastream.report.document import Options, document

    path = Path(output or Path(run) / NAME)
    _check_own(path)
    with _vectors(path, embeddings_url, embeddings_model, embeddings_key_env) as vectors:
        told = document(Path(run), Options(sample, seed, vectors, embeddings_model or ""), _watched)
    if as_json:
        click.echo(json_text(told))
    else:
        from personastream.report.page import page

        figures = path.with_suffix(FIGURES_SUFFIX)
        _write(path, page(told))
        _write(figures, json_text(told) + "\n")
        say(f"figures   {figures}")
        click.echo(path)
    return 0


@contextmanager
def _vectors(path: Path, url: str | None, model: str | None, key_env: str) -> "Iterator[KeptVectors | None]":
    """Vectors from the service, or from where an earlier report has kept them; None without a service."""
    if not url or not model:
        yield None
        return
    from personastream.report.vectors import kept_vectors, service

    with (
        service(url, model, key_env) as embedder,
        kept_vectors(path.with_suffix(VECTORS_SUFFIX), model, embedder) as vectors,
    ):
        yield vectors


MARK = b"personastream report</title>"
"""What tells a page of ours from other files."""


def _check_own(path: Path) -> None:
    """Raises `CannotCreate` for a file that is no report: it stays."""
    if path.exists() and MARK not in path.read_bytes():
        raise CannotCreate(f"{path} is there already, and is no report", hint="Choose another place with --output.")


def _watched(members: Sequence[T], words: str) -> Iterable[T]:
    """The members, with a bar on a terminal."""
    with click.progressbar(members, label=words, file=sys.stderr, hidden=not sys.stderr.isatty()) as shown:
        yield from shown


def _write(path: Path, text: str) -> None:
    """Whole, or not at all. Raises `CannotCreate`."""
    from personastream.launch.durable_file import replace_durably

    try:
        replace_durably(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise CannotCreate(
            f"cannot write {path}: {error.strerror}", hint="Choose another place with --output."
        ) from error
