"""Snapshots of the transforms: used only if whole, ours and old enough; losing them costs time, nothing else."""

import errno
import os
import stat
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.ports import StatefulTransform
from personastream.records import Batch, Position, Shard
from personastream.sinks.checkpoints import CheckpointFiles
from personastream.transforms.dedup import Dedup
from personastream.transforms.near_dedup import NearDedup

START = Position(0, 0)
END = Position(99, 0)


class Memory:
    """A transform whose whole state is some bytes."""

    def __init__(self, state: bytes = b"") -> None:
        self.state = state

    def __call__(self, batch: Batch) -> Batch:
        return batch

    def save(self, file: BinaryIO) -> None:
        file.write(self.state)

    def load(self, file: BinaryIO) -> None:
        self.state = file.read()


def files(directory: Path, fingerprint: bytes = b"run-1") -> CheckpointFiles:
    return CheckpointFiles(str(directory), fingerprint)


def save(directory: Path, at: Position, settled_to: Position = END, states: tuple[bytes, ...] = (b"a", b"b")) -> None:
    files(directory).save(at, settled_to, [Memory(state) for state in states])


def load(directory: Path, not_after: Position = END, count: int = 2) -> tuple[Position, list[bytes]]:
    transforms = [Memory() for _ in range(count)]
    position = files(directory).load(not_after, transforms)
    return position, [transform.state for transform in transforms]


def kept(directory: Path) -> list[Position]:
    return files(directory)._positions()


def test_without_a_checkpoint_everything_is_replayed(tmp_path: Path) -> None:
    assert load(tmp_path) == (START, [b"", b""])


@pytest.mark.parametrize("states", [(b"",), (b"a", b""), (b"x" * 100_000, b"\x00" * 17, b"z")])
def test_every_transform_gets_its_own_state_back(tmp_path: Path, states: tuple[bytes, ...]) -> None:
    save(tmp_path, Position(3, 500), states=states)
    assert load(tmp_path, count=len(states)) == (Position(3, 500), list(states))


def test_a_checkpoint_behind_the_first_unsettled_row_is_never_used(tmp_path: Path) -> None:
    for row in (100, 200, 300):
        save(tmp_path, Position(1, row), Position(1, 0), (b"%d" % row, b""))
    assert load(tmp_path, Position(1, 99))[0] == START
    assert load(tmp_path, Position(1, 100)) == (Position(1, 100), [b"100", b""])
    assert load(tmp_path, Position(1, 299)) == (Position(1, 200), [b"200", b""])
    assert load(tmp_path, Position(0, 10**9))[0] == START
    assert load(tmp_path, Position(2, 0)) == (Position(1, 300), [b"300", b""])


def test_damage_of_any_kind_costs_only_a_longer_replay(tmp_path: Path) -> None:
    chance = Random(1)
    save(tmp_path, Position(0, 100), START, (b"older" * 9, b"x"))
    save(tmp_path, Position(0, 200), START, (b"newer" * 9, b"y"))
    (newest,) = tmp_path.glob("*200.bin")
    content = newest.read_bytes()
    damaged = [content[:size] for size in range(len(content))]
    damaged += [content + b"\x00", b"", content[16:], bytes(len(content))]
    for _ in range(200):
        changed = bytearray(content)
        changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        damaged.append(bytes(changed))
    for bad in damaged:
        newest.write_bytes(bad)
        assert load(tmp_path) == (Position(0, 100), [b"older" * 9, b"x"])
    newest.write_bytes(content)
    assert load(tmp_path)[0] == Position(0, 200)


def test_a_checkpoint_of_another_run_is_not_used(tmp_path: Path) -> None:
    save(tmp_path, Position(0, 100))
    assert files(tmp_path, b"run-2").load(END, [Memory(), Memory()]) == START


def test_a_checkpoint_under_another_name_is_not_used(tmp_path: Path) -> None:
    save(tmp_path, Position(0, 100))
    (saved,) = tmp_path.iterdir()
    saved.rename(tmp_path / saved.name.replace("100.bin", "999.bin"))
    assert load(tmp_path)[0] == START


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_checkpoint_of_other_transforms_is_not_used(tmp_path: Path, count: int) -> None:
    save(tmp_path, Position(0, 100))
    assert load(tmp_path, count=count) == (START, [b""] * count)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_checkpoint_that_may_not_be_read_is_not_used(tmp_path: Path) -> None:
    save(tmp_path, Position(0, 100))
    (saved,) = tmp_path.iterdir()
    saved.chmod(0)
    assert load(tmp_path)[0] == START


def test_a_directory_in_the_place_of_a_checkpoint_is_not_used(tmp_path: Path) -> None:
    save(tmp_path, Position(0, 100))
    (tmp_path / "transforms-00000000-000000000200.bin").mkdir()
    assert load(tmp_path)[0] == Position(0, 100)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 60)), max_size=12))
def test_a_usable_checkpoint_stays_for_as_long_as_there_is_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    """Rows are read and settled in order; at any time a resume finds the newest checkpoint that it may use."""
    directory = tmp_path_factory.mktemp("state")
    read = settled = 0
    taken: list[Position] = []
    for rows_read, rows_settled in steps:
        read += rows_read
        settled = min(read, settled + rows_settled)
        save(directory, Position(0, read), Position(0, settled), (b"%d" % read, b""))
        taken.append(Position(0, read))
        usable = [position for position in taken if position <= Position(0, settled)]
        assert load(directory, Position(0, settled))[0] == max(usable, default=START)
        assert len(kept(directory)) <= 1 + sum(position > Position(0, settled) for position in taken)


def test_old_checkpoints_do_not_pile_up(tmp_path: Path) -> None:
    for row in range(1, 50):
        save(tmp_path, Position(0, row), Position(0, row - 1))
    assert kept(tmp_path) == [Position(0, 48), Position(0, 49)]
    assert len(list(tmp_path.iterdir())) == 2


class Picky(Memory):
    """A transform that does not know states of an earlier version any more."""

    def load(self, file: BinaryIO) -> None:
        state = file.read()
        if state.startswith(b"old"):
            raise ValueError("another version")
        self.state = state


def test_a_state_that_its_transform_refuses_is_not_half_restored(tmp_path: Path) -> None:
    save(tmp_path, Position(0, 100), START, (b"a", b"b"))
    save(tmp_path, Position(0, 200), START, (b"c", b"old"))
    first, second = Memory(b"empty"), Picky()
    assert files(tmp_path).load(END, [first, second]) == Position(0, 100)
    assert (first.state, second.state) == (b"a", b"b")
    first, second = Memory(b"empty"), Picky()
    (tmp_path / "transforms-00000000-000000000100.bin").unlink()
    assert files(tmp_path).load(END, [first, second]) == START
    assert (first.state, second.state) == (b"empty", b"")


class InPieces(Memory):
    """A transform that writes and reads its state piece by piece."""

    def save(self, file: BinaryIO) -> None:
        for at in range(0, len(self.state), 7000):
            file.write(memoryview(self.state)[at : at + 7000])

    def load(self, file: BinaryIO) -> None:
        pieces = list(iter(lambda: file.read(100_000), b""))
        assert all(len(piece) == 100_000 for piece in pieces[:-1])
        self.state = b"".join(pieces)


def test_large_states_are_streamed(tmp_path: Path) -> None:
    states = [Random(seed).randbytes(3_000_000) for seed in range(2)]
    files(tmp_path).save(Position(0, 100), END, [InPieces(state) for state in states])
    loaded = [InPieces(), InPieces()]
    assert files(tmp_path).load(END, loaded) == Position(0, 100)
    assert [transform.state for transform in loaded] == states


def test_the_real_indexes_come_back_as_they_were(tmp_path: Path) -> None:
    texts = [f"persona number {n % 700}" for n in range(1000)]
    transforms: tuple[StatefulTransform, ...] = (Dedup(), NearDedup())
    for transform in transforms:
        transform(batch(texts))
    files(tmp_path).save(Position(0, 1000), END, transforms)
    restored: tuple[StatefulTransform, ...] = (Dedup(), NearDedup())
    assert files(tmp_path).load(END, restored) == Position(0, 1000)
    for before, after in zip(transforms, restored, strict=True):
        more = [f"persona number {n}" for n in range(600, 900)]
        assert after(batch(more)).numbers == before(batch(more)).numbers


def batch(texts: list[str]) -> Batch:
    shard = Shard(0, "personas", "personas.jsonl", 1, "")
    return Batch(shard, 0, len(texts), list(range(len(texts))), texts)


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(tmp_path: Path) -> None:
    save(tmp_path, Position(0, 100))

    class Large(Memory):
        def save(self, file: BinaryIO) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    files(tmp_path).save(Position(0, 200), END, [Memory(b"x"), Large()])
    assert load(tmp_path) == (Position(0, 100), [b"a", b"b"])
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_half_written_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "transforms.tmp").write_bytes(b"half")
    save(tmp_path, Position(0, 100))
    assert [path.name for path in tmp_path.iterdir()] == ["transforms-00000000-000000000100.bin"]


def test_a_missing_directory_costs_the_checkpoint_and_not_the_run(tmp_path: Path) -> None:
    save(tmp_path / "missing", Position(0, 100))
    assert not (tmp_path / "missing").exists()


def test_other_files_beside_them_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"")
    (tmp_path / "transforms-1-2.bin").write_bytes(b"")
    save(tmp_path, Position(0, 100))
    save(tmp_path, Position(0, 200))
    assert {path.name for path in tmp_path.iterdir()} >= {"lock", "transforms-1-2.bin"}
    assert stat.S_ISREG((tmp_path / "lock").stat().st_mode)
