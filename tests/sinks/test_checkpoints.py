"""The journals of the transforms: used only if whole, ours and old enough; losing them costs time, nothing else."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.errors import CorruptOutput
from personastream.ports import StatefulTransform
from personastream.records import Batch, Position, Shard
from personastream.sinks import checkpoints
from personastream.sinks.checkpoints import NAME, CheckpointLog
from personastream.transforms.dedup import Dedup
from personastream.transforms.near_dedup import NearDedup
from tests.support.effort import tries

START = Position(0, 0)
END = Position(99, 0)


class Memory:
    """A transform that knows some bytes, and has `new` ones to tell of."""

    def __init__(self) -> None:
        self.known, self.new = b"", b""

    def __call__(self, batch: Batch) -> Batch:
        return batch

    def expect(self, rows: int) -> None: ...

    def learnt(self) -> bytes:
        new, self.new = self.new, b""
        self.known += new
        return new

    def learn(self, records: bytes) -> None:
        self.known += records


def log(directory: Path, fingerprint: bytes = b"run-1") -> CheckpointLog:
    return CheckpointLog(str(directory), fingerprint)


def load(directory: Path, not_after: Position = END, count: int = 2) -> tuple[Position, list[bytes]]:
    transforms = [Memory() for _ in range(count)]
    position = log(directory).load(not_after, transforms)
    return position, [transform.known for transform in transforms]


class Life:
    """One sitting: it loads, then saves now and then."""

    def __init__(self, directory: Path, not_after: Position = END, count: int = 2) -> None:
        self.log, self.transforms = log(directory), [Memory() for _ in range(count)]
        self.reached = self.log.load(not_after, self.transforms)

    def save(self, shard: int, row: int, *new: bytes) -> None:
        for transform, records in zip(self.transforms, new, strict=True):
            transform.new = records
        self.log.save(Position(shard, row), self.transforms)


def three_frames(directory: Path) -> Path:
    life = Life(directory, START)
    for row in (100, 200, 300):
        life.save(1, row, b"a%d " % row, b"b%d " % row * 9)
    return directory / NAME


def test_without_a_log_everything_is_replayed(tmp_path: Path) -> None:
    assert load(tmp_path) == (START, [b"", b""])


@pytest.mark.parametrize("journals", [(b"",), (b"a", b""), (b"x" * 100_000, b"\x00" * 17, b"z")])
def test_every_transform_gets_its_own_journal_back(tmp_path: Path, journals: tuple[bytes, ...]) -> None:
    life = Life(tmp_path, count=len(journals))
    life.save(3, 500, *journals)
    life.save(4, 0, *journals)
    assert load(tmp_path, count=len(journals)) == (Position(4, 0), [2 * journal for journal in journals])


def test_nothing_behind_the_first_unsettled_row_is_ever_used(tmp_path: Path) -> None:
    cases = {(0, 10**9): 0, (1, 99): 0, (1, 100): 1, (1, 299): 2, (1, 300): 3, (2, 0): 3}
    for not_after, frames in cases.items():
        three_frames(tmp_path)
        rows = (100, 200, 300)[:frames]
        expected = [b"".join(b"a%d " % row for row in rows), b"".join(b"b%d " % row * 9 for row in rows)]
        assert load(tmp_path, Position(*not_after)) == (Position(1, rows[-1]) if rows else START, expected)
        assert load(tmp_path) == (Position(1, rows[-1]) if rows else START, expected), "the rest was not cut off"


def test_a_sitting_goes_on_where_the_log_was_cut(tmp_path: Path) -> None:
    three_frames(tmp_path)
    life = Life(tmp_path, Position(1, 250))
    assert life.reached == Position(1, 200)
    life.save(1, 280, b"A", b"B")
    assert load(tmp_path) == (Position(1, 280), [b"a100 a200 A", b"b100 " * 9 + b"b200 " * 9 + b"B"])


def test_damage_of_any_kind_costs_only_a_longer_replay(tmp_path: Path) -> None:
    chance, path = Random(1), three_frames(tmp_path)
    content, frame_bytes = path.read_bytes(), path.stat().st_size // 3
    damaged = [content[:size] for size in range(len(content))]
    damaged += [b"", content[16:], bytes(len(content)), content[:frame_bytes] + content[2 * frame_bytes :]]
    for _ in range(300):
        changed = bytearray(content)
        changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        damaged.append(bytes(changed))
    for bad in damaged:
        path.write_bytes(bad)
        whole = next((at for at, (a, b) in enumerate(zip(content, bad, strict=False)) if a != b), len(bad))
        frames = whole // frame_bytes
        assert load(tmp_path)[0] == (Position(1, 100 * frames) if frames else START)
        assert path.read_bytes() == content[: frames * frame_bytes]
    path.write_bytes(content + b"torn")
    assert load(tmp_path)[0] == Position(1, 300)


def test_a_damaged_length_takes_no_memory(tmp_path: Path) -> None:
    path = three_frames(tmp_path)
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # sparse
        file.seek(16)
        file.write(b"\xff\xff\xff\xff\x7f")
    assert load(tmp_path) == (START, [b"", b""])


def test_the_log_of_another_run_is_not_used_but_written_over(tmp_path: Path) -> None:
    three_frames(tmp_path)
    other, transforms = log(tmp_path, b"run-2"), [Memory(), Memory()]
    assert other.load(END, transforms) == START
    other.save(Position(0, 7), transforms)
    assert log(tmp_path, b"run-2").load(END, [Memory(), Memory()]) == Position(0, 7)
    assert load(tmp_path)[0] == START


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_log_of_other_transforms_is_not_used(tmp_path: Path, count: int) -> None:
    three_frames(tmp_path)
    assert load(tmp_path, count=count) == (START, [b""] * count)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_log_that_may_not_be_read_is_not_used(tmp_path: Path) -> None:
    three_frames(tmp_path).chmod(0)
    assert load(tmp_path)[0] == START


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.parent.rmdir()])
def test_where_there_can_be_no_log_the_run_goes_on_without(tmp_path: Path, make: Callable[[Path], None]) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    make(directory / NAME)
    life = Life(directory)
    life.save(0, 100, b"a", b"b")
    assert load(directory)[0] == START


@settings(max_examples=tries(60))
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60), st.booleans()), max_size=12))
def test_a_resume_always_finds_the_newest_frame_that_it_may_use(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    """Rows are read and settled in order, through any number of sittings: each reads again what was not settled."""
    directory = tmp_path_factory.mktemp("state")
    life, read, settled = Life(directory, count=1), 0, 0
    frames: list[int] = []
    for rows_read, rows_settled, restarts in steps:
        life.save(0, read + rows_read, bytes(rows_read))
        read += rows_read
        frames.append(read)
        settled = min(read, settled + rows_settled)
        if restarts:
            frames = [frame for frame in frames if frame <= settled]
            life = Life(directory, Position(0, settled), count=1)
            read = life.reached.row
            assert read == max(frames, default=0)
            assert life.transforms[0].known == bytes(read)


def test_a_full_disk_costs_nothing_once_there_is_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(tmp_path)
    life.save(0, 100, b"a", b"b")
    real, left = os.pwrite, 7

    def full(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        written, left = real(descriptor, data[:left], offset), 0
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        life.save(0, 200, b"c", b"d")
        life.save(0, 300, b"e", b"f")
        assert load(tmp_path)[0] == Position(0, 100)
    life.save(0, 400, b"g", b"h")
    assert load(tmp_path) == (Position(0, 400), [b"aceg", b"bdfh"])


def test_a_disk_that_stays_full_costs_the_log_and_not_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "UNWRITTEN_BYTES_MAX", 1000)
    life = Life(tmp_path)
    life.save(0, 100, b"a", b"b")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        for row in range(200, 2000, 100):
            life.save(0, row, b"x" * 50, b"y" * 50)
            assert len(life.log._unwritten) <= 1000
    life.save(0, 3000, b"z", b"z")
    assert load(tmp_path) == (Position(0, 100), [b"a", b"b"]), "a frame without those before it is worth nothing"


class Picky(Memory):
    """A transform that does not know records of an earlier version any more."""

    def learn(self, records: bytes) -> None:
        if records.startswith(b"old"):
            raise ValueError("another version")
        super().learn(records)


def test_records_that_their_transform_refuses_end_the_run_and_are_gone_at_the_next_start(tmp_path: Path) -> None:
    """The other transforms have learnt from these rows by then: to read them again would drop them as duplicates."""
    transforms = [Memory(), Picky()]
    first = log(tmp_path)
    first.load(END, transforms)
    transforms[1].new = b"old"
    first.save(Position(0, 100), transforms)
    with pytest.raises(CorruptOutput, match="Picky does not know its own records: another version"):
        log(tmp_path).load(END, [Memory(), Picky()])
    assert log(tmp_path).load(END, [Memory(), Picky()]) == START


@pytest.mark.slow
def test_the_real_transforms_come_back_as_they_were(tmp_path: Path) -> None:
    texts = [f"persona number {n % 700}" for n in range(1000)]
    transforms: tuple[StatefulTransform, ...] = (Dedup(), NearDedup())
    first = log(tmp_path)
    first.load(END, transforms)
    for start in range(0, 1000, 250):
        for transform in transforms:
            transform(batch(texts[start : start + 250]))
        first.save(Position(0, start + 250), transforms)
    restored: tuple[StatefulTransform, ...] = (Dedup(), NearDedup())
    assert log(tmp_path).load(END, restored) == Position(0, 1000)
    for before, after in zip(transforms, restored, strict=True):
        more = [f"persona number {n}" for n in range(600, 900)]
        assert after(batch(more)).numbers == before(batch(more)).numbers


def batch(texts: list[str]) -> Batch:
    shard = Shard(0, "personas", "personas.jsonl", 1, "")
    return Batch(shard, 0, len(texts), list(range(len(texts))), texts)


def test_other_files_beside_it_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"")
    three_frames(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"lock", NAME}
