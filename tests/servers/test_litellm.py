"""LiteLLM's proxy between us and our simulator: what it makes of good answers and of faults.

The two tables say what arrives through version 1.108; docs/faults.md says what arrives without it. It hands on the
status, mostly, and the words, but of an error's labels none: a prompt that is too long is `bad_request` behind it, a
quota that is used up looks like a passing limit. Pauses come under other names for chat completions, not for messages.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from personastream.errors import AttemptError
from personastream.providers.anthropic import Anthropic
from personastream.providers.openai import Openai
from personastream.records import Completion, Request
from tests.servers.process import free_port, program, serving
from tests.servers.runs import job, settled
from tests.support.command import Finished, personastream
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines

LITELLM = program("litellm")
pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

KEY_VARIABLE = "GATEWAY_KEY"
KEY = "sk-only-for-this-test-0123456789abcdef"
LOCAL = ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS", "AUTOROUTER_PRESETS", "BLOG_POSTS", "POLICY_TEMPLATES")
ALONE = {"LITELLM_TELEMETRY": "False", "LITELLM_MASTER_KEY": KEY} | {f"LITELLM_LOCAL_{name}": "True" for name in LOCAL}
"""It fetches nothing from the network, and tells nobody that it runs."""


CHAT = {
    "429": "Throttled 7",
    "429-ms": "Throttled 7",
    "429-date": "Throttled 7",
    "429-reset": "Throttled 7",
    "429-bare": "Throttled None",
    "429-quota": "Throttled None",
    "503": "Throttled None",
    "503-pause": "Throttled 7",
    "529": "Throttled None",
    "200-429": "Throttled None",
    "500-overloaded": "Unavailable",
    "500": "Unavailable",
    "502": "Unavailable",
    "504": "Unavailable billed",
    "drop": "Unavailable",
    "cut": "Unavailable",
    "html": "Unavailable",
    "malformed": "Unavailable",
    "no-choices": "Unavailable",
    "too-long": "Refused bad_request",
    "too-long-500": "Unavailable",
    "413": "Refused too_long",
    "422": "Refused bad_request",
    "poison": "Refused bad_request",
    "400-filter": "Refused bad_request",
    "401": "Unauthorized",
    "402": "Unauthorized",
    "403": "Unauthorized",
    "404": "NotFound",
    "no-content": "completion stop, empty",
    "empty-choices": "completion stop, empty",
    "finish-error": "completion stop, empty",
    "length": "completion length",
    "refuse": "completion content_filter, empty",
    "refusal": "completion refusal, empty",
    "no-usage": "completion stop",
}
MESSAGES = {
    **{name: "Throttled None" for name in CHAT if name.startswith(("429", "503"))},
    "529": "Unavailable",
    "500-overloaded": "Unavailable",
    "500": "Unavailable",
    "504": "Unavailable billed",
    "drop": "Unavailable",
    "too-long": "Refused bad_request",
    "413": "Refused bad_request",
    "401": "Unauthorized",
    "402": "Unauthorized",
    "404": "NotFound",
    "length": "completion length",
    "finish-error": "completion error, empty",
    "refuse": "completion refusal, empty",
}


class Gateway(NamedTuple):
    """LiteLLM, and the simulator behind it."""

    base_url: str
    behind: Simulated


def settings(base_url: str) -> dict[str, object]:
    """LiteLLM's configuration; it rests a model after some faults, so each fault has one of its own."""
    chat = {"model": "openai/simulated", "api_base": base_url, "api_key": "none"}
    claude = {"model": "anthropic/simulated", "api_base": base_url.removesuffix("/v1"), "api_key": "none"}
    named = [("chat", chat), ("claude", claude), ("pair", chat), ("pair", {**chat, "model": "openai/too"})]
    named += [(f"chat {name}", chat) for name in CHAT] + [(f"claude {name}", claude) for name in MESSAGES]
    return {
        "model_list": [{"model_name": name, "litellm_params": settings} for name, settings in named],
        "router_settings": {"num_retries": 0},
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config, port = tmp_path_factory.mktemp("litellm") / "config.json", free_port()
    with simulated() as behind:
        config.write_bytes(orjson.dumps(settings(behind.base_url)))
        with serving(LITELLM, "--config", config, "--host", "127.0.0.1", "--port", str(port), env=ALONE):
            yield Gateway(f"http://127.0.0.1:{port}/v1", behind)


@pytest.fixture(autouse=True)
def _quiet(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    yield
    gateway.behind.change(faults={}, retry_after_s=1.0)


def through(gateway: Gateway, kind: str) -> dict[str, object]:
    """The `[provider]` section."""
    model = {"openai": "chat", "anthropic": "claude"}[kind]
    return {"type": kind, "model": model, "base_url": gateway.base_url, "api_key_env": KEY_VARIABLE}


def ran(config: Path) -> Finished:
    return personastream("run", config, "--progress", "none", env={KEY_VARIABLE: KEY})


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_hundred_rows_arrive_through_the_gateway(gateway: Gateway, tmp_path: Path, kind: str) -> None:
    config = job(tmp_path, gateway.base_url, persona_lines(100), provider=through(gateway, kind))
    done = ran(config)
    assert done.code == 0, done.err
    found = settled(config)
    assert (len(found.records), found.dead) == (100, [])
    assert all(record["meta"]["usage"]["input_tokens"] > 0 for record in found.records)
    assert all(record["meta"]["usage"]["output_tokens"] > 0 for record in found.records)
    assert {record["meta"]["model"] for record in found.records} == {through(gateway, kind)["model"]}


def test_rows_outlast_limits_and_trouble_behind_the_gateway(gateway: Gateway, tmp_path: Path) -> None:
    gateway.behind.change(faults={"429": 0.05, "500": 0.05, "503": 0.02, "drop": 0.02}, retry_after_s=0.2)
    config = job(tmp_path, gateway.base_url, persona_lines(100), provider=through(gateway, "openai"))
    done = ran(config)
    assert done.code == 0, done.err
    found = settled(config)
    assert (len(found.records), found.dead) == (100, [])


def test_prompts_that_are_too_long_end_as_dead_letters(gateway: Gateway, tmp_path: Path) -> None:
    gateway.behind.change(faults={"too-long": 0.1})
    config = job(tmp_path, gateway.base_url, persona_lines(100), provider=through(gateway, "openai"))
    done = ran(config)
    assert done.code == 0, done.err
    found = settled(config)
    assert len(found.records) + len(found.dead) == 100
    assert {letter["reason"] for letter in found.dead} == {"bad_request"}
    assert all("longer than the model" in letter["detail"] for letter in found.dead)


def told(found: Completion | AttemptError) -> str:
    """An outcome in a word or two."""
    if isinstance(found, Completion):
        return f"completion {found.finish_reason}{'' if found.text.strip() else ', empty'}"
    words = [type(found).__name__]
    if hasattr(found, "retry_after_s"):
        words.append("None" if found.retry_after_s is None else f"{found.retry_after_s:g}")
    words.extend(["billed"] if getattr(found, "billed", False) else [])
    words.extend([found.reason] if hasattr(found, "reason") else [])
    return " ".join(words)


async def outcome(gateway: Gateway, api: type[Openai | Anthropic], model: str, text: str) -> Completion | AttemptError:
    provider = api(base_url=gateway.base_url, model=model, api_key_env=KEY_VARIABLE, timeout_s=30.0)
    try:
        return await provider.complete(Request("", text, {"max_tokens": 500}))
    except AttemptError as error:
        return error
    finally:
        await provider.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "expected"), CHAT.items(), ids=CHAT.keys())
async def test_a_fault_behind_the_gateway_becomes(gateway: Gateway, name: str, expected: str) -> None:
    gateway.behind.change(faults={name: 1.0}, retry_after_s=7.0)
    assert told(await outcome(gateway, Openai, f"chat {name}", "a fault")) == expected


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "expected"), MESSAGES.items(), ids=MESSAGES.keys())
async def test_a_fault_behind_the_gateway_becomes_for_messages(gateway: Gateway, name: str, expected: str) -> None:
    gateway.behind.change(faults={name: 1.0}, retry_after_s=7.0)
    assert told(await outcome(gateway, Anthropic, f"claude {name}", "a fault")) == expected


@pytest.mark.anyio
async def test_the_gateway_asks_for_pauses_of_its_own_while_all_it_knows_is_resting(gateway: Gateway) -> None:
    gateway.behind.change(faults={"429": 1.0}, retry_after_s=3.0)
    found = [await outcome(gateway, Openai, "pair", f"turn {turn}") for turn in range(3)]
    asked = gateway.behind.stats()["arrivals"]
    assert [type(each).__name__ for each in found] == ["Throttled"] * 3
    assert told(await outcome(gateway, Openai, "pair", "one more")).startswith("Throttled ")
    assert gateway.behind.stats()["arrivals"] == asked, "it answers by itself"


@pytest.mark.parametrize(
    ("mistake", "words"), [({"model": "nosuch"}, "Invalid model name"), ({"api_key_env": "OTHER"}, "No connected db")]
)
def test_a_wrong_name_or_key_stops_the_run(
    gateway: Gateway, tmp_path: Path, mistake: dict[str, object], words: str
) -> None:
    config = job(tmp_path, gateway.base_url, persona_lines(100), provider={**through(gateway, "openai"), **mistake})
    done = personastream("run", config, "--progress", "none", env={KEY_VARIABLE: KEY, "OTHER": "sk-wrong"})
    assert done.code == 78
    assert words in done.err
