"""Lines come in the order of their rows, whatever order they were committed in."""

from hypothesis import given
from hypothesis import strategies as st

from personastream.core.row_order import NumberedLine, RowSpan, in_row_order


@st.composite
def logs(draw: st.DrawFn) -> list[list[NumberedLine]]:
    """Frames of lines: each row in one frame, with one line or several, in any order."""
    rows = draw(st.permutations(sorted(draw(st.sets(st.integers(0, 60), max_size=30)))))
    lines = [[(row, b"%d#%d" % (row, k)) for k in range(draw(st.integers(1, 3)))] for row in rows]
    frames: list[list[NumberedLine]] = []
    while lines:
        size = draw(st.integers(1, 6))
        frames.append([line for row in lines[:size] for line in row])
        del lines[:size]
    return frames


def read(frames: list[list[NumberedLine]], start: int = 0) -> tuple[list[NumberedLine], list[int]]:
    """(all lines, in the order they came in; the frames that were loaded)."""
    loaded: list[int] = []

    def load(span: RowSpan) -> list[NumberedLine]:
        loaded.append(span.offset)
        return list(frames[span.offset])

    spans = [
        RowSpan("part", place, 1, min(row for row, _ in lines), 1 + max(row for row, _ in lines))
        for place, lines in enumerate(frames)
    ]
    return [line for some in in_row_order(spans, load, start) for line in some], loaded


@given(logs())
def test_every_line_comes_once_in_ascending_order_and_lines_of_a_row_keep_theirs(
    frames: list[list[NumberedLine]],
) -> None:
    found, loaded = read(frames)
    assert found == sorted((line for lines in frames for line in lines), key=lambda line: (line[0], line[1]))
    assert sorted(loaded) == list(range(len(frames)))


@given(logs(), st.integers(0, 60))
def test_a_later_start_gives_the_rest_and_loads_no_frame_before_it(
    frames: list[list[NumberedLine]], start: int
) -> None:
    found, loaded = read(frames, start)
    assert found == [line for line in read(frames)[0] if line[0] >= start]
    assert sorted(loaded) == [place for place, lines in enumerate(frames) if max(row for row, _ in lines) >= start]


def test_lines_are_handed_on_before_all_frames_are_loaded() -> None:
    frames: list[list[NumberedLine]] = [[(row, b"x") for row in range(at, at + 10)] for at in range(0, 100, 10)]
    spans = [RowSpan("part", at, 1, 10 * at, 10 * at + 10) for at in range(10)]
    reading = in_row_order(spans, lambda span: frames.pop(0))
    next(reading)
    assert len(frames) == 9
