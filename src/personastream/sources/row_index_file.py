"""The row index on disk: a shortcut for the next start that may be missing, old or damaged without any harm."""

import contextlib
import glob
import os
import tempfile
import time
from pathlib import Path

from personastream.core.row_index import RowIndex, decode
from personastream.records import Shard

SAVE_EVERY_S = 3.0  # how much reading a kill may cost the next start


class RowIndexFile:
    """`index`, kept as `<stem>.rows` in `directory` and tied to the shard's fingerprint; without one, never saved."""

    def __init__(self, directory: str | None, shard: Shard) -> None:
        self._path = None if directory is None else Path(directory, f"{shard.stem}.rows")
        self._fingerprint = shard.fingerprint
        self._save_after = time.monotonic() + SAVE_EVERY_S
        self.index = self._load() or RowIndex()
        self._saved_points = len(self.index)

    def save_now_and_then(self) -> None:
        """Save what has been learnt, if the last time is long enough ago."""
        if time.monotonic() >= self._save_after:
            self.save()
            self._save_after = time.monotonic() + SAVE_EVERY_S

    def save(self) -> None:
        """Replace the file by what is known now. If the disk refuses, the next start is slower, that is all."""
        if self._path is None or len(self.index) == self._saved_points:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, self.index.encode(self._fingerprint))
            self._saved_points = len(self.index)

    def _load(self) -> RowIndex | None:
        if self._path is None:
            return None
        try:
            return decode(self._path.read_bytes(), self._fingerprint)
        except OSError:
            return None


def replace_file(path: Path, data: bytes) -> None:
    """Write `path` so that a reader sees the old or the new content, and clear what killed writers left."""
    for stray in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        stray.unlink(missing_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
