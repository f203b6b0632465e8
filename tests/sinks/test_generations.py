"""Parts written anew without what is purged: the same log but for that, whatever it held and whatever goes."""

from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.core import ranges
from personastream.core.frame_log import LogKind, PartName
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.purging import REASON, Doomed, place_of
from personastream.launch.purge_journal import Journal, Pending
from personastream.launch.purge_protocol import decide, start
from personastream.ports import Chunk, ShardState
from personastream.sinks.frames import Frames
from personastream.sinks.generations import SUFFIX, Generation, commits_of, final_deaths, swap
from personastream.sinks.series import parse_file_name
from personastream.sinks.verify import Report, Verifier
from tests.support.simulated_content import Medium
from tests.support.simulated_disk import Cut, Plan, SimulatedDisk

RUN_ID, STEM, ROWS = "run-1", "personas", 24
FOLDERS = ("data", "dead")


def write(disk: SimulatedDisk, chance: Random, *, finished: bool = True) -> Frames:
    """A run of one shard with several records a row, drops, deaths, and dead rows that live again."""
    sink = attached(disk)
    sink.recover()
    waiting, died = list(range(ROWS)), list[int]()
    while waiting:
        some = sorted(waiting.pop(chance.randrange(min(6, len(waiting)))) for _ in range(min(4, len(waiting))))
        died += settle(sink, chance, some)
    if finished:
        sink.finish(0, ROWS)
    if died and chance.random() < 0.7:
        again = sorted(chance.sample(died, chance.randint(1, len(died))))
        sink.revive(0, {"length": ranges.from_numbers(again)})
        settle(sink, chance, again[: chance.randint(0, len(again))])
    return sink


def settle(sink: Frames, chance: Random, rows: list[int]) -> list[int]:
    """Bring rows to any end; returns those that died."""
    ends = [chance.choice(("delivered", "delivered", "dropped", "dead")) for _ in rows]
    of = {end: [row for row, each in zip(rows, ends, strict=True) if each == end] for end in set(ends)}
    lines = [line for row in of.get("delivered", []) for line in records(row, chance)]
    drops = {"exact": ranges.from_numbers(of["dropped"])} if "dropped" in of else {}
    data = Outcomes(ranges.from_numbers(of.get("delivered", [])), drops)
    if data.settled():
        sink.commit(Chunk(0, "data", lines, data, Usage(len(rows), 7)))
    if "dead" in of:
        letters = [
            orjson.dumps({"id": f"{STEM}:{row}", "reason": "length", "text": f"row {row}"}) for row in of["dead"]
        ]
        outcomes = Outcomes(dead={"length": ranges.from_numbers(of["dead"])})
        sink.commit(Chunk(0, "dead", letters, outcomes, Usage(len(of["dead"]))))
    return of.get("dead", [])


def records(row: int, chance: Random) -> list[bytes]:
    several = chance.choice((1, 1, 2, 3))
    ids = [f"{STEM}:{row}"] if several == 1 else [f"{STEM}:{row}#{place}" for place in range(several)]
    noise = chance.randbytes(chance.choice((10, 10, 3000))).hex()
    return [orjson.dumps({"id": each, "text": f"row {row} {noise}"}) for each in ids]


def attached(disk: SimulatedDisk) -> Frames:
    sink = Frames(path="", part_bytes_max=8192, compression_level=1)
    sink.attach(RUN_ID, [STEM], disk)
    return sink


def parts(disk: SimulatedDisk, kind: LogKind) -> list[tuple[str, PartName]]:
    named = {name: parse_file_name(name) for name in disk.names(kind)}
    found = sorted((parsed[1], name) for name, parsed in named.items() if parsed)
    return [(f"{kind}/{name}", PartName(RUN_ID, STEM, kind, number)) for number, name in found]


def lines_of(disk: SimulatedDisk, kind: LogKind) -> list[bytes]:
    return [line for path, name in parts(disk, kind) for _, lines in commits_of(disk, path, name) for line in lines]


def new_generations(disk: SimulatedDisk, doomed: Doomed) -> list[str]:
    data, dead = parts(disk, "data"), parts(disk, "dead")
    found = [*((part, []) for part in data), *zip(dead, final_deaths(disk, dead), strict=True)]
    return [
        path
        for (path, name), final in found
        if Generation(disk, path, name, doomed, lambda path: f"was {path}", final=final).write()
    ]


def verified(disk: SimulatedDisk, doomed: Doomed | None = None) -> Report:
    verifier = Verifier(disk, RUN_ID, purged={} if doomed is None else {STEM: doomed})
    verifier.shard(STEM)
    return verifier.finish()


def state(disk: SimulatedDisk) -> ShardState:
    return attached(disk).recover(repair=False)[0]


def any_doomed(disk: SimulatedDisk, chance: Random) -> Doomed:
    """Whole rows, and single records of others; rows that never had any among them."""
    whole = frozenset(chance.sample(range(ROWS), chance.randint(0, 6)))
    marks = [place_of(line) for line in lines_of(disk, "data")]
    return Doomed(whole, frozenset(chance.sample(marks, min(len(marks), chance.randint(0, 4)))))


def is_purged(line: bytes, doomed: Doomed) -> bool:
    return place_of(line) in doomed


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_all_but_what_is_doomed_stays(seed: int, finished: bool) -> None:
    check_what_stays(seed, finished=finished)


def check_what_stays(seed: int, *, finished: bool) -> None:
    chance, disk = Random(seed), SimulatedDisk()
    write(disk, chance, finished=finished)
    for _ in range(2):  # a part may be written anew again
        before, doomed = state(disk), any_doomed(disk, chance)
        kept = {
            kind: [line for line in lines_of(disk, kind) if not is_purged(line, doomed)] for kind in ("data", "dead")
        }
        swap(disk, new_generations(disk, doomed))
        assert {kind: lines_of(disk, kind) for kind in ("data", "dead")} == kept
        after, report = state(disk), verified(disk, doomed)
        assert (after.settled, after.revived, after.rows) == (before.settled, before.revived, before.rows)
        assert (after.usage, after.counts.settled) == (before.usage, before.counts.settled)
        assert report.problems == report.notes == []
        assert (report.counts, report.usage) == (after.counts, after.usage)
        gone = before.counts.delivered + before.counts.dead_total - after.counts.delivered - after.counts.dead_total
        assert after.counts.dropped.get(REASON, 0) - before.counts.dropped.get(REASON, 0) == gone
        assert all(rows >= 0 for rows in after.counts.dead.values())


@pytest.mark.slow
def test_all_but_what_is_doomed_stays_whatever_the_run() -> None:
    for seed in range(20):
        check_what_stays(seed, finished=bool(seed % 3))


def test_nothing_is_written_where_nothing_goes() -> None:
    disk = SimulatedDisk()
    write(disk, Random(1))
    before = {name: disk.content(name) for name in disk.files()}
    assert new_generations(disk, Doomed(frozenset({ROWS + 1}))) == []
    assert before == {name: disk.content(name) for name in disk.files()}


def test_a_part_that_was_restored_from_an_old_copy_is_noticed() -> None:
    disk = SimulatedDisk()
    write(disk, Random(3))
    row = place_of(lines_of(disk, "data")[0])[0]
    doomed = Doomed(frozenset({row}))
    old = {name: disk.content(name) for name in disk.files()}
    changed = new_generations(disk, doomed)
    swap(disk, changed)
    assert verified(disk, doomed).problems == []
    for name in changed:
        disk.put(name, old[name])
    assert any("was purged, and is there" in problem.what for problem in verified(disk, doomed).problems)


def purge(disk: SimulatedDisk, doomed: Doomed) -> None:
    """As a process does it, from its start on."""
    journal = start(disk, FOLDERS, lambda pending: None) or Journal()
    attached(disk).recover()
    journal.add("", STEM, doomed)
    decide(disk, journal, FOLDERS, lambda: Pending(new_generations(disk, doomed), [], {}, {}))
    start(disk, FOLDERS, lambda pending: None)


FAULTS = {
    "the process ends before": lambda at: Plan(at, "before"),
    "the process ends within": lambda at: Plan(at, "within"),
    "the process ends after": lambda at: Plan(at, "after"),
}


def operations(seed: int) -> int:
    disk = begun(seed)
    purge(disk, any_doomed(disk, Random(seed)))
    return disk.operations


def begun(seed: int) -> SimulatedDisk:
    disk = SimulatedDisk(Random(seed), Medium(harsh=bool(seed & 1), keeps_lost=bool(seed & 2)))
    write(disk, Random(seed), finished=bool(seed % 3))
    disk.restart(power_lost=True)
    attached(disk).recover()
    disk.sync_directory("")
    disk.restart(power_lost=False)
    return disk


def test_a_power_loss_at_any_moment_leaves_all_or_nothing() -> None:
    check_every_operation("the process ends within", True, (5,), every=4)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("power_lost", [False, True])
def test_whichever_operation_is_the_last_it_is_all_or_nothing(fault: str, power_lost: bool) -> None:
    check_every_operation(fault, power_lost, (3,), every=1)


def check_every_operation(fault: str, power_lost: bool, seeds: tuple[int, ...], every: int) -> None:
    ends = set()
    for seed in seeds:
        for at in range(1, operations(seed) + 1, every):
            disk = begun(seed)
            doomed = any_doomed(disk, Random(seed))
            before = {kind: lines_of(disk, kind) for kind in ("data", "dead")}
            after = {kind: [line for line in before[kind] if not is_purged(line, doomed)] for kind in before}
            disk.restart(FAULTS[fault](at), power_lost=False)
            with pytest.raises(Cut):
                purge(disk, doomed)
            disk.restart(power_lost=power_lost)
            journal = start(disk, FOLDERS, lambda pending: None)
            attached(disk).recover()
            found = {kind: lines_of(disk, kind) for kind in ("data", "dead")}
            assert found in (before, after), f"seed {seed}, operation {at}"
            assert (found == after) == (journal is not None) or before == after
            assert not [name for name in disk.files() if name.endswith(SUFFIX)]
            assert verified(disk, doomed if journal else None).problems == []
            ends.add(found == after)
    assert ends == {True, False}


def test_counts_of_a_purged_row() -> None:
    disk = SimulatedDisk()
    sink = attached(disk)
    sink.recover()
    lines = [orjson.dumps({"id": f"{STEM}:0#{place}"}) for place in range(2)]
    sink.commit(Chunk(0, "data", lines, Outcomes([(0, 1)]), Usage(1)))
    swap(disk, new_generations(disk, Doomed(frozenset(), frozenset({(0, 1)}))))
    assert state(disk).counts == Counts(1)
    swap(disk, new_generations(disk, Doomed(frozenset(), frozenset({(0, 0)}))))
    assert state(disk).counts == Counts(0, {REASON: 1})
