"""Several stages in one configuration, as people meet them: one after the other, continued, looked at, asked again."""

from pathlib import Path

import pytest

from tests.support.command import personastream, started
from tests.support.outputs import read_records
from tests.support.simulated import Simulated
from tests.support.workspace import persona_lines, write_shard

pytestmark = pytest.mark.slow

HUB = """
[sink]
path = "hub"
[provider]
base_url = "{base_url}"
model = "simulated"
in_flight_max = 16
input_price = 1.0
output_price = 1.0
[limits]
backoff_s = 0.01
dead_share_max = 1.0

[[stage]]
name = "people"
source = {{ paths = ["in/*.jsonl"] }}
recipe = {{ type = "persona_to_persona", fan_out = 2 }}

[[stage]]
name = "hop"
from = "people"
hops = 2
transform = [{{ type = "dedup" }}]
recipe = {{ type = "persona_to_persona", fan_out = 2 }}

[[stage]]
name = "hub"
from = ["people", "hop"]
transform = [{{ type = "dedup" }}]
"""
NAMES = ["people", "hop-1", "hop-2", "hub"]


@pytest.fixture
def job(tmp_path: Path, simulator: Simulated) -> Path:
    write_shard(tmp_path / "in" / "a.jsonl", persona_lines(20))
    (tmp_path / "hub.toml").write_text(HUB.format(base_url=simulator.base_url))
    return tmp_path / "hub.toml"


def settled(job: Path) -> list[int]:
    stages = personastream("status", job.parent / "hub", "--json").json()["stages"]
    assert [stage["stage"] for stage in stages] == NAMES
    return [stage["rows"]["settled"] if "rows" in stage else -1 for stage in stages]


def test_stages_run_one_after_the_other_and_each_can_be_looked_at(job: Path) -> None:
    done = personastream("run", job)
    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if line.startswith("stage")] == [
        f"stage {at} of 4: {name}" for at, name in enumerate(NAMES, 1)
    ]
    assert settled(job) == [20, 40, 80, 280]
    verified = personastream("verify", job.parent / "hub")
    assert (verified.code, verified.out.count("all is well")) == (0, 4)
    assert set(personastream("verify", job.parent / "hub", "--json").json()) == set(NAMES)
    assert "stage     hop-2" in personastream("status", job.parent / "hub").out


def test_a_run_that_stops_is_continued_where_it_was(job: Path, simulator: Simulated) -> None:
    assert personastream("run", job, "--max-rows", "30").code == 75
    assert settled(job) == [20, 30, -1, -1]
    again = personastream("run", job)
    assert (again.code, "already holds stages" in again.err, "--resume" in again.err) == (73, True, True)
    served = simulator.stats()["arrivals"]
    assert personastream("run", job, "--resume").code == 0
    assert settled(job) == [20, 40, 80, 280]
    assert simulator.stats()["arrivals"] - served == 10 + 80


def test_one_stage_can_be_run_alone(job: Path) -> None:
    assert personastream("run", job, "--stage", "people").code == 0
    assert settled(job) == [20, -1, -1, -1]
    early = personastream("run", job, "--stage", "hop-2")
    assert (early.code, "'hop-2' reads 'hop-1', which has not begun" in early.err) == (65, True)
    unknown = personastream("run", job, "--stage", "hop-3")
    assert (unknown.code, "no stage 'hop-3'" in unknown.err) == (78, True)


def test_a_stage_can_follow_one_that_still_runs(job: Path) -> None:
    write_shard(job.parent / "in" / "b.jsonl", persona_lines(25, seed=1))
    assert personastream("run", job, "--stage", "people", "--max-rows", "30").code == 75
    refused = personastream("run", job, "--stage", "hop-1")
    assert (refused.code, "is not finished" in refused.err) == (65, True)
    with started("run", job, "--stage", "hop-1", "--follow", "--progress", "none") as following:
        while settled(job)[1] < 40:  # those of the first shard
            assert following.poll() is None
        assert personastream("run", job, "--stage", "people", "--resume").code == 0
        assert following.wait(60) == 0
    assert settled(job) == [45, 90, -1, -1]
    assert personastream("run", job, "--resume").code == 0
    assert personastream("verify", job.parent / "hub").code == 0


def test_follow_is_for_one_stage(job: Path) -> None:
    done = personastream("run", job, "--follow")
    assert (done.code, "--follow needs --stage" in done.err) == (64, True)


def test_changed_settings_of_a_finished_stage_are_refused(job: Path) -> None:
    assert personastream("run", job).code == 0
    done = personastream("run", job, "--resume", "--set", "stage.0.recipe.fan_out=3")
    assert (done.code, "recipe.fan_out: was 2, is now 3" in done.err) == (78, True)


def test_a_common_ceiling_counts_what_all_stages_spend(job: Path) -> None:
    assert personastream("run", job, "--stage", "people", "--set", "limits.spend_max=1").code == 0
    spent = personastream("status", job.parent / "hub", "--json").json()["stages"][0]["usage"]["spend_nanos"] / 1e9
    assert spent > 0
    stopped = personastream("run", job, "--resume", "--set", f"limits.spend_max={spent:.9f}")
    assert (stopped.code, "is spent by other stages" in stopped.err) == (75, True), stopped.err
    assert personastream("run", job, "--resume", "--set", "limits.spend_max=1").code == 0


def test_dead_rows_of_a_stage_are_asked_again_unless_later_ones_have_read_it(job: Path, simulator: Simulated) -> None:
    simulator.change(faults={"too-long": 0.5})
    try:
        assert personastream("run", job, "--stage", "people").code == 0
    finally:
        simulator.change(faults={})
    run = job.parent / "hub" / "people"
    assert 0 < len(read_records(run / "dead")) < 20
    assert personastream("retry", run).code == 0
    assert len(read_records(run / "data")) == 40
    assert personastream("run", job, "--resume").code == 0
    late = personastream("retry", run)
    assert (late.code, "has been read by later stages: hop-1" in late.err) == (65, True)


def test_check_shows_every_stage_and_what_is_not_known_yet(job: Path) -> None:
    done = personastream("check", job)
    assert done.code == 0, done.err
    assert "until people is finished" in done.out
    stages = personastream("check", job, "--json").json()["stages"]
    assert [stage["stage"] for stage in stages] == NAMES
    assert [stage["shards"] is None for stage in stages] == [False, True, True, True]
    assert stages[0]["estimate"]["rows"] == 20


def test_a_folder_of_others_is_left_alone(job: Path) -> None:
    (job.parent / "hub").mkdir()
    (job.parent / "hub" / "precious").write_text("mine")
    done = personastream("run", job)
    assert (done.code, "holds no stages, but precious" in done.err) == (73, True)
    assert sorted(path.name for path in (job.parent / "hub").iterdir()) == ["precious"]


def test_a_stage_that_is_gone_is_noticed_before_anything_is_asked(job: Path, simulator: Simulated) -> None:
    assert personastream("run", job).code == 0
    served = simulator.stats()["arrivals"]
    (job.parent / "hub" / "hop-1").rename(job.parent / "hub" / "elsewhere")
    again = personastream("run", job, "--resume")
    assert (again.code, "'hop-1' is gone" in again.err, "'hop-2' was made of it" in again.err) == (78, True, True)
    checked = personastream("verify", job.parent / "hub")
    assert (checked.code, "this stage is gone" in checked.out) == (74, True)
    (job.parent / "hub" / "elsewhere").rename(job.parent / "hub" / "hop-1")
    job.write_text(
        job.read_text().replace('name = "hop"', 'name = "jump"').replace('"people", "hop"', '"people", "jump"')
    )
    renamed = personastream("run", job, "--resume")
    assert (renamed.code, "holds the stage 'hop-1'" in renamed.err) == (78, True)
    assert simulator.stats()["arrivals"] == served
    named = personastream("retry", job.parent / "hub")
    assert (named.code, "holds stages: people, hop-1" in named.err) == (65, True)
