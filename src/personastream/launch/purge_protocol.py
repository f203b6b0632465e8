"""In which order a purge touches the disk, so that it is there whole or not at all, whatever happens when.

    decide   sweep what is left of earlier tries; write new files beside the old ones; make them and their names
             durable; then write the journal with what is pending: the decision
    obey     put each new file in the place of the old one, durably; what follows may be done twice as well; then
             write the journal without it

Whoever comes after a stop obeys if there is a decision, and sweeps if there is none.
"""

from collections.abc import Callable, Sequence

from personastream.launch.purge_journal import FOLDER, Journal, Pending, read_journal, sweep_journal, write_journal
from personastream.sinks.disk import Disk
from personastream.sinks.generations import swap, sweep


def decide(disk: Disk, journal: Journal, folders: Sequence[str], write: Callable[[], Pending]) -> None:
    """`write` writes new files in `folders` and tells what is to be done then; `journal` has the tombstones already.

    Durable on return. Raises `StorageFailed` or `DiskFull`: then only the next start knows whether it was decided.
    """
    disk.make_directory(FOLDER)
    sweep(disk, folders)
    pending = write()
    for folder in sorted({path.rpartition("/")[0] for path in pending.swaps}):
        disk.sync_directory(folder)
    journal.pending = pending
    write_journal(disk, journal)
    disk.sync_directory("")


def obey(disk: Disk, journal: Journal, rest: Callable[[Pending], None]) -> None:
    """Carry out what is pending; `rest` does what is more than putting files in place. Raises like `decide`."""
    pending = journal.pending
    assert pending is not None
    swap(disk, pending.swaps)
    rest(pending)
    journal.pending = None
    write_journal(disk, journal)


def start(disk: Disk, folders: Sequence[str], rest: Callable[[Pending], None]) -> Journal | None:
    """What everybody does first: obey or sweep. Returns the journal, None if there is none. Raises `CorruptOutput`."""
    journal = read_journal(disk)
    if journal is not None and journal.pending is not None:
        obey(disk, journal, rest)
    sweep(disk, folders)
    sweep_journal(disk)
    return journal
