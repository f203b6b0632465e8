"""The rows of a run's own input that a purge is about: those that hold a phrase, and the texts of those named by id.

Input files are not ours: they are read, and stay as they are. What is found here is not read again by the run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from personastream.build import build_thinning
from personastream.core.own_words import foreign_origin
from personastream.errors import RunError
from personastream.launch.arrivals import shards_of
from personastream.launch.purge_search import Found, Trail
from personastream.launch.purge_terms import Terms
from personastream.launch.stage_list import config_of
from personastream.ports import Source
from personastream.records import NO_ORIGIN, Batch, Origin, Shard
from personastream.sources.run import Run
from personastream.stages import load_stages


@dataclass(frozen=True, slots=True)
class Unread:
    """Why the input of a run was not looked through."""

    why: str


def search_input(found: Found, terms: Terms, trail: Trail, settings: Sequence[str]) -> Unread | None:
    """Add to what is found. `settings` are laid over the configuration, as they were for the run.

    Needs the configuration and the shards as they were; tells if they are not there.
    """
    named = {stem: set(rows) for stem, rows in found.whole.items() if rows}
    if not terms.phrases and not named:
        return None
    try:
        source = _source(found, settings)
        if source is None:
            return None
        now = {shard.stem: shard for shard in shards_of(source, found.directory)}
        for shard in found.manifest.shards:
            if shard.stem not in now or now[shard.stem].fingerprint != shard.fingerprint:
                return Unread(f"{shard.path} has changed, or is gone")
            _search_shard(source, now[shard.stem], found, terms, trail, named.get(shard.stem, set()))
    except RunError as error:
        return Unread(error.message)
    return None


def _source(found: Found, settings: Sequence[str]) -> Source | None:
    """Where the run reads from; None if that is other runs, or a job without a configuration."""
    config = config_of(found.directory.parent) if found.stage else found.manifest.config
    if config is None or ("output" in found.manifest.identity and not found.stage):
        return None
    for stage in load_stages(config, settings):
        if stage.name == found.stage and not stage.reads:
            source = build_thinning(stage.config).source
            return None if isinstance(source, Run) else source
    return None


def _search_shard(source: Source, shard: Shard, found: Found, terms: Terms, trail: Trail, named: set[int]) -> None:
    if not terms.phrases:
        for number in sorted(named):
            batch = next(iter(source.read(shard, number)))
            trail.add_texts(text for row, text, _ in _rows(batch) if row == number)
        return
    for batch in source.read(shard, 0):
        for number, text, origin in _rows(batch):
            if number in named or terms.has_phrase([text, foreign_origin(origin)]):
                found.whole[shard.stem].add(number)
                trail.add_texts([text] if number in named or terms.is_said_in(text) else ())


def _rows(batch: Batch) -> Iterator[tuple[int, str, Origin]]:
    origins = batch.origins or [NO_ORIGIN] * len(batch.numbers)
    yield from zip(batch.numbers, batch.texts, origins, strict=True)
    yield from ((row.number, row.text, row.origin) for row in batch.dead)
