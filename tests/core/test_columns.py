"""Which columns are carried along with a row, and how they are named."""

import pytest

from personastream.core.columns import KEPT_MAX, keeper
from personastream.errors import ConfigError
from personastream.records import NO_ORIGIN


def test_columns_are_kept_under_their_dotted_path() -> None:
    keep = keeper(["url", "meta.root"])
    row = {"persona": "a baker", "url": "u", "meta": {"root": "pages:1", "hop": 2}}
    assert keep(row) == {"url": "u", "meta.root": "pages:1"}


@pytest.mark.parametrize("row", [{}, {"url": None}, {"meta": "text"}, {"meta": {"roots": 1}}, {"meta": None}])
def test_what_is_missing_is_left_out(row: dict[str, object]) -> None:
    assert keeper(["url", "meta.root"])(row) is NO_ORIGIN


def test_a_key_with_a_dot_in_it_is_found() -> None:
    assert keeper(["general.domain"])({"general.domain": "art", "general": {"domain": "no"}}) == {
        "general.domain": "art"
    }


def test_what_an_earlier_run_kept_is_carried_on() -> None:
    row = {"id": "b:1", "meta": {"origin": {"url": "u", "id": "a:1"}}}
    assert keeper(["id", "meta.origin"])(row) == {"url": "u", "id": "b:1"}
    assert keeper(["meta.origin"])({"meta": {"origin": "text"}}) is NO_ORIGIN


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b"])
def test_a_path_that_names_nothing_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="keep holds"):
        keeper([path])


def test_only_so_many_columns_are_kept() -> None:
    with pytest.raises(ConfigError, match="at most"):
        keeper([f"c{number}" for number in range(KEPT_MAX + 1)])
