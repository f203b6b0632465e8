"""All figures about a run, or the stages of one, as one document of plain data: what the page shows, and the JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from personastream import __version__
from personastream.core.accuracy import accuracy_figures
from personastream.core.math_figures import math_figures
from personastream.launch.review_files import review_of
from personastream.launch.run_directory import is_owned
from personastream.ports import Embedder
from personastream.report.figures.counts import counts_figures, reasons_figures
from personastream.report.figures.diversity import diversity_figures
from personastream.report.figures.excerpts import excerpts
from personastream.report.figures.lineage import Traced, lineage_figures
from personastream.report.figures.replies import reply_figures
from personastream.report.figures.similarity import similarity_figures
from personastream.report.figures.texts import language_figures, length_figures, script_figures
from personastream.report.figures.timeline import time_figures
from personastream.report.logs import Frame, Logs, read_logs
from personastream.report.records import inputs, outputs
from personastream.report.sampling import Sample, Watched, draw
from personastream.report.stages import Stage, find_stages

FORMAT = 1
WHOLE = {"mathematics": ("solve", math_figures), "accuracy": ("grade", accuracy_figures)}
"""Figures that are counted in all records, by the recipe that wrote these."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is made: records to sample of each stage, the seed, and whose vectors to compare, if anyone's."""

    sample: int
    seed: int
    embedder: Embedder | None = None
    embeddings_model: str = ""


def document(directory: Path, options: Options, watched: Watched[Frame]) -> dict[str, Any]:
    """Everything there is to tell. Nothing in the runs is changed. Raises `RunError`."""
    stages = find_stages(directory)
    told, traced = [], []
    for stage in stages:
        logs = read_logs(stage.directory, stage.manifest)
        sample = draw(logs, options.sample, options.seed, watched)
        told.append({**_stage(stage, logs, sample, options), **_exactly(stage, logs, watched)})
        lineages = [item.lineage for item in sample.items if item.lineage is not None] if stage.asks else []
        traced.append(Traced(lineages, round(logs.data.lines * _share(lineages, sample)), logs.counts.delivered))
    return {
        "format": FORMAT,
        "title": directory.absolute().name,
        "directory": str(directory),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "sample": options.sample,
        "seed": options.seed,
        "stages": told,
        "review": review_of(directory) if len(stages) > 1 else None,
        "lineage": lineage_figures(traced),
    }


def _share(part: Sequence[object], sample: Sample) -> float:
    return len(part) / len(sample.items) if sample.items else 0.0


def _stage(stage: Stage, logs: Logs, sample: Sample, options: Options) -> dict[str, Any]:
    made = outputs(sample.items)
    seed = options.seed
    return {
        "name": stage.name,
        "reads": list(stage.reads),
        "run_id": stage.manifest.run_id,
        "created": stage.manifest.created,
        "version": stage.manifest.version,
        "config": stage.manifest.config,
        "state": _state(stage, logs),
        "settings": {key: value for key, value in stage.manifest.identity.items() if _is_plain(value)},
        **counts_figures(logs),
        "sampled": {
            "records": len(sample.items),
            "of": logs.data.lines,
            "dead_letters": len(sample.letters),
            "frames": sample.frames_read,
            "unreadable": sample.unreadable,
        },
        "reasons": reasons_figures(logs.counts, sample),
        "time": time_figures(sample, logs.data.lines, logs.usage) if stage.asks else None,
        "replies": reply_figures(sample, logs.data.lines, logs.usage) if stage.asks else None,
        "lengths": length_figures(sample.items),
        "scripts": script_figures(made),
        "languages": language_figures(made, seed),
        "diversity": {
            "outputs": diversity_figures(made, seed),
            "inputs": diversity_figures(inputs(sample.items), seed),
        },
        "similarity": _similarity(sample, options),
        "excerpts": excerpts(sample.items, seed),
        "review": review_of(stage.directory),
    }


def _similarity(sample: Sample, options: Options) -> dict[str, Any] | None:
    told = similarity_figures(sample.items, options.seed, options.embedder)
    return told and {**told, "model": options.embeddings_model}


def _exactly(stage: Stage, logs: Logs, watched: Watched[Frame]) -> dict[str, Any]:
    """Of runs that solve problems or grade answers: figures of all of their records, for these have to add up."""
    told: dict[str, Any] = dict.fromkeys(WHOLE)
    for name, (recipe, count) in WHOLE.items():
        if stage.manifest.identity.get("recipe.type") == recipe:
            frames = logs.read(watched(logs.data.frames, name))
            told[name] = count((orjson.loads(line) for frame in frames for line in frame.lines), logs.counts.dead)
    return told


def _state(stage: Stage, logs: Logs) -> str:
    if logs.finished:
        return "finished"
    return "running" if is_owned(stage.directory) else "stopped"


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
