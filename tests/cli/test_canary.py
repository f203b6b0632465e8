"""A key in the environment: whatever goes wrong, it ends up in no file of the run and in no output."""

import itertools
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

import orjson
import pytest

from tests.support.command import Finished, finish, personastream, started
from tests.support.held_server import Answer, Asked, held_server, math_problem
from tests.support.outputs import read_records
from tests.support.workspace import persona_lines, write_config, write_shard

pytestmark = pytest.mark.slow

KEY = "sk-canary-f00/Ba+r7xyz0123456789"


def key_in(asked: Asked) -> str:
    """The header with the key, as the server got it."""
    return asked.headers.get("authorization") or asked.headers["x-api-key"]


def quoting(status: int, **headers: str) -> Callable[[Asked], Answer]:
    """Answers that quote all that was sent, the key above all, in every place there is."""

    def answer(asked: Asked) -> Answer:
        sent = key_in(asked)
        body = orjson.dumps({"error": {"message": f"bad {sent}", "code": sent, "type": sent}, "echo": asked.headers})
        more = {"x-echo": sent, **{name.replace("_", "-"): text.format(sent) for name, text in headers.items()}}
        return Answer(status, body, more)

    return answer


def quoting_html(asked: Asked) -> Answer:
    return Answer(200, f"<html>{asked.headers}</html>".encode(), {"content-type": "text/html"})


def quoting_page_403(asked: Asked) -> Answer:
    return quoting_html(asked)._replace(status=403)


def quoting_text(asked: Asked) -> Answer:
    """A sound reply, with the key in its text, model and finish reason."""
    sent = key_in(asked)
    if asked.path.endswith("/messages"):
        content = [{"type": "text", "text": f"Math problem: what is {sent}?"}]
        return Answer(200, orjson.dumps({"content": content, "model": sent, "stop_reason": sent}))
    reply = orjson.loads(math_problem(asked).body)
    reply["model"] = reply["choices"][0]["finish_reason"] = sent
    reply["choices"][0]["message"]["content"] += f" Its answer is {sent}."
    return Answer(200, orjson.dumps(reply))


def quoting_for_some(asked: Asked) -> Answer:
    """Every second row is refused, so that dead letters with responses are written."""
    return quoting(400)(asked) if sum(asked.body) % 2 else quoting_text(asked)


def quoting_stream(asked: Asked) -> Answer:
    event = orjson.dumps({"error": {"message": key_in(asked), "type": "overloaded_error"}})
    return Answer(200, b"event: error\ndata: " + event + b"\n\n", {"retry-after": "0"})


def quoting_and_cut(asked: Asked) -> Answer:
    """A body that quotes the key and ends too early."""
    answer = quoting(200)(asked)
    return Answer(200, answer.body, {"content-length": str(len(answer.body) + 9), "connection": "close"})


def quoting_too_late(asked: Asked) -> Answer:
    """An answer that nobody waits for any more."""
    time.sleep(0.3)
    return quoting(200)(asked)


def quoting_in_address(asked: Asked) -> Answer:
    """The key as a server would log it, as part of an address."""
    return Answer(500, f"GET /?key={quote(KEY, safe='')} {key_in(asked)}".encode())


SERVERS: dict[str, tuple[Callable[[Asked], Answer], int]] = {
    "401": (quoting(401), 77),
    "302": (quoting(302, location="http://other.example/?key={}"), 77),
    "429": (quoting(429, retry_after="0"), 69),
    "500": (quoting(500), 69),
    "HTML": (quoting_html, 69),
    "a 200 with an error": (quoting(200), 69),
    "a 200 that quotes": (quoting_text, 0),
    "some refused": (quoting_for_some, 0),
    "all refused": (quoting(400), 78),
    "too late": (quoting_too_late, 69),
}
STOPS = {
    "401": quoting(401),
    "402": quoting(402),
    "403": quoting_page_403,
    "404": quoting(404),
    "302": quoting(302, location="http://other.example/?key={}"),
}
ROUGH = (
    quoting(500),
    quoting_html,
    quoting(200),
    quoting_and_cut,
    quoting_in_address,
    quoting(413),
    quoting_too_late,
    quoting_stream,
    quoting(529, retry_after="0"),
    quoting(429, retry_after="0", x_ratelimit_reset_tokens="{}"),
)
"""All that goes wrong without an end to the run."""


def check_nowhere(folder: Path, *finished: Finished) -> None:
    """The key stands in no file under `folder`, compressed ones included, and in nothing that was written."""
    for done in finished:
        assert KEY not in unquote(done.out + done.err)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert KEY not in unquote(path.read_bytes().decode("latin-1")), path
    for directory in ("data", "dead"):
        if (folder / directory).exists():
            text = orjson.dumps(read_records(folder / directory, open_parts=True)).decode()
            assert KEY not in text
            assert KEY not in text.replace("\\/", "/").replace("\\\\", "\\")


@pytest.mark.parametrize(("answer", "code"), SERVERS.values(), ids=SERVERS.keys())
def test_a_server_that_quotes_the_key_does_not_bring_it_to_light(
    tmp_path: Path, answer: Callable[[Asked], Answer], code: int
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(20))
    limits = {"outage_s_max": 0.3, "dead_share_max": 1.0}
    with held_server(answer, held=False) as server:
        provider = {"timeout_s": 0.2} if answer is quoting_too_late else {}
        config = write_config(
            tmp_path / "job.toml", server.base_url, provider=provider, limits=limits, recipe={"reasks_max": 0}
        )
        done = personastream("run", config, env={"OPENAI_API_KEY": KEY})
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert done.code == code, done.err
    run = tmp_path / "run"
    check_nowhere(run, done, personastream("status", run), personastream("verify", run))


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_a_run_that_goes_wrong_in_every_way_does_not_bring_the_key_to_light(tmp_path: Path, api: str) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(30))
    turns = itertools.count()

    def answer(asked: Asked) -> Answer:
        """Everything goes wrong once, with an answer between that goes well but has the key in its text."""
        turn = next(turns)
        return ROUGH[turn // 2](asked) if turn % 2 and turn // 2 < len(ROUGH) else quoting_text(asked)

    provider = {"type": api, "api_key_env": "CANARY", "timeout_s": 0.2, "in_flight_max": 4, "pacing": "fixed"}
    limits = {"dead_share_max": 1.0}
    with held_server(answer, held=False) as server:
        config = write_config(tmp_path / "job.toml", server.base_url, provider=provider, limits=limits)
        done = personastream("run", config, env={"CANARY": KEY})
        assert KEY in key_in(server.asked[0])
    assert done.code == 0, done.err
    assert next(turns) > 2 * len(ROUGH)
    run = tmp_path / "run"
    assert list((run / "dead").iterdir())
    check_nowhere(run, done, personastream("status", run), personastream("verify", run))


@pytest.mark.parametrize("answer", STOPS.values(), ids=STOPS.keys())
def test_a_server_of_anthropics_kind_that_turns_us_away_is_not_quoted(
    tmp_path: Path, answer: Callable[[Asked], Answer]
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl.zst", persona_lines(5))
    with held_server(answer, held=False) as server:
        config = write_config(tmp_path / "job.toml", server.base_url, provider={"type": "anthropic"})
        done = personastream("run", config, env={"ANTHROPIC_API_KEY": KEY})
        assert server.asked[0].headers["x-api-key"] == KEY
    assert done.code == 77, done.err
    check_nowhere(tmp_path / "run", done)


def test_the_key_is_in_no_file_while_a_run_is_under_way_nor_after_a_crash(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(5))
    with held_server() as server:
        config = write_config(tmp_path / "job.toml", server.base_url)
        with started("run", config, env={"OPENAI_API_KEY": KEY}) as process:
            server.wait_for(5)
            check_nowhere(tmp_path / "run")
            process.kill()
            process.communicate()
    check_nowhere(tmp_path / "run")


def test_check_shows_where_the_key_comes_from_and_not_the_key(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(3))
    config = write_config(tmp_path / "job.toml", "http://127.0.0.1:9/v1")
    for options in ((), ("--json",)):
        done = personastream("check", config, *options, env={"OPENAI_API_KEY": KEY})
        assert done.code == 0
        assert "OPENAI_API_KEY" in done.out
        assert KEY not in done.out + done.err


def test_a_key_where_it_does_not_belong_is_refused_without_being_shown(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(3))
    config = write_config(tmp_path / "job.toml", "http://127.0.0.1:9/v1", provider={"api_key": KEY})
    refused = personastream("run", config)
    assert refused.code == 78
    assert "api_key_env" in refused.err
    write_config(config, f"http://user:{KEY}@127.0.0.1:9/v1")
    address = personastream("run", config)
    assert address.code == 78
    typed = personastream("run", config, "--set", f"provider.api_key={KEY}")
    assert typed.code == 78
    for done in (refused, address, typed):
        assert KEY not in done.out + done.err
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_told_to_stop_does_not_tell_the_key(tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(30))
    with held_server() as server:
        config = write_config(tmp_path / "job.toml", server.base_url, provider={"in_flight_max": 4})
        with started("run", config, env={"OPENAI_API_KEY": KEY}) as process:
            server.wait_for(4)
            process.send_signal(signal.SIGTERM)
            server.let_go()
            done = finish(process)
    assert done.code == 75
    check_nowhere(tmp_path / "run", done)
