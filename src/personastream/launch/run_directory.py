"""The run directory: created or continued, and owned by one process at a time."""

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from personastream.errors import CannotCreate, CorruptOutput, ManifestMismatch, NoRoom, RunBusy, RunExists
from personastream.launch.audit import record
from personastream.launch.manifest import NAME, Manifest, check_unchanged, new_manifest, read_manifest, write_manifest
from personastream.launch.purge_apply import finish_purge
from personastream.records import Shard
from personastream.sinks.disk import FULL

_PLACE_HINT = "Choose another {}, or mend its permissions."
OWN_NAMES = frozenset({"data", "dead", "state", "run.tmp", "audit.jsonl", "audit.head", "audit.tmp"})
"""What a run that was killed while it started may have left."""


@contextmanager
def owned(directory: Path, chosen_by: str = "[sink] path") -> Iterator[None]:
    """Hold the run's lock; a purge that was cut short is brought to its end first. Raises like `locked`."""
    with locked(directory, chosen_by):
        finish_purge(directory, locked)
        yield


@contextmanager
def locked(directory: Path, chosen_by: str = "[sink] path") -> Iterator[None]:
    """Hold the run's lock. The kernel frees it when the process ends, however it ends.

    `chosen_by` is what a user changes to have another folder.

    Raises `RunBusy`, or `CannotCreate` for a folder that holds something else, and then leaves it as it is.
    """
    _refuse_strangers(directory)
    state = directory / "state"
    try:
        state.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise CannotCreate(
            f"cannot create the run directory {directory}: {error.strerror}",
            hint=_PLACE_HINT.format(chosen_by),
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "unknown"
            raise RunBusy(
                f"another process works on the run in {directory}: {owner}", hint="Wait for it, or stop it first."
            ) from error
        with suppress(OSError):  # a note for people, which a full disk may refuse
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        try:
            yield
        finally:
            with suppress(OSError):  # this process may go on, with other runs
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _refuse_strangers(directory: Path) -> None:
    """Raises `CannotCreate` for a folder that is no run and holds what no run has left."""
    try:
        names = {path.name for path in directory.iterdir()}
    except OSError:
        return  # there is none, or what is wrong with it shows when it is made
    if NAME not in names and (strangers := sorted(names - OWN_NAMES)):
        raise CannotCreate(
            f"{directory} is no run, but holds {', '.join(strangers[:3])}",
            hint="Give the output a folder of its own.",
        )


def check_place(directory: Path) -> None:
    """Raises `CannotCreate` if a run could not have its directory here; makes nothing."""
    _refuse_strangers(directory)
    there = next(parent for parent in (directory, *directory.absolute().parents) if os.path.lexists(parent))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "is no folder" if not there.is_dir() else "may not be written to"
        raise CannotCreate(
            f"cannot create the run directory {directory}: {there} {why}", hint=_PLACE_HINT.format("[sink] path")
        )


def is_owned(directory: Path) -> bool:
    """Whether a process works on the run now, by its note in the lock: to try the lock could stop one from starting."""
    try:
        pid = int((directory / "state" / "lock").read_bytes().split()[1])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError, OverflowError):
        return False
    return True


def begin_or_continue(
    directory: Path,
    config: Path,
    identity: Mapping[str, Any],
    shards: Sequence[Shard],
    *,
    resume: bool,
    command: str,
    terms: Sequence[Mapping[str, Any]] = (),
    grows: bool = False,
) -> Manifest:
    """The run's manifest: written now for a new run, checked for an existing one. Call it while owning the directory.

    If the run `grows`, shards behind those it has are written down, before anything of them is read.

    Raises `RunExists` if there is a run and `resume` is false (`command` is what to type to go on with the same),
    `ManifestMismatch` if it was started with something else.
    """
    kept = read_manifest(directory)
    if kept is None:
        if any(path for kind in ("data", "dead") for path in (directory / kind).glob("*.jsonl.zst*")):
            raise CorruptOutput(
                f"{directory} holds output but no run.json", hint="Restore run.json, or choose another [sink] path."
            )
        kept = new_manifest(config, identity, shards, terms)
        _sync_way_to(directory)
        try:
            begun = record(directory, "created", run=kept.run_id, config=str(config), shards=len(shards))
        except NoRoom as error:
            raise CannotCreate(error.message, hint=error.hint) from error
        kept = replace(kept, audit=begun)
        write_manifest(directory, kept)
        return kept
    if not resume:
        raise RunExists(
            f"{directory} already holds a run",
            hint=f"{_way_on(kept, identity, shards, directory, command, grows=grows)}\n"
            "  To start another: give it a folder of its own.",
        )
    kinds = ["a dedup job" if "output" in each else "a run that asks a model" for each in (kept.identity, identity)]
    if kinds[0] != kinds[1]:
        raise RunExists(f"{directory} holds {kinds[0]}, not {kinds[1]}", hint="Give this one a folder of its own.")
    check_unchanged(kept, identity, shards, directory, grows=grows)
    if len(shards) > len(kept.shards):
        return _grown(directory, kept, shards)
    return kept


def _way_on(
    kept: Manifest, identity: Mapping[str, Any], shards: Sequence[Shard], directory: Path, command: str, *, grows: bool
) -> str:
    """How to continue the run that is there: `command` does so only if it asks for the same."""
    try:
        check_unchanged(kept, identity, shards, directory, grows=grows)
    except ManifestMismatch:
        return "It was started with other settings or input than these: with its own ones, --resume continues it."
    return f"To continue it: {command}"


def _grown(directory: Path, kept: Manifest, shards: Sequence[Shard]) -> Manifest:
    """With more shards, durably. Raises `NoRoom` for a full disk: there is nothing wrong with the run."""
    more = [shard.stem for shard in shards[len(kept.shards) :]]
    record(directory, "grown", shards=len(more), first=more[0], last=more[-1])
    kept = replace(kept, shards=list(shards))
    try:
        write_manifest(directory, kept)
    except CannotCreate as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL:
            raise NoRoom(error.message, hint="Make room, then run again with --resume.") from error
        raise
    return kept


def _sync_way_to(directory: Path) -> None:
    """Make the run directory's own name durable, and the names above it: they may be new. As far as we may."""
    for parent in directory.absolute().parents:
        with suppress(OSError):
            descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if parent.is_mount():
            return
