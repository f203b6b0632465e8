"""A disk in memory that loses power, runs full and fails to write, all from one seed and at any chosen operation.

It stands in for `OsDisk`. Names become durable when their directory is synced; before that, a power loss keeps any
of the latest creations and renames, in order; a directory whose sync fails keeps its changes waiting. A killed process
leaves everything as it was. How bytes survive is said in `simulated_content`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NoReturn

from personastream.errors import CannotCreate, DiskFull, StorageFailed
from tests.support.simulated_content import NEW_SHARES, Content, Medium

KEPT_SHARES = (0.0, 0.5, 0.9, 1.0)
WRITE_BACK_SHARE = 0.1
DROP_SHARE = 0.3


class Cut(BaseException):
    """The process ends here. No `except Exception` sees it: a dead process tidies nothing up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which of the operations that change something, counted from 1 at each start, goes wrong and how.

    The process ends at `cut_at`; `full_from` to `full_to - 1` find no space; `fails_at` is refused by the device.
    """

    cut_at: int | None = None
    cut_when: Literal["before", "within", "after"] = "before"
    full_from: int = 0
    full_to: int = 0
    fails_at: int | None = None


@dataclass(slots=True)
class Folder:
    """A directory: names as processes see them, names as the disk holds them, and what is between the two."""

    cached: dict[str, Content] = field(default_factory=dict)
    disk: dict[str, Content] = field(default_factory=dict)
    changes: list[tuple[str | None, str, Content | None]] = field(default_factory=list)

    def link(self, name: str, content: Content, old: str | None = None) -> None:
        """Give a file its name, in place of `old` if it had one."""
        if old is not None:
            del self.cached[old]
        self.cached[name] = content
        self.changes.append((old, name, content))

    def unlink(self, name: str) -> None:
        """Take a file's name away."""
        del self.cached[name]
        self.changes.append((None, name, None))

    def sync(self) -> None:
        """Make the changes durable."""
        for change in self.changes:
            self._apply(*change)
        self.changes.clear()

    def write_back(self, chance: Random) -> None:
        """Make some of the changes durable, in order."""
        share = chance.choice(KEPT_SHARES)
        for change in self.changes:
            if chance.random() < share:
                self._apply(*change)

    def lose_power(self, chance: Random) -> None:
        """Only what the disk holds is left."""
        self.write_back(chance)
        self.changes.clear()
        self.cached = dict(self.disk)

    def _apply(self, old: str | None, name: str, content: Content | None) -> None:
        if content is None:
            self.disk.pop(name, None)
            return
        if old is not None and self.disk.get(old) is content:
            del self.disk[old]
        self.disk[name] = content


class SimulatedDisk:
    """Implements the protocol `Disk`; directories are one level deep. All chance comes from `chance`."""

    def __init__(self, chance: Random | None = None, medium: Medium | None = None) -> None:
        self.chance = chance or Random(0)
        self.medium = medium or Medium()
        self.plan = Plan()
        self.operations = 0
        self.sittings = 0
        self.is_cut = False
        self.has_failed = self.was_full = False
        self.trace: Callable[[str], None] | None = None
        self._folders: dict[str, Folder] = {}
        self._folders_on_disk: dict[str, Folder] = {}

    # For whoever runs the simulation.

    def restart(self, plan: Plan | None = None, *, power_lost: bool) -> None:
        """The machine is on again: another process may come. Files that were open are so no longer."""
        self.plan = plan or Plan()
        self.operations = 0
        self.sittings += 1
        self.is_cut = self.has_failed = self.was_full = False
        if self.trace is not None:
            self.trace(f"--- start {self.sittings}, {'power lost' if power_lost else 'killed'}: {self.plan}")
        if power_lost:
            self._lose_power()
        elif self.chance.random() < DROP_SHARE:
            for content in self._contents():
                content.drop_cache()

    def content(self, name: str) -> bytes | None:
        """What a file holds, as reads see it, or None if there is no such file. Costs no operation."""
        directory, _, base = name.rpartition("/")
        folder = self._folders.get(directory)
        found = folder and folder.cached.get(base)
        return bytes(found.cached) if found else None

    def put(self, name: str, content: bytes | None) -> None:
        """Give a file this content, or take it away, behind everybody's back and for good."""
        directory, _, base = name.rpartition("/")
        folder = self._folders[directory]
        for names in (folder.cached, folder.disk):
            names.pop(base, None)
        if content is not None:
            new = Content(self.medium)
            new.append(content)
            new.sync()
            folder.cached[base] = folder.disk[base] = new

    def files(self) -> Iterator[str]:
        """The names of all files."""
        for directory, folder in self._folders.items():
            yield from (f"{directory}/{base}" for base in folder.cached)

    # The protocol.

    def make_directory(self, name: str) -> None:
        if name in self._folders:
            return
        try:
            self.begin("make directory", name, needs_room=True)
        except (DiskFull, StorageFailed) as error:
            raise CannotCreate(error.message) from error
        self._folders[name] = Folder()
        self.end()

    def names(self, directory: str) -> list[str]:
        if directory == "":
            return sorted(self._folders)
        return sorted(self._folders[directory].cached) if directory in self._folders else []

    def create(self, name: str) -> "SimulatedFile":
        folder, base = self._place(name)
        if base in folder.cached:
            refuse(f"create {name}: it exists")
        self.begin("create", name, needs_room=True)
        content = Content(self.medium)
        folder.link(base, content)
        self.end()
        return SimulatedFile(self, name, content, writable=True)

    def open(self, name: str, *, writable: bool = True) -> "SimulatedFile":
        folder, base = self._place(name)
        if base not in folder.cached:
            refuse(f"open {name}: no such file")
        return SimulatedFile(self, name, folder.cached[base], writable=writable)

    def rename(self, old: str, new: str) -> None:
        target, base = self._place(new)
        if base in target.cached:
            refuse(f"rename {old} to {new}")
        self.replace(old, new)

    def remove(self, name: str) -> None:
        folder, base = self._place(name)
        if base not in folder.cached:
            refuse(f"remove {name}: no such file")
        self.begin("remove", name)
        folder.unlink(base)
        self.end()

    def replace(self, old: str, new: str) -> None:
        folder, base = self._place(old)
        target, target_base = self._place(new)
        if base not in folder.cached or target is not folder:
            refuse(f"rename {old} to {new}")
        try:
            self.begin("rename", old, needs_room=True)
        except StorageFailed:
            if self.chance.random() < 0.5:  # it was done all the same
                folder.link(target_base, folder.cached[base], old=base)
            raise
        folder.link(target_base, folder.cached[base], old=base)
        self.end()

    def sync_directory(self, directory: str) -> None:
        folder = None if directory == "" else self._folders.get(directory)
        if folder is None and directory != "":
            refuse(f"sync {directory}: no such directory")
        if self.begin("sync directory", directory) and folder is not None:
            folder.write_back(self.chance)
            self.cut()
        if folder is None:
            self._folders_on_disk = dict(self._folders)
        else:
            folder.sync()
        self.end()

    # For files.

    def begin(self, what: str, name: str, *, needs_room: bool = False) -> bool:
        """Count an operation that changes something. Whether the process is to end in the middle of it.

        Raises `Cut` to end it before, `StorageFailed` or `DiskFull` if the plan says so.
        """
        if self.is_cut:
            raise Cut
        self.operations += 1
        plan, now = self.plan, self.operations
        if self.trace is not None:
            self.trace(f"{now:4} {what} {name}")
        if now == plan.cut_at and plan.cut_when == "before":
            self.cut()
        if now == plan.fails_at:
            self.has_failed = True
            refuse(f"{what} {name}")
        if needs_room and plan.full_from <= now < plan.full_to:
            self.was_full = True
            raise DiskFull(f"no space left to {what} {name}")
        return now == plan.cut_at and plan.cut_when == "within"

    def end(self) -> None:
        """The operation is done. Raises `Cut` if the process ends after it."""
        if self.operations == self.plan.cut_at:
            self.cut()

    def cut(self) -> NoReturn:
        """End the process."""
        self.is_cut = True
        raise Cut

    def _place(self, name: str) -> tuple[Folder, str]:
        directory, _, base = name.rpartition("/")
        if directory not in self._folders:
            refuse(f"find {name}: no such directory")
        return self._folders[directory], base

    def _contents(self) -> Iterator[Content]:
        for folder in self._folders.values():
            yield from folder.cached.values()

    def _lose_power(self) -> None:
        chance = self.chance
        kept = self._folders_on_disk
        kept = {n: folder for n, folder in self._folders.items() if n in kept or chance.random() < 0.5}
        self._folders, self._folders_on_disk = kept, dict(kept)
        for folder in self._folders.values():
            folder.lose_power(chance)
        new_share = chance.choice(NEW_SHARES)
        for content in self._contents():
            content.lose_power(chance, new_share)


class SimulatedFile:
    """Implements the protocol `LogFile`."""

    __slots__ = ("_content", "_disk", "_is_open", "_name", "_sitting", "_writable")

    def __init__(self, disk: SimulatedDisk, name: str, content: Content, *, writable: bool) -> None:
        self._disk = disk
        self._name = name
        self._content = content
        self._writable = writable
        self._sitting = disk.sittings
        self._is_open = True

    def size(self) -> int:
        self._check()
        return len(self._content.cached)

    def read_at(self, offset: int, count: int) -> bytes:
        self._check()
        return bytes(memoryview(self._content.cached)[offset : offset + count])

    def append(self, data: bytes) -> None:
        self._check(to_write=True)
        chance = self._disk.chance
        self._maybe_write_back()
        try:
            within = self._disk.begin("append", self._name, needs_room=True)
        except (DiskFull, StorageFailed):
            self._content.append(data[: chance.randrange(len(data))])
            raise
        if within:
            self._content.append(data[: chance.randrange(len(data))])
            self._disk.cut()
        self._content.append(data)
        self._disk.end()

    def sync(self) -> None:
        self._check()
        try:
            within = self._disk.begin("sync", self._name)
        except StorageFailed:
            self._content.fail_sync(self._disk.chance)
            raise
        if within:
            self._content.write_back(self._disk.chance)
            self._disk.cut()
        self._content.sync()
        self._disk.end()

    def truncate(self, size: int) -> None:
        self._check(to_write=True)
        self._maybe_write_back()
        self._disk.begin("truncate", self._name)
        self._content.truncate(size)
        self._disk.end()

    def drop_cache(self) -> None:
        self._check()
        self._content.drop_cache()

    def close(self) -> None:
        self._is_open = False

    def _maybe_write_back(self) -> None:
        if self._disk.chance.random() < WRITE_BACK_SHARE:
            self._content.write_back(self._disk.chance)

    def _check(self, *, to_write: bool = False) -> None:
        if self._disk.is_cut:
            raise Cut
        if not self._is_open or self._sitting != self._disk.sittings:
            raise AssertionError(f"{self._name} is used, but closed or from before a restart")
        if to_write and not self._writable:
            refuse(f"write to {self._name}: it is read-only")


def refuse(what: str) -> NoReturn:
    """The device or the file system says no."""
    raise StorageFailed(f"cannot {what}", hint="This is a simulated disk.")
