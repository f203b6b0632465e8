"""What the runs of a job hold, read back from their logs: for jobs that nobody has seen at work in this process."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from personastream.core.outcomes import Counts, Usage
from personastream.errors import PersonaStreamError
from personastream.launch.manifest import read_manifest
from personastream.launch.spend_file import read_authorised
from personastream.serve.sitting import StageFigures
from personastream.sinks.frames import Frames
from personastream.stages import Stage


def figures_of(directory: Path, stages: Sequence[Stage]) -> dict[str, StageFigures]:
    """By stage, of those that have begun. What cannot be read is passed over: its next sitting says why. Blocks."""
    found = {}
    for stage in stages:
        try:
            figures = _read(directory / stage.name)
        except Exception:  # damage of any kind
            continue
        if figures is not None:
            found[stage.name] = figures
    return found


def spent_by(directory: Path, stages: Sequence[Stage], figures: Mapping[str, StageFigures]) -> dict[str, int]:
    """By the folder of each run, the billionths that it may have spent at most. Blocks."""
    found = {}
    for name in {stage.name for stage in stages}:
        folder = directory / name
        committed = figures[name].spend_nanos if name in figures else 0
        with suppress(PersonaStreamError):  # its next sitting says what is wrong with it
            committed = max(committed, read_authorised(folder))
        if committed:
            found[str(folder)] = committed
    return found


def _read(directory: Path) -> StageFigures | None:
    manifest = read_manifest(directory)
    if manifest is None:
        return None
    sink = Frames(path=str(directory))
    sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
    states = sink.recover(repair=False)
    counts = sum((state.counts for state in states), Counts())
    usage = sum((state.usage for state in states), Usage())
    finished = all(state.finished for state in states)
    return StageFigures(counts, counts.settled if finished else 0, usage.spend_nanos, finished)
