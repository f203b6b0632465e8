"""Which runs a folder holds: it is one, or it has one in each of several folders, which may read one another."""

from dataclasses import dataclass
from pathlib import Path

from personastream.errors import BadInput
from personastream.launch.manifest import Manifest, read_manifest


@dataclass(frozen=True, slots=True)
class Stage:
    """One run. `reads` names the stages whose output is its input."""

    name: str
    directory: Path
    manifest: Manifest
    reads: tuple[str, ...] = ()


def find_stages(directory: Path) -> list[Stage]:
    """The run in `directory`, or the runs in folders of it, each behind those it reads. Raises `BadInput`."""
    manifest = read_manifest(directory)
    if manifest is not None:
        return [Stage(directory.absolute().name, directory, manifest)]
    try:
        folders = sorted(path for path in directory.iterdir() if path.is_dir())
    except OSError as error:
        raise BadInput(f"cannot read {directory}: {error.strerror}", hint="Give the directory of a run.") from error
    runs = {path: found for path in folders if (found := read_manifest(path)) is not None}
    if not runs:
        raise BadInput(f"{directory} holds no run", hint="Give the directory that [sink] path names.")
    places = {path.resolve(): path.name for path in runs}
    stages = [
        Stage(
            path.name,
            path,
            manifest,
            _reads(manifest, {place: name for place, name in places.items() if name != path.name}),
        )
        for path, manifest in runs.items()
    ]
    return _in_order(stages)


def _reads(manifest: Manifest, places: dict[Path, str]) -> tuple[str, ...]:
    """The stages in whose folders its shards lie."""
    found = (places.get(parent) for shard in manifest.shards for parent in Path(shard.path).resolve().parents)
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _in_order(stages: list[Stage]) -> list[Stage]:
    """Each stage behind those it reads; apart from that, the earliest begun first."""
    left = sorted(stages, key=lambda stage: (stage.manifest.created, stage.name))
    ordered: list[Stage] = []
    while left:
        known = {stage.name for stage in ordered}
        following = next((stage for stage in left if known.issuperset(stage.reads)), left[0])
        ordered.append(following)
        left.remove(following)
    return ordered
