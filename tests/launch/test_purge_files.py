"""Files beside the logs: they are looked through though no record is found, and nobody is sent to break a run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from personastream.launch.audit import record as record_event
from personastream.launch.manifest import read_manifest, write_manifest
from personastream.launch.purge_job import Plan, carry_out_plan, look, purging
from personastream.launch.purge_terms import Terms, phrases_of
from tests.support.ended_run import record, write_run

WHOM = "Ottoline Zwiebelfisch"
TEXT = f"{WHOM}, who lights lamps"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", {"a": [record("One lamp")]})


def purge(run: Path, phrase: str = WHOM) -> Plan:
    with purging(run) as root:
        plan = look(root, Terms(phrases=phrases_of([phrase])))
        if not plan.is_empty:
            carry_out_plan(plan)
    return plan


@pytest.mark.parametrize(
    ("name", "value", "whose"),
    [
        ("run.json", f'not (persona contains "{WHOM}")', "needed"),
        ("audit.jsonl", f'not (persona contains "{WHOM}")', "needed"),
        ("old/run.json", WHOM, "others"),
        ("notes.txt", WHOM, "others"),
    ],
)
def test_files_are_looked_through_though_no_record_is_found(run: Path, name: str, value: str, whose: str) -> None:
    if name == "run.json":
        manifest = read_manifest(run)
        assert manifest is not None
        write_manifest(run, replace(manifest, identity={**manifest.identity, "source.where": value}))
    elif name == "audit.jsonl":
        record_event(run, "started", config="", settings={"source.where": value, "source.field": "persona"})
    else:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text(value)
    plan = purge(run)
    assert plan.is_empty
    assert plan.files.stay
    found: dict[str, Any] = {
        "needed": {run / name: ("source.where",)} if whose == "needed" else {},
        "others": [run / name] if whose == "others" else [],
    }
    assert {"needed": plan.files.needed, "others": plan.files.others} == found


def test_what_the_run_says_of_licences_counts_in_no_file(run: Path) -> None:
    manifest = read_manifest(run)
    assert manifest is not None
    write_manifest(run, replace(manifest, terms=[{"model": "m", "terms": "NOASSERTION"}]))
    record_event(run, "licence", warnings=[{"subject": "model m", "licence": "NOASSERTION", "rule": "unknown"}])
    assert not purge(run, "noassertion").files.stay


def test_a_report_goes_though_no_record_is_found(run: Path) -> None:
    (run / "report.html").write_text(TEXT)
    plan = purge(run)
    assert (plan.is_empty, plan.files.stay, (run / "report.html").exists()) == (False, False, False)
    assert purge(run).is_empty
