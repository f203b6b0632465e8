"""From the paths in a configuration to shards: every file found, opened once, and refused early if it is unfit."""

import os
from collections.abc import Callable, Hashable, Iterable, Sequence

from personastream.errors import ConfigError
from personastream.records import Shard
from personastream.sources.input_file import InputFile
from personastream.sources.places import expand, open_input

EXTENSIONS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json.gz", ".json.zst")
PARQUET = (".parquet",)
STEM_BYTES_MAX = 200  # a stem starts the names of output parts; file names end at 255 bytes


def find_shards(paths: Sequence[str], extensions: Sequence[str] = EXTENSIONS) -> list[Shard]:
    """The shards that files and globs name, in that order, each glob sorted by name.

    Raises `BadInput` for a file that is missing or unfit, `ConfigError` for paths that cannot go together.
    """
    if not paths:
        raise ConfigError("`paths` in [source] is empty", hint='Name files or globs: paths = ["personas/*.jsonl.zst"].')
    return shards_of_files((path for pattern in paths for path in expand(pattern)), extensions)


def shards_of_files(
    files: Iterable[str],
    extensions: Sequence[str],
    fingerprint: Callable[[InputFile], str] = lambda file: file.fingerprint(),
) -> list[Shard]:
    """The shards in files, in that order. Raises like `find_shards`."""
    shards: list[Shard] = []
    path_of_stem: dict[Hashable, str] = {}
    path_of_file: dict[Hashable, str] = {}
    for path in files:
        stem = stem_of(path, extensions)
        with open_input(path) as file:
            _check_new(path_of_file, file.identity, path, "are the same file", "Name each file once.")
            _check_new(path_of_stem, stem, path, f"are both called {stem!r}", "Rename one: names start record ids.")
            shards.append(Shard(len(shards), stem, path, file.size_bytes, fingerprint(file)))
    return shards


def extension_of(path: str, extensions: Sequence[str] = EXTENSIONS) -> str:
    """The one of `extensions` that ends the path. Raises `ConfigError`."""
    for extension in extensions:
        if path.endswith(extension):
            return extension
    for kind, others in (("jsonl", EXTENSIONS), ("parquet", PARQUET)):
        if path.endswith(others):
            hint = f'Write type = "{kind}" in [source]; a run reads files of one kind.'
            raise ConfigError(f"{path!r}: is a file for the source `{kind}`", hint=hint)
    raise ConfigError(f"{path!r}: cannot tell the format", hint=f"Names end in one of {', '.join(extensions)}.")


def stem_of(path: str, extensions: Sequence[str]) -> str:
    """The file's name without its extension. Raises `ConfigError` if that may not start the name of another file."""
    name = os.path.basename(path)
    if os.path.isdir(path):
        return name  # the one who opens it says so
    stem = name.removesuffix(extension_of(path, extensions))
    size_bytes = len(os.fsencode(stem))
    # isprintable: no line feeds or escapes, no direction marks, no bytes that are not UTF-8.
    if not stem or stem[0] in "-." or not stem.isprintable() or size_bytes > STEM_BYTES_MAX:
        raise ConfigError(
            f"{path!r}: {stem!r} cannot start the names of output files",
            hint=f"Rename it: 1 to {STEM_BYTES_MAX} bytes of printable text, not starting with `-` or `.`.",
        )
    return stem


def _check_new(seen: dict[Hashable, str], key: Hashable, path: str, relation: str, hint: str) -> None:
    if key in seen:
        raise ConfigError(f"{seen[key]} and {path} {relation}", hint=hint)
    seen[key] = path
