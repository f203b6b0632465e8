"""Scripts of changes, as data."""

import math
from pathlib import Path
from typing import Any

import pytest

from personastream.errors import ConfigError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.death import Death
from personastream.simulator.script import NEVER, behaviour_at, next_change, parse_script, read_script

BASE = Behaviour(requests_per_minute=600, latency_s=1.0)


def test_a_step_lasts_from_second_to_second() -> None:
    steps = parse_script([{"at_s": 10, "until_s": 40, "requests_per_minute": 150}], BASE)
    seen = {at_s: behaviour_at(BASE, steps, at_s, 5).requests_per_minute for at_s in (0, 9.9, 10, 39.9, 40)}
    assert seen == {0: 600, 9.9: 600, 10: 150, 39.9: 150, 40: 600}


def test_a_step_lasts_from_request_to_request() -> None:
    steps = parse_script([{"after": 3, "until": 5, "faults": {"500": 1.0}}], BASE)
    assert [bool(behaviour_at(BASE, steps, 99, before).faults) for before in range(7)] == [0, 0, 0, 1, 1, 0, 0]


def test_later_steps_in_the_list_win_and_steps_may_mix() -> None:
    steps = parse_script([{"at_s": 0, "latency_s": 2}, {"after": 10, "latency_s": 3, "speed": 2}], BASE)
    assert behaviour_at(BASE, steps, 0, 0).latency_s == 2
    assert behaviour_at(BASE, steps, 0, 10).latency_s == 3
    assert behaviour_at(BASE, steps, 0, 10).requests_per_minute == 600


def test_the_next_change_is_known() -> None:
    steps = parse_script([{"at_s": 10, "until_s": 40, "speed": 2}, {"after": 7, "until": 9, "speed": 3}], BASE)
    assert next_change(steps, 0, 0) == (10, 7)
    assert next_change(steps, 10, 7) == (40, 9)
    assert next_change(steps, 40, 9) == (math.inf, NEVER)


def test_a_death_is_no_change() -> None:
    (step,) = parse_script([{"at_s": 60, "dead_s": 30, "dead_how": "drop"}], BASE)
    assert (step.death, step.changes) == (Death(30.0, "drop"), {})


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ({"at_s": 1}, "list"),
        ("at_s", "list"),
        ([{"at_s": 1, "speed": 2}, 5], "step 2"),
        ([{"speed": 2}], "at_s or after"),
        ([{"at_s": 1, "after": 2, "speed": 2}], "at_s or after"),
        ([{"at_s": 1, "until_s": 2, "until": 2, "speed": 2}], "at most one"),
        ([{"at_s": "1", "speed": 2}], "at_s is '1'"),
        ([{"at_s": -1, "speed": 2}], "at_s is -1"),
        ([{"after": 1.5, "speed": 2}], "after is 1.5"),
        ([{"after": True, "speed": 2}], "after is True"),
        ([{"at_s": 1}], "changes nothing"),
        ([{"at_s": 1, "sped": 2}], "sped"),
        ([{"at_s": 1, "seed": 2}], "seed"),
        ([{"at_s": 1, "speed": "fast"}], "fast"),
        ([{"at_s": 1, "speed": True}], "True"),
        ([{"at_s": 1, "requests_per_minute": 1.5}], "1.5"),
        ([{"at_s": 1, "faults": {"500": 2}}], "500"),
        ([{"at_s": 1, "faults": {"500": "often"}}], "often"),
        ([{"at_s": 1, "faults_on": [1]}], "faults_on"),
        ([{"at_s": 1, "dead_s": "long"}], "dead_s"),
        ([{"at_s": 1, "dead_s": 1, "dead_how": "softly"}], "softly"),
        ([{"at_s": 1, "dead_how": "drop"}], "dead_s"),
    ],
)
def test_a_wrong_script_names_what_is_wrong(steps: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse_script(steps, BASE)


def test_a_script_is_read_from_a_file_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('[{"at_s": 1, "speed": 2}]')
    assert len(read_script(tmp_path / "s.json", BASE)) == 1
    for name, text in ("none.json", None), ("bad.json", "[{"):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match=name):
            read_script(tmp_path / name, BASE)
