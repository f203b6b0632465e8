"""`personastream card`."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from personastream.cli.words import json_text
from personastream.errors import CannotCreate
from personastream.launch.audit import record_reading
from personastream.launch.durable_file import replace_durably
from personastream.observe.say import say

T = TypeVar("T")
FOLDER = "card"
README, CROISSANT, PROV = "README.md", "croissant.json", "prov.json"
MARK = "- personastream\n"
"""What tells a card of ours from other READMEs: a tag in its YAML."""


@click.command("card")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--out", type=click.Path(file_okay=False), help="A folder for the three files.  [default: RUN/card]")
@click.option(
    "--sample",
    type=click.IntRange(1, 1_000_000),
    default=20_000,
    show_default=True,
    help="Records of each run to count models, templates and licences in. Rows and cost are exact.",
)
def command(run: str, out: str | None, sample: int) -> int:
    """Write a data set card about the run directory RUN, or about the runs in folders of it.

    \b
      README.md        for people, with the YAML that the Hugging Face Hub reads
      croissant.json   files, columns and responsible-AI fields, for programs
      prov.json        what was made of what: PROV-JSON
    \b
    All of it comes from the run itself: what was read, dropped, delivered and
    spent, under which licences and terms. With an export of the run in the folder
    --out, the card describes its files, and replaces its README.md.
    """
    from personastream.card.croissant import croissant
    from personastream.card.prov import prov
    from personastream.card.readme import readme
    from personastream.report.card_facts import card_facts

    folder = Path(out or Path(run, FOLDER))
    _check_own(folder / README)
    facts = card_facts(Path(run), folder, sample, _watched, _hashed)
    _write(folder / CROISSANT, json_text(croissant(facts)) + "\n")
    _write(folder / PROV, json_text(prov(facts)) + "\n")
    _write(folder / README, readme(facts))
    for stage in facts.ends:
        where = _directory(Path(run), stage.name)
        untold = record_reading(where, "carded", out=str(folder.absolute()), records=stage.records)
        if untold:
            say(f"Not in the run's audit log: {untold}")
    click.echo(f"records   {facts.rows:>12,}  in {len(facts.files):,} files")
    for name in (README, CROISSANT, PROV):
        click.echo(folder / name)
    return 0


def _directory(run: Path, stage: str) -> Path:
    return run / stage if (run / stage / "run.json").exists() else run


def _check_own(path: Path) -> None:
    """Raises `CannotCreate` for a README that is none of ours: it stays."""
    if path.exists() and MARK not in path.read_text("utf-8", "replace"):
        raise CannotCreate(f"{path} is there already, and is no card of a run", hint="Choose another --out.")


def _watched(members: Sequence[T], words: str) -> Iterable[T]:
    """The members, with a bar on a terminal."""
    with click.progressbar(members, label=words, file=sys.stderr, hidden=not sys.stderr.isatty()) as shown:
        yield from shown


def _hashed(paths: Sequence[Path]) -> Iterable[Path]:
    return _watched(paths, "files")


def _write(path: Path, text: str) -> None:
    """Whole, or not at all. Raises `CannotCreate`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise CannotCreate(f"cannot write {path}: {error.strerror}", hint="Choose another place with --out.") from error
