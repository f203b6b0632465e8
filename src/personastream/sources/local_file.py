"""A shard's file on this machine: only ever a regular one."""

import errno
import os
import stat

import xxhash

from personastream.errors import BadInput
from personastream.sources.input_file import CHANGED_HINT, InputFile, folder, size_problem

WHOLE_BYTES_MAX = 4 << 20  # files up to this size are fingerprinted whole
_EDGE_BYTES = 1 << 20
_SAMPLE_BYTES = 64 << 10
_SAMPLES = 16

_NOT_A_FILE_HINT = "Write the data to a file first."
_OPEN_HINTS = {
    errno.ENOENT: "Check `paths` in [source]: relative ones start at the configuration file, those of a job from the "
    "inbox or the API at the service's folder.",
    errno.EACCES: "Make the file and the folders above it readable for this user.",
    errno.ENXIO: _NOT_A_FILE_HINT,
    errno.ELOOP: "A symbolic link leads back to itself: name the file itself.",
}


class LocalFile(InputFile):
    """A regular file, whose size must be what the caller expects if it says so.

    Raises `BadInput` for anything else than a readable, regular, non-empty file.
    """

    def __init__(self, path: str, expected_bytes: int | None = None) -> None:
        self.path, self.position = path, 0
        try:
            # Without O_NONBLOCK, opening a FIFO would wait for a writer.
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            hint = _OPEN_HINTS.get(error.errno or 0, "Check `paths` in [source].")
            raise BadInput(f"{path}: cannot be opened: {error.strerror}", hint=hint) from error
        status = os.fstat(self._fd)
        self.identity = (status.st_dev, status.st_ino)
        self.size_bytes = status.st_size
        if (problem := _problem(path, status, expected_bytes)) is not None:
            os.close(self._fd)
            raise problem

    def read_at(self, offset: int, count: int) -> bytes:
        count = max(0, min(count, self.size_bytes - offset))
        try:
            data = os.pread(self._fd, count, offset)
        except OSError as error:
            raise self.bad(offset, f"cannot be read: {error.strerror}", "Check the disk, then resume.") from error
        self.position = offset + len(data)
        if len(data) < count:
            raise self.bad(self.position, "ends early: it shrank while being read", CHANGED_HINT)
        return data

    def check_unchanged(self) -> None:
        if (now_bytes := os.fstat(self._fd).st_size) != self.size_bytes:
            what = f"changed from {self.size_bytes} to {now_bytes} bytes while being read"
            raise BadInput(f"{self.path}: {what}", hint=CHANGED_HINT)

    def fingerprint(self) -> str:
        """xxh3_128 over the size and the content, or over samples of it above `WHOLE_BYTES_MAX`, as 32 hex digits.

        Samples are the first and the last MiB and 16 blocks of 64 KiB, evenly spaced.
        """
        size = self.size_bytes
        state = xxhash.xxh3_128(str(size).encode())
        if size <= WHOLE_BYTES_MAX:
            state.update(self.read_at(0, size))
        else:
            state.update(self.read_at(0, _EDGE_BYTES))
            for sample in range(_SAMPLES):
                state.update(self.read_at((size - _SAMPLE_BYTES) * sample // (_SAMPLES - 1), _SAMPLE_BYTES))
            state.update(self.read_at(size - _EDGE_BYTES, _EDGE_BYTES))
        return state.hexdigest()

    def close(self) -> None:
        os.close(self._fd)


def _problem(path: str, status: os.stat_result, expected_bytes: int | None) -> BadInput | None:
    if stat.S_ISDIR(status.st_mode):
        return folder(path)
    if not stat.S_ISREG(status.st_mode):
        return BadInput(f"{path}: is a pipe, socket or device, not a file", hint=_NOT_A_FILE_HINT)
    return size_problem(path, status.st_size, expected_bytes)
