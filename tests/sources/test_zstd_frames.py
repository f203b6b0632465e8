"""Damaged, cut or foreign zstd data is an error that names file and byte, never a silent end."""

import random
from pathlib import Path

import pytest
import zstandard

from personastream.core.row_index import Points
from personastream.core.zstd_format import SKIPPABLE_MAGIC, skippable_frame
from personastream.errors import BadInput
from personastream.sources.input_file import PIECE_BYTES
from personastream.sources.local_file import LocalFile
from personastream.sources.zstd_frames import zstd_pieces

SKIPPED = skippable_frame(SKIPPABLE_MAGIC + 3, b"some note")


def frame(raw: bytes, *, sized: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True, write_content_size=sized).compress(raw)


def decompress(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    with LocalFile(str(path)) as file:
        return b"".join(zstd_pieces(file, 0, 0, Points()))


def failure(path: Path, data: bytes) -> BadInput:
    with pytest.raises(BadInput) as caught:
        decompress(path, data)
    assert caught.value.message.startswith(f"{path}: byte ")
    assert caught.value.hint
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl.zst"


@pytest.mark.parametrize(
    ("data", "raw"),
    [
        (frame(b"one"), b"one"),
        (frame(b"one") + frame(b"two"), b"onetwo"),
        (frame(b""), b""),
        (frame(b"") + frame(b"one") + frame(b"") + frame(b"") + frame(b"two"), b"onetwo"),
        (SKIPPED + frame(b"one") + SKIPPED + SKIPPED + frame(b"two") + SKIPPED, b"onetwo"),
        (SKIPPED, b""),
        (skippable_frame(SKIPPABLE_MAGIC, b"") + frame(b"one"), b"one"),
        (frame(b"one", sized=False) + frame(b"two"), b"onetwo"),
        (zstandard.ZstdCompressor(write_checksum=False).compress(b"one") + frame(b"two"), b"onetwo"),
        (frame(b"x" * 3 * PIECE_BYTES) + frame(b"y" * PIECE_BYTES), b"x" * 3 * PIECE_BYTES + b"y" * PIECE_BYTES),
    ],
    ids=range(10),
)
def test_all_frames_are_read(path: Path, data: bytes, raw: bytes) -> None:
    assert decompress(path, data) == raw


def test_pieces_run_across_frames(path: Path) -> None:
    raw = random.Random(1).randbytes(PIECE_BYTES + 100_000)
    path.write_bytes(b"".join(frame(raw[start : start + 1_000]) for start in range(0, len(raw), 1_000)))
    with LocalFile(str(path)) as file:
        assert [len(piece) for piece in zstd_pieces(file, 0, 0, Points())] == [PIECE_BYTES, 100_000]


def test_the_frames_met_are_noted_with_their_raw_offsets(path: Path) -> None:
    raws = [random.Random(size).randbytes(size) for size in (PIECE_BYTES + 5, 7, 2 * PIECE_BYTES, 1)]
    data, expected = b"", [(0, 0)]
    for number, raw in enumerate(raws):
        if number in (1, 3):  # the others start less than the index's spacing behind a noted one
            expected.append((len(data), sum(map(len, raws[:number]))))
        data += frame(raw)
    path.write_bytes(data)
    points = Points()
    with LocalFile(str(path)) as file:
        assert b"".join(zstd_pieces(file, 0, 0, points)) == b"".join(raws)
        assert list(zip(points.labels, points.offsets, strict=True)) == expected
        compressed, raw_offset = expected[1]
        assert b"".join(zstd_pieces(file, compressed, raw_offset, points)) == b"".join(raws[1:])


def test_a_file_cut_anywhere_but_between_frames_is_an_error_that_says_where(path: Path) -> None:
    parts = [frame(b"first " * 40), SKIPPED, frame(b"second " * 40), frame(bytes(range(99)))]
    raws = [b"first " * 40, b"", b"second " * 40, bytes(range(99))]
    data = b"".join(parts)
    ends = {len(b"".join(parts[:count])): b"".join(raws[:count]) for count in range(len(parts) + 1)}
    for cut in range(1, len(data) + 1):
        if cut in ends:
            assert decompress(path, data[:cut]) == ends[cut]
        else:
            start = max(end for end in ends if end < cut)
            error = failure(path, data[:cut])
            assert f"byte {cut}: ends inside the zstd frame that starts at byte {start}" in error.message


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"garbage", b"\x28\xb5\x2f\xfe12345", b"{ }\n"])
def test_garbage_between_or_behind_frames_names_its_offset(path: Path, garbage: bytes) -> None:
    good = frame(b"one")
    for data in (good + garbage, good + garbage + good):
        assert f"byte {len(good)}: no zstd frame starts here" in failure(path, data).message


def test_a_few_bytes_too_many_are_an_error(path: Path) -> None:
    assert "ends inside" in failure(path, frame(b"one") + b"\n").message


@pytest.mark.parametrize(("start", "hint"), [(b"\x1f\x8b\x08\0\0\0\0\0", ".jsonl.gz"), (b'{"persona": 1}', ".jsonl.")])
def test_another_format_is_recognised(path: Path, start: bytes, hint: str) -> None:
    error = failure(path, start)
    assert "byte 0: no zstd frame" in error.message
    assert hint in error.hint


def test_a_frame_that_needs_a_dictionary_is_refused(path: Path) -> None:
    samples: list[bytes | bytearray | memoryview] = [
        f"sample {number} of the words a dictionary learns from".encode() * 3 for number in range(200)
    ]
    dictionary = zstandard.train_dictionary(1_000, samples)
    data = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"some words")
    error = failure(path, frame(b"one") + data)
    assert f"byte {len(frame(b'one'))}: this frame needs dictionary {dictionary.dict_id()}" in error.message


def frame_with_window(window_log: int, raw: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log, write_checksum=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(raw) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) + stream.flush()


def test_a_frame_with_too_large_a_window_is_refused(path: Path) -> None:
    error = failure(path, SKIPPED + frame_with_window(28, b"one"))
    assert f"byte {len(SKIPPED)}: this frame needs a window of {1 << 28} bytes" in error.message


def test_a_window_at_the_limit_is_read(path: Path) -> None:
    assert decompress(path, frame_with_window(27, b"one")) == b"one"


def test_a_wrong_checksum_is_an_error_even_where_a_piece_ends_with_the_frame(path: Path) -> None:
    for size in (5, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES):
        data = bytearray(frame(b"x" * size))
        data[-1] ^= 1
        assert "checksum" in failure(path, bytes(data) + frame(b"more")).message


@pytest.mark.slow
def test_a_single_flipped_bit_never_gives_other_data(path: Path) -> None:
    draw = random.Random(2)
    words = [f"word{number}" for number in range(100)]
    raws = [" ".join(draw.choices(words, k=900)).encode() for _ in range(4)]
    data, raw = SKIPPED + b"".join(map(frame, raws)), b"".join(raws)
    errors: list[BadInput] = []
    for _ in range(400):
        flipped = bytearray(data)
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        try:
            assert decompress(path, bytes(flipped)) == raw
        except BadInput as error:
            errors.append(error)
    assert len(errors) > 340
    assert all(error.message.startswith(f"{path}: byte ") for error in errors)


def test_random_bytes_behind_a_good_frame_are_an_error(path: Path) -> None:
    draw = random.Random(3)
    for _ in range(100):
        failure(path, frame(b"one") + frame(b"two")[:4] + draw.randbytes(draw.randrange(1, 60)))
