"""`personastream run`: its outcomes, its refusals and what each says to do next."""

from pathlib import Path

import orjson
import pytest

from tests.support.command import Finished, personastream, type_in
from tests.support.held_server import Answer, Asked, held_server, math_problem
from tests.support.outputs import read_records
from tests.support.simulated import Simulated, simulated
from tests.support.workspace import persona_lines, write_config, write_shard

TEMPLATE = """
description = "greeting"
user = '''
Greet this person. Start with "Math problem:".
<persona>
{persona}
</persona>
'''
[reply]
opening = "Math problem:"
"""


def told(finished: Finished, words: str) -> str:
    """The command that a message tells to type, behind `words`."""
    return finished.err.split(words)[1].splitlines()[0]


@pytest.mark.slow
def test_a_run_is_done_once_and_says_where_everything_is(config: Path, simulator: Simulated) -> None:
    done = personastream("run", config)
    assert (done.code, done.out) == (0, "")
    assert "= 30 delivered + 0 dropped + 0 dead" in done.err
    assert str(config.parent / "run" / "data") in done.err
    assert len(read_records(config.parent / "run" / "data")) == 30

    asked = simulator.stats()["arrivals"]
    again = personastream("run", config)
    assert again.code == 73
    resumed = type_in(told(again, "To continue it: "))
    assert (resumed.code, simulator.stats()["arrivals"]) == (0, asked)
    assert "= 30 delivered + 0 dropped + 0 dead" in resumed.err


@pytest.mark.slow
def test_resume_starts_a_run_where_there_is_none(config: Path) -> None:
    assert personastream("run", config, "--resume").code == 0
    assert len(read_records(config.parent / "run" / "data")) == 30


@pytest.mark.slow
def test_max_rows_leaves_work_and_what_to_type_finishes_it(config: Path) -> None:
    first = personastream("run", config, "--max-rows", "7", "--set", "provider.in_flight_max=3")
    assert first.code == 75
    assert "= 7 delivered" in first.err
    typed = told(first, "To continue: ")
    assert typed.endswith(f"run {config} --resume --set provider.in_flight_max=3")
    assert type_in(typed).code == 0
    identities = [record["id"] for record in read_records(config.parent / "run" / "data")]
    assert sorted(identities) == sorted(f"shard-{shard}:{row}" for shard in range(3) for row in range(10))


@pytest.mark.slow
def test_set_reaches_the_run_and_what_shapes_the_output_is_held_to(config: Path) -> None:
    assert personastream("run", config, "--set", "recipe.samples=2", "--max-rows", "1").code == 75
    assert [record["id"] for record in read_records(config.parent / "run" / "data", open_parts=True)] == [
        "shard-0:0#0",
        "shard-0:0#1",
    ]
    refused = personastream("run", config, "--resume")
    assert refused.code == 78
    assert "recipe.samples: was 2, is now 1" in refused.err


@pytest.mark.slow
def test_a_resume_with_another_setting_is_refused_by_name_and_with_other_limits_goes_on(config: Path) -> None:
    assert personastream("run", config, "--max-rows", "1").code == 75
    changes = {
        "provider.model=other": "provider.model: was 'simulated', is now 'other'",
        "recipe.template=npc": "recipe.template: was 'math@",
        "recipe.temperature=0.5": "recipe.temperature: was not set, is now 0.5",
        "source.field=text": "source.field: was 'persona', is now 'text'",
    }
    for change, named in changes.items():
        refused = personastream("run", config, "--resume", "--set", change)
        assert refused.code == 78
        assert named in refused.err
        assert "[sink] path" in refused.err
    limits = ("provider.in_flight_max=2", "provider.timeout_s=9", "sink.commit_rows_max=3", "limits.attempts_max=9")
    assert personastream("run", config, "--resume", *(word for limit in limits for word in ("--set", limit))).code == 0


@pytest.mark.slow
def test_a_resume_with_other_transforms_is_refused_by_name(config: Path, simulator: Simulated) -> None:
    assert personastream("run", config, "--max-rows", "1").code == 75
    write_config(config, simulator.base_url, transforms=["dedup"])
    refused = personastream("run", config, "--resume")
    assert refused.code == 78
    assert "transform[0].type: was not set, is now 'dedup'" in refused.err


@pytest.mark.slow
def test_a_resume_with_an_edited_template_is_refused(config: Path, simulator: Simulated) -> None:
    template = config.parent / "mine.toml"
    template.write_text(TEMPLATE)
    write_config(config, simulator.base_url, recipe={"template": "mine.toml"})
    assert personastream("run", config, "--max-rows", "1", folder=Path("/")).code == 75
    template.write_text(TEMPLATE.replace("Greet", "Praise"))
    refused = personastream("run", config, "--resume")
    assert refused.code == 78
    assert "recipe.template: was 'mine@" in refused.err
    template.write_text("# a comment is no change\n" + TEMPLATE)
    assert personastream("run", config, "--resume").code == 0


@pytest.mark.slow
def test_a_resume_with_other_shards_is_refused_by_name(config: Path) -> None:
    folder = config.parent / "in"
    assert personastream("run", config, "--max-rows", "1").code == 75

    kept = (folder / "shard-0.jsonl").read_bytes()
    write_shard(folder / "shard-0.jsonl", persona_lines(10, seed=9))
    (folder / "shard-1.jsonl.gz").rename(folder / "shard-9.jsonl.gz")
    refused = personastream("run", config, "--resume")
    assert refused.code == 78
    assert "shard shard-0: its content has changed" in refused.err
    assert "shard shard-1: is gone" in refused.err
    assert "shard shard-9: is new" in refused.err

    (folder / "shard-0.jsonl").write_bytes(kept)
    (folder / "shard-9.jsonl.gz").rename(folder / "shard-1.jsonl.gz")
    assert personastream("run", config, "--resume").code == 0


@pytest.mark.slow
def test_a_folder_moved_whole_is_still_the_same_run(config: Path) -> None:
    assert personastream("run", config, "--max-rows", "1").code == 75
    moved = config.parent.rename(config.parent.with_name("elsewhere"))
    assert personastream("run", "job.toml", "--resume", folder=moved).code == 0


@pytest.mark.slow
@pytest.mark.parametrize("style", ["auto", "plain", "json", "none"])
def test_stdout_stays_free_for_data_whatever_is_shown(config: Path, style: str) -> None:
    done = personastream("run", config, "--progress", style)
    assert (done.code, done.out) == (0, "")
    assert bool(done.err) is (style != "none")


@pytest.mark.slow
def test_json_progress_is_json_to_the_last_line(config: Path) -> None:
    lines = personastream("run", config, "--progress", "json").err.splitlines()
    assert [orjson.loads(line)["state"] for line in lines][-1] == "ended"
    assert orjson.loads(lines[-1])["delivered"] == 30


@pytest.mark.slow
def test_a_run_that_has_to_stop_says_how_far_it_came(config: Path) -> None:
    prices = ("--set", "provider.input_price=10", "--set", "provider.output_price=10")
    done = personastream("run", config, *prices, "--set", "limits.spend_max=0.05", "--progress", "plain")
    assert done.code == 75
    *_, counts, why, _ = [line for line in done.err.splitlines() if line]
    assert "rows settled" in counts
    assert "ETA" not in counts
    assert "spend_max" in why


@pytest.mark.slow
def test_dropped_and_dead_rows_are_counted_by_reason(tmp_path: Path, simulator: Simulated) -> None:
    lines = [*persona_lines(20), persona_lines(20)[3], b"{", b'{"text": "?"}', b'{"persona": "x y"}']
    write_shard(tmp_path / "in" / "a.jsonl.zst", lines)
    config = write_config(tmp_path / "job.toml", simulator.base_url, transforms=["filter", "dedup", "near_dedup"])
    done = personastream("run", config)
    assert done.code == 0
    assert "= 20 delivered + 2 dropped + 2 dead" in done.err
    for line in ("1  dedup", "1  too_short", "1  invalid_json", "1  missing_field"):
        assert line in done.err


@pytest.mark.slow
def test_a_model_that_refuses_makes_dead_letters_that_say_so(config: Path) -> None:
    with simulated("--fault", "refuse=1") as refusing:
        done = personastream("run", config, "--set", f"provider.base_url={refusing.base_url}")
        assert done.code == 0
        assert "30  refused" in done.err
        assert refusing.stats()["arrivals"] == 30
    letter = read_records(config.parent / "run" / "dead")[0]
    assert letter["reason"] == "refused"
    assert "content_filter" in letter["response"]


@pytest.mark.slow
def test_a_row_that_breaks_the_server_every_time_is_dead_even_if_nothing_else_is_left(tmp_path: Path) -> None:
    def breaks(asked: Asked) -> Answer:
        return Answer(500, b"out of cheese") if b"dragon" in asked.body else math_problem(asked)

    write_shard(tmp_path / "in" / "a.jsonl", [b'{"persona": "a dragon"}'])
    with held_server(breaks, held=False) as server:
        config = write_config(tmp_path / "job.toml", server.base_url, limits={"attempts_max": 3, "outage_s_max": 30})
        done = personastream("run", config)
    assert done.code == 0, done.err
    assert "1  retries_exhausted" in done.err
    letter = read_records(tmp_path / "run" / "dead")[0]
    assert letter["text"] == "a dragon"
    assert "out of cheese" in letter["detail"]
