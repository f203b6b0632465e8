"""`personastream dedup`: what it writes, what it refuses, how it stops; real processes and files."""

import shutil
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from personastream.core.plan import decode
from tests.support.command import finish, personastream, started, type_in
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_config, write_shard

FIRST = (
    b'{"persona": "A retired sailor from Bergen who teaches children to tie knots and to read the weather"}',
    b'{"persona":"a retired  SAILOR from Bergen who teaches children to tie knots and to read the weather"}',
    b'{"n":1.50,"persona":"A baker, \\u00e9t\\u00e9"}\r',
    b"{nonsense",
)
SECOND = (
    b'{"persona":"A retired sailor from Bergen who teaches children to tie knots and to read the weather indeed"}',
    b'{"persona":"a judge of cattle","note":"\xe8\x80\x81"}',
    b'{"persona":"A baker, \xc3\xa9t\xc3\xa9"}',
)
KEPT = (FIRST[0], FIRST[2], SECOND[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards with an exact copy in the first, a near and an exact one in the second, and an unreadable row."""
    write_shard(tmp_path / "in" / "first.jsonl.zst", FIRST)
    write_shard(tmp_path / "in" / "second.jsonl", SECOND)
    return tmp_path


def dedup(folder: Path, *words: str | Path, out: str = "out") -> Any:
    return personastream("dedup", folder / "in" / "*.jsonl*", "--out", folder / out, *words)


def lines(folder: Path, out: str = "out") -> list[bytes]:
    raw = b"".join(
        zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read()
        for path in sorted((folder / out / "data").glob("*.zst"))
    )
    return raw.splitlines(keepends=False) if b"\r" not in raw else raw.split(b"\n")[:-1]


def report(folder: Path, out: str = "out") -> Any:
    return orjson.loads((folder / out / "report.json").read_bytes())


@pytest.mark.slow
def test_the_earliest_of_each_group_is_left_as_it_was_read(folder: Path) -> None:
    done = dedup(folder)
    assert (done.code, done.out) == (0, "")
    assert f"report in {folder / 'out' / 'report.json'}" in done.err
    assert tuple(lines(folder)) == KEPT
    assert "= 3 delivered + 3 dropped + 1 dead" in done.err
    (letter,) = read_records(folder / "out" / "dead")
    assert (letter["id"], letter["reason"], letter["asked"]) == ("first:3", "invalid_json", False)
    assert personastream("verify", folder / "out").code == 0
    status = personastream("status", folder / "out", "--json").json()
    assert (status["state"], status["rows"]["dropped"]) == ("finished", {"dedup": 2, "near_dedup": 1})


@pytest.mark.slow
def test_the_report_tells_what_was_dropped_and_why(folder: Path) -> None:
    dedup(folder)
    told = report(folder)
    assert told["rows"] == {"kept": 3, "dropped": {"dedup": 2, "near_dedup": 1}, "dead": {"invalid_json": 1}}
    exact, near = told["transforms"]
    assert [exact["type"], near["type"]] == ["dedup", "near_dedup"]
    assert exact["groups"]["sizes"] == {"2": 2}
    assert [(pair["dropped"]["id"], pair["copy_of"]["id"]) for pair in near["pairs"]] == [("second:0", "first:0")]
    assert {pair["dropped"]["id"]: pair["copy_of"]["text"] for pair in exact["pairs"]} == {
        "first:1": orjson.loads(FIRST[0])["persona"],
        "second:2": "A baker, été",
    }


@pytest.mark.slow
def test_a_job_is_done_once_and_what_the_refusal_says_continues_it(folder: Path) -> None:
    assert dedup(folder).code == 0
    before = {path: path.read_bytes() for path in (folder / "out" / "data").iterdir()}
    again = dedup(folder)
    assert again.code == 73
    assert type_in(again.err.split("To continue it: ")[1].splitlines()[0]).code == 0
    assert before == {path: path.read_bytes() for path in (folder / "out" / "data").iterdir()}


@pytest.mark.slow
def test_a_job_with_another_input_is_not_told_to_continue_the_one_that_is_there(folder: Path) -> None:
    assert dedup(folder).code == 0
    other = personastream("dedup", folder / "in" / "second.jsonl", "--out", folder / "out")
    assert (other.code, "other settings or input" in other.err, "To continue it" in other.err) == (73, True, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("--distance-max", "1"), ("--distance-max", "0"), ("--method", "jaccard", "--similarity-min", "1"), ("--plan",)],
)
def test_what_continues_a_job_has_all_of_its_settings(folder: Path, words: tuple[str, ...]) -> None:
    assert dedup(folder, *words).code == 0
    again = type_in(dedup(folder, *words).err.split("To continue it: ")[1].splitlines()[0])
    assert again.code == 0, again.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--field", "note"), "source.field: was 'persona', is now 'note'"),
        (("--method", "none"), "transform[1].type"),
        (("--distance-max", "2"), "transform[1].distance_max: was 3, is now 2"),
        (("--plan",), "output: was 'rows', is now 'plan'"),
        (("--against", "in/first.jsonl.zst"), "against"),
    ],
)
def test_a_resume_with_another_setting_is_refused_by_name(folder: Path, words: tuple[str, ...], named: str) -> None:
    assert dedup(folder).code == 0
    refused = dedup(folder, *(str(folder / word) if "/" in word else word for word in words), "--resume")
    assert refused.code == 78
    assert named in refused.err


@pytest.mark.slow
def test_a_resume_with_another_input_is_refused(folder: Path) -> None:
    assert dedup(folder).code == 0
    write_shard(folder / "in" / "second.jsonl", SECOND[1:])
    refused = dedup(folder, "--resume")
    assert refused.code == 78
    assert "shard second: its content has changed" in refused.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 64, "Name files or globs"),
        (("missing.jsonl",), 65, "missing.jsonl"),
        (("in/first.jsonl.zst", "--distance-max", "7"), 64, "7"),
        (("in/first.jsonl.zst", "--against", "in"), 65, "holds no run"),
        (("in/first.jsonl.zst", "--config", "job.toml"), 64, "exclude each other"),
        (("--config", "job.toml", "--distance-max", "2"), 64, "exclude each other"),
    ],
)
@pytest.mark.slow
def test_mistakes_are_told_before_anything_is_written(
    folder: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = personastream("dedup", *words, "--out", "out", folder=folder)
    assert (done.code, said in done.err) == (code, True), done.err
    assert not (folder / "out" / "run.json").exists()


@pytest.mark.slow
def test_rows_known_from_files_and_earlier_outputs_are_dropped(folder: Path) -> None:
    assert dedup(folder, "--method", "none").code == 0
    write_shard(folder / "new" / "new.jsonl", [*SECOND, b'{"persona":"a new one"}'])
    known = personastream(
        *("dedup", folder / "new" / "new.jsonl", "--out", folder / "more", "--against", folder / "out")
    )
    assert (known.code, lines(folder, "more")) == (0, [b'{"persona":"a new one"}'])
    known = personastream(
        *("dedup", folder / "new" / "new.jsonl", "--out", folder / "some", "--method", "none"),
        *("--against", folder / "in" / "first.jsonl.zst"),
    )
    assert (known.code, lines(folder, "some")) == (0, [SECOND[0], SECOND[1], b'{"persona":"a new one"}'])
    assert report(folder, "some")["rows"]["dropped"] == {"dedup": 1}
    assert report(folder, "some")["known"] == {"read": 3, "dead": {"invalid_json": 1}}
    assert "4  rows read beforehand, 1 of them could not be used" in known.err


@pytest.mark.slow
def test_rows_known_beforehand_that_cannot_be_read_are_no_knowledge(folder: Path) -> None:
    path = folder / "old.jsonl"
    write_shard(path, [b'{"text":"a judge of cattle"}', b'{"text":"a baker"}'])
    words = ("--method", "none", "--against", folder / "in" / "second.jsonl", "--against", path)
    for more in ((), ("--resume",)):
        refused = dedup(folder, *words, *more)
        assert refused.code == 65
        assert f"{path}: 2 of 2 rows known beforehand cannot be read" in refused.err
        assert "--field" in refused.err
    assert lines(folder) == []


@pytest.mark.slow
def test_rows_are_known_from_the_records_of_a_run(folder: Path, simulator: Simulated) -> None:
    write_shard(folder / "in" / "asked.jsonl", persona_lines(5))
    config = write_config(folder / "job.toml", simulator.base_url, source={"paths": ["in/asked.jsonl"]})
    assert personastream("run", config).code == 0
    done = personastream("dedup", folder / "in" / "asked.jsonl", "--out", folder / "out", "--against", folder / "run")
    assert (done.code, lines(folder)) == (0, [])


@pytest.mark.slow
def test_a_plan_says_which_rows_are_kept_and_a_run_applies_it(folder: Path, simulator: Simulated) -> None:
    assert dedup(folder, "--plan").code == 0
    assert lines(folder) == []
    assert personastream("verify", folder / "out").code == 0
    plans = {path.stem: decode(path.read_bytes()).kept.tolist() for path in (folder / "out" / "plan").iterdir()}
    assert plans == {"first": [True, False, True, False], "second": [False, True, False]}

    planned = [("planned", {"path": "out"})]
    config = write_config(folder / "job.toml", simulator.base_url, transforms=planned)
    done = personastream("run", config)
    assert (done.code, "= 3 delivered + 3 dropped + 1 dead" in done.err) == (0, True)
    records = read_records(folder / "run" / "data")
    assert sorted(record["id"] for record in records) == ["first:0", "first:2", "second:1"]

    shutil.rmtree(folder / "out")
    assert personastream("run", config, "--resume").code == 65
    assert dedup(folder, "--plan", "--method", "none").code == 0
    again = personastream("run", config, "--resume")
    assert (again.code, "fingerprint: was" in again.err) == (78, True)


@pytest.mark.slow
def test_nothing_was_asked_so_nothing_can_be_asked_again(folder: Path) -> None:
    assert dedup(folder).code == 0
    for verb in ("retry", "reparse"):
        done = personastream(verb, folder / "out")
        assert (done.code, "is a dedup job" in done.err) == (65, True)


@pytest.mark.slow
@pytest.mark.slow
def test_a_configuration_for_it_alone_asks_nobody_and_names_no_output(folder: Path) -> None:
    """Nor is it looked at whom a run by the same file would ask."""
    texts = 'paths = ["in/first.jsonl.zst"]\n[[transform]]\ntype = "dedup"\n'
    for name, asking in (
        ("alone.toml", ""),
        ("run.toml", '[recipe]\ntemplate = "no such"\n[sink]\npath = "elsewhere"\n'),
    ):
        (folder / name).write_text(f"[source]\n{texts}{asking}")
        done = personastream("dedup", "--config", folder / name, "--out", folder / name.removesuffix(".toml"))
        assert done.code == 0, done.err
    assert not (folder / "elsewhere").exists()


def test_source_and_transforms_may_come_from_the_configuration_of_a_run(folder: Path) -> None:
    filters = [("filter", {"words_min": 4}), ("dedup", {})]
    config = write_config(folder / "job.toml", "http://127.0.0.1:9/v1", transforms=filters)
    done = personastream("dedup", "--config", config, "--out", folder / "out")
    assert (done.code, tuple(lines(folder))) == (0, (FIRST[0], SECOND[0], SECOND[1]))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_job_and_resume_finishes_it(tmp_path: Path, number: signal.Signals) -> None:
    for shard in range(6):
        write_shard(tmp_path / "in" / f"shard-{shard}.jsonl.zst", persona_lines(20_000, seed=shard), 5000)
    assert dedup(tmp_path, out="undisturbed").code == 0
    with started("dedup", tmp_path / "in" / "*.zst", "--out", tmp_path / "out") as process:
        while not any((tmp_path / "out").glob("data/*")) and process.poll() is None:
            pass
        process.send_signal(number)
        done = finish(process)
    assert done.code == 75
    assert "report in" not in done.err
    assert type_in(done.err.split("To continue: ")[1].splitlines()[0]).code == 0
    assert lines(tmp_path) == lines(tmp_path, "undisturbed")
    assert report(tmp_path) == report(tmp_path, "undisturbed")


@pytest.mark.slow
def test_a_job_whose_rows_cannot_be_read_is_no_success(folder: Path) -> None:
    done = dedup(folder, "--field", "nope")
    assert (done.code, "Is --field" in done.err) == (65, True)


@pytest.mark.slow
def test_what_is_wrong_with_a_plan_is_found(folder: Path) -> None:
    assert dedup(folder, "--plan").code == 0
    path = folder / "out" / "plan" / "first.keep"
    whole = path.read_bytes()
    path.write_bytes(bytes([*whole[:-20], whole[-20] ^ 1, *whole[-19:]]))
    done = personastream("verify", folder / "out")
    assert (done.code, "plan/first.keep: cannot be read" in done.out) == (74, True)
    path.unlink()
    done = personastream("verify", folder / "out")
    assert (done.code, "there are plans for 1" in done.out) == (74, True)
    path.write_bytes(whole)
    assert personastream("verify", folder / "out").code == 0


@pytest.mark.slow
def test_a_folder_that_holds_something_else_is_left_as_it_is(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "letters.txt").write_text("mine")
    assert dedup(folder).code == 73
    assert [path.name for path in (folder / "out").iterdir()] == ["letters.txt"]


@pytest.mark.slow
def test_nan_is_no_similarity(folder: Path) -> None:
    assert dedup(folder, "--similarity-min", "nan").code == 64


@pytest.mark.parametrize("progress", ["none", "plain"])
def test_a_job_that_could_read_next_to_nothing_says_so(tmp_path: Path, progress: str) -> None:
    source = tmp_path / "a.jsonl"
    source.write_bytes(b'{"persona": "a nurse"}\n' * 3)
    done = personastream("dedup", source, "--out", tmp_path / "out", "--field", "text", "--progress", progress)
    assert done.code == 65
    assert "Most rows could not be read" in done.err
    assert "--field" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--method", "jaccard", "--distance-max", "3"),
        ("--method", "none", "--distance-max", "3"),
        ("--method", "none", "--similarity-min", "0.9"),
    ],
)
def test_options_that_a_method_has_no_use_for_are_refused(folder: Path, words: tuple[str, ...]) -> None:
    done = dedup(folder, *words)
    assert done.code == 64
    assert f"{words[2]} says nothing with --method {words[1]}" in done.err
    assert not (folder / "out").exists()
