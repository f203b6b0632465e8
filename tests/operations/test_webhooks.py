"""Webhooks: what is sent, how it is signed, and that neither faults nor kills lose a message."""

import base64
import hashlib
import hmac
import io
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web

from personastream.errors import ConfigError
from personastream.serve.happenings import Happening, Happenings, Kind
from personastream.serve.log import Log, LogSettings
from personastream.serve.settings import load_settings
from personastream.serve.view import JobState, JobView, ServiceView
from personastream.serve.webhook_settings import OWN_SECRET, Webhook, targets
from personastream.serve.webhooks import Webhooks, figures, signature

WAIT_S = 60.0
CANARY = "canary-5f2c9d17e4b8"


@dataclass(slots=True)
class Receiver:
    """Somebody who is told. `answers` are the statuses of the next answers, then 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    come: anyio.Event = field(default_factory=anyio.Event)

    @property
    def types(self) -> list[str]:
        return [orjson.loads(body)["type"] for _, body in self.seen]

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        self.come.set()
        self.come = anyio.Event()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})

    async def wait_for(self, count: int) -> None:
        with anyio.fail_after(WAIT_S):
            while len(self.seen) < count:
                await self.come.wait()


@asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(answers=list(answers))
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?who={CANARY}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def webhooks(root: Path, *hooks: Webhook, words: io.StringIO | None = None) -> Webhooks:
    log = Log(LogSettings("debug", "json"), stream=words or io.StringIO())
    return Webhooks(targets(list(hooks), root, {}), root / "outbox", log, chance=random.Random(1))


async def delivered(hooks: Webhooks, root: Path) -> None:
    """Deliver until nothing is left on the disk."""
    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hooks.deliver)
            await until(lambda: not left(root))
            tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(WAIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await anyio.sleep(0.005)


def left(root: Path) -> list[Path]:
    return sorted((root / "outbox").glob("*"))


def whys(words: io.StringIO) -> set[str]:
    """Why attempts failed, as the log has it."""
    return {orjson.loads(line)["why"] for line in words.getvalue().splitlines()}


def told(hooks: Webhooks) -> Happenings:
    happenings = Happenings()
    happenings.listen(hooks.hear)
    return happenings


@pytest.mark.anyio
async def test_a_message_says_what_happened_and_who_says_so(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hooks = webhooks(tmp_path, Webhook(receiver.url))
        told(hooks).tell(Kind.FAILED, "math", why="the key is refused", hint="Renew it.", exit_code=77)
        await delivered(hooks, tmp_path)
        ((headers, body),) = receiver.seen
    message = orjson.loads(body)
    assert message["type"] == "job.failed"
    assert message["text"] == "personastream: job math has failed: the key is refused"
    assert message["data"] == {"job": "math", "why": "the key is refused", "hint": "Renew it.", "exit_code": 77}
    key = base64.b64decode((tmp_path / OWN_SECRET).read_text().strip().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    proof = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{proof}"
    assert (tmp_path / OWN_SECRET).stat().st_mode & 0o777 == 0o600


def test_the_signature_is_that_of_standard_webhooks() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.anyio
async def test_only_what_is_wanted_is_told(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hooks = webhooks(tmp_path, Webhook(receiver.url))
        happenings = told(hooks)
        for kind in Kind:
            happenings.tell(kind, "" if kind.value.startswith("budget") else "math")
        await delivered(hooks, tmp_path)
        assert sorted(receiver.types) == sorted(
            ["job.done", "job.paused", "job.failed", "service.budget_80", "service.budget_100"]
        )


@pytest.mark.anyio
async def test_what_is_not_taken_is_sent_again_with_the_same_id(tmp_path: Path) -> None:
    words = io.StringIO()
    async with receiving(500, 429, 302, 400) as receiver:
        hooks = webhooks(tmp_path, Webhook(receiver.url, retry_s=0.01), words=words)
        told(hooks).tell(Kind.DONE, "math")
        await delivered(hooks, tmp_path)
        assert len(receiver.seen) == 5
    assert len({(headers["webhook-id"], body) for headers, body in receiver.seen}) == 1
    assert whys(words) == {"status 500", "status 429", "status 302", "status 400"}


@pytest.mark.anyio
async def test_nobody_there_and_no_answer_are_tried_again(tmp_path: Path) -> None:
    words = io.StringIO()
    with socket.socket() as nobody, socket.socket() as silent:
        nobody.bind(("127.0.0.1", 0))  # it does not listen, and nobody else can
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        refusing, waiting = (f"http://127.0.0.1:{each.getsockname()[1]}/{CANARY}" for each in (nobody, silent))
        hooks = webhooks(tmp_path, Webhook(refusing), Webhook(waiting, timeout_s=0.1), words=words)
        told(hooks).tell(Kind.DONE, "math")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hooks.deliver)
            await until(lambda: {"ClientConnectorError", "no answer within 0.1 s"} <= whys(words))
            tasks.cancel_scope.cancel()
    assert len(left(tmp_path)) == 2
    assert CANARY not in words.getvalue()


@pytest.mark.anyio
async def test_a_kill_loses_no_message(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hook = Webhook(receiver.url)
        happenings = told(webhooks(tmp_path, hook))  # this process never delivers
        for number in range(20):
            happenings.tell(Kind.DONE, f"job-{number}")
        (tmp_path / "outbox" / "half.tmp").write_bytes(b"{")
        (tmp_path / "outbox" / "notes.txt").write_bytes(b"not ours")
        after = webhooks(tmp_path, hook)
        told(after).tell(Kind.DONE, "job-20")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(after.deliver)
            await receiver.wait_for(21)
            await until(lambda: len(left(tmp_path)) == 1)
            tasks.cancel_scope.cancel()
    names = [orjson.loads(body)["data"]["job"] for _, body in receiver.seen]
    assert sorted(names) == sorted(f"job-{number}" for number in range(21))
    assert [path.name for path in left(tmp_path)] == ["notes.txt"]


@pytest.mark.anyio
async def test_a_process_that_is_killed_right_after_it_told_has_lost_nothing(tmp_path: Path) -> None:
    async with receiving() as receiver:
        script = (
            "import os, signal\nfrom pathlib import Path\n"
            "from personastream.serve.happenings import Happening, Kind\n"
            "from personastream.serve.log import Log\n"
            "from personastream.serve.webhook_settings import Webhook, targets\n"
            "from personastream.serve.webhooks import Webhooks\n"
            f"root = Path({str(tmp_path)!r})\n"
            f"hooks = Webhooks(targets([Webhook({receiver.url!r})], root, {{}}), root / 'outbox', Log())\n"
            "hooks.hear(Happening(Kind.DONE, 'math'))\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        killed = await anyio.run_process([sys.executable, "-c", script], check=False)
        assert killed.returncode == -signal.SIGKILL
        await delivered(webhooks(tmp_path, Webhook(receiver.url)), tmp_path)
        assert receiver.types == ["job.done"]


@pytest.mark.anyio
async def test_one_receiver_that_is_down_holds_up_no_other(tmp_path: Path) -> None:
    async with receiving(*[500] * 1000) as down, receiving() as up:
        hooks = webhooks(tmp_path, Webhook(down.url, retry_s=600.0), Webhook(up.url))
        happenings = told(hooks)
        for number in range(5):
            happenings.tell(Kind.DONE, f"job-{number}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hooks.deliver)
            await up.wait_for(5)
            await down.wait_for(5)
            tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_message_is_given_up_at_last_and_the_log_says_so(tmp_path: Path) -> None:
    words = io.StringIO()
    async with receiving(*[500] * 1000) as receiver:
        hooks = webhooks(tmp_path, Webhook(receiver.url, retry_s=0.01, give_up_s=1.0), words=words)
        told(hooks).tell(Kind.DONE, "math")
        (path,) = left(tmp_path)
        path.rename(path.with_name(f"{1_000_000_000_000:013d}{path.name[13:]}"))  # from long ago
        hooks = webhooks(tmp_path, Webhook(receiver.url, retry_s=0.01, give_up_s=1.0), words=words)
        await delivered(hooks, tmp_path)
    assert [orjson.loads(line)["event"] for line in words.getvalue().splitlines()] == ["webhook_given_up"]


@pytest.mark.anyio
async def test_messages_for_an_address_that_is_gone_are_given_up(tmp_path: Path) -> None:
    told(webhooks(tmp_path, Webhook("http://127.0.0.1:1/old"))).tell(Kind.DONE, "math")
    words = io.StringIO()
    await delivered(webhooks(tmp_path, words=words), tmp_path)
    assert "webhook_given_up" in words.getvalue()


def test_messages_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personastream.serve.webhooks.MESSAGES_MAX", 20)
    happenings = told(webhooks(tmp_path, Webhook("http://127.0.0.1:1/hook")))
    for number in range(25):
        happenings.tell(Kind.DONE, f"job-{number}")
    assert len(left(tmp_path)) == 20


@pytest.mark.anyio
async def test_a_full_disk_keeps_no_message_from_being_sent(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where the folder should be")
    async with receiving() as receiver:
        hooks = webhooks(tmp_path, Webhook(receiver.url))
        told(hooks).tell(Kind.DONE, "math")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hooks.deliver)
            await receiver.wait_for(1)
            tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_no_secret_is_in_a_message(tmp_path: Path) -> None:
    async with receiving() as receiver:
        hooks = webhooks(tmp_path, Webhook(receiver.url))
        hooks.log.secrets.add(CANARY)
        told(hooks).tell(Kind.FAILED, f"job {CANARY}", why=f"key {CANARY}", **{CANARY: [CANARY, {"a": CANARY}]})
        await delivered(hooks, tmp_path)
        assert CANARY.encode() not in receiver.seen[0][1]


def test_what_is_too_much_is_left_out(tmp_path: Path) -> None:
    hooks = webhooks(tmp_path, Webhook("http://127.0.0.1:1/hook"))
    told(hooks).tell(Kind.FAILED, "math", **{f"part_{number}": ["x" * 499] * 32 for number in range(32)})
    (path,) = left(tmp_path)
    assert orjson.loads(path.read_bytes())["data"] == {"job": "math"}


def test_figures_of_a_job_and_of_the_service() -> None:
    job = JobView("math", JobState.DONE, delivered=7, dead={"contract": 2}, spend=1.5, directory="runs/math")
    seen = ServiceView("1", "", "running", True, jobs=[job], spend=2.5, spend_max=10.0)
    described = figures(lambda: seen)("math")
    assert (described["delivered"], described["dead"], described["directory"]) == (7, 2, "runs/math")
    assert figures(lambda: seen)("") == {"spend": 2.5, "spend_max": 10.0}
    assert Happening(Kind.DONE).details == {}


Wrong = Callable[[Path], Webhook]


def written(path: Path, text: str, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("needs either url or url_file", {}),
    ("needs either url or url_file", {"url": "http://a/", "url_file": "b"}),
    ("not a plain http", {"url": f"ftp://{CANARY}/"}),
    ("not a plain http", {"url": f"http://user:{CANARY}@example.org/"}),
    ("not a plain http", {"url": f"http:///{CANARY}"}),
    ("not a plain http", {"url": f"http://example.org:99999/{CANARY}"}),
    ("not a plain http", {"url": f"http://example.org/\n{CANARY}"}),
    ("metadata", {"url": "http://169.254.169.254/latest"}),
    ("no event 'finished'", {"url": "http://a/", "events": ["finished"]}),
    ("cannot be read", {"url": "http://a/", "secret_file": "/nowhere"}),
]


@pytest.mark.parametrize(("words", "values"), WRONG)
def test_wrong_settings_are_refused_and_keep_secrets_to_themselves(
    words: str, values: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        targets([Webhook(**values)], tmp_path, {})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (CANARY, 0o644, "can be read by others"),
        (f"{CANARY} {CANARY}", 0o600, "one word alone"),
        ("", 0o600, "one word alone"),
        ("short", 0o600, "fewer than 16"),
        (f"whsec_{CANARY}!", 0o600, "not base64"),
    ],
)
def test_wrong_secrets_are_refused(text: str, mode: int, words: str, tmp_path: Path) -> None:
    hook = Webhook("http://a/", secret_file=written(tmp_path / "secret", text, mode))
    with pytest.raises(ConfigError, match=words) as caught:
        targets([hook], tmp_path, {})
    assert CANARY not in str(caught.value)


def test_addresses_and_secrets_may_be_credentials_of_systemd(tmp_path: Path) -> None:
    written(tmp_path / "hook", "https://example.org/services/secret/path\n", 0o440)
    written(tmp_path / "signing", CANARY, 0o440)
    (tmp_path / "serve.toml").write_text(
        '[[webhook]]\nurl_file = "$CREDENTIALS_DIRECTORY/hook"\nsecret_file = "$CREDENTIALS_DIRECTORY/signing"\n'
    )
    (hook,) = load_settings(tmp_path / "serve.toml").several["webhook"]
    (target,) = targets([hook], tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert (str(target.url), target.key) == ("https://example.org/services/secret/path", CANARY.encode())
    assert "secret" not in repr(target).replace("secrets", "")
    assert target.shown == "example.org"


def test_the_same_address_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="same address"):
        targets([Webhook("http://a/"), Webhook("http://a/")], tmp_path, {})
