"""A purge that was decided on is carried out, however often that takes; one that was not is as if it never was.

Everybody who takes the lock of a run comes by here first. Each step may be done twice.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from personastream.core import ranges
from personastream.core.outcomes import Outcomes, Usage
from personastream.core.purging import REASON, Doomed
from personastream.errors import CorruptOutput, DiskFull, StorageFailed
from personastream.launch.audit import read_events, record
from personastream.launch.manifest import NAME as MANIFEST
from personastream.launch.manifest import read_manifest
from personastream.launch.purge_journal import FOLDER, Pending, Rows, read_journal
from personastream.launch.purge_protocol import start
from personastream.launch.stage_list import read_stages
from personastream.ports import Chunk
from personastream.sinks.disk import OsDisk
from personastream.sinks.frames import Frames

INTERRUPTED = "one was interrupted: the next `run --resume` or `purge` carries it out"

Lock = Callable[[Path], AbstractContextManager[None]]

WRITTEN_IN = ("data", "dead", "review", "")
"""Folders of a run in which a purge writes files anew."""


def root_of(directory: Path) -> tuple[Path, str]:
    """(where the journal of purges lies, the stage): a run that is a stage has it in the folder of all stages."""
    parent = directory.absolute().parent
    if directory.name in (read_stages(parent) or ()):
        return parent, directory.name
    return directory, ""


def runs_below(root: Path) -> list[tuple[str, Path]]:
    """The runs in a directory that have begun, in order, with the names of their stages: "" if it is one itself."""
    names = read_stages(root)
    if names is None:
        return [("", root)] if (root / MANIFEST).exists() else []
    return [(name, root / name) for name in names if (root / name / MANIFEST).exists()]


def purged_from(directory: Path) -> tuple[Mapping[str, Doomed], bool]:
    """(what was purged from a run, by shard; whether a purge is still to be carried out). Changes nothing."""
    root, stage = root_of(directory)
    journal = read_journal(OsDisk(str(root)))
    if journal is None:
        return {}, False
    is_pending = journal.pending is not None
    return {} if is_pending else journal.doomed.get(stage, {}), is_pending


def finish_purge(directory: Path, lock: Lock) -> None:
    """Carry out what was decided on for a run whose lock is held; the others of its stages are locked for it.

    Raises `RunBusy`, `CorruptOutput` or `StorageFailed`.
    """
    root, stage = root_of(directory)
    if not (root / FOLDER).is_dir():
        return
    disk = OsDisk(str(root))
    journal = read_journal(disk)
    with ExitStack() as others:
        if journal is not None and journal.pending is not None:
            for name, path in runs_below(root):
                if name != stage:
                    others.enter_context(lock(path))
        with storage_told():
            start(disk, folders_of(root), partial(carry_out_rest, root))


def folders_of(root: Path) -> list[str]:
    """Where new files of a purge may be, from the root: in the folders of each run, and at the root itself."""
    within = [f"{name}/" if name else "" for name, _ in runs_below(root)]
    return [*dict.fromkeys((each + folder).rstrip("/") for each in (*within, "") for folder in WRITTEN_IN)]


@contextmanager
def storage_told() -> Iterator[None]:
    """A full disk, or a file that may not be touched, ends it for now. Raises `StorageFailed`."""
    try:
        yield
    except DiskFull as error:
        raise StorageFailed(error.message, hint="Make room, then purge again: it goes on where it is.") from error
    except OSError as error:
        what = f"cannot purge {error.filename}: {error.strerror}"
        raise StorageFailed(what, hint="Mend that, then purge again: it goes on where it is.") from error


def carry_out_rest(root: Path, pending: Pending) -> None:
    """What is to be done when all files are in place; it may be done twice. Raises `CorruptOutput`, `StorageFailed`."""
    _remove(root, pending)
    for stage, rows in pending.settles.items():
        _settle(root / stage, rows)
    for stage, directory in runs_below(root):
        told = pending.told.get(stage)
        if told is not None and not _is_recorded(directory, told):
            record(directory, "purged", **told)


def _is_recorded(directory: Path, told: Mapping[str, Any]) -> bool:
    """Whether the audit log has it from an earlier try. One that is damaged, `verify` tells of, stops no purge."""
    with suppress(CorruptOutput):
        return any(event["details"] == told for event in read_events(directory))
    return False


def _remove(root: Path, pending: Pending) -> None:
    parents = set()
    for pattern in pending.removals:
        for path in sorted(root.glob(pattern)):
            parents.add(path.parent)
            if path.is_dir() and not path.is_symlink():
                for intent in path.glob("chunk.json"):  # of a batch: without it the rest counts for nothing
                    intent.unlink()
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    for parent in sorted(parents):
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _settle(directory: Path, rows: Rows) -> None:
    """Rows that were to be asked again are dropped instead."""
    manifest = read_manifest(directory)
    assert manifest is not None
    sink = Frames(path=str(directory))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    for shard, state in zip(manifest.shards, sink.recover(), strict=True):
        doomed = ranges.common(state.revived, [(start, stop) for start, stop in rows.get(shard.stem, ())])
        if doomed:
            sink.commit(Chunk(shard.index, "data", (), Outcomes(dropped={REASON: doomed}), Usage()))
