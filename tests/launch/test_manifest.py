"""`run.json`: written once, read back exactly, and compared with what a resume brings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from personastream.errors import CannotCreate, CorruptOutput, ExitCode, ManifestMismatch
from personastream.launch.manifest import check_unchanged, new_manifest, read_manifest, write_manifest
from personastream.records import Shard

SHARDS = [
    Shard(index, f"people-{index}", f"/in/people-{index}.jsonl", 100 + index, f"{index:032x}") for index in range(3)
]
IDENTITY: dict[str, Any] = {
    "source.type": "jsonl",
    "source.field": "persona",
    "transform[0].type": "near_dedup",
    "transform[0].distance_max": 3,
    "recipe.template": "math@00000000",
    "recipe.temperature": None,
    "provider.model": "m",
}


def mismatch(identity: dict[str, Any], shards: list[Shard]) -> str:
    kept = new_manifest(Path("run.toml"), IDENTITY, SHARDS)
    with pytest.raises(ManifestMismatch) as caught:
        check_unchanged(kept, identity, shards, Path("runs/math"))
    assert caught.value.exit_code == ExitCode.CONFIG
    assert "runs/math" in caught.value.message
    assert "another [sink] path" in caught.value.hint
    return caught.value.message


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = new_manifest(Path("/etc/run.toml"), IDENTITY, SHARDS)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_every_run_has_an_id_of_its_own() -> None:
    assert len({new_manifest(Path("x"), {}, []).run_id for _ in range(50)}) == 50


@pytest.mark.parametrize("place", ["", "nowhere"])
def test_a_folder_without_a_manifest_holds_no_run(tmp_path: Path, place: str) -> None:
    assert read_manifest(tmp_path / place) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b"{}", b'{"format": 1}', b'{"format": 1, "shards": [{"nonsense": 1}]}', b"\xff"]
)
def test_a_damaged_manifest_is_named_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(CorruptOutput, match=r"run\.json") as caught:
        read_manifest(tmp_path)
    assert "copy" in caught.value.hint
    assert (tmp_path / "run.json").read_bytes() == content


def test_a_manifest_of_a_later_version_is_not_misread(tmp_path: Path) -> None:
    write_manifest(tmp_path, new_manifest(Path("x"), IDENTITY, SHARDS))
    document = orjson.loads((tmp_path / "run.json").read_bytes())
    (tmp_path / "run.json").write_bytes(orjson.dumps({**document, "format": 2}))
    with pytest.raises(CorruptOutput, match="format 2"):
        read_manifest(tmp_path)


def test_a_manifest_that_cannot_be_written_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="cannot write"):
        write_manifest(tmp_path / "nowhere", new_manifest(Path("x"), IDENTITY, SHARDS))


def test_the_same_settings_and_shards_may_go_on(tmp_path: Path) -> None:
    write_manifest(tmp_path, new_manifest(Path("x"), IDENTITY, SHARDS))
    kept = read_manifest(tmp_path)
    assert kept is not None
    check_unchanged(kept, IDENTITY, SHARDS, tmp_path)


def test_shards_may_have_moved() -> None:
    moved = [replace(shard, path=f"/elsewhere/{shard.stem}.jsonl") for shard in SHARDS]
    check_unchanged(new_manifest(Path("x"), IDENTITY, SHARDS), IDENTITY, moved, Path("runs/math"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"transform[0].distance_max": 2}, "transform[0].distance_max: was 3, is now 2"),
        ({"recipe.template": "math@11111111"}, "recipe.template: was 'math@00000000', is now 'math@11111111'"),
        ({"recipe.temperature": 0.5}, "recipe.temperature: was not set, is now 0.5"),
        ({"recipe.samples": 2}, "recipe.samples: was not set, is now 2"),
        ({"provider.model": None}, "provider.model: was 'm', is now not set"),
    ],
)
def test_a_changed_setting_is_named_with_both_values(changes: dict[str, Any], says: str) -> None:
    assert says in mismatch({**IDENTITY, **changes}, SHARDS)


def test_a_removed_transform_is_named() -> None:
    without = {key: value for key, value in IDENTITY.items() if not key.startswith("transform")}
    text = mismatch(without, SHARDS)
    assert "transform[0].type: was 'near_dedup', is now not set" in text


def test_changed_content_of_a_shard_is_named_with_its_path() -> None:
    changed = [SHARDS[0], replace(SHARDS[1], fingerprint="f" * 32), SHARDS[2]]
    assert "shard people-1: its content has changed (/in/people-1.jsonl)" in mismatch(IDENTITY, changed)


def test_missing_and_new_shards_are_named() -> None:
    others = [SHARDS[0], SHARDS[2], replace(SHARDS[1], stem="animals")]
    text = mismatch(IDENTITY, others)
    assert "shard people-1: is gone" in text
    assert "shard animals: is new" in text


def test_a_changed_order_of_shards_is_named() -> None:
    assert "their order has changed" in mismatch(IDENTITY, [SHARDS[1], SHARDS[0], SHARDS[2]])


def test_every_difference_is_named_at_once() -> None:
    changed = [SHARDS[0], replace(SHARDS[2], fingerprint="f" * 32)]
    text = mismatch({**IDENTITY, "provider.model": "other", "source.field": "text"}, changed)
    assert len(text.splitlines()) == 1 + 4
