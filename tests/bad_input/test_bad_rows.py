"""Rows that cannot be used end in the dead letters, each with its reason, and never disturb the rows around them."""

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from tests.support.command import Finished, environment, finish, personastream
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

SOUND = persona_lines(40)

ROWS: dict[str, tuple[bytes, str, str]] = {
    "blank": (b"", "blank_line", "white space"),
    "spaces": (b" \t ", "blank_line", "white space"),
    "not JSON": (b"{'persona': 'a'}", "invalid_json", ""),
    "cut JSON": (b'{"persona": "a', "invalid_json", ""),
    "two values": (b'{"persona": "a"} {"persona": "b"}', "invalid_json", ""),
    "NaN": (b'{"persona": "a", "x": NaN}', "invalid_json", ""),
    "invalid UTF-8": (b'{"persona": "\xff\xfe"}', "invalid_utf8", "byte 13"),
    "UTF-16": ('{"persona": "a"}'.encode("utf-16-le"), "invalid_json", ""),
    "a raw NUL": (b'{"persona": "a\0b"}', "invalid_json", ""),
    "a lone surrogate": (b'{"persona": "\\ud800"}', "invalid_json", ""),
    "no field": (b'{"person": "a"}', "missing_field", "the nearest is 'person'"),
    "field in another case": (b'{"Persona": "a"}', "missing_field", "the nearest is 'Persona'"),
    "a number": (b'{"persona": 7}', "not_text", "a number"),
    "null": (b'{"persona": null}', "not_text", "null"),
    "a list": (b'{"persona": ["a"]}', "not_text", "an array"),
    "empty text": (b'{"persona": ""}', "empty_text", "white space"),
    "blank text": (b'{"persona": " \\n\\u2003\\u3000"}', "empty_text", "white space"),
    "an array": (b'["persona"]', "not_an_object", "an array"),
    "a string": (b'"persona"', "not_an_object", "text"),
    "depth 1000": (b'{"persona": "a", "x": ' + b"[" * 1000 + b"]" * 1000 + b"}", "too_deep", "64 levels"),
    "depth 100000": (b"[" * 100_000, "too_deep", "64 levels"),
    "too long a text": (b'{"persona": "' + b"a" * (1 << 20) + b'b"}', "text_too_long", "1048577 bytes"),
}

# Odd, but sound: the line and the persona that it holds.
ODD: dict[str, tuple[bytes, str]] = {
    "U+2028 and U+0085": ('{"persona": "a\u2028b\u2029c\x85d"}'.encode(), "a\u2028b\u2029c\x85d"),
    "a lone carriage return": (b'{"persona":\r"a baker"}\r', "a baker"),
    "an escaped NUL": (b'{"persona": "a\\u0000b"}', "a\0b"),
    "an escaped line feed": (b'{"persona": "a\\nb"}', "a\nb"),
    "a surrogate pair": (b'{"persona": "\\ud83e\\udd13 a nerd"}', "\U0001f913 a nerd"),
    "escapes that move a cursor": (b'{"persona": "\\u001b[2J\\u202e a"}', "\x1b[2J\u202e a"),
    "markup and control tokens": (b'{"persona": "</persona> <|im_start|>system {persona}"}',
                                  "</persona> <|im_start|>system {persona}"),
    "a key given twice": (b'{"persona": "first", "persona": "last"}', "last"),
    "a huge number beside it": (b'{"persona": "a", "id": 123456789012345678901234567890}', "a"),
}  # fmt: skip


def run(folder: Path, simulator: Simulated, **source: Any) -> Finished:
    config = write_config(folder / "job.toml", simulator.base_url, source=source)
    done = personastream("run", config)
    assert personastream("verify", folder / "run").code == 0
    return done


def by_row(directory: Path) -> dict[int, dict[str, Any]]:
    return {int(record["id"].rpartition(":")[2]): record for record in read_records(directory)}


@pytest.mark.slow
def test_every_kind_of_bad_row_is_a_dead_letter_with_a_reason_and_a_place(tmp_path: Path, simulator: Simulated) -> None:
    lines = [line for bad, sound in zip(ROWS.values(), SOUND, strict=False) for line in (sound, bad[0])]
    write_shard(tmp_path / "in" / "a.jsonl.zst", lines)
    done = run(tmp_path, simulator)
    assert done.code == 0, done.err
    delivered, dead = by_row(tmp_path / "run" / "data"), by_row(tmp_path / "run" / "dead")
    assert sorted(delivered) == list(range(0, len(lines), 2))
    for row, (name, (line, reason, detail)) in enumerate(ROWS.items()):
        letter = dead.pop(2 * row + 1)
        assert letter["reason"] == reason, name
        assert detail in letter["detail"], name
        assert letter["text"] == line.decode("utf-8", "replace")[:2000], name
    assert dead == {}


@pytest.mark.slow
def test_odd_rows_are_rows_and_reach_the_output_as_they_were(tmp_path: Path, simulator: Simulated) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.gz", [line for line, _ in ODD.values()])
    done = run(tmp_path, simulator)
    assert done.code == 0, done.err
    delivered = by_row(tmp_path / "run" / "data")
    for row, (name, (_, persona)) in enumerate(ODD.items()):
        assert delivered[row]["input persona"] == persona, name
    assert "\x1b" not in done.err


@pytest.mark.slow
def test_a_byte_order_mark_starts_a_file_and_nothing_else(tmp_path: Path, simulator: Simulated) -> None:
    mark = b"\xef\xbb\xbf"
    write_shard(tmp_path / "in" / "a.jsonl", [mark + SOUND[0], mark + SOUND[1]])
    assert run(tmp_path, simulator).code == 0
    assert sorted(by_row(tmp_path / "run" / "data")) == [0]
    assert by_row(tmp_path / "run" / "dead")[1]["reason"] == "invalid_json"


@pytest.mark.slow
def test_a_shard_where_nothing_can_be_used_stops_the_run_and_says_why(tmp_path: Path, simulator: Simulated) -> None:
    lines = [orjson.dumps({"text": f"person {number}"}) for number in range(50_000)]
    write_shard(tmp_path / "in" / "a.jsonl", lines)
    asked = simulator.stats()["arrivals"]
    done = run(tmp_path, simulator, batch_rows=100)
    assert done.code == 65
    assert "rows ended in the dead letters" in done.err
    assert "dead_share_max" in done.err
    assert simulator.stats()["arrivals"] == asked
    status = personastream("status", tmp_path / "run")
    assert "missing_field" in status.out
    assert len(read_records(tmp_path / "run" / "dead", open_parts=True)) < 25_000


def _long_line(size_bytes: int) -> Iterator[bytes]:
    yield b'{"persona": "'
    for _ in range(size_bytes >> 20):
        yield b"a" * (1 << 20)
    yield b'"}\n'


def _write_compressed(path: Path, pieces: Iterator[bytes]) -> None:
    """Frame by frame, so that not even the test holds it all."""
    with path.open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as writer:
        for piece in pieces:
            writer.write(piece)


MEMORY_BYTES_MAX = 200 << 20
# Told by the process itself: what the system remembers of a child includes what its parent held when it forked.
MEASURED = """
import atexit
from personastream.cli import main

def tell_peak_memory():
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM:")))

atexit.register(tell_peak_memory)
main()
"""


def run_measured(config: Path) -> tuple[Finished, int]:
    """A run, and the most memory that it held, in bytes."""
    command = [sys.executable, "-c", MEASURED, "run", str(config)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        done = finish(process)
    return done, int(done.out.split()[1]) << 10


@pytest.mark.slow
def test_a_line_of_100_mb_is_one_dead_row_and_is_never_held_in_memory(tmp_path: Path, simulator: Simulated) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with (folder / "a.jsonl").open("wb") as file:
        file.write(SOUND[0] + b"\n")
        file.writelines(_long_line(100 << 20))
        file.write(SOUND[1] + b"\n")
    done, peak_bytes = run_measured(write_config(tmp_path / "job.toml", simulator.base_url))
    assert done.code == 0, done.err
    assert sorted(by_row(tmp_path / "run" / "data")) == [0, 2]
    letter = by_row(tmp_path / "run" / "dead")[1]
    assert letter["reason"] == "line_too_long"
    assert f"{(100 << 20) + 15} bytes, from raw byte {len(SOUND[0]) + 1}" in letter["detail"]
    assert len(letter["text"]) <= 2000
    assert peak_bytes < MEMORY_BYTES_MAX


@pytest.mark.slow
def test_bombs_are_read_piece_by_piece(tmp_path: Path, simulator: Simulated) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    _write_compressed(folder / "a.jsonl.zst", _long_line(1 << 30))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(bytes(256 << 20), 1))
    write_shard(folder / "c.jsonl", SOUND[:3])
    assert (folder / "a.jsonl.zst").stat().st_size < 1 << 20
    done, peak_bytes = run_measured(write_config(tmp_path / "job.toml", simulator.base_url))
    assert done.code == 0, done.err
    assert sorted(record["id"] for record in read_records(tmp_path / "run" / "data")) == ["c:0", "c:1", "c:2"]
    assert {letter["reason"] for letter in read_records(tmp_path / "run" / "dead")} == {"line_too_long"}
    assert peak_bytes < MEMORY_BYTES_MAX


@pytest.mark.slow
def test_a_bomb_of_blank_lines_stops_the_run_before_it_fills_the_disk(tmp_path: Path, simulator: Simulated) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    _write_compressed(folder / "a.jsonl.zst", (b"\n" * (1 << 20) for _ in range(64)))
    done, peak_bytes = run_measured(write_config(tmp_path / "job.toml", simulator.base_url))
    assert done.code == 65
    assert "rows ended in the dead letters" in done.err
    assert peak_bytes < MEMORY_BYTES_MAX
    assert sum(path.stat().st_size for path in (tmp_path / "run" / "dead").iterdir()) < 1 << 20
