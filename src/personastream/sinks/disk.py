"""The few file operations that the log is built from, so that it can be tried on a disk that fails on purpose.

Every failure is one of two: `DiskFull` (room may come back; nothing is lost) or `StorageFailed` (what the disk holds
now is unknown: stop, and let the next start find out).
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

from personastream.errors import CannotCreate, DiskFull, StorageFailed

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


class LogFile(Protocol):
    """An append-only file."""

    def size(self) -> int: ...

    def read_at(self, offset: int, count: int) -> bytes: ...

    def append(self, data: bytes) -> None: ...

    def sync(self) -> None: ...

    def truncate(self, size: int) -> None: ...

    def drop_cache(self) -> None: ...

    def close(self) -> None: ...


class Disk(Protocol):
    """A directory tree; names are relative to its root. Names become durable by `sync_directory` only."""

    def make_directory(self, name: str) -> None: ...

    def names(self, directory: str) -> list[str]: ...

    def create(self, name: str) -> LogFile: ...

    def open(self, name: str, *, writable: bool = True) -> LogFile: ...

    def rename(self, old: str, new: str) -> None: ...

    def replace(self, old: str, new: str) -> None: ...

    def remove(self, name: str) -> None: ...

    def sync_directory(self, directory: str) -> None: ...


class OsFile:
    """A real file behind a descriptor."""

    def __init__(self, path: str, flags: int) -> None:
        self._path = path
        with _storage_errors("open", path):
            self._fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)

    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._fd).st_size

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; fewer only at the end of the file."""
        with _storage_errors("read", self._path):
            data = os.pread(self._fd, count, offset)
            while data and len(data) < count and (more := os.pread(self._fd, count - len(data), offset + len(data))):
                data += more
            return data

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end. Raises `DiskFull` with an unknown part of it written, or `StorageFailed`."""
        rest = memoryview(data)
        with _storage_errors("write to", self._path):
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def sync(self) -> None:
        """Make the content durable. Any failure is final: a second fdatasync may pass although data is gone."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            _failed("sync", self._path, error)

    def truncate(self, size: int) -> None:
        """Cut to `size` bytes."""
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            _failed("truncate", self._path, error)

    def drop_cache(self) -> None:
        """Forget what is cached and synced, so that the next read shows what the disk holds (advice to the kernel).

        After a failed sync some file systems keep the lost pages in the cache and call them clean.
        """
        with _storage_errors("read", self._path):
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Release the descriptor."""
        os.close(self._fd)


class Snapshot:
    """A file as long as it was when looked at: what another process appends meanwhile is not seen half written."""

    def __init__(self, file: LogFile) -> None:
        self.size = file.size()
        self._file = file

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`."""
        return self._file.read_at(offset, max(0, min(count, self.size - offset)))


class OsDisk:
    """A real directory."""

    def __init__(self, root: str) -> None:
        self._root = root

    def make_directory(self, name: str) -> None:
        """Create a directory if it is not there. Raises `CannotCreate`."""
        path = os.path.join(self._root, name)
        try:
            os.makedirs(path, mode=0o750, exist_ok=True)
        except OSError as error:
            raise CannotCreate(
                f"cannot create {path}: {error.strerror}",
                hint="Choose another [sink] path, or mend its permissions.",
            ) from error

    def names(self, directory: str) -> list[str]:
        """Names in a directory, sorted; none if it is missing."""
        path = os.path.join(self._root, directory)
        with _storage_errors("list", path):
            try:
                return sorted(os.listdir(path))
            except FileNotFoundError:
                return []

    def create(self, name: str) -> OsFile:
        """A new file; an existing one is an error."""
        return OsFile(os.path.join(self._root, name), os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_RDWR)

    def open(self, name: str, *, writable: bool = True) -> OsFile:
        """An existing file."""
        path = os.path.join(self._root, name)
        return OsFile(path, os.O_APPEND | os.O_RDWR if writable else os.O_RDONLY)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in one step; never replaces one. Raises `DiskFull` or `StorageFailed`."""
        source, target = os.path.join(self._root, old), os.path.join(self._root, new)
        with _storage_errors("rename", source):
            if not _rename_without_replacing(source, target):
                if os.path.lexists(target):  # the run has one writer: nothing comes between look and leap
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
                os.rename(source, target)

    def replace(self, old: str, new: str) -> None:
        """Put a file in the place of another one, in one step. Raises `DiskFull` or `StorageFailed`."""
        source = os.path.join(self._root, old)
        with _storage_errors("rename", source):
            os.replace(source, os.path.join(self._root, new))

    def remove(self, name: str) -> None:
        """Remove a file. Raises `StorageFailed`."""
        path = os.path.join(self._root, name)
        with _storage_errors("remove", path):
            os.unlink(path)

    def sync_directory(self, directory: str) -> None:
        """Make names created, renamed or removed in `directory` durable."""
        path = os.path.join(self._root, directory)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            _failed("sync", path, error)


def _rename_without_replacing(source: str, target: str) -> bool:
    """Whether it was done; False if this system or file system cannot promise not to replace. Raises `OSError`."""
    if _renameat2 is None:
        return False
    if _renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number), source)


@contextmanager
def _storage_errors(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(f"no space left to {verb} {path}: {error.strerror}") from error
        _failed(verb, path, error)


def _failed(verb: str, path: str, error: OSError) -> NoReturn:
    raise StorageFailed(
        f"cannot {verb} {path}: {error.strerror}",
        hint="Mend the storage, then run again with --resume: what was committed is safe.",
    ) from error
