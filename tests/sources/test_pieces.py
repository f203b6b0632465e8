"""Plain and gzip files: whole, or an error that names file and byte."""

import gzip
import random
from pathlib import Path

import pytest

from personastream.core.row_index import Points
from personastream.errors import BadInput
from personastream.sources.input_file import PIECE_BYTES
from personastream.sources.local_file import LocalFile
from personastream.sources.pieces import read_pieces


def raw_from(path: Path, offset: int = 0) -> bytes:
    with LocalFile(str(path)) as file:
        pieces = list(read_pieces(file, offset, Points()))
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)
    return b"".join(pieces)


def gunzip(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return raw_from(path)


def failure(path: Path, data: bytes) -> BadInput:
    with pytest.raises(BadInput) as caught:
        gunzip(path, data)
    assert caught.value.message.startswith(f"{path}: byte ")
    assert caught.value.hint
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl.gz"


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_data_is_read_from_any_offset(tmp_path: Path, name: str) -> None:
    raw = random.Random(1).randbytes(PIECE_BYTES * 5 // 2)
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw[:999], 1) + gzip.compress(raw[999:], 1) if name.endswith("gz") else raw)
    for offset in (0, 1, 999, PIECE_BYTES, PIECE_BYTES + 1, len(raw) - 1, len(raw)):
        assert raw_from(path, offset) == raw[offset:]


def test_a_file_that_ends_before_the_offset_is_an_error(path: Path) -> None:
    path.write_bytes(gzip.compress(b"four"))
    with pytest.raises(BadInput, match="ends 3 raw bytes too early"):
        raw_from(path, 7)


def test_every_gzip_member_is_read(path: Path) -> None:
    members = [b"one", b"", b"x" * 300_000, b"two"]
    assert gunzip(path, b"".join(gzip.compress(raw) for raw in members)) == b"".join(members)
    assert gunzip(path, gzip.compress(b"1") * 20_000) == b"1" * 20_000


def test_a_gzip_bomb_comes_in_small_pieces(path: Path) -> None:
    assert gunzip(path, gzip.compress(bytes(12 << 20))) == bytes(12 << 20)


def test_a_gzip_file_cut_anywhere_but_between_members_is_an_error(path: Path) -> None:
    first, second = gzip.compress(b"first " * 40), gzip.compress(bytes(range(99)))
    data = first + second
    for cut in range(1, len(data)):
        if cut == len(first):
            assert gunzip(path, data[:cut]) == b"first " * 40
        elif cut in (1, len(first) + 1):
            assert "no gzip member starts here" in failure(path, data[:cut]).message
        else:
            start = 0 if cut < len(first) else len(first)
            error = failure(path, data[:cut])
            assert f"byte {cut}: ends inside the gzip member that starts at byte {start}" in error.message


def test_garbage_behind_a_gzip_member_names_its_offset(path: Path) -> None:
    good = gzip.compress(b"one")
    for garbage in (b"garbage", b"\0" * 512):
        assert f"byte {len(good)}: no gzip member starts here" in failure(path, good + garbage).message


def test_text_named_gzip_is_an_error(path: Path) -> None:
    assert "byte 0: no gzip member" in failure(path, b'{"persona": "a"}\n').message


def test_a_flipped_bit_in_gzip_content_is_an_error(path: Path) -> None:
    draw = random.Random(4)
    raw = " ".join(str(draw.random()) for _ in range(400)).encode()
    data = gzip.compress(raw)
    for _ in range(150):
        flipped = bytearray(data)
        flipped[draw.randrange(10, len(data))] ^= 1 << draw.randrange(8)  # the first ten bytes describe the file
        assert (
            "damaged gzip member from byte 0" in failure(path, bytes(flipped)).message
            or "ends inside" in failure(path, bytes(flipped)).message
        )
