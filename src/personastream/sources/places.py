"""Where input files lie, on this machine or behind a URL: the one place that tells them apart."""

import glob
import os
from collections.abc import Iterator

from personastream.errors import BadInput, ConfigError
from personastream.sources.input_file import InputFile
from personastream.sources.local_file import LocalFile


def is_url(path: str) -> bool:
    """Whether a path is a URL: those are no paths of this machine."""
    protocol, separator, _ = path.partition("://")
    return bool(separator) and protocol.isalnum()


def open_input(path: str, expected_bytes: int | None = None) -> InputFile:
    """The file at a path or URL, whose size must be what is expected, if anything is. Raises like the file's class."""
    if not is_url(path):
        return LocalFile(path, expected_bytes)
    from personastream.sources.remote_file import RemoteFile  # fsspec, only where it is of use

    return RemoteFile(path, expected_bytes)


def expand(pattern: str) -> Iterator[str]:
    """The files that a path or glob names, each glob sorted by name. Raises `BadInput` if there are none."""
    if "\0" in pattern:
        raise ConfigError(f"{pattern!r}: a path cannot hold a NUL character", hint="Correct `paths` in [source].")
    if not glob.has_magic(pattern) or os.path.lexists(pattern):
        yield pattern
        return
    if is_url(pattern):
        from personastream.sources.remote_file import remote

        found = remote(pattern).glob()
    else:
        found = sorted(glob.glob(pattern, recursive=True))
    if not found:
        raise BadInput(f"{pattern}: no file matches", hint="Check `paths` in [source]; * does not match hidden files.")
    yield from found
