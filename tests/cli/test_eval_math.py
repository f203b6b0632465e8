"""`personastream eval math` and the math loop, from the command line: accuracy that is known, figures that add up."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench.answer_forms import scripted
from bench.eval_math import read_rows, write_replies
from personastream.core.answers import quick_verdict
from personastream.core.math_figures import math_figures
from personastream.launch.run_records import dead_of, records_of
from personastream.simulator.mathematics import true_answer
from tests.support.command import Finished, personastream
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent.parent
PROBLEMS = ROOT / "configs" / "problems.jsonl"
DATA = ROOT.parent / "shared" / "data"
MATH, GSM8K = DATA / "math" / "math500.jsonl.zst", DATA / "math" / "gsm8k-test.jsonl.zst"
PERSONAS = DATA / "personas" / "shards" / "personahub-00000.jsonl.zst"

needs_data = pytest.mark.skipif(not MATH.exists() or not PERSONAS.exists(), reason=f"no data in {DATA}")


def evaluate(data: Path, base_url: str, run: Path, *options: str) -> Finished:
    where = ("--data", data, "--provider-url", base_url, "--model", "scripted", "--run", run)
    return personastream("eval", "math", *where, "--progress", "none", *options)


@needs_data
@pytest.mark.parametrize(("data", "seed"), [(MATH, 7), (GSM8K, 7)], ids=["math500", "gsm8k"])
def test_the_reported_accuracy_is_the_true_one_however_answers_are_written(
    data: Path, seed: int, tmp_path: Path
) -> None:
    script = scripted(read_rows(data), 0.65, seed)
    true = sum(each.right for each in script) / len(script)
    with simulated("--replies", write_replies(tmp_path / "replies.jsonl", script)) as model:
        figures = evaluate(data, model.base_url, tmp_path / "run", "--json").json()
    assert figures["problems"] == len(script)
    assert abs(figures["accuracy"] - true) <= 0.005
    assert figures["low"] < 0.65 < figures["high"]
    assert figures["dead"] == {}
    for shares in figures["by"].values():
        assert sum(share["problems"] for share in shares.values()) == len(script)
        assert sum(share["right"] for share in shares.values()) == figures["right"]
    assert set(figures["by"]) == ({"level", "subject"} if data == MATH else set())


@pytest.fixture(scope="module")
def half_right(tmp_path_factory: pytest.TempPathFactory) -> Any:
    rows = [orjson.loads(line) for line in PROBLEMS.read_bytes().splitlines()]
    replies = write_replies(tmp_path_factory.mktemp("half") / "replies.jsonl", scripted(rows, 0.5))
    with simulated("--replies", replies) as model:
        yield model


def test_an_evaluation_stops_and_goes_on_like_any_run(half_right: Simulated, tmp_path: Path) -> None:
    first = evaluate(PROBLEMS, half_right.base_url, tmp_path / "run", "--max-problems", "5")
    assert first.code == 75
    assert "of 5 right" in first.out
    assert evaluate(PROBLEMS, half_right.base_url, tmp_path / "run").code == 73
    asked = half_right.stats()["arrivals"]
    second = evaluate(PROBLEMS, half_right.base_url, tmp_path / "run", "--resume")
    assert second.code == 0
    assert half_right.stats()["arrivals"] == asked + 11
    assert re.match(r"accuracy +50\.0%  8 of 16 right; 95 % between 28\.0% and 72\.0%\n", second.out)
    assert re.search(r"\nsubject +.*Algebra +\d of 4, ", second.out)
    again = evaluate(PROBLEMS, half_right.base_url, tmp_path / "run", "--resume")
    assert (again.out, half_right.stats()["arrivals"]) == (second.out, asked + 11)
    assert personastream("verify", tmp_path / "run").code == 0
    told = personastream("status", tmp_path / "run", "--figures").out
    assert told.endswith(second.out.replace("\naccuracy", ""))
    assert personastream("run", tmp_path / "run.toml", "--resume").code == 0


def test_a_configuration_and_options_on_top(half_right: Simulated, tmp_path: Path) -> None:
    done = personastream(
        *("eval", "math", "--config", ROOT / "configs" / "eval_math500.toml", "--json", "--progress", "none"),
        *("--provider-url", half_right.base_url, "--run", tmp_path / "run", "--set", 'recipe.groups=["level"]'),
    )
    assert done.code == 0
    assert done.json()["right"] == 8
    assert set(done.json()["by"]) == {"level"}
    (record, *_) = read_records(tmp_path / "run" / "data")
    assert record["meta"]["origin"]["answer"] == record["reference"]


KNOWN = ({"question": "1 + 1?", "answer": "so 2\n#### 2"}, {"problem": "1 + 1?", "solution": "$\\boxed{2}$"})


@pytest.mark.parametrize("row", KNOWN)
def test_columns_of_known_data_sets_are_found(row: dict[str, str], half_right: Simulated, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_bytes(orjson.dumps({"unique_id": "a", **row}))
    done = evaluate(data, half_right.base_url, tmp_path / "run", "--json")
    assert done.code == 0
    (record,) = read_records(tmp_path / "run" / "data")
    assert record["reference"] == "2"
    assert record["meta"]["origin"]["unique_id"] == "a"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"text": "1 + 1?"}', "row 0 has the columns text"),
        (b'{"problem": "1 + 1?"}', "row 0 has the columns problem"),
        (b"not json", "row 0 is no object"),
        (b"[1]", "row 0 is no object"),
    ],
)
def test_data_without_answers_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_bytes(content)
    done = evaluate(data, "http://127.0.0.1:9/v1", tmp_path / "run")
    assert done.code == 65
    assert said in done.err
    assert "--config" in done.err
    assert not (tmp_path / "run").exists()


def test_mistakes_on_the_command_line(tmp_path: Path) -> None:
    assert personastream("eval", "math").code == 64
    assert personastream("eval", "math", "--data", tmp_path / "gone.jsonl").code == 64
    other = personastream("eval", "math", "--config", ROOT / "configs" / "quickstart.toml")
    assert (other.code, "generate" in other.err) == (78, True)
    (tmp_path / "run.toml").write_text("mine = true\n")
    taken = evaluate(PROBLEMS, "http://127.0.0.1:9/v1", tmp_path / "run")
    assert (taken.code, "--run" in taken.err) == (73, True)
    assert (tmp_path / "run.toml").read_text() == "mine = true\n"


def test_rows_without_an_answer_in_the_data_are_dead_and_told(half_right: Simulated, tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    rows = [{"problem": "1 + 1?", "answer": "2"}, {"problem": "1 + 2?", "answer": ""}]
    data.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    done = evaluate(data, half_right.base_url, tmp_path / "run")
    assert done.code == 0
    assert re.search(r"dead +1  no_reference", done.out)


@needs_data
def test_the_loop_on_real_personas_adds_up(tmp_path: Path) -> None:
    """Problems for real personas, then solutions; every answer that is agreed on is the true one."""
    tables = '[[provider]]\nname = "{0}"\nbase_url = "{1}"\nmodel = "{0}"\nin_flight_max = 16\n'
    with simulated("--wrong-solutions", "0.3") as model:
        providers = "".join(tables.format(name, model.base_url) for name in ("first", "second"))
        sections = {
            "problems": f'[source]\npaths = ["personas.jsonl"]\n[recipe]\ntemplate = "math"\n{providers}',
            "loop": '[source]\ntype = "run"\npaths = ["problems"]\nfield = "synthesized text"\n'
            '[recipe]\ntype = "solve"\nheld_out_share = 0.3\nseed = 1\n'
            'solutions = ["chain_of_thought @ first", "program_of_thought @ second", "chain_of_thought @ second"]\n'
            f'train_solutions = ["chain_of_thought @ first"]\n{providers}',
        }
        rows = [orjson.dumps(row) for row in read_rows(PERSONAS)[:150]]
        (tmp_path / "personas.jsonl").write_bytes(b"\n".join(rows))
        for name, text in sections.items():
            (tmp_path / f"{name}.toml").write_text(f'{text}[sink]\npath = "{name}"\n')
            assert personastream("run", tmp_path / f"{name}.toml", "--progress", "none").code == 0
    figures = math_figures(records_of(tmp_path / "loop"), dead_of(tmp_path / "loop"))
    assert personastream("status", tmp_path / "loop", "--figures", "--json").json()["figures"] == figures
    told = personastream("status", tmp_path / "loop", "--figures").out
    assert f"held out  {figures['held_out']:>12,}  = {figures['agreed']:,} agreed" in told
    assert figures["problems"] == figures["train"] + figures["held_out"] == 150
    assert figures["held_out"] == figures["agreed"] + figures["not_agreed"]
    assert figures["solutions"] == figures["train"] + 3 * figures["held_out"]
    assert figures["methods"]["program_of_thought"]["asked"] == figures["held_out"]
    assert 0 < figures["not_agreed"] < figures["agreed"]
    records = read_records(tmp_path / "loop" / "data")
    assert all("synthesized text" not in record["problem"] for record in records)
    assert not any(record["problem"].startswith("Math problem:") for record in records)
    for record in records:
        models = [solution["model"] for solution in record["solutions"]]
        assert models == (["first", "second", "second"] if record["split"] == "held_out" else ["first"])
        if record["agreed"]:
            truth = true_answer(record["problem"])
            assert _agrees(record, str(truth)), record


def _agrees(record: dict[str, Any], truth: str) -> bool:
    return all(quick_verdict(each["answer"], truth) == "equal" for each in record["solutions"] if each["agrees"])


def test_a_provider_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = ("--set", 'recipe.judge_provider="thrid"', "--set", f"sink.path={tmp_path}")
    done = personastream("run", ROOT / "configs" / "math_loop.toml", *settings)
    assert done.code == 78
    assert "'thrid'" in done.err
    done = personastream("check", ROOT / "configs" / "math_loop.toml")
    assert done.code == 0
    assert re.search(r"requests +32", done.out)
