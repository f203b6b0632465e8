import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import zstandard
from click.testing import CliRunner

from personastream.core.zstd_format import frame_length, parse_frame_header
from personastream.samples.__main__ import main
from personastream.samples.shards import shipped_shards

Place = tuple[str, int]

TRUTH = shipped_shards()[0].with_name("truth.json")


def raw_frames(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of each frame; every frame must have a checksum."""
    data, offset = path.read_bytes(), 0
    while offset < len(data):
        length = frame_length(lambda start, size: data[start : start + size], offset)
        assert parse_frame_header(data[offset : offset + 18]).has_checksum
        yield zstandard.ZstdDecompressor().decompress(data[offset : offset + length])
        offset += length


def rows(path: Path) -> list[str]:
    lines = io.BytesIO(b"".join(raw_frames(path)))
    return [orjson.loads(line)["persona"] for line in lines]


@pytest.fixture(scope="module")
def text_at() -> dict[Place, str]:
    return {
        (path.name.partition(".")[0], row): text for path in shipped_shards() for row, text in enumerate(rows(path))
    }


def planted(part: str) -> list[tuple[Place, Place]]:
    return [(tuple(row), tuple(repeats)) for row, repeats, _ in orjson.loads(TRUTH.read_bytes())[part]]


def normal_form(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of the sets of words."""
    first, second = (
        set("".join(char if char.isalnum() else " " for char in text.casefold()).split()) for text in (one, other)
    )
    return len(first & second) / len(first | second)


def test_the_shipped_shards_can_be_built_again(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tmp_path)])
    assert result.exit_code == 0
    assert result.output.split() == [str(tmp_path / path.name) for path in [*shipped_shards(), TRUTH]]
    for path in shipped_shards():
        assert list(raw_frames(tmp_path / path.name)) == list(raw_frames(path))
    assert (tmp_path / TRUTH.name).read_bytes() == TRUTH.read_bytes()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tmp_path / "gone")])
    assert result.exit_code == 2
    assert "gone" in result.output


def test_the_shards_are_small_and_hold_three_thousand_rows(text_at: dict[Place, str]) -> None:
    assert len(text_at) == 3000
    assert sum(path.stat().st_size for path in [*shipped_shards(), TRUTH]) < 150_000


def test_frames_end_at_line_ends_but_for_the_last_shard() -> None:
    for path in shipped_shards():
        frames = list(raw_frames(path))
        assert len(frames) > 1
        assert all(60_000 < len(frame) <= 65_536 for frame in frames[:-1])
        assert all(frame.endswith(b"\n") for frame in frames[:-1]) == (path != shipped_shards()[-1])
        assert frames[-1].endswith(b"\n")


def test_the_truth_names_every_exact_duplicate(text_at: dict[Place, str]) -> None:
    first: dict[str, Place] = {}
    repeated = [
        (place, first[normal_form(text)])
        for place, text in text_at.items()
        if first.setdefault(normal_form(text), place) != place
    ]
    assert repeated == planted("exact")
    assert len(repeated) == 140


def test_near_duplicates_have_almost_the_same_words_as_an_earlier_row(text_at: dict[Place, str]) -> None:
    assert len(planted("near")) == 130
    for row, repeats in planted("near"):
        assert repeats < row
        assert normal_form(text_at[row]) != normal_form(text_at[repeats])
        assert similarity(text_at[row], text_at[repeats]) >= 0.8


def test_controls_begin_like_an_earlier_row_and_end_otherwise(text_at: dict[Place, str]) -> None:
    assert len(planted("controls")) == 8
    for row, repeats in planted("controls"):
        assert text_at[row][:12] == text_at[repeats][:12]
        assert similarity(text_at[row], text_at[repeats]) < 0.6


def test_no_row_is_repeated_twice_or_by_way_of_another() -> None:
    involved = [place for part in ("exact", "near", "controls") for plant in planted(part) for place in plant]
    assert len(involved) == len(set(involved))
