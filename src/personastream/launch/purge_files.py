"""Which files in the folders of runs hold what is purged, besides logs, and what is to become of each.

A purge removes some and writes some anew. It changes nothing of what tells how the run was made: with another
`run.json` it is another run, and an audit log that could be changed would prove nothing. All others are of people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from personastream.errors import CorruptOutput
from personastream.launch.audit import HEAD_NAME, read_events
from personastream.launch.audit import NAME as AUDIT
from personastream.launch.dedup_report import NAME as DEDUP_REPORT
from personastream.launch.manifest import NAME as MANIFEST
from personastream.launch.purge_rest import REMOVED, Told, batches_to_go, rest_without
from personastream.launch.purge_search import Found
from personastream.launch.spend_file import NAME as SPEND
from personastream.launch.stage_list import NAME as STAGES

FILE_BYTES_MAX = 256 << 20
"""Larger files that are none of ours are not looked through."""

_FOLDERS = frozenset({"data", "dead", "state", "purge", "review"})
"""Of a run; what is in them is dealt with elsewhere."""
LICENCE = "licence"
"""The event with what the rules for licences say, in our own words."""
_NEEDED = frozenset({MANIFEST, AUDIT, HEAD_NAME, SPEND, STAGES})


@dataclass(slots=True)
class Files:
    """Files that hold it. `going` are those that a purge removes or writes anew; `needed` are of the run and stay as
    they are, each with the settings that hold it, as far as it tells; `others` are none of the run's own.
    """

    going: set[Path] = field(default_factory=set)
    needed: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)

    @property
    def stay(self) -> bool:
        """Whether a purge leaves any."""
        return bool(self.needed or self.others)


def files_with(root: Path, runs: Sequence[Found], told: Told) -> Files:
    """Look through all of them. Raises `OSError`."""
    folders = {root: None, **{found.directory: found for found in runs}}
    files = Files({folder / name for folder in folders for name, _ in rest_without(folder, told)})
    if told.is_empty:
        return files
    removed = set(_removed(folders, told))
    for path in _others(root, folders):
        run = folders.get(path.parent)
        if run is not None and path.name in (MANIFEST, AUDIT):
            settings = settings_with(run, told) if path.name == MANIFEST else _events_with(path, told)
            if settings is not None:
                files.needed[path] = settings
        elif path.stat().st_size > FILE_BYTES_MAX or not told(_text(path)):
            continue
        elif not removed.isdisjoint((path, *path.parents)):
            files.going.add(path)
        elif path not in files.going:
            if path.parent in folders and _is_needed(path, run):
                files.needed[path] = ()
            else:
                files.others.append(path)
    return files


def settings_with(run: Found, told: Told) -> tuple[str, ...] | None:
    """The names of settings and shards in `run.json` that hold it; None if it does not. What we say does not count."""
    manifest = run.manifest
    found = [name for name, value in manifest.identity.items() if told(value)]
    found += ["the path of the configuration"] if told(manifest.config) else []
    found += ["the paths of the input"] if told([shard.path for shard in manifest.shards]) else []
    return tuple(found) or None


def _events_with(path: Path, told: Told) -> tuple[str, ...] | None:
    """The names of settings in an audit log that hold it, none if something else does; None if nothing does."""
    try:
        events = read_events(path.parent)
    except CorruptOutput:  # `verify` tells of it
        return () if told(_text(path)) else None
    found: dict[str, None] = {}
    holds = False
    for details in [event["details"] for event in events if event["event"] != LICENCE]:
        holds = holds or told(details)
        for settings in (details.get("settings"), details.get("changed")):
            if isinstance(settings, dict):
                found |= dict.fromkeys(name for name, value in settings.items() if told(value))
    return tuple(found) if holds else None


def _is_needed(path: Path, run: Found | None) -> bool:
    is_of_job = path.name == DEDUP_REPORT and run is not None and "output" in run.manifest.identity
    return path.name in _NEEDED or is_of_job


def _removed(folders: dict[Path, Found | None], told: Told) -> Iterator[Path]:
    for folder in folders:
        for pattern in (*REMOVED, *batches_to_go(folder, told)[0]):
            yield from folder.glob(pattern)


def _others(root: Path, folders: dict[Path, Found | None]) -> list[Path]:
    ours = {directory / name for directory in folders for name in _FOLDERS}
    others = (path for path in root.rglob("*") if ours.isdisjoint(path.parents))
    return sorted(path for path in others if path.is_file() and not path.is_symlink())


def _text(path: Path) -> str:
    """A file as text, unpacked if it is zstd; escapes of JSON are undone for line feeds and quotes."""
    try:
        data = path.read_bytes()
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
                data = reader.read(FILE_BYTES_MAX)
    except (OSError, zstandard.ZstdError):
        return ""
    return data.replace(b"\\n", b" ").replace(b'\\"', b'"').decode("utf-8", "replace")
