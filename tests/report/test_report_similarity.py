"""Pairs of personas at given similarities, and vectors that are asked for once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from personastream.errors import CannotCreate, ProviderDown
from personastream.report.figures import similarity
from personastream.report.figures.similarity import Levels, draw_pairs, similarity_figures
from personastream.report.records import Item, Text
from personastream.report.vectors import kept_vectors

Vector = NDArray[np.float32]


class Circle:
    """An embedder: a text is an angle in degrees, and a vector of that direction; others have none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[Vector | None]:
        self.asked += texts
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector | None:
        try:
            angle = np.radians(float(text))
        except ValueError:
            return None
        return np.array([3 * np.cos(angle), 3 * np.sin(angle)], np.float32)


def item(persona: str, output: str) -> Item:
    given_text = Text(persona, len(persona))
    return Item("a:0", "a", given_text, Text(output, len(output)), "m", "t", "stop", None, 1, None, {})


@given(st.integers(2, 30), st.integers())
def test_pairs_are_those_at_the_level(rows: int, seed: int) -> None:
    alike = np.random.default_rng(abs(seed)).random((rows, rows)).astype(np.float32)
    levels = Levels((0.3, 0.7), 0.1)
    drawn, found = draw_pairs(rows, lambda row: alike[row, row + 1 :], levels, abs(seed))
    for level, pairs, count in zip(levels.at, drawn, found, strict=True):
        expected = {
            (one, other)
            for one in range(rows)
            for other in range(one + 1, rows)
            if abs(alike[one, other] - np.float32(level)) <= levels.within
        }
        assert count == len(expected)
        assert len(pairs) == len(set(pairs)) == min(count, similarity.PAIRS_MAX)
        assert set(pairs) <= expected


def test_the_experiment_with_vectors() -> None:
    angle = float(np.degrees(np.arccos(0.8)))
    items = [item("0", "0"), item(str(angle), "60"), item("180", "0"), item("no vector", "0"), item("0", "90")]
    told = similarity_figures(items, 1, Circle())
    assert told is not None
    assert (told["scale"], told["personas"]) == ("cosine", 3)
    by_level = {level["personas_alike"]: level for level in told["levels"]}
    assert by_level[0.8]["pairs_found"] == 1
    assert by_level[0.8]["box"]["median"] == pytest.approx(np.cos(np.radians(30)), abs=1e-5)
    assert by_level[0.4]["box"] is None


def test_an_output_without_a_vector_leaves_its_pair_out() -> None:
    angle = float(np.degrees(np.arccos(0.8)))
    told = similarity_figures([item("0", "0"), item(str(angle), "refused")], 1, Circle())
    assert told is not None
    assert [(level["pairs_found"], level["box"]) for level in told["levels"]] == [(0, None), (0, None), (1, None)]


def test_without_vectors_words_are_compared() -> None:
    items = [item("a b c d", "one two three"), item("a b x y z w", "one two four"), item("q r", "five")]
    told = similarity_figures(items, 1, None)
    assert told is not None
    assert told["scale"] == "words"
    found = {level["personas_alike"]: level for level in told["levels"]}
    assert found[0.3]["pairs_found"] == 0
    assert [level["pairs_found"] for level in told["levels"]] == [0, 0, 0, 0, 0]
    told = similarity_figures([item("a b c", "one two three"), item("a d e", "one two four")], 1, None)
    assert told is not None
    assert [level["pairs_found"] for level in told["levels"]] == [0, 1, 0, 0, 0]
    assert told["levels"][1]["box"]["median"] == pytest.approx(0.5)


def test_records_of_one_input_or_none_have_no_such_figures() -> None:
    nothing_given = replace(item("", "3"), input=None)
    assert similarity_figures([item("same", "1"), item("same", "2"), nothing_given], 1, None) is None


def test_vectors_are_asked_for_once(tmp_path: Path) -> None:
    path, texts = tmp_path / "vectors.sqlite", ["0", "90", "0", "refused", "\ud800"]
    for asked in (["0", "90", "refused", "\ud800"], []):
        circle = Circle()
        with kept_vectors(path, "model", circle) as vectors:
            found = vectors(texts)
        assert circle.asked == asked
        assert [None if vector is None else vector.round(3).tolist() for vector in found] == [
            [3, 0],
            [0, 3],
            [3, 0],
            None,
            None,
        ]
    other = Circle()
    with kept_vectors(path, "another model", other) as vectors:
        vectors(["0"])
    assert other.asked == ["0"]


def test_what_came_is_kept_when_the_service_goes_down(tmp_path: Path) -> None:
    path, texts = tmp_path / "vectors.sqlite", [str(number) for number in range(1000)]

    class Dying(Circle):
        def __call__(self, texts: Sequence[str]) -> list[Vector | None]:
            if self.asked:
                raise ProviderDown("gone", hint="[limits]")
            return super().__call__(texts)

    with kept_vectors(path, "m", Dying()) as vectors, pytest.raises(ProviderDown, match="report again"):
        vectors(texts)
    circle = Circle()
    with kept_vectors(path, "m", circle) as vectors:
        vectors(texts)
    assert circle.asked == texts[512:]


def test_a_file_that_holds_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"
    path.write_bytes(b"no database, and long enough not to be taken for an empty one" * 20)
    with pytest.raises(CannotCreate, match=r"vectors\.sqlite"), kept_vectors(path, "m", Circle()):
        pass
