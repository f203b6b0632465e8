"""The inbox: a file dropped into it becomes a job, or is put aside with the reason why it did not.

Law: a file is taken when two looks in a row have seen it the same: never one that still grows. It is removed only
when the job is on the disk; a kill in between leaves both, and the next look finds the job there already.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio.to_thread

from personastream.config import CONFIG_BYTES_MAX
from personastream.errors import StorageFailed
from personastream.observe.snapshot import printable
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.jobs import Jobs
from personastream.serve.root import Root, read_small

SUFFIX = ".toml"
LOOK_S = 1.0
FILES_MAX = 1000
"""Files taken in one look."""
STEM_MAX = 200


@dataclass(slots=True)
class Inbox:
    """`look` is called every `LOOK_S`."""

    root: Root
    jobs: Jobs
    happenings: Happenings
    _seen: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    async def look(self) -> None:
        """Take what is there. A disk that is full leaves files where they are."""
        with suppress(StorageFailed, FileNotFoundError):
            for path in await anyio.to_thread.run_sync(lambda: list(self._whole())):
                await self._take(path)

    async def _take(self, path: Path) -> None:
        name = path.name.removesuffix(SUFFIX)
        try:
            content = await anyio.to_thread.run_sync(read_small, path, CONFIG_BYTES_MAX)
            if not await anyio.to_thread.run_sync(self._is_submitted, name, content):
                await self.jobs.submit(name, content)
        except (StorageFailed, FileNotFoundError):
            raise
        except Exception as error:  # whatever is wrong with it, the next file is no worse for it
            why = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            await anyio.to_thread.run_sync(partial(self._refuse, path, why))
            self.happenings.tell(Kind.REFUSED, file=printable(path.name), why=why)
        else:
            await anyio.to_thread.run_sync(partial(path.unlink, missing_ok=True))

    def _whole(self) -> Iterator[Path]:
        """Files that nobody writes any more."""
        seen: dict[str, tuple[int, int, int]] = {}
        with os.scandir(self.root / "inbox") as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and not entry.name.startswith(".") and len(seen) < FILES_MAX:
                    with suppress(FileNotFoundError):
                        told = entry.stat(follow_symlinks=False)
                        seen[entry.name] = (told.st_ino, told.st_size, told.st_mtime_ns)
        same = [name for name, told in sorted(seen.items()) if self._seen.get(name) == told]
        self._seen = seen
        return (self.root / "inbox" / name for name in same)

    def _is_submitted(self, name: str, content: bytes) -> bool:
        """Whether a kill came between the job and the end of its file."""
        if name not in self.jobs or self.jobs.named(name).wanted.ending is not None:
            return False
        return self.root.read_job(name)[0] == content

    def _refuse(self, path: Path, reason: str) -> None:
        """Put it aside, with the reason beside it."""
        aside = self.root / "inbox" / "refused"
        why = aside / f"{path.name.removesuffix(SUFFIX)[:STEM_MAX]}.why.txt"
        with suppress(OSError):  # it stays where it is, and is refused again at the next look
            why.write_text(f"{reason}\n", encoding="utf-8", errors="backslashreplace")
            path.replace(aside / path.name)
