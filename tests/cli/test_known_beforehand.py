"""What earlier stages have read is known to later ones: from their journals, or by reading it again."""

from pathlib import Path

import orjson
import pytest

from personastream.config import load
from personastream.errors import BadInput
from personastream.launch.earlier import AfterEarlier, earlier_run
from personastream.records import Batch, Position, Shard
from personastream.sinks.checkpoints import CheckpointLog
from personastream.transforms.dedup import Dedup
from personastream.transforms.filter import Filter
from tests.support.command import personastream
from tests.support.simulated import Simulated
from tests.support.workspace import write_config, write_shard

TEXTS = ["a night nurse on a ward", "short", "a diver in the cold", "a night nurse on a ward", "short"]
SHARD = Shard(0, "new", "new.jsonl", 1, "f")


@pytest.fixture
def config(tmp_path: Path, simulator: Simulated) -> Path:
    """A finished run that dropped what is short, then duplicates."""
    write_shard(tmp_path / "in" / "a.jsonl", [orjson.dumps({"persona": text}) for text in TEXTS])
    path = write_config(
        tmp_path / "job.toml", simulator.base_url, transforms=[("filter", {"words_min": 3}), ("dedup", {})]
    )
    assert personastream("run", path).code == 0
    return path


def known(config: Path) -> list[str]:
    """What a new transform drops that was taught by the earlier run."""
    seen = Dedup()
    seen.expect(100)
    earlier_run(load(str(config))).teach([Filter(words_min=3), seen])
    assert seen.learnt() == b""
    texts = [*dict.fromkeys(TEXTS), "a new one"]
    kept = seen(Batch(SHARD, 0, len(texts), range(len(texts)), texts)).texts
    return [text for text in texts if text not in kept]


@pytest.mark.slow
def test_rows_are_known_from_the_journal_that_is_complete_at_the_end(config: Path) -> None:
    run = config.parent / "run"
    frames = list(
        CheckpointLog(str(run / "state"), earlier_run(load(str(config))).journal.fingerprint).frames([Dedup()])
    )
    assert frames[-1][0] == Position(1, 0)
    write_shard(config.parent / "in" / "a.jsonl", [b"{}"])  # not read again
    assert known(config) == ["a night nurse on a ward", "a diver in the cold"]


@pytest.mark.slow
def test_rows_are_read_again_if_the_journal_is_gone(config: Path) -> None:
    (config.parent / "run" / "state" / "transforms.log").unlink()
    assert known(config) == ["a night nurse on a ward", "a diver in the cold"]


@pytest.mark.slow
def test_own_checkpoints_come_after_what_was_known_before(config: Path, tmp_path: Path) -> None:
    own = CheckpointLog(str(tmp_path), b"own")
    seen = Dedup()
    checkpoints = AfterEarlier(own, [earlier_run(load(str(config)))], [Filter(words_min=3), seen])
    seen.expect(100)
    assert checkpoints.load(Position(9, 9), [seen]) == Position(0, 0)
    batch = Batch(SHARD, 0, 2, range(2), ["a night nurse on a ward", "a baker of rye bread"])
    assert seen(batch).texts == ["a baker of rye bread"]
    checkpoints.save(Position(0, 2), [seen])

    again = Dedup()
    again.expect(100)
    later = AfterEarlier(CheckpointLog(str(tmp_path), b"own"), [earlier_run(load(str(config)))], [again])
    assert later.load(Position(9, 9), [again]) == Position(0, 2)
    assert again(batch).texts == []


@pytest.mark.slow
def test_a_stage_that_was_not_run_is_named(tmp_path: Path, simulator: Simulated) -> None:
    path = write_config(tmp_path / "job.toml", simulator.base_url)
    with pytest.raises(BadInput, match="holds no run"):
        earlier_run(load(str(path)))
