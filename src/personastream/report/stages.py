"""Which runs a folder holds: it is one, or it has one in each of several folders, which may read one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from personastream.errors import BadInput
from personastream.launch.manifest import Manifest, read_manifest
from personastream.launch.stage_list import read_stages


@dataclass(frozen=True, slots=True)
class Stage:
    """One run. `reads` names the stages whose output is its input."""

    name: str
    directory: Path
    manifest: Manifest
    reads: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether its records are its own: a stage that only thins hands on those of others."""
        return bool(self.manifest.identity.get("output", "records") == "records")


def find_stages(directory: Path) -> list[Stage]:
    """The run in `directory`, or the runs in folders of it, each behind those it reads. Raises `BadInput`."""
    manifest = read_manifest(directory)
    if manifest is not None:
        return [Stage(directory.absolute().name, directory, manifest)]
    names = read_stages(directory)
    runs = {
        name: found for name in names or _folders(directory) if (found := read_manifest(directory / name)) is not None
    }
    if not runs:
        raise BadInput(f"{directory} holds no run", hint="Give the directory that [sink] path names.")
    places = {(directory / name).resolve(): name for name in runs}
    stages = [Stage(name, directory / name, found, _reads(name, found, places)) for name, found in runs.items()]
    return stages if names else _in_order(stages)


def _folders(directory: Path) -> Sequence[str]:
    try:
        return sorted(path.name for path in directory.iterdir() if path.is_dir())
    except OSError as error:
        raise BadInput(f"cannot read {directory}: {error.strerror}", hint="Give the directory of a run.") from error


def _reads(name: str, manifest: Manifest, places: Mapping[Path, str]) -> tuple[str, ...]:
    """The other stages in whose folders its shards lie."""
    paths = (Path(shard.path).resolve() for shard in manifest.shards)
    found = (places.get(folder) for path in paths for folder in (path, *path.parents))
    return tuple(dict.fromkeys(other for other in found if other not in (None, name)))


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
