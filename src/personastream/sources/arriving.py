"""Files that come while a run is on (`follow = true`): which of them are whole, and so may be taken.

Nothing tells for certain that a writer is done. A file is taken once it has not changed for some seconds and does not
end in the midst of something: zstd and Parquet say so themselves, and are never taken before. What was found out of a
file is remembered for as long as it does not change, so that to look again costs no more than to list.
"""

import os
import stat
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeVar

from personastream.core import zstd_format
from personastream.core.zstd_format import FormatError
from personastream.errors import BadInput, ConfigError
from personastream.ports import Stock
from personastream.records import Shard
from personastream.sources.input_file import InputFile
from personastream.sources.local_file import LocalFile
from personastream.sources.places import expand, is_url
from personastream.sources.shard_files import shards_of_files, stem_of

QUIET_S = 2.0
"""A file that shows that it is whole must not have changed for so long."""
QUIET_S_UNSURE = 30.0
"""The same for one that does not show it: gzip, and text whose last line has no end."""
REMEMBERED_MAX = 1 << 18

T = TypeVar("T")


class Stamp(NamedTuple):
    """What changes when a file does."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


_REMEMBERED: dict[tuple[str, str], tuple[Stamp, object]] = {}


def look(paths: Sequence[str]) -> Stock:
    """The files that paths and globs name now. Raises `ConfigError`."""
    seen = _seen(paths)
    whole = tuple((path, stamp) for path, stamp, is_whole in seen if is_whole)
    return Stock(whole, tuple(path for path, _, is_whole in seen if not is_whole))


def arrived(paths: Sequence[str], extensions: Sequence[str], known: Collection[str]) -> list[Shard]:
    """The shards that are whole, and those whose stems are `known`, whatever has become of them. Raises `BadInput`."""
    files = [path for path, _, is_whole in _seen(paths) if is_whole or stem_of(path, extensions) in known]
    return shards_of_files(files, extensions, _fingerprint)


def _seen(paths: Sequence[str]) -> list[tuple[str, Stamp | None, bool]]:
    """(file, its stamp, whether it is whole) in the order of paths and names."""
    stamps = [(path, _stamp(path)) for path in _found(paths)]
    now_s = time.time()
    return [(path, stamp, stamp is None or _is_quiet(path, stamp, now_s)) for path, stamp in stamps]


def _found(paths: Sequence[str]) -> list[str]:
    for pattern in paths:
        if is_url(pattern):
            hint = "Fetch the files into a folder, and rename each into place when it is whole."
            raise ConfigError(f"{pattern}: follow = true is for folders of this machine", hint=hint)
    found: list[str] = []
    for pattern in paths:
        try:
            found += [path for path in expand(pattern) if os.path.lexists(path)]
        except BadInput:  # no file matches yet
            continue
    return list(dict.fromkeys(found))


def _stamp(path: str) -> Stamp | None:
    """None for what is no regular file, or gone by now: whoever opens it says what is wrong."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _is_quiet(path: str, stamp: Stamp, now_s: float) -> bool:
    needed_s = _remembered("quiet", path, stamp, lambda: _quiet_needed_s(path))
    return abs(now_s - stamp.modified_ns / 1e9) >= needed_s  # the clock of another machine may be ahead


def _quiet_needed_s(path: str) -> float:
    """For how long a file with such an end must not have changed: forever, if it cannot be whole."""
    try:
        with LocalFile(path) as file:
            if path.endswith(".zst"):
                return QUIET_S if _ends_with_a_frame(file) else float("inf")
            end = file.read_at(max(0, file.size_bytes - 4), 4)
    except BadInput:  # empty, or not to be read: perhaps not yet
        return float("inf") if os.path.exists(path) and not os.path.getsize(path) else QUIET_S_UNSURE
    if path.endswith(".parquet"):
        return QUIET_S if end == b"PAR1" else float("inf")
    return QUIET_S if end.endswith(b"\n") and not path.endswith(".gz") else QUIET_S_UNSURE


def _ends_with_a_frame(file: InputFile) -> bool:
    """Whether the last frame is all there. What is no zstd at all is whole: whoever reads it says what is wrong."""
    offset = 0
    try:
        while offset < file.size_bytes:
            offset += zstd_format.frame_length(file.read_at, offset)
    except zstd_format.Truncated:
        return False
    except FormatError:
        return True
    return offset == file.size_bytes


def _fingerprint(file: InputFile) -> str:
    stamp = _stamp(file.path)
    if stamp is None or (stamp[:2], stamp.size_bytes) != (file.identity, file.size_bytes):  # replaced meanwhile
        return file.fingerprint()
    return _remembered("print", file.path, stamp, file.fingerprint)


def _remembered(what: str, path: str, stamp: Stamp, find_out: Callable[[], T]) -> T:
    known = _REMEMBERED.get((what, path))
    if known is not None and known[0] == stamp:
        return known[1]  # type: ignore[return-value]  # each `what` is of one type
    found = find_out()
    if len(_REMEMBERED) >= REMEMBERED_MAX:
        _REMEMBERED.clear()
    _REMEMBERED[what, path] = stamp, found
    return found
