"""`stages.json`: which stages there are below a directory, in order; for people, and for verbs that look at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from personastream.errors import CannotCreate, CorruptOutput, ManifestMismatch, RunExists
from personastream.launch.durable_file import replace_durably
from personastream.launch.manifest import NAME as MANIFEST
from personastream.launch.spend_file import read_authorised
from personastream.stages import Stage

NAME = "stages.json"
FORMAT = 1


def read_stages(directory: Path) -> list[str] | None:
    """The names of the stages below a directory, in order; None if it holds no stages. Raises `CorruptOutput`."""
    told = _told(directory)
    return None if told is None else list(told)


def _told(directory: Path) -> dict[str, list[str]] | None:
    """The stages that each stage is made of, by its name, in order."""
    try:
        document = orjson.loads((directory / NAME).read_bytes())
        return {
            str(stage["name"]): list(dict.fromkeys([*stage.get("reads", ()), *stage.get("knows", ())]))
            for stage in document["stages"]
        }
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorruptOutput(
            f"{directory / NAME} is damaged: {error}", hint="Delete it: the next `run --resume` writes it anew."
        ) from error


def config_of(directory: Path) -> str | None:
    """The configuration by which the stages below a directory were last run; None if it holds none."""
    try:
        return str(orjson.loads((directory / NAME).read_bytes())["config"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def stages_gone(directory: Path) -> list[tuple[str, str]]:
    """(stage, later stage that was made of it) where the former is gone and the latter is there, by the list."""
    told = _told(directory) or {}
    begun = {name for name in told if (directory / name / MANIFEST).exists()}
    return [(needed, name) for name in told if name in begun for needed in told[name] if needed not in begun]


def begin_stages(directory: Path, stages: Sequence[Stage], *, resume: bool, command: str) -> None:
    """Write the list, for a new directory or to go on.

    Raises `RunExists`, `CannotCreate` for a foreign folder, or `ManifestMismatch` if what is there was made by other
    stages, or of a stage that is gone: before anything is asked for that could not be used.
    """
    if directory.exists() and not resume and (found := sorted(path.name for path in directory.iterdir())):
        if NAME not in found:
            raise CannotCreate(
                f"{directory} holds no stages, but {', '.join(found[:3])}", hint="Give the output a folder of its own."
            )
        raise RunExists(
            f"{directory} already holds stages",
            hint=f"To continue them: {command}\n  To start others: give them a folder of their own.",
        )
    names = {stage.name for stage in stages}
    for gone in [name for name in read_stages(directory) or () if name not in names]:
        if (directory / gone / MANIFEST).exists():
            raise ManifestMismatch(
                f"{directory} holds the stage {gone!r}, which {stages[0].config.path} does not have",
                hint="Give it its name again, or move its folder away, with those of all stages that read it.",
            )
    for gone, later in stages_gone(directory):
        raise ManifestMismatch(
            f"the stage {gone!r} is gone from {directory}, but {later!r} was made of it",
            hint="Put its folder back. Or delete those of all stages that were made of it, to run them all again.",
        )
    told: list[dict[str, Any]] = [
        {"name": stage.name, "reads": stage.reads, "knows": stage.knows, "asks": stage.config.asks} for stage in stages
    ]
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        document = {"format": FORMAT, "config": str(stages[0].config.path), "stages": told}
        replace_durably(directory / NAME, orjson.dumps(document, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise CannotCreate(
            f"cannot create {directory}: {error.strerror}", hint="Choose another [sink] path, or mend its permissions."
        ) from error


def authorised_elsewhere(directory: Path, stages: Sequence[Stage], stage: Stage) -> int:
    """Billionths that all other stages may have spent."""
    return sum(read_authorised(directory / each.name) for each in stages if each is not stage)
