"""What every sink promises, proven for each. A new sink adds its line to `SINKS`."""

from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from personastream.build import known
from personastream.core.frame_log import LogKind
from personastream.core.outcomes import Counts, Outcomes, Usage
from personastream.core.ranges import Range
from personastream.ports import Chunk, ShardState, Sink
from personastream.records import DeadLetter, DeadRow
from personastream.sinks.frames import Frames
from personastream.testing import MemorySink

STEMS = ("people", "more people", "-00000")
RUN = "0123456789abcdef0123456789abcdef"
Reopen = Callable[[], Sink]
"""A sink as the next sitting finds it: attached, not recovered."""


def reopen_frames(folder: Path) -> Reopen:
    def reopen() -> Sink:
        sink = Frames(str(folder / "run"))
        sink.attach(RUN, STEMS)
        return sink

    (folder / "run").mkdir()
    return reopen


def reopen_memory(folder: Path) -> Reopen:
    sink = MemorySink(path=str(folder))

    def reopen() -> Sink:
        sink.attach(RUN, STEMS)
        return sink

    return reopen


SINKS = {"frames": reopen_frames, "MemorySink": reopen_memory}


@pytest.fixture(params=SINKS)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    return SINKS[request.param](tmp_path)


def test_every_sink_that_is_shipped_is_proven_here() -> None:
    assert set(known("sink")) <= set(SINKS)


def delivered(shard: int, *rows: Range, usage: Usage = Usage(), **dropped: Sequence[Range]) -> Chunk:  # noqa: B008 - frozen
    lines = [orjson.dumps({"id": f"{STEMS[shard]}:{row}"}) for start, stop in rows for row in range(start, stop)]
    return Chunk(shard, "data", lines, Outcomes(delivered=rows, dropped=dropped), usage)


def dead(shard: int, *rows: Range) -> Chunk:
    lines = [orjson.dumps({"id": f"{STEMS[shard]}:{row}"}) for start, stop in rows for row in range(start, stop)]
    return Chunk(shard, "dead", lines, Outcomes(dead={"refused": rows}), Usage(requests=1))


def states(reopen: Reopen) -> Sequence[ShardState]:
    return reopen().recover()


def test_a_new_sink_holds_nothing(reopen: Reopen) -> None:
    assert list(states(reopen)) == [ShardState([], Counts(), Usage(), None)] * 3


def test_the_ceilings_are_finite(reopen: Reopen) -> None:
    sink = reopen()
    assert 1 <= sink.commit_rows_max < 1 << 32
    assert 1 <= sink.commit_bytes_max < 1 << 40
    assert 0 < sink.commit_interval_s < 1 << 20
    assert sink.path


def test_what_is_committed_is_found_by_the_next_sitting(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.commit(delivered(0, (0, 3), (5, 7), usage=Usage(6, 10, 20), dedup=[(3, 4)], filter=[(9, 12)]))
    sink.commit(dead(0, (4, 5)))
    first, second, third = states(reopen)
    assert list(first.settled) == [(0, 7), (9, 12)]
    assert first.counts == Counts(5, {"dedup": 1, "filter": 3}, {"refused": 1})
    assert first.usage == Usage(7, 10, 20)
    assert first.rows is None
    assert second == third == ShardState([], Counts(), Usage(), None)


def test_every_sitting_may_add_to_a_shard(reopen: Reopen) -> None:
    for row in range(5):
        sink = reopen()
        assert [list(state.settled) for state in sink.recover()] == [[], [(0, row)] if row else [], []]
        sink.commit(delivered(1, (row, row + 1), usage=Usage(1, 2, 3)))
    assert states(reopen)[1].usage == Usage(5, 10, 15)


def test_recovering_twice_finds_the_same(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.commit(delivered(2, (4, 9)))
    assert list(states(reopen)) == list(states(reopen))


def test_drops_alone_are_a_commit(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.commit(delivered(0, dedup=[(0, 1 << 20)]))
    assert states(reopen)[0].counts == Counts(0, {"dedup": 1 << 20}, {})


@pytest.mark.parametrize("kind", ["data", "dead", "both"])
def test_a_finished_shard_stays_finished(reopen: Reopen, kind: LogKind | str) -> None:
    sink = reopen()
    sink.recover()
    if kind != "dead":
        sink.commit(delivered(1, (0, 2)))
    if kind != "data":
        sink.commit(dead(1, (2, 4) if kind == "both" else (0, 2)))
    rows = 4 if kind == "both" else 2
    sink.finish(1, rows)
    state = states(reopen)[1]
    assert (state.rows, list(state.settled), state.counts.settled) == (rows, [(0, rows)], rows)


def test_a_shard_without_rows_can_be_finished(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.finish(2, 0)
    assert [state.rows for state in states(reopen)] == [None, None, 0]
    assert list(states(reopen)[2].settled) == []


def test_other_shards_go_on_when_one_is_finished(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.commit(delivered(0, (0, 1)))
    sink.commit(delivered(1, (3, 4)))
    sink.finish(0, 1)
    sink.commit(delivered(1, (0, 3)))
    sink.finish(1, 4)
    assert [state.rows for state in states(reopen)] == [1, 4, None]


def test_a_shard_may_be_finished_by_a_later_sitting(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.commit(delivered(0, (0, 6)))
    sink = reopen()
    sink.recover()
    sink.finish(0, 6)
    assert states(reopen)[0].rows == 6


def test_many_small_commits_are_all_found(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    for row in range(0, 60, 2):
        sink.commit(delivered(0, (row, row + 1)))
    state = states(reopen)[0]
    assert list(state.settled) == [(row, row + 1) for row in range(0, 60, 2)]
    assert state.counts.delivered == 30


def test_revived_rows_have_no_end_until_they_settle_again(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.commit(delivered(0, (0, 4)))
    sink.commit(dead(0, (4, 7)))
    sink.finish(0, 7)
    sink = reopen()
    sink.recover()
    sink.revive(0, {"refused": [(4, 5), (6, 7)]})
    sink = reopen()
    state = sink.recover()[0]
    assert (list(state.settled), list(state.revived), state.rows) == ([(0, 4), (5, 6)], [(4, 5), (6, 7)], 7)
    assert (state.finished, state.counts) == (False, Counts(4, {}, {"refused": 1}))
    sink.commit(delivered(0, (4, 5)))
    sink.commit(dead(0, (6, 7)))
    state = reopen().recover()[0]
    assert (list(state.settled), state.rows, state.revived) == ([(0, 7)], None, ())
    sink = reopen()
    sink.recover()
    sink.finish(0, 7)
    state = states(reopen)[0]
    assert (state.finished, state.rows, state.counts) == (True, 7, Counts(5, {}, {"refused": 2}))


def test_a_row_may_die_and_be_revived_again_and_again(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    sink.commit(dead(0, (0, 2)))
    for _ in range(3):
        sink.revive(0, {"refused": [(1, 2)]})
        state = reopen().recover()[0]
        assert (list(state.settled), list(state.revived), state.rows) == ([(0, 1)], [(1, 2)], None)
        sink = reopen()
        sink.recover()
        sink.commit(dead(0, (1, 2)))
    sink.commit(delivered(0, (2, 3)))
    sink.finish(0, 3)
    state = states(reopen)[0]
    assert (state.finished, state.counts) == (True, Counts(1, {}, {"refused": 2}))


def test_letters_are_read_back_in_the_order_of_their_deaths(reopen: Reopen) -> None:
    sink = reopen()
    sink.recover()
    rows = [DeadRow(4, "length", "too long", "a nurse", '{"a": 1}'), DeadRow(2, "bad_json", "not JSON", "{", "")]
    for row, asked in zip(rows, (True, False), strict=True):
        letter = {"id": f"{STEMS[0]}:{row.number}", **row._asdict(), "asked": asked}
        del letter["number"]
        outcomes = Outcomes(dead={row.reason: [(row.number, row.number + 1)]})
        sink.commit(Chunk(0, "dead", [orjson.dumps(letter)], outcomes, Usage()))
    expected = [DeadLetter(rows[0], True), DeadLetter(rows[1], False)]
    assert list(sink.letters(0)) == expected
    assert list(sink.letters(1)) == []
    sink.revive(0, {"length": [(4, 5)]})
    sink = reopen()
    sink.recover()
    assert list(sink.letters(0)) == expected
    sink.commit(delivered(0, (4, 5)))
    assert list(sink.letters(0)) == expected[1:]
