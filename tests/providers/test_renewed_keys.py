"""A key that changes while requests go out: the next one carries it, and a bad one changes nothing."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from personastream.build import build
from personastream.config import load
from personastream.core.pace import Pace
from personastream.core.retry import Health, RetryPolicy
from personastream.engine.endpoint import Endpoint
from personastream.engine.exchange import Exchange
from personastream.errors import ConfigError
from personastream.providers.access import read_key
from personastream.providers.anthropic import Anthropic
from personastream.providers.openai import Openai
from personastream.providers.openai_batch import OpenaiBatch
from personastream.records import Request
from tests.support.raw_server import http, raw_server

OLD, NEW = "sk-old-0123456789abcdef", "sk-new-0123456789abcdef"
REQUEST = Request("", "a baker in Ghent", {})
ANSWER = http(200, orjson.dumps({"choices": [{"message": {"content": f"{OLD} {NEW}"}}]}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "key", OLD)


def written(file: Path, key: str) -> Path:
    file.write_text(key)
    file.chmod(0o600)
    return file


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [Openai, Anthropic])
async def test_the_next_request_carries_the_new_key_on_the_same_connection(
    kind: type[Openai | Anthropic], file: Path
) -> None:
    answer = http(200, orjson.dumps({"content": [{"type": "text", "text": "x"}]})) if kind is Anthropic else ANSWER
    async with raw_server(answer, answer) as server:
        provider = kind(server.base_url, "m", api_key_file=str(file))
        service = provider.service
        await provider.complete(REQUEST)
        assert not provider.renew_key()
        written(file, NEW)
        assert provider.renew_key()
        await provider.complete(REQUEST)
        await provider.aclose()
    assert OLD.encode() in server.heads[0]
    assert NEW.encode() in server.heads[1]
    assert OLD.encode() not in server.heads[1]
    assert server.connections == 1
    assert provider.service == service, "limits are shared under a name that lasts"
    assert "sk-" not in service


@pytest.mark.anyio
async def test_replies_may_quote_either_key_and_show_neither(file: Path) -> None:
    async with raw_server(ANSWER) as server:
        provider = Openai(server.base_url, "m", api_key_file=str(file))
        written(file, NEW)
        provider.renew_key()
        completion = await provider.complete(REQUEST)
        await provider.aclose()
    assert completion.text == "[key] [key]"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda file: file.write_text(""),
        lambda file: file.write_text("two\nlines"),
        lambda file: written(file, NEW).chmod(0o644),
    ],
)
async def test_a_bad_key_file_keeps_the_old_key(spoil: Callable[[Path], object], file: Path) -> None:
    async with raw_server(ANSWER) as server:
        provider = Openai(server.base_url, "m", api_key_file=str(file))
        spoil(file)
        with pytest.raises(ConfigError, match=str(file)) as caught:
            provider.renew_key()
        assert "sk-" not in str(caught.value)
        await provider.complete(REQUEST)
        await provider.aclose()
    assert OLD.encode() in server.heads[0]


def test_a_key_that_comes_later_does_not_cross_the_internet_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    provider = Openai("http://8.8.8.8/v1", "m", api_key_env="TEST_KEY")
    monkeypatch.setenv("TEST_KEY", NEW)
    with pytest.raises(ConfigError, match="unencrypted"):
        provider.renew_key()
    assert not provider.own_headers()


@pytest.mark.anyio
async def test_calls_for_batches_carry_it_too(file: Path) -> None:
    def answer(status: str) -> bytes:
        return http(200, orjson.dumps({"id": "b", "status": status}))

    async with raw_server(answer("a"), answer("b")) as server:
        provider = OpenaiBatch(server.base_url, "m", api_key_file=str(file), batch_dir=str(file.parent / "batches"))
        url = provider._url
        await provider.document("POST", url, data=b"{}")
        written(file, NEW)
        assert provider.renew_key()
        await provider.document("POST", url, data=b"{}")
        await provider.aclose()
    assert [key.encode() in head for key, head in zip((OLD, NEW), server.heads, strict=True)] == [True, True]
    assert OLD.encode() not in server.heads[1]


def test_an_exchange_renews_all_and_says_which_are_bad(tmp_path: Path) -> None:
    files = [written(tmp_path / name, OLD) for name in ("a", "b")]
    providers = [Openai("http://127.0.0.1:1/v1", file.name, api_key_file=str(file)) for file in files]
    exchange = Exchange(lambda: 0.0)
    share = exchange.join("job")
    share.enter(
        [
            Endpoint(each, Pace(8, False, 0.0), Health(RetryPolicy(), 0.0), label=each.label, service=each.service)
            for each in providers
        ]
    )
    written(files[0], NEW)
    files[1].write_text("two\nlines")
    renewed, errors = exchange.renew_keys()
    assert renewed == 1
    (error,) = errors
    assert "127.0.0.1:1 b" in error.message
    assert NEW in providers[0].own_headers()["Authorization"]
    assert OLD in providers[1].own_headers()["Authorization"]


def test_a_credential_of_systemd_is_a_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mode shows group rights where an access list gives the service's user the right to read it."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    written(tmp_path / "openai", NEW).chmod(0o440)
    assert read_key("TEST_KEY", "$CREDENTIALS_DIRECTORY/openai") == NEW
    (tmp_path / "openai").chmod(0o444)
    with pytest.raises(ConfigError, match="can be read by others"):
        read_key("TEST_KEY", "$CREDENTIALS_DIRECTORY/openai")


@pytest.mark.parametrize("name", ["", "..", "../key", "a/b", "."])
def test_what_is_no_credential_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="names no credential"):
        read_key("TEST_KEY", f"$CREDENTIALS_DIRECTORY/{name}")


def test_without_systemd_there_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match="CREDENTIALS_DIRECTORY") as caught:
        read_key("TEST_KEY", "$CREDENTIALS_DIRECTORY/openai")
    assert "LoadCredential=openai" in caught.value.hint


def test_a_credential_is_not_looked_for_beside_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    written(tmp_path / "openai", NEW)
    (tmp_path / "a.jsonl").write_text('{"persona": "a baker"}\n')
    (tmp_path / "run.toml").write_text(
        """
[source]
paths = ["*.jsonl"]
[recipe]
template = "math"
[provider]
base_url = "http://127.0.0.1:1/v1"
model = "m"
api_key_file = "$CREDENTIALS_DIRECTORY/openai"
[sink]
path = "out"
"""
    )
    (provider,) = build(load(str(tmp_path / "run.toml"))).providers
    assert isinstance(provider, Openai)
    assert NEW in provider.own_headers()["Authorization"]
