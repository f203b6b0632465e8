"""Where an export goes: a file or a folder that is there whole or not at all.

Everything is written into a hidden folder beside it, which takes the final name, or whose file does, at the end. What
a killed export has left there is cleared by the next one. An export that is there is replaced only if that is asked
for, and a folder only if it holds nothing but an export.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from personastream.errors import CannotCreate, RunBusy, StorageFailed
from personastream.export.files import KINDS, kind_of

CARD = "README.md"
CARDS = (CARD, "croissant.json", "prov.json")
"""What describes an export: the first is written with it, all of them by `personastream card`."""
OTHER_HINT = "Choose another --out."
OF_A_RUN = ("data", "dead", "state", "batches")
_OWN = re.compile(rf"train-\d{{5,}}\.({'|'.join(map(re.escape, KINDS))})")


class Destination:
    """The path that `--out` names: a file if it ends like one, else a folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.kind = kind_of(out.name)
        self.is_folder = self.kind is None

    @property
    def card(self) -> Path:
        """Where the card lies: in the folder, or beside the file."""
        return self.out / CARD if self.is_folder else self.out.with_name(f"{self.out.name}.{CARD}")

    def check(self, *, replace: bool) -> None:
        """Raise `CannotCreate` if something is there that must stay."""
        inside = next((path for path in self.out.absolute().parents if (path / "run.json").exists()), None)
        if inside is not None and self.out.absolute().relative_to(inside).parts[0] in OF_A_RUN:
            raise CannotCreate(f"{self.out} would lie among the files of the run in {inside}", hint=OTHER_HINT)
        there = next((path for path in (self.out, self.card) if os.path.lexists(path)), None)
        if there is None:
            return
        if not replace:
            raise CannotCreate(f"{there} is there already", hint=f"To replace it: --force. {OTHER_HINT}")
        if self.is_folder != there.is_dir() or there.is_symlink():
            raise CannotCreate(f"{there} is not what an export would have made", hint=OTHER_HINT)
        if not self.is_folder and not self.card.exists():
            raise CannotCreate(f"{self.out} is no export: there is no {self.card.name} beside it", hint=OTHER_HINT)
        strangers = [path.name for path in there.iterdir() if not _is_own(path)] if self.is_folder else []
        if strangers:
            raise CannotCreate(f"{self.out} holds more than an export: {strangers[0]!r}", hint=OTHER_HINT)

    @contextmanager
    def writing(self, *, replace: bool) -> Iterator[Path]:
        """A folder to write the files and the card into; they take their place when the block ends well.

        Raises `CannotCreate`, `RunBusy` if another export writes to the same place, or `StorageFailed`.
        """
        self.check(replace=replace)
        temporary = self.out.with_name(f".{self.out.name}.exporting")
        with self._owned(temporary):
            _clear(temporary)
            try:
                yield temporary
                self.check(replace=replace)
                self._publish(temporary)
            except OSError as error:
                what = f"cannot write the export to {self.out}: {error.strerror or error}"
                raise StorageFailed(what, hint="Make room or mend the disk, then export again.") from error
            finally:
                _clear(temporary)
                if temporary.exists():
                    temporary.rmdir()

    @contextmanager
    def _owned(self, folder: Path) -> Iterator[None]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise CannotCreate(f"cannot create {folder}: {error.strerror}", hint=OTHER_HINT) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise RunBusy(
                f"another export to {self.out} is under way", hint="Wait for it, or stop it first."
            ) from error
        finally:
            os.close(descriptor)

    def _publish(self, temporary: Path) -> None:
        _sync(temporary)
        if self.is_folder:
            replaced = self.out.with_name(f".{self.out.name}.replaced")
            _clear(replaced)
            if self.out.exists():
                self.out.rename(replaced)
            temporary.rename(self.out)
            _clear(replaced)
            if replaced.exists():
                replaced.rmdir()
        else:
            (file,) = (path for path in temporary.iterdir() if path.name != CARD)
            (temporary / CARD).replace(self.card)
            file.replace(self.out)
        _sync(self.out.absolute().parent)


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and (path.name in CARDS or _OWN.fullmatch(path.name) is not None)


def _clear(folder: Path) -> None:
    """Remove what exports write; whatever else somebody put there stays, and will be complained of."""
    if folder.is_dir():
        for path in filter(_is_own, list(folder.iterdir())):
            path.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
