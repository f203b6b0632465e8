"""llama.cpp's server as llama-cpp-python has it, with a model made on the spot: real inference from end to end."""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from personastream.core.contract import Contract
from personastream.errors import Unavailable
from personastream.providers.openai import Openai
from personastream.records import Request
from tests.servers.process import Logged, free_port, program, serving
from tests.servers.runs import job, settled
from tests.support.command import finish, personastream, started
from tests.support.workspace import persona_lines

PYTHON = program("python")
pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

ROWS = 30
CONTEXT_TOKENS = 1024
ALIAS = "tiny-llama"
ANSWERED = "POST /v1/chat/completions"
SCHEMA = {
    "type": "object",
    "required": ["mood", "sure"],
    "additionalProperties": False,
    "properties": {"mood": {"enum": ["calm", "cross", "glad"]}, "sure": {"type": "boolean"}},
}


class Machine(NamedTuple):
    """Where the model lies, and the port to serve it on."""

    model: Path
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @contextmanager
    def serving(self) -> Iterator[Logged]:
        """The server, once it listens."""
        options = {
            "--model": self.model,
            "--model_alias": ALIAS,
            "--n_ctx": CONTEXT_TOKENS,
            "--n_threads": 1,
            "--n_threads_batch": 1,
            "--host": "127.0.0.1",
            "--port": self.port,
        }
        words = [str(word) for pair in options.items() for word in pair]
        with serving(PYTHON, "-m", "llama_cpp.server", *words) as server:
            yield server


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    words = [str(PYTHON), "-m", "tests.servers.tiny_llama", str(model), str(CONTEXT_TOKENS)]
    subprocess.run(words, cwd=Path(__file__).parents[2], check=True)
    return Machine(model, free_port())


@pytest.fixture
def server(machine: Machine) -> Iterator[Logged]:
    with machine.serving() as running:
        yield running


def run_job(folder: Path, machine: Machine, lines: list[bytes]) -> Path:
    return job(folder, machine.base_url, lines, provider={"model": ALIAS, "in_flight_max": 4})


@pytest.mark.usefixtures("server")
def test_every_row_gets_a_reply_of_a_real_model(machine: Machine, tmp_path: Path) -> None:
    config = run_job(tmp_path, machine, persona_lines(ROWS))
    done = personastream("run", config, "--progress", "none")
    assert done.code == 0, done.err
    found = settled(config)
    assert (len(found.records), found.dead) == (ROWS, [])
    metas = [record["meta"] for record in found.records]
    assert {meta["model"] for meta in metas} == {ALIAS}
    assert all(meta["usage"]["input_tokens"] > 50 for meta in metas)
    assert all(1 <= meta["usage"]["output_tokens"] <= 16 for meta in metas)
    assert {meta["finish_reason"] for meta in metas} == {"length", "stop"}
    assert len({record["synthesized text"] for record in found.records}) > ROWS / 2


@pytest.mark.usefixtures("server")
def test_prompts_longer_than_the_context_end_as_dead_letters(machine: Machine, tmp_path: Path) -> None:
    """The server answers 400 with the code `context_length_exceeded`, like OpenAI."""
    long = json.dumps({"persona": "A baker in Ghent. " * 200}).encode()
    config = run_job(tmp_path, machine, [*persona_lines(10), long, *persona_lines(14)[10:], long + b" "])
    done = personastream("run", config, "--progress", "none")
    assert done.code == 0, done.err
    found = settled(config)
    assert (len(found.records), [letter["reason"] for letter in found.dead]) == (14, ["too_long"] * 2)


def test_a_run_outlives_the_death_of_the_server(machine: Machine, tmp_path: Path) -> None:
    config = run_job(tmp_path, machine, persona_lines(ROWS))
    with machine.serving() as first, started("run", config, "--progress", "none") as run:
        first.wait_for(ANSWERED, 5)
        first.kill()
        with machine.serving() as second:
            done = finish(run)
            second.wait_for(ANSWERED, 1)
    assert done.code == 0, done.err
    found = settled(config)
    assert (len(found.records), found.dead) == (ROWS, [])
    assert len({record["id"] for record in found.records}) == ROWS


@pytest.fixture
async def provider(machine: Machine, server: Logged) -> AsyncIterator[Openai]:
    """Our provider alone, for what no run asks for."""
    asking = Openai(base_url=machine.base_url, model=ALIAS, api_key_env="NO_SUCH_KEY", timeout_s=60.0)
    yield asking
    await asking.aclose()


@pytest.mark.anyio
async def test_a_reply_that_fills_the_context_is_cut_there_and_says_so(provider: Openai) -> None:
    """With fewer tokens than were asked for, and the reason `length`."""
    cut = []
    for seed in range(10):
        found = await provider.complete(Request("", "b" * (CONTEXT_TOKENS - 22), {"max_tokens": 99, "seed": seed}))
        if found.finish_reason == "length":
            cut.append(found.input_tokens + found.output_tokens)
    assert cut == [CONTEXT_TOKENS] * len(cut)
    assert len(cut) > 2


def structured(form: str, schema: Mapping[str, object]) -> dict[str, object]:
    """A `response_format`, as OpenAI has it or as this server has it."""
    if form == "json_schema":
        return {"type": form, form: {"name": "mood", "strict": True, "schema": schema}}
    return {"type": form, "schema": schema}


@pytest.mark.anyio
async def test_the_servers_grammar_keeps_a_schema(provider: Openai) -> None:
    """The model knows no JSON: without the grammar it would never write it."""
    form = structured("json_object", SCHEMA)
    for seed in range(10):
        ask = Request("", f"How is number {seed}?", {"max_tokens": 200, "seed": seed, "response_format": form})
        found = await provider.complete(ask)
        assert found.finish_reason == "stop"
        assert Contract(schema=SCHEMA).problem(found.text, "stop") is None


@pytest.mark.anyio
async def test_the_format_json_schema_is_unknown_to_this_server_and_no_refusal(provider: Openai) -> None:
    """Version 0.3 checks requests before llama.cpp sees them, and says 500 to those that it does not understand."""
    form = structured("json_schema", SCHEMA)
    with pytest.raises(Unavailable, match="Input should be 'text' or 'json_object'"):
        await provider.complete(Request("", "How are you?", {"max_tokens": 20, "response_format": form}))
