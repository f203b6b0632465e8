"""Personas of demonstrations, inferred before the first row: each is durable before it is used."""

from collections.abc import Mapping
from pathlib import Path

import anyio
import orjson
import pytest

from personastream.engine.pool import Abandoned
from personastream.engine.run import nothing_to_prepare
from personastream.errors import ConfigError, CorruptOutput, StorageFailed
from personastream.launch.inference import NAME, inference
from personastream.ports import Ask
from personastream.records import Completion, Request
from personastream.testing import Echo


class Shows(Echo):
    """A recipe that shows three demonstrations."""

    def __init__(self, failing: Mapping[str, BaseException] | None = None) -> None:
        super().__init__()
        self.known: dict[str, str] = {}
        self.failing = failing or {}
        self.asked: list[str] = []

    @property
    def unknown(self) -> Mapping[str, str]:
        return {key: f"text {key}" for key in "abc" if key not in self.known}

    async def infer(self, text: str, ask: Ask) -> str:
        self.asked.append(text)
        await anyio.lowlevel.checkpoint()
        if text[-1] in self.failing:
            raise self.failing[text[-1]]
        return f"who wrote {text}"

    def learn(self, personas: Mapping[str, str]) -> None:
        self.known |= personas


async def no_ask(request: Request) -> Completion:
    raise AssertionError


def prepare(recipe: Shows, folder: Path) -> None:
    anyio.run(inference(recipe, folder), no_ask)


def test_all_are_inferred_and_kept(tmp_path: Path) -> None:
    first, second = Shows(), Shows()
    prepare(first, tmp_path)
    assert first.known == {key: f"who wrote text {key}" for key in "abc"}
    assert orjson.loads((tmp_path / NAME).read_bytes()) == first.known
    assert inference(second, tmp_path) is nothing_to_prepare
    assert (second.known, second.asked) == (first.known, [])


@pytest.mark.parametrize("failure", [ConfigError("no"), Abandoned()])
def test_what_was_inferred_before_a_failure_is_not_paid_for_again(tmp_path: Path, failure: BaseException) -> None:
    with pytest.raises(type(failure)):
        prepare(Shows({"b": failure}), tmp_path)
    again = Shows()
    prepare(again, tmp_path)
    assert again.asked == ["text b"]
    assert set(again.known) == set("abc")


@pytest.mark.parametrize("content", [b"[1]", b'{"a": 3}', b"{", b""])
def test_a_damaged_file_is_no_reason_to_infer_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(CorruptOutput, match=r"demonstrations\.json is damaged"):
        inference(Shows(), tmp_path)


def test_a_disk_that_refuses_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="cannot write"):
        prepare(Shows(), tmp_path / "gone")


def test_other_recipes_have_nothing_to_prepare(tmp_path: Path) -> None:
    assert inference(Echo(), tmp_path) is nothing_to_prepare
    anyio.run(nothing_to_prepare, no_ask)
