"""Hostile personas and replies go through every command: no template, file, line, page or other row is altered."""

from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.core.inert import inert
from tests.support.browser import browser
from tests.support.command import Finished, personastream
from tests.support.held_server import Answer, Asked, HeldServer, held_server
from tests.support.hostile_texts import CANARY, PLACE, hostile
from tests.support.outputs import read_records
from tests.support.workspace import write_config, write_shard

pytestmark = pytest.mark.slow

TEXTS = [each.text for each in hostile()]
KINDS = {each.text: each.kind for each in hostile()}
START, END = "<persona>\n", "\n</persona>"
UNSEEN = {*map(chr, (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))}
"""Characters that no line on a terminal may hold."""


def persona_in(prompt: str) -> str:
    return prompt.partition(START)[2].rpartition(END)[0]


def asked_of(asked: Asked) -> str:
    user: str = orjson.loads(asked.body)["messages"][-1]["content"]
    return user


def chat(text: str) -> Answer:
    message = {"role": "assistant", "content": text}
    return Answer(200, orjson.dumps({"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}))


def parrot(asked: Asked) -> Answer:
    """A model that has been taken over altogether: its replies are as hostile as the personas."""
    return chat(f"Math problem: {persona_in(asked_of(asked)).replace('‹', '<')}")


def harmless(asked: Asked) -> Answer:
    return chat("Math problem: what is 2 + 3?")


class Marks(HTMLParser):
    """The tags of a page with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str, tuple[str, ...]]] = set()
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(sorted(name for name, _ in attrs))))
        self.scripts += tag == "script"


class Job:
    """A run of all texts in a folder of its own, and what it asked."""

    def __init__(self, folder: Path, texts: Sequence[str], server: HeldServer, screens: Sequence[Any] = ()) -> None:
        self.folder = folder
        self.texts = texts
        write_shard(folder / "in" / "a.jsonl", [orjson.dumps({"persona": text}) for text in texts])
        path = write_config(folder / "job.toml", server.base_url, screens=screens, recipe={"reasks_max": 0})
        self.done = personastream("run", path, "--progress", "plain")
        assert self.done.code == 0, self.done.err
        self.prompts = [asked_of(each) for each in server.asked]

    def records(self) -> dict[int, dict[str, Any]]:
        found = read_records(self.folder / "run" / "data")
        return {int(record["id"].partition(":")[2]): record for record in found}

    def names(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@pytest.fixture(scope="module")
def tame(tmp_path_factory: pytest.TempPathFactory) -> Job:
    with held_server(harmless, held=False) as server:
        return Job(tmp_path_factory.mktemp("tame"), [f"A ferryman {row}" for row in range(len(TEXTS))], server)


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    with held_server(parrot, held=False) as server:
        yield Job(tmp_path_factory.mktemp("wild"), TEXTS, server)


def check_lines(done: Finished) -> None:
    for text in (done.out, done.err):
        assert not {*text} & UNSEEN


def test_no_template_is_altered(wild: Job, tame: Job) -> None:
    (frame,) = {(prompt.partition(START)[0], prompt.rpartition(END)[2]) for prompt in tame.prompts}
    assert {(prompt.partition(START)[0], prompt.rpartition(END)[2]) for prompt in wild.prompts} == {frame}
    assert {persona_in(prompt) for prompt in wild.prompts} == {inert(text) for text in TEXTS}


def test_no_row_is_altered_and_none_is_added(wild: Job) -> None:
    records = wild.records()
    assert records.keys() == {*range(len(TEXTS))}
    for row, text in enumerate(TEXTS):
        assert records[row]["input persona"] == text
        assert records[row].keys() == records[0].keys()
    assert personastream("verify", wild.folder / "run").code == 0


def test_no_file_has_another_name(wild: Job, tame: Job) -> None:
    assert wild.names() == tame.names()
    assert not [name for name in wild.names() if PLACE in name]
    assert not Path(PLACE).exists()


def test_no_line_is_altered(wild: Job, tame: Job) -> None:
    run = wild.folder / "run"
    status = personastream("status", run)
    for done in (wild.done, status):
        assert done.code == 0
        check_lines(done)
    assert len(status.out.splitlines()) == len(personastream("status", tame.folder / "run").out.splitlines())


def test_no_page_is_altered(wild: Job, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert personastream("report", wild.folder / "run", "--output", path).code == 0
    marks = Marks(path.read_text("utf-8"))
    assert marks.scripts <= 1
    assert not [names for _, names in marks.found if any(name.startswith("on") for name in names)]
    with browser() as chromium:
        page = chromium.open(path.as_uri())
        assert page.messages == []
        assert page.requests == [path.as_uri()]
        assert "pwned" not in page.evaluate("document.title")


def test_no_export_has_another_row(wild: Job, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert personastream("export", wild.folder / "run", "--format", "persona_hub", "--out", out).code == 0
    rows = [orjson.loads(line) for line in out.read_bytes().split(b"\n") if line]
    assert sorted(row["input persona"] for row in rows) == sorted(TEXTS)


def test_dead_letters_of_hostile_rows_are_lines_like_others(tmp_path: Path) -> None:
    with held_server(lambda asked: chat(persona_in(asked_of(asked))), held=False) as server:
        write_shard(tmp_path / "in" / "a.jsonl", [orjson.dumps({"persona": text}) for text in TEXTS])
        path = write_config(
            tmp_path / "job.toml", server.base_url, recipe={"reasks_max": 0}, limits={"dead_share_max": 1.0}
        )
        done = personastream("run", path, "--progress", "json")
    assert done.code == 0
    check_lines(done)
    assert len(read_records(tmp_path / "run" / "dead")) == len(TEXTS)


def test_the_screen_keeps_every_attempt_out(tmp_path: Path) -> None:
    with held_server(parrot, held=False) as server:
        job = Job(tmp_path, TEXTS, server, [("injection", {})])
    assert {KINDS[record["input persona"]] for record in job.records().values()} <= {""}
    rows = personastream("status", tmp_path / "run", "--json").json()["rows"]
    assert sum(rows["dropped"].values()) == len(TEXTS) - len(job.records())
    assert len(job.prompts) == len(job.records())


def obedient(asked: Asked) -> Answer:
    """A model that obeys one persona in two that asks for the canary, and quotes all others."""
    persona = persona_in(asked_of(asked))
    obeys = CANARY in persona and sum(persona.encode()) % 2
    return chat(f"Math problem: {CANARY}" if obeys else f"Math problem: of {persona}")


def test_a_canary_is_found_when_it_is_obeyed_and_not_when_it_is_quoted(tmp_path: Path) -> None:
    texts = [text for text in TEXTS if "<" not in text]
    obeyed = {text for text in texts if CANARY in text and sum(text.encode()) % 2}
    assert 3 < len(obeyed) < sum(CANARY in text for text in texts) - 3
    with held_server(obedient, held=False) as server:
        job = Job(tmp_path, texts, server, [("canary", {"words": [CANARY]})])
    rows = personastream("status", tmp_path / "run", "--json").json()["rows"]
    assert rows["dropped"] == {"canary": len(obeyed)}
    assert {*texts} - {record["input persona"] for record in job.records().values()} == obeyed
