"""The licence gate: which licences and terms go together with what a run is for, and what it says where they do not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from personastream.build import Parts, build, identity
from personastream.config import load
from personastream.errors import ConfigError, ExitCode, LicenceRefused
from personastream.launch.licence_gate import FILES_NAMED_MAX, RowGate, check_licences, gated, terms_of, told
from personastream.licences.rules import LicenceRules
from personastream.records import NO_LICENCE, Batch, Shard
from tests.support.workspace import write_config, write_shard

NC_SA, NC, SA, BY, ND = "CC-BY-NC-SA-4.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC-BY-4.0", "CC-BY-ND-4.0"
COMMERCIAL, TRAIN, REFUSE = {"use": "commercial"}, {"purpose": "train"}, {"unknown": "refuse"}
RESEARCH = {"use": "research"}

SOURCES: list[tuple[str, Mapping[str, object], str]] = [
    # Persona Hub, in a run of each kind
    (NC_SA, {}, ""),
    (NC_SA, RESEARCH, ""),
    (NC_SA, COMMERCIAL, "noncommercial"),
    (NC_SA, TRAIN, ""),
    (NC_SA, {"output": NC_SA}, ""),
    (NC_SA, {"output": "cc-by-nc-sa-4.0"}, ""),
    (NC_SA, {"output": NC}, "share_alike"),
    (NC_SA, {"output": BY}, "share_alike"),
    (NC_SA, {**COMMERCIAL, "output": NC_SA}, "noncommercial"),
    (NC_SA, {**COMMERCIAL, "allow": [NC_SA]}, "overridden"),
    (NC_SA, {**RESEARCH, "deny": [NC_SA]}, "denied"),
    # other licences
    (BY, COMMERCIAL, ""),
    (BY, {"output": "Apache-2.0"}, ""),
    ("CC0-1.0", {**COMMERCIAL, **TRAIN, **REFUSE, "output": BY}, ""),
    (NC, COMMERCIAL, "noncommercial"),
    (NC, {"output": BY}, "noncommercial_output"),
    (NC, {"output": NC_SA}, ""),
    (SA, COMMERCIAL, ""),
    (SA, {"output": SA}, ""),
    (SA, {"output": "GPL-3.0-only"}, ""),
    (SA, {"output": BY}, "share_alike"),
    (SA, {"output": NC_SA}, "share_alike"),
    ("CC-BY-NC-SA-3.0", {"output": NC_SA}, ""),
    (NC_SA, {"output": "CC-BY-NC-SA-3.0"}, "share_alike"),
    (ND, RESEARCH, ""),
    (ND, {"output": ND}, "no_derivatives"),
    ("ODbL-1.0", {"output": "CC0-1.0"}, "share_alike"),
    ("LicenseRef-llama3", COMMERCIAL, ""),
    # joined and alternative licences
    (f"{BY} AND {NC}", COMMERCIAL, "noncommercial"),
    (f"{BY} OR {NC}", COMMERCIAL, ""),
    (f"{NC} OR {NC_SA}", COMMERCIAL, "noncommercial"),
    (f"MIT AND ({NC} OR {BY})", COMMERCIAL, ""),
    (f"{BY} AND {NC}", {**COMMERCIAL, "allow": [BY]}, "noncommercial"),
    (f"{BY} AND {NC}", {**COMMERCIAL, "allow": [BY, NC]}, "overridden"),
    # nobody says, or nobody knows
    (NO_LICENCE, {}, "warning"),
    (NO_LICENCE, COMMERCIAL, "warning"),
    (NO_LICENCE, REFUSE, "unknown"),
    ("LicenseRef-house", COMMERCIAL, "warning"),
    ("LicenseRef-house", REFUSE, "unknown"),
    ("LicenseRef-house", {**REFUSE, "allow": ["LicenseRef-house"]}, ""),
    ("LicenseRef-house", {"deny": ["LicenseRef-house"]}, "denied"),
]

MODELS: list[tuple[str, str, Mapping[str, object], str]] = [
    # model, declared terms, rules
    ("gpt-4o", "", TRAIN, "training"),
    ("gpt-4o", "", {"purpose": "evaluate"}, ""),
    ("gpt-4o", "", COMMERCIAL, ""),
    ("gpt-4o", "", {**TRAIN, "allow": ["openai"]}, "overridden"),
    ("claude-3-5-sonnet-20240620", "", TRAIN, "training"),
    ("gemini-2.5-pro", "", TRAIN, "training"),
    ("meta-llama/Meta-Llama-3-70B-Instruct", "", TRAIN, "training"),
    ("meta-llama/Llama-3.1-70B-Instruct", "", TRAIN, "warning"),
    ("gemma3:27b", "", TRAIN, "warning"),
    ("Qwen/Qwen3-32B", "Apache-2.0", {**TRAIN, **COMMERCIAL, **REFUSE}, ""),
    ("command-r", NC, COMMERCIAL, "noncommercial"),
    ("codestral-22b", "", COMMERCIAL, "noncommercial"),
    ("our-model", "", {}, "warning"),
    ("our-model", "", {**TRAIN, **REFUSE}, "unknown"),
    ("our-model", "LicenseRef-ours", {**TRAIN, **REFUSE, "allow": ["LicenseRef-ours"]}, ""),
    ("gpt-4o", "MIT", TRAIN, ""),  # what is declared counts, not the name
    ("gpt-oss-120b", "", {**TRAIN, **REFUSE}, "unknown"),  # an open model, no service
    ("gpt-4o", "", {"deny": ["openai"]}, "denied"),
]


@dataclass
class Model:
    """As much of a provider as the gate looks at."""

    model: str
    terms: str = ""
    label: str = "localhost:1 it"
    reserved: bool = False


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("gate")
    write_shard(folder / "in" / "a.jsonl", [b'{"persona":"A nurse"}'])
    return build(load(str(write_config(folder / "job.toml", "http://127.0.0.1:9/v1"))))


def shards(*licences: str) -> list[Shard]:
    return [Shard(at, f"s{at}", f"/in/s{at}.jsonl", 1, "f", licence) for at, licence in enumerate(licences)]


def outcome(parts: Parts, given: list[Shard]) -> tuple[str, str]:
    """(what came of it: a rule, or the weight of what is only told; the message)."""
    try:
        (*found,) = check_licences(parts, given)
    except LicenceRefused as error:
        return "refused" if error.exit_code == ExitCode.CONFIG else "another exit code", str(error)
    return (found[0].complaint.weight if found else ""), "\n".join(map(str, found))


@pytest.mark.parametrize(("licence", "rules", "expected"), SOURCES)
def test_sources(plain: Parts, licence: str, rules: Mapping[str, object], expected: str) -> None:
    parts = replace(plain, providers=[], licence=LicenceRules(**rules))  # type: ignore[arg-type]
    got, message = outcome(parts, shards("CC0-1.0", licence))
    assert got == (expected if expected in ("", "warning", "overridden") else "refused")
    if expected:
        assert "/in/s1.jsonl" in message
        assert "/in/s0.jsonl" not in message
        assert (licence if licence != NO_LICENCE else "its licence") in message
    if got == "refused":
        words = {"noncommercial": 'use = "commercial"', "denied": "[licence] deny", "unknown": "here"}
        assert words.get(expected, "output") in message or licence == NO_LICENCE
        assert expected == "denied" or licence == NO_LICENCE or f'allow = ["{licence}"]' in message


@pytest.mark.parametrize(("model", "terms", "rules", "expected"), MODELS)
def test_models(plain: Parts, model: str, terms: str, rules: Mapping[str, object], expected: str) -> None:
    provider = Model(model, terms)
    parts = replace(plain, providers=[provider, provider], licence=LicenceRules(**rules))  # type: ignore[arg-type, list-item]
    got, message = outcome(parts, shards("CC0-1.0"))
    assert got == (expected if expected in ("", "warning", "overridden") else "refused")
    if expected:
        assert message.count("model localhost:1 it") == 1
        assert terms in message
    if expected == "training":
        assert "https://" in message
        assert "by the model's name" in message


def test_providers_that_only_screens_ask_write_no_records_and_are_not_judged(plain: Parts) -> None:
    judge = Model("gpt-4o", reserved=True)
    parts = replace(plain, providers=[judge], licence=LicenceRules(purpose="train"))  # type: ignore[list-item]
    assert outcome(parts, shards("CC0-1.0")) == ("", "")


def test_many_files_are_counted_and_each_licence_is_named(plain: Parts) -> None:
    parts = replace(plain, providers=[], licence=LicenceRules(use="commercial"))
    _, message = outcome(parts, shards(*[NC_SA] * 1000, NC))
    assert message.count(NC_SA) == FILES_NAMED_MAX + 2
    assert f"and {1000 - FILES_NAMED_MAX:,} more files under {NC_SA}" in message
    assert "/in/s1000.jsonl: CC-BY-NC-4.0 allows no commercial use" in message


def test_what_was_overridden_is_told_to_the_audit_log(plain: Parts) -> None:
    rules = LicenceRules(use="commercial", allow=[NC_SA])
    found = check_licences(replace(plain, providers=[], licence=rules), shards(NC_SA, NO_LICENCE))
    assert told(found) == {
        "overridden": [{"subject": "/in/s0.jsonl", "licence": NC_SA, "rule": "noncommercial"}],
        "warnings": [{"subject": "/in/s1.jsonl", "licence": NO_LICENCE, "rule": "unknown"}],
    }


def batch(*licences: str) -> Batch:
    numbers = list(range(10, 10 + len(licences)))
    return Batch(shards("")[0], 0, 20, numbers, [f"p{n}" for n in numbers], licences=licences)


def test_rows_with_licences_of_their_own_are_dropped_one_by_one() -> None:
    thinned = RowGate(LicenceRules(use="commercial"))(batch(BY, NC_SA, BY, NO_LICENCE, NC))
    assert thinned.numbers == [10, 12, 13]
    assert thinned.licences == (BY, BY, NO_LICENCE)
    assert thinned.dropped == {"licence": [11, 14]}
    assert RowGate(LicenceRules(unknown="refuse"))(batch(BY, NO_LICENCE)).dropped == {"licence": [11]}
    assert not RowGate(LicenceRules(use="commercial", allow=[NC]))(batch(NC)).dropped


def test_or_the_run_is_refused_at_the_first_of_them() -> None:
    gate = RowGate(LicenceRules(use="commercial", rows="refuse"))
    assert gate(batch(BY, BY)).numbers == [10, 11]
    with pytest.raises(LicenceRefused, match=r"/in/s0.jsonl: row 12: CC-BY-NC-SA-4.0 allows no commercial use"):
        gate(batch(BY, BY, NC_SA))


def built(tmp_path: Path, **sections: Mapping[str, object]) -> Parts:
    write_shard(tmp_path / "in" / "a.jsonl", [b'{"persona":"A nurse"}'])
    write_shard(tmp_path / "in" / "elite" / "b.jsonl", [b'{"persona":"A judge"}'])
    return build(load(str(write_config(tmp_path / "job.toml", "http://127.0.0.1:9/v1", **sections))))


def test_a_licence_is_declared_for_all_files_or_by_file(tmp_path: Path) -> None:
    paths = ["in/*.jsonl", "in/elite/*.jsonl"]
    parts = built(tmp_path, source={"paths": paths, "licence": "cc-by-4.0"})
    assert [shard.licence for shard in parts.source.shards()] == [BY, BY]
    text = (tmp_path / "job.toml").read_text()
    by_file = text.replace('licence = "cc-by-4.0"', 'licence = {"elite/*" = "cc-by-nc-sa-4.0", "*.jsonl" = "mit"}')
    (tmp_path / "job.toml").write_text(by_file)
    parts = build(load(str(tmp_path / "job.toml")))
    assert [shard.licence for shard in parts.source.shards()] == ["MIT", NC_SA]


def test_a_preset_knows_the_licence_of_its_data_set(tmp_path: Path) -> None:
    parts = built(tmp_path, source={"preset": "persona_hub"})
    assert [shard.licence for shard in parts.source.shards()] == [NC_SA]
    parts = built(tmp_path, source={"preset": "persona_hub", "licence": "CC0-1.0"})
    assert [shard.licence for shard in parts.source.shards()] == ["CC0-1.0"]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("source", "licence", "CC-BY-NCSA"),
        ("source", "licence", "my licence"),
        ("licence", "output", "CC BY 4.0"),
        ("licence", "allow", ["nothing known"]),
        ("provider", "terms", "open ai"),
        ("licence", "use", "comercial"),
    ],
)
def test_a_licence_that_nobody_knows_is_a_mistake_in_a_configuration(
    tmp_path: Path, section: str, key: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=key):
        built(tmp_path, **{section: {key: value}})


def test_rules_that_drop_rows_are_part_of_what_a_run_is(tmp_path: Path) -> None:
    rules = {"use": "commercial"}
    path = tmp_path / "job.toml"
    by_row = built(tmp_path, source={"licence_field": "licence"}, licence=rules)
    assert identity(load(str(path)), by_row)["licence.use"] == "commercial"
    assert len(gated(by_row).transforms) == 1
    as_a_whole = built(tmp_path, licence=rules)
    assert "licence.use" not in identity(load(str(path)), as_a_whole)
    assert gated(as_a_whole) is as_a_whole


def test_terms_of_a_provider(plain: Parts) -> None:
    assert terms_of(plain.providers[0]).terms == NO_LICENCE
    known = terms_of(Model("gpt-4o"))  # type: ignore[arg-type]
    assert (known.told_by, known.document()["training"]) == ("name", "no")
