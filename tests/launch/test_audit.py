"""The audit log on the disk: whatever a crash leaves of it is mended and told, and what is cut off it is missed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from personastream.core.audit_chain import BrokenChain, read_all
from personastream.errors import CannotCreate, CorruptOutput, ExitCode
from personastream.launch.audit import HEAD_NAME, NAME, read_events, read_lines, record, record_reading
from personastream.launch.audit_check import check_audit
from personastream.launch.manifest import Manifest
from personastream.launch.sittings import beginning, settings_before, sitting


def manifest(audit: str = "") -> Manifest:
    return Manifest("0" * 32, "2026-01-01T00:00:00+00:00", "0", "job.toml", {}, [], audit=audit)


def told(directory: Path) -> list[str]:
    return [event["event"] for event in read_events(directory)]


def details(directory: Path, place: int = -1) -> dict[str, Any]:
    found: dict[str, Any] = read_events(directory)[place]["details"]
    return found


def begin(directory: Path, settings: dict[str, object]) -> None:
    event, told = beginning(directory, settings)
    record(directory, event, **told)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for event in ("created", "started", "ended"):
        record(tmp_path, event, rows=3)
    return tmp_path


def test_an_event_says_who_when_and_what(log: Path) -> None:
    (event, *_) = read_events(log)
    assert event["event"] == "created"
    assert event["details"] == {"rows": 3}
    assert event["who"]["pid"] == os.getpid()
    assert event["who"].keys() == {"user", "host", "pid", "version"}
    assert event["time"].endswith("Z")
    assert (log / NAME).stat().st_mode & 0o777 == 0o640


def test_a_torn_line_is_cut_and_told_wherever_it_was_torn(tmp_path: Path) -> None:
    record(tmp_path, "created")
    whole = (tmp_path / NAME).read_bytes()
    head = (tmp_path / HEAD_NAME).read_bytes()
    record(tmp_path, "started")
    second = (tmp_path / NAME).read_bytes()[len(whole) :]
    for size in (1, 2, 40, 200, len(second) - 66, len(second) - 2, len(second) - 1):
        (tmp_path / NAME).write_bytes(whole + second[:size])
        (tmp_path / HEAD_NAME).write_bytes(head)
        check = check_audit(tmp_path, manifest())
        assert not check.problem
        assert str(size) in check.note
        record(tmp_path, "resumed")
        assert told(tmp_path) == ["created", "mended", "resumed"]
        assert details(tmp_path, 1)["bytes"] == size
        assert not check_audit(tmp_path, manifest()).problem


def test_a_crash_before_the_head_was_written_does_no_harm(log: Path) -> None:
    head = (log / HEAD_NAME).read_bytes()
    record(log, "resumed")
    (log / HEAD_NAME).write_bytes(head)
    assert not check_audit(log, manifest()).problem


def test_writers_that_come_together_wait_for_one_another(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from personastream.launch.audit import record\n"
        "for number in range(8): record(Path(sys.argv[1]), 'reviewed', number=number)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, tmp_path]) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(read_all(read_lines(tmp_path)[0])[1]) == 24
    assert check_audit(tmp_path, manifest()).events == 24


def test_lines_cut_off_the_end_are_missed(log: Path) -> None:
    lines, _ = read_lines(log)
    for kept in range(1, len(lines)):
        (log / NAME).write_bytes(b"".join(line + b"\n" for line in lines[:kept]))
        assert check_audit(log, manifest()).problem == f"was cut short: it has {kept} lines, and had 3"


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_nothing_is_added_to_a_log_that_was_cut(log: Path, kept: int) -> None:
    """Else the next event would make it look whole."""
    lines, _ = read_lines(log)
    cut = b"".join(line + b"\n" for line in lines[:kept])
    (log / NAME).write_bytes(cut)
    with pytest.raises(CorruptOutput, match=f"was cut short: it has {kept} lines, and had 3") as caught:
        record(log, "exported")
    assert "audit.head" in caught.value.hint
    assert (log / NAME).read_bytes() == cut


def test_nothing_is_added_to_another_log_of_the_same_length(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for _ in range(3):
        record(other, "created")
    (log / NAME).write_bytes((other / NAME).read_bytes())
    with pytest.raises(CorruptOutput, match="written anew"):
        record(log, "exported")


def test_that_the_head_was_gone_is_told(log: Path) -> None:
    (log / HEAD_NAME).unlink()
    record(log, "exported")
    assert told(log)[-2:] == ["mended", "exported"]
    assert details(log, 3) == {"head": "gone"}
    assert not check_audit(log, manifest()).problem


def test_a_log_written_anew_is_told_by_its_head_by_run_json_and_by_whoever_kept_a_head(log: Path) -> None:
    hashes = read_all(read_lines(log)[0])[1]
    head = (log / HEAD_NAME).read_bytes()
    (log / NAME).unlink()
    (log / HEAD_NAME).unlink()
    for _ in range(3):
        record(log, "created")
    assert not check_audit(log, manifest()).problem  # what a chain alone cannot tell
    assert "another run's" in check_audit(log, manifest(hashes[0])).problem
    assert hashes[2] in check_audit(log, manifest(), hashes[2]).problem
    (log / HEAD_NAME).write_bytes(head)
    assert "another line 3" in check_audit(log, manifest()).problem


def test_a_log_that_is_gone_is_missed_but_not_in_a_run_of_an_earlier_version(log: Path) -> None:
    (log / NAME).unlink()
    assert "is gone" in check_audit(log, manifest("ab")).problem
    check = check_audit(log, manifest())
    assert not check.problem
    assert "earlier version" in check.note


@pytest.mark.parametrize("content", [b"", b"{}", b"nonsense", b'{"lines":0,"hash":""}'])
def test_a_head_that_tells_nothing_is_complained_of(log: Path, content: bytes) -> None:
    (log / HEAD_NAME).write_bytes(content)
    assert HEAD_NAME in check_audit(log, manifest()).problem


def test_nothing_is_added_behind_damage(log: Path) -> None:
    lines, _ = read_lines(log)
    lines[-1] = lines[-1].replace(b'"rows":3', b'"rows":4')
    (log / NAME).write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.raises(CorruptOutput, match="its last line is damaged") as caught:
        record(log, "resumed")
    assert caught.value.exit_code == ExitCode.IO_ERROR
    with pytest.raises(CorruptOutput, match="line 3: was changed"):
        read_events(log)
    with pytest.raises(BrokenChain, match="line 3"):
        read_all(read_lines(log)[0])
    assert check_audit(log, manifest()).problem.startswith("line 3: was changed")


def test_a_log_that_cannot_be_opened_stops_whoever_has_to_write_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("not ours")
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotCreate, match=NAME):
        record(tmp_path, "created")
    assert (tmp_path / "elsewhere").read_text() == "not ours"


def test_who_only_reads_goes_on_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert NAME in record_reading(tmp_path, "exported")
    (tmp_path / NAME).rmdir()
    assert record_reading(tmp_path, "exported") == ""
    assert told(tmp_path) == ["exported"]


def test_a_sitting_tells_what_has_changed_since_the_last_one(tmp_path: Path) -> None:
    begin(tmp_path, {"limits.attempts_max": 4, "provider.weight": 1.0})
    begin(tmp_path, {"limits.attempts_max": 9, "provider.weight": 1.0})
    begin(tmp_path, {"limits.attempts_max": 9, "provider.name": "judge"})
    assert details(tmp_path, 1)["changed"] == {"limits.attempts_max": [4, 9]}
    assert details(tmp_path, 2)["changed"] == {"provider.name": [None, "judge"], "provider.weight": [1.0, None]}
    assert settings_before(read_events(tmp_path)) == {
        "limits.attempts_max": 9,
        "provider.name": "judge",
        "provider.weight": None,
    }
    begin(tmp_path, {"limits.attempts_max": 9, "provider.name": "judge"})
    assert "changed" not in details(tmp_path)
    assert details(tmp_path)["config"] == details(tmp_path, 2)["config"] != details(tmp_path, 0)["config"]


def test_a_sitting_that_failed_says_so_without_quoting_anything(tmp_path: Path) -> None:
    with pytest.raises(CorruptOutput), sitting(tmp_path, {}):
        raise CorruptOutput("the reply was: My name is Ada")
    assert details(tmp_path) == {"exit_code": 74, "error": "CorruptOutput"}
    assert b"Ada" not in (tmp_path / NAME).read_bytes()
    begin(tmp_path, {})
    assert "last_sitting" not in details(tmp_path)
    begin(tmp_path, {})
    assert "no end" in details(tmp_path)["last_sitting"]
