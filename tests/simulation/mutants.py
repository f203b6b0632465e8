"""The commit protocol with one rule taken out at a time: what the oracle must notice, or why it cannot."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import xxhash
import zstandard

from personastream.core import frame_log
from personastream.core.frame_log import Commit, PartName, ReadAt, Summary
from personastream.errors import DiskFull, StorageFailed
from personastream.ports import Chunk
from personastream.sinks import part as part_module
from personastream.sinks.frames import Frames
from personastream.sinks.part import Part
from personastream.sinks.series import Series
from tests.simulation.conditions import draw
from tests.simulation.driver import simulate
from tests.simulation.oracle import Violation
from tests.support.simulated_content import Medium
from tests.support.simulated_disk import SimulatedDisk, SimulatedFile

Replaced = tuple[Any, str, Any]
"""An attribute: its owner, its name, and what stands in its place."""


class Mutant:
    """A rule that is broken by replacing attributes; `conditions` are those under which it matters most."""

    def __init__(self, name: str, *replaced: Replaced, **conditions: Any) -> None:
        self.name = name
        self._replaced = replaced
        self._conditions = conditions

    def original(self) -> "Mutant":
        """The rules as they are, under the same conditions."""
        return Mutant(f"not: {self.name}", **self._conditions)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """With the rule broken."""
        with ExitStack() as stack:
            for target, name, replacement in self._replaced:
                stack.enter_context(patch.object(target, name, replacement))
            yield

    def first_caught(self, seeds: Iterable[int]) -> tuple[int, Violation] | None:
        """The first of `seeds` in which the oracle notices, and what it says, or None."""
        with self.applied():
            for seed in seeds:
                try:
                    simulate(seed, replace(draw(Random(seed)), **self._conditions))
                except Violation as violation:
                    return seed, violation
        return None


def _nothing(*_: Any, **__: Any) -> None:
    pass


_recover = Frames.recover


def _at_start(target: Any, name: str, replacement: Any) -> Replaced:
    """Break a rule during recovery only."""

    def recover(self: Frames, *, repair: bool = True) -> Any:
        with patch.object(target, name, replacement):
            return _recover(self, repair=repair)

    return Frames, "recover", recover


def _create_without_directory_sync(self: Part) -> None:
    self._disk.create(self._path).close()


def _rename_without_directory_sync(disk: Any, directory: str, name: PartName) -> None:
    final = f"{directory}/{part_module.file_name(name)}"
    disk.rename(final + ".part", final)


_sync_directory = SimulatedDisk.sync_directory


def _sync_all_but_root(self: SimulatedDisk, directory: str) -> None:
    if directory:
        _sync_directory(self, directory)


def _sync_root(self: SimulatedDisk, directory: str) -> None:
    if not directory:
        _sync_directory(self, directory)


def _commit_then_sync_later(self: Part, lines: Any, outcomes: Any, usage: Any, compressor: Any) -> None:
    data, digest, pieces = frame_log.encode_commit(
        self.name, self._commits, self._digest, lines, outcomes, usage, compressor
    )
    with self._open() as file:
        file.sync()
        file.append(data)
    self._count(self.bytes + len(data), digest, len(lines), pieces, outcomes, usage)


def _seal_with_rename_first(self: Part, shard_rows: int | None) -> Summary:
    summary = Summary(self._commits, self._lines, self.counts, self.usage, shard_rows)
    with self._open() as file:
        file.append(frame_log.encode_seal(self.name, summary, self.rows, self.pieces))
        part_module.finish_rename(self._disk, self._directory, self.name)
        file.sync()
    return summary


def _believe_the_tail(self: Part, snapshot: Any) -> None:
    self.bytes = snapshot.size


_sync = SimulatedFile.sync


def _sync_again_after_failure(self: SimulatedFile) -> None:
    try:
        _sync(self)
    except StorageFailed:
        _sync(self)


_commit = Frames.commit


def _give_up_when_full(self: Frames, chunk: Chunk) -> None:
    try:
        _commit(self, chunk)
    except DiskFull:
        return


@contextmanager
def _open_without_cutting_back(self: Part) -> Iterator[Any]:
    with closing(self._disk.open(self._path)) as file:
        self.bytes = file.size()
        yield file


def _commits_without_chain(read_at: ReadAt, name: PartName) -> Iterator[Commit]:
    offset = 0
    while (commit := frame_log.read_commit(read_at, offset, name)) is not None:
        yield commit
        offset = commit.end


_recover_part = Part.recover


def _recover_believing_the_seal(self: Part, *, repair: bool) -> Summary | None:
    with patch.object(frame_log, "read_rows", lambda *_: frame_log.PartRows((), [])):
        return _recover_part(self, repair=repair)


def _unsynced_cuts() -> tuple[Replaced, Replaced]:
    """The sync that follows a cut does nothing."""
    truncate, sync = SimulatedFile.truncate, SimulatedFile.sync
    cut: set[SimulatedFile] = set()

    def truncate_and_remember(self: SimulatedFile, size: int) -> None:
        truncate(self, size)
        cut.add(self)

    def sync_unless_cut(self: SimulatedFile) -> None:
        if self in cut:
            cut.remove(self)
        else:
            sync(self)

    return (SimulatedFile, "truncate", truncate_and_remember), (SimulatedFile, "sync", sync_unless_cut)


def _finish_as_it_is(self: Series, shard_rows: int, compressor: Any, *, needed: bool) -> None:
    if self.shard_rows is None and (self.part is not None or needed):
        self._seal(self.part or self._begin(), shard_rows)


def _finish_data_first(self: Frames, shard: int, rows: int) -> None:
    logs = self._series[shard]
    logs["data"].finish(rows, self._compressor, needed=True)
    logs["dead"].finish(rows, self._compressor, needed=False)


def _finish_without_data(self: Frames, shard: int, rows: int) -> None:
    for log in self._series[shard].values():
        log.finish(rows, self._compressor, needed=False)


_NO_FRAME_HASH = SimpleNamespace(xxh3_128_digest=xxhash.xxh3_128_digest, xxh3_128_hexdigest=lambda _: "")
_open_envelope = frame_log._open_envelope


def _open_envelope_without_hash(magic: int, frame: bytes) -> Any:
    try:
        with patch.object(xxhash, "xxh3_128_digest", lambda _: frame[-16:]):
            return _open_envelope(magic, frame)
    except (ValueError, zstandard.ZstdError):
        return None


_RENAME = (part_module, "finish_rename")
_FAILING: dict[str, Any] = {
    "medium": Medium(keeps_lost=True),
    "fail_share": 1.0,
    "cut_mean": 40.0,
    "power_share": 0.5,
}
_POWER_ONLY: dict[str, Any] = {"power_share": 1.0, "fail_share": 0.0, "full_share": 0.0}
_MANY_SEALS: dict[str, Any] = {"medium": Medium(64), "rows": (30,), "part_bytes_max": 4096, "long_share": 0.0}

CAUGHT = (
    Mutant("no sync after a commit", (SimulatedFile, "sync", _nothing)),
    Mutant("rows are settled before the sync", (Part, "commit", _commit_then_sync_later)),
    Mutant("a failed sync is tried again", (SimulatedFile, "sync", _sync_again_after_failure), **_FAILING),
    Mutant("no directory sync after creating a part", (Part, "create", _create_without_directory_sync)),
    Mutant("no directory sync after renaming a part", (*_RENAME, _rename_without_directory_sync)),
    Mutant("no directory sync at the start", _at_start(SimulatedDisk, "sync_directory", _nothing)),
    Mutant("a killed process's names are not synced", _at_start(SimulatedDisk, "sync_directory", _sync_root)),
    Mutant("the run directory is not synced", (SimulatedDisk, "sync_directory", _sync_all_but_root)),
    Mutant("a part is renamed before its seal is synced", (Part, "seal", _seal_with_rename_first)),
    Mutant("a killed process's bytes are not synced", _at_start(SimulatedFile, "sync", _nothing)),
    Mutant("recovery believes the cache", (SimulatedFile, "drop_cache", _nothing), **_FAILING),
    Mutant("recovery does not cut", _at_start(SimulatedFile, "truncate", _nothing)),
    Mutant("recovery builds on a torn tail", (Part, "_check_tail", _believe_the_tail)),
    Mutant(
        "recovery believes a torn seal",
        (Part, "recover", _recover_believing_the_seal),
        **_POWER_ONLY,
        **_MANY_SEALS,
    ),
    Mutant("recovery does not finish a rename", _at_start(*_RENAME, _nothing)),
    Mutant(
        "frames have no hash",
        (frame_log, "xxhash", _NO_FRAME_HASH),
        **_POWER_ONLY,
        medium=Medium(harsh=True),
        long_share=1.0,
    ),
    Mutant("commits are not padded", (frame_log, "_padding", lambda _: b""), medium=Medium(harsh=True)),
    Mutant("a full disk leaves half a commit", (Part, "_open", _open_without_cutting_back)),
    Mutant("a full disk loses an outcome", (Frames, "commit", _give_up_when_full)),
    Mutant("an empty part is sealed as it is", (Series, "finish", _finish_as_it_is)),
    Mutant("records are sealed before dead letters", (Frames, "finish", _finish_data_first)),
    Mutant("a shard without records has no last part", (Frames, "finish", _finish_without_data)),
)
"""Each breaks a promise, and some crash brings it to light."""

NOT_CAUGHT = {
    "Nothing is built on a cut before a sync: the commit that is appended after it syncs the file, and a start that "
    "finds the tail again cuts it again. The sync is kept all the same: it is one call in a rare case.": Mutant(
        "a cut is not synced", *_unsynced_cuts()
    ),
    "No crash puts a valid commit out of its place: what is cut off was never whole on the disk. The chain is there "
    "for files that were copied, restored or written by two; tests/core/test_frame_log.py shows it at work.": Mutant(
        "commits are not chained", (frame_log, "commits", _commits_without_chain)
    ),
    "What a torn write leaves of a trailer is neither valid zstd nor JSON, and the padding behind it is compared. The "
    "hash is there for damage that leaves the outlines alone; tests/core/test_frame_log.py flips every bit.": Mutant(
        "trailers have no hash", (frame_log, "_open_envelope", _open_envelope_without_hash)
    ),
}
"""No crash of this model can tell these from the real thing; the keys say why."""
