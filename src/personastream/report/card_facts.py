"""What a card tells of a run, or of the stages of one: counts by the ends of the parts, models by their records."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from personastream import __version__
from personastream.card.columns import Kind
from personastream.card.facts import CardFacts, DataFile, Sampled, Source, StageFacts, Step
from personastream.errors import BadInput
from personastream.export.files import kind_of
from personastream.export.formats import parquet
from personastream.launch.audit import read_events
from personastream.launch.audit_check import check_audit
from personastream.launch.sittings import digest, settings_before
from personastream.records import NO_LICENCE
from personastream.report.logs import Frame, Logs, read_logs
from personastream.report.records import Item, iso
from personastream.report.sampling import Sample, Watched, draw
from personastream.report.stages import Stage, find_stages

SEED = 0
NAMES_MAX = 1000
COLUMN_RECORDS = 1000
STEPS = ("transform", "screen")
PIECE_BYTES = 1 << 20

Tick = Callable[[int], None]


def card_facts(
    directory: Path, out: Path, wanted: int, watched: Watched[Frame], hashed: Callable[[Sequence[Path]], Iterable[Path]]
) -> CardFacts:
    """Look at the runs in a directory, for a card in the folder `out`, and at the files of an export that are there.

    `wanted` records of each run are looked at, at most. Raises `RunError`.
    """
    told, columns, files = list[StageFacts](), dict[str, Kind](), list[tuple[Path, str]]()
    stages = find_stages(directory)
    if not any(stage.asks for stage in stages):
        raise BadInput(f"{directory} holds nothing that a model wrote", hint="A card is for runs that ask a model.")
    read = {name for stage in stages for name in stage.reads}
    for stage in stages:
        logs = read_logs(stage.directory, stage.manifest)
        sample = draw(logs, wanted, SEED, watched)
        told.append(_stage(stage, logs, sample))
        if stage.name not in read:
            columns |= _columns(sample)
            files += [(path, stage.manifest.run_id) for path in sorted((stage.directory / "data").glob("*.jsonl.zst"))]
    exported = [(path, told[-1].run_id) for path in sorted(out.glob("train-*")) if kind_of(path.name)]
    run_of = dict(exported or files)
    facts = CardFacts(
        title=directory.absolute().name,
        version=__version__,
        made=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        stages=told,
        files=[_file(path, run_of[path], out) for path in hashed(list(run_of))],
        columns=columns,
        rows=0,
        output_licence=str(_settings(stages[-1].directory).get("licence.output", "")),
    )
    return replace(facts, rows=sum(stage.records for stage in facts.ends))


def _stage(stage: Stage, logs: Logs, sample: Sample) -> StageFacts:
    manifest, audit = stage.manifest, check_audit(stage.directory, stage.manifest)
    settings = _settings(stage.directory)
    return StageFacts(
        name=stage.name,
        run_id=manifest.run_id,
        created=manifest.created.replace("+00:00", "Z"),
        version=manifest.version,
        finished=logs.finished,
        asks=stage.asks,
        reads=stage.reads,
        recipe=str(manifest.identity.get("recipe.type", "none")),
        sources=[
            Source(Path(shard.path).name, shard.size_bytes, shard.fingerprint, shard.licence)
            for shard in manifest.shards
        ],
        steps=list(_steps(manifest.identity)),
        terms=manifest.terms,
        counts=logs.counts,
        records=logs.data.lines,
        usage=logs.usage,
        sampled=_sampled(sample.items),
        audit_events=audit.events,
        audit_head=audit.head,
        config_digest=digest(settings) if settings else "",
    )


def _settings(directory: Path) -> Mapping[str, Any]:
    """Those of the last sitting, as the audit log tells them; none if there is no log."""
    return settings_before(read_events(directory)) or {}


def _steps(identity: Mapping[str, Any]) -> Iterator[Step]:
    """Transforms and screens in their order, with the settings that shape the output."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in identity.items():
        section, _, name = key.partition(".")
        if section.partition("[")[0] in STEPS:
            found.setdefault(section, {})[name] = value
    for section, settings in found.items():
        yield Step(section.partition("[")[0], str(settings.pop("type", "")), settings)


def _sampled(items: Sequence[Item]) -> Sampled:
    models, templates, licences, flagged = (Counter[str]() for _ in range(4))
    moments = [item.created_s for item in items if item.created_s is not None]
    for item in items:
        meta = item.whole.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        _count(models, item.model or "not named")
        _count(templates, item.template or "none")
        _count(licences, str(meta.get("licence") or NO_LICENCE))
        screens = meta.get("screens")
        for screen, marks in screens.items() if isinstance(screens, dict) else ():
            for mark in marks if isinstance(marks, list) else [marks]:
                _count(flagged, f"{screen}: {mark}")
    first, last = (iso(min(moments)), iso(max(moments))) if moments else ("", "")
    return Sampled(len(items), models, templates, licences, flagged, first, last)


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < NAMES_MAX else "others"] += 1


def _columns(sample: Sample) -> Mapping[str, Kind]:
    """The columns of the records themselves: what stands right under them, by their first ones."""
    whole = [item.whole for item in sample.items[:COLUMN_RECORDS]]
    names = dict.fromkeys(name for record in whole for name in record)
    kinds = parquet.columns([{name: record.get(name) for name in names} for record in whole])
    return {name: kinds.get(name, "json") for name in names}


def _file(path: Path, run_id: str, out: Path) -> DataFile:
    digest_of, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest_of.update(piece)
            size += len(piece)
    kind = kind_of(path.name)
    assert kind is not None
    return DataFile(_from(path, out), run_id, digest_of.hexdigest(), size, kind)


def _from(path: Path, out: Path) -> str:
    """How the file is reached from the card's folder."""
    here, there = out.absolute(), path.absolute()
    common = next(parent for parent in (here, *here.parents) if parent == there or parent in there.parents)
    up = [".."] * len(here.relative_to(common).parts)
    return "/".join([*up, *there.relative_to(common).parts])
