"""`personastream decontaminate`."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from glob import has_magic
from pathlib import Path
from typing import Any

import click
import orjson

from personastream.cli.dedup import Share
from personastream.cli.export import manifest_to_read
from personastream.cli.words import json_text
from personastream.core.leaves import reply_texts
from personastream.errors import BadInput, CannotCreate, ExitCode
from personastream.export.run_log import RunLog
from personastream.launch.contamination import Contamination, Hit, Texts
from personastream.ports import Source
from personastream.sinks.disk import OsDisk
from personastream.sources.jsonl import Jsonl
from personastream.sources.parquet import Parquet
from personastream.test_sets import FIELDS, SIZES, Against

LINE_CHARACTERS = 100
Advance = Callable[[int], None]


@click.command("decontaminate")
@click.argument("source", metavar="RUN_OR_FILES")
@click.option("--against", multiple=True, required=True, metavar="FILE", help="A test set; repeat it for several.")
@click.option("--field", multiple=True, metavar="KEY", help=f"Where test sets have their texts.  [{', '.join(FIELDS)}]")
@click.option(
    "--rule", type=click.Choice(tuple(SIZES)), default="ngram", show_default=True, help="What counts as found."
)
@click.option("--ngram", type=click.IntRange(3, 1000), help="Tokens of an n-gram.  [13; 8 for coverage]")
@click.option(
    "--share-min", type=Share(0.01, 1), default=0.5, show_default=True, help="For coverage: of a test text's tokens."
)
@click.option("--text", default="persona", show_default=True, help="Of files: the key that holds the text of a row.")
@click.option("--examples", type=click.IntRange(0, 1000), default=3, show_default=True, help="How many to show.")
@click.option("--out", type=click.Path(dir_okay=False), help="Write the ids of what is found, for `export --without`.")
@click.option("--share-max", type=Share(0, 1), help="Exit 65 if a larger share of records holds test texts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(source: str, out: str | None, share_max: float | None, as_json: bool, **options: Any) -> int:
    """Tell which delivered records of RUN_OR_FILES hold texts of test sets: a run's directory, a file or a quoted glob.

    \b
    ngram     one n-gram of a test text, of 13 tokens, is enough
    coverage  shared 8-grams must cover half of a test text's tokens
    Case, punctuation, spacing and markup make no difference; every number does.
    Of a run, replies are looked at, wherever they stand in a record, and of one
    that is under way what is committed.
    \b
    Exit codes: 0 reported, whatever was found; 65 more than --share-max was
    found, or bad input; 73 --out cannot be written; 74 damaged run.
    """
    against = Against(
        list(options["against"]),
        field=list(options["field"] or FIELDS),
        rule=options["rule"],
        ngram=options["ngram"],
        share_min=options["share_min"],
    )
    against.index  # noqa: B018 - bad test sets are told before anything is read
    with ExitStack() as files:
        found = Contamination(against, options["examples"], _writer(out, files))
        size, parts = _of_run(source) if Path(source).is_dir() else _of_files(source, options["text"])
        bar = click.progressbar(length=size, label="decontaminate", file=sys.stderr, hidden=not sys.stderr.isatty())
        with bar:
            for done, records in parts:
                found.take(records)
                bar.update(done - bar.pos)
    document = {"source": source, **found.report()}
    click.echo(json_text(document) if as_json else "\n".join(_lines(document, out)))
    return ExitCode.BAD_DATA if share_max is not None and document["share"] > share_max else ExitCode.DONE


Parts = tuple[int, Iterator[tuple[int, list[Texts]]]]
"""How much there is to read; and how much of it is read, with the records that came last."""


def _of_run(directory: str) -> Parts:
    manifest = manifest_to_read(directory)
    log = RunLog(OsDisk(directory), manifest.run_id, [shard.stem for shard in manifest.shards])

    def parts() -> Iterator[tuple[int, list[Texts]]]:
        for lines in log.lines():
            yield log.bytes_read, [_texts_of(orjson.loads(line)) for line in lines]

    return log.bytes_all, parts()


def _texts_of(record: Mapping[str, Any]) -> Texts:
    return Texts(str(record.get("id", "")), reply_texts(record))


def _of_files(pattern: str, field: str) -> Parts:
    if not has_magic(pattern) and not Path(pattern).exists():
        raise BadInput(
            f"there is no run and no file {pattern}", hint="Name a run's directory, a file or a quoted glob."
        )
    cls = Parquet if pattern.endswith(".parquet") else Jsonl
    source: Source = cls(paths=[pattern], field=field)
    shards = source.shards()

    def parts() -> Iterator[tuple[int, list[Texts]]]:
        before = rows = 0
        for shard in shards:
            for batch in source.read(shard, 0):
                rows += len(batch.numbers)
                named = zip(batch.numbers, batch.texts, strict=True)
                yield before + batch.bytes_read, [Texts(f"{shard.stem}:{row}", (text,)) for row, text in named]
            before += shard.size_bytes
        if not rows:
            raise BadInput(f"no row of {pattern} has a text under {field!r}", hint="Name its key with --text.")

    return sum(shard.size_bytes for shard in shards), parts()


def _writer(out: str | None, files: ExitStack) -> Callable[[Hit], None]:
    """Writes hits to a new file, closed with `files`. Raises `CannotCreate`."""
    if out is None:
        return lambda hit: None
    try:
        file = Path(out).open("xb")  # noqa: SIM115 - closed with the others
    except OSError as error:
        hint = "Nothing is replaced: remove it, or name another." if isinstance(error, FileExistsError) else ""
        raise CannotCreate(f"cannot write {out}: {error.strerror}", hint=hint) from error
    files.callback(file.close)

    def write(hit: Hit) -> None:
        file.write(orjson.dumps(hit._asdict()) + b"\n")

    return write


def _lines(document: Mapping[str, Any], out: str | None) -> Iterator[str]:
    """The report for people."""
    records, guilty = document["records"], document["contaminated"]
    yield f"records   {records:>12,}  of {_one_line(document['source'])}"
    share = f" ({document['share']:.4%})" if records else ""
    yield f"hold texts{guilty:>12,}  of test sets{share}, by {document['ngram']}-grams, rule {document['rule']}"
    for told in document["sets"]:
        found = f"{told['items_found']:,} of {told['items']:,} texts found"
        yield f"  against {told['records']:>12,}  records: {found}, {_one_line(told['path'])}"
    for told in document["examples"]:
        yield ""
        yield f"record    {_one_line(told['id'])}"
        yield f"  says    {_one_line(told['text'])}"
        yield f"  test    {_one_line(told['item'])}  ({_one_line(told['against'])}, row {told['row']})"
        yield f"  shared  {_one_line(told['passage'])}  ({told['share']:.0%} of the test text)"
    if out is not None:
        yield f"output    {out}"


def _one_line(text: str) -> str:
    """Foreign text, as it may be shown on a terminal."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= LINE_CHARACTERS else f"{line[: LINE_CHARACTERS - 1]}…"
