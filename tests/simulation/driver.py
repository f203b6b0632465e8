"""Runs the real sink on a simulated disk, the way the engine uses it, through sitting after sitting that ends badly."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from personastream.core.ledger import Ledger
from personastream.errors import CannotCreate, DiskFull, RunError, StorageFailed
from personastream.ports import ShardState
from personastream.sinks.frames import Frames
from tests.simulation.conditions import STEMS, Conditions, draw
from tests.simulation.oracle import Oracle, Violation
from tests.simulation.work import chunks, take_group
from tests.support.simulated_disk import Cut, SimulatedDisk

RUN_ID = "5eed"
FINISH_SHARE = 0.7
LOOK_SHARE = 0.02
PATIENCE = 20


class GivenUp(Exception):
    """The disk stays full, and the operator ends the process."""


@dataclass(slots=True)
class Tally:
    """What a simulation went through: crashes are processes cut off, by power loss or kill -9."""

    runs: int = 0
    crashes: int = 0
    power_losses: int = 0
    failures: int = 0
    full: int = 0
    commits: int = 0

    def add(self, other: "Tally") -> None:
        """Count another simulation."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def simulate(seed: int, conditions: Conditions | None = None, trace: Callable[[str], None] | None = None) -> Tally:
    """One run, from nothing to its end. All chance comes from `seed`. Raises `Violation`."""
    chance = Random(seed)
    conditions = conditions or draw(chance)
    disk = SimulatedDisk(chance, conditions.medium)
    disk.trace = trace
    try:
        return _simulate(disk, conditions, chance)
    except RunError as error:  # no crash may look like damage, nor may a disk seem to fail that does not
        raise Violation(f"{type(error).__name__}: {error}") from error


def _simulate(disk: SimulatedDisk, conditions: Conditions, chance: Random) -> Tally:
    oracle = Oracle(disk, conditions.rows, RUN_ID)
    tally = Tally(runs=1)
    for sitting, (plan, power_lost) in enumerate(conditions.starts(chance)):
        disk.restart(plan, power_lost=power_lost)
        tally.power_losses += power_lost
        oracle.restarted()
        try:
            _sit(disk, oracle, conditions, chance, sitting, tally)
            break
        except Cut:
            tally.crashes += 1
        except GivenUp:
            tally.failures += 1
        except (StorageFailed, CannotCreate):
            if not disk.has_failed and not (disk.was_full and oracle.is_recovering):
                raise
            tally.failures += 1
    _end(disk, oracle, conditions)
    return tally


def _sit(
    disk: SimulatedDisk, oracle: Oracle, conditions: Conditions, chance: Random, sitting: int, tally: Tally
) -> None:
    sink = _sink(disk, conditions)
    seen = _look(disk, oracle, conditions) if chance.random() < LOOK_SHARE else None
    states = sink.recover()
    if seen not in (None, states):
        raise Violation(f"looking found {seen}, recovery {states}")
    oracle.recovered(states)
    ledgers = [Ledger(state.settled) for state in states]
    unfinished = [shard for shard, state in enumerate(states) if state.rows is None]
    rows = conditions.rows
    waiting = [(shard, row) for shard in unfinished for row in range(rows[shard]) if row not in ledgers[shard]]
    while unfinished:
        for chunk in chunks(take_group(waiting, conditions, chance), sitting, conditions, chance):
            with oracle.commit(chunk):
                _until_written(partial(sink.commit, chunk), tally)
            ledgers[chunk.shard].settle(chunk.outcomes.settled())
            tally.commits += 1
        for shard in [s for s in unfinished if ledgers[s].covers(rows[s])]:
            if not waiting or chance.random() < FINISH_SHARE:
                with oracle.finish(shard):
                    _until_written(partial(sink.finish, shard, rows[shard]), tally)
                unfinished.remove(shard)
        if chance.random() < LOOK_SHARE:
            oracle.recovered(_look(disk, oracle, conditions))


def _look(disk: SimulatedDisk, oracle: Oracle, conditions: Conditions) -> list[ShardState]:
    """What `verify` and `status` do, at any time: nothing is changed, and no crash looks like damage to them."""
    before = disk.operations
    oracle.verify()
    states = _sink(disk, conditions).recover(repair=False)
    if disk.operations != before:
        raise Violation("looking has changed something")
    return states


def _until_written(write: Callable[[], None], tally: Tally) -> None:
    for _ in range(PATIENCE):
        try:
            return write()
        except DiskFull:
            tally.full += 1
    raise GivenUp


def _end(disk: SimulatedDisk, oracle: Oracle, conditions: Conditions) -> None:
    """The run is finished, the power fails once more: everything must be there, and stay as it is when looked at."""
    disk.restart(power_lost=True)
    oracle.restarted()
    before = {name: disk.content(name) for name in disk.files()}
    oracle.recovered(_sink(disk, conditions).recover(repair=False))
    oracle.recovered(_sink(disk, conditions).recover())
    oracle.ended()
    if before != {name: disk.content(name) for name in disk.files()}:
        raise Violation("looking at a finished run has changed it")


def _sink(disk: SimulatedDisk, conditions: Conditions) -> Frames:
    sink = Frames(path="", part_bytes_max=conditions.part_bytes_max, compression_level=1)
    sink.attach(RUN_ID, STEMS[: len(conditions.rows)], disk)
    return sink
