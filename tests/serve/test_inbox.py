"""Files that are dropped into the inbox."""

import os
from pathlib import Path

import anyio

from personastream.serve.happenings import Kind
from personastream.serve.inbox import Inbox
from personastream.serve.view import JobState
from tests.support.running_service import Running, job_text, running, write_shard


def inbox_of(seen: Running) -> Inbox:
    """One that is looked at by hand."""
    return Inbox(seen.service.root, seen.service.jobs, seen.service.happenings)


def test_a_file_becomes_a_job_once_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "inbox"

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            seen.service.supervisor.draining = True  # nobody else looks
            inbox = inbox_of(seen)
            (folder / "math.toml").write_text(job_text(tmp_path)[:20])
            await inbox.look()
            (folder / "math.toml").write_text(job_text(tmp_path))
            await inbox.look()
            assert len(seen.service.jobs) == 0  # it has grown between two looks
            await inbox.look()
            assert [job.name for job in seen.service.jobs] == ["math"]
            assert not list(folder.glob("*.toml"))

    anyio.run(scenario)


def test_what_is_no_job_is_put_aside_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "inbox"
    (tmp_path / "outside.toml").write_text("secret")

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            seen.service.supervisor.draining = True
            good = job_text(tmp_path)
            files = {
                "bad-toml.toml": b"[",
                "binary.toml": bytes(range(256)),
                "Capital Name.toml": good.encode(),
                "unknown-key.toml": (good + "[limits]\nspend_mx = 1\n").encode(),
                "x" * 240 + ".toml": good.encode(),
            }
            for name, content in files.items():
                (folder / name).write_bytes(content)
            os.symlink(tmp_path / "outside.toml", folder / "link.toml")
            os.mkfifo(folder / "fifo.toml")
            (folder / "folder.toml").mkdir()
            (folder / ".hidden.toml").write_text(good)
            (folder / "other.tmp").write_text(good)
            inbox = inbox_of(seen)
            for _ in range(2):
                await inbox.look()
            assert len(seen.service.jobs) == 0
            refused = folder / "refused"
            aside = {path.name for path in refused.iterdir() if path.name.endswith(".toml")}
            assert aside == {*files, "link.toml", "fifo.toml", "folder.toml"}
            assert len(list(refused.glob("*.why.txt"))) == len(aside)
            assert "spend_max" in (refused / "unknown-key.why.txt").read_text()
            told = {name: (refused / f"{name}.why.txt").read_text() for name in ("link", "fifo", "folder")}
            assert told == {
                "link": "it is a symbolic link, which is not followed\n",
                "fifo": "it is no regular file\n",
                "folder": "it is a folder\n",
            }
            assert "secret" not in "".join(path.read_text() for path in refused.glob("*.why.txt"))
            assert {path.name for path in folder.iterdir()} == {"refused", ".hidden.toml", "other.tmp"}
            assert sum(each.kind is Kind.REFUSED for each in seen.told) == len(aside)

    anyio.run(scenario)


def test_an_output_path_outside_runs_is_left_aside_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "inbox"
    paths = {"away": "/tmp/away", "climbs": "runs/../../x", "in-jobs": "jobs/x", "all": "runs", "own": "runs/a"}

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            seen.service.supervisor.draining = True
            for name, path in paths.items():
                (folder / f"{name}.toml").write_text(job_text(tmp_path, sink=f'path = "{path}"'))
            inbox = inbox_of(seen)
            for _ in range(2):
                await inbox.look()
            runs = tmp_path / "root" / "runs"
            for name, path in paths.items():
                job = await seen.ask("GET", f"/v1/jobs/{name}")
                place, aside = (runs / "a", "") if name == "own" else (runs / name, path)
                assert (job["directory"], job["left_aside"]) == (str(place), aside)
                (told,) = [each for each in seen.told if each.job == name]
                assert told.details.get("left_aside", "") == aside

    anyio.run(scenario)


def test_a_name_that_is_taken_is_refused_unless_it_is_the_very_same(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "inbox"

    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            seen.service.supervisor.draining = True
            inbox = inbox_of(seen)
            await seen.service.jobs.submit("math", job_text(tmp_path).encode())
            for text in (job_text(tmp_path), job_text(tmp_path, limits="attempts_max = 2")):
                (folder / "math.toml").write_text(text)
                for _ in range(2):
                    await inbox.look()
            assert [path.name for path in (folder / "refused").glob("*.toml")] == ["math.toml"]
            assert len(seen.service.jobs) == 1

    anyio.run(scenario)


def test_the_service_looks_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path / "root") as seen:
            write_shard(tmp_path)
            seen.gate.open()
            offered = tmp_path / "offered"
            offered.write_text(job_text(tmp_path))
            offered.rename(tmp_path / "root" / "inbox" / "math.toml")
            await seen.until(lambda: "math" in seen.service.jobs)
            await seen.until_state("math", JobState.DONE)

    anyio.run(scenario)
