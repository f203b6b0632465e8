"""A purge from first to last: what is to go is found, written anew without it, decided on, and carried out.

Nothing counts before the decision, which is one file; after it nothing is undone. The locks of all runs are held.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from personastream.core import ranges
from personastream.core.ranges import Range
from personastream.errors import BadInput, CorruptOutput
from personastream.launch.audit import read_events
from personastream.launch.manifest import Manifest, read_manifest
from personastream.launch.purge_apply import carry_out_rest, folders_of, root_of, runs_below, storage_told
from personastream.launch.purge_files import Files, files_with
from personastream.launch.purge_input import Unread, search_input
from personastream.launch.purge_journal import Journal, Pending, read_journal
from personastream.launch.purge_protocol import decide, obey
from personastream.launch.purge_rest import REMOVED, Told, batches_to_go, write_rest
from personastream.launch.purge_search import Found, Search, Trail, rows_of_readers
from personastream.launch.purge_terms import Terms
from personastream.launch.review_files import FOLDER as REVIEWS
from personastream.launch.review_files import review_lock
from personastream.launch.run_directory import owned
from personastream.launch.stage_list import read_stages
from personastream.sinks.disk import OsDisk
from personastream.sinks.frames import KINDS, Frames
from personastream.sinks.generations import Generation, final_deaths
from personastream.sources.local_file import LocalFile


@dataclass(slots=True)
class Plan:
    """What a purge would do: what is to go of each run, and why the input of some was not looked through.

    `files` are those that hold it, besides logs; `batches` are ids of those at a service that hold some of it.
    """

    root: Path
    terms: Terms
    journal: Journal
    trail: Trail
    found: list[Found] = field(default_factory=list)
    unread: dict[str, Unread] = field(default_factory=dict)
    files: Files = field(default_factory=Files)
    batches: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to purge: no record, no row that is still to be read, no file of the run's own."""
        return not (self.files.going or any(each.records or each.letters or each.unsettled for each in self.found))


def runs_to_purge(directory: Path) -> tuple[Path, list[Path]]:
    """(where the journal is, the folders of all runs). Raises `BadInput` if there is none, or only a stage of one."""
    root, stage = root_of(directory)
    if stage:
        raise BadInput(
            f"{directory} is a stage of {root}",
            hint=f"What was made of its rows goes with them: purge {root} as a whole.",
        )
    runs = runs_below(root)
    if not runs:
        raise BadInput(f"{directory} holds no run", hint="Give the directory that [sink] path names.")
    return root, [path for _, path in runs]


@contextmanager
def purging(directory: Path) -> Iterator[Path]:
    """Hold the locks of a run, or of all stages below a directory; yields where the journal is.

    A purge that was cut short is brought to its end. Raises like `runs_to_purge`.
    """
    root, runs = runs_to_purge(directory)
    with ExitStack() as locks:
        for path in runs:
            locks.enter_context(owned(path))
        for path in {root, *runs}:
            if (path / REVIEWS).is_dir():
                locks.enter_context(review_lock(path, alone=True))
        yield root


def look(root: Path, terms: Terms, settings: Sequence[str] = ()) -> Plan:
    """Find what is to go; changes nothing but torn tails. Raises `RunError`."""
    journal = read_journal(OsDisk(str(root))) or Journal()
    plan = Plan(root, terms, journal, Trail(set(terms.ids), journal.digest))
    runs = runs_below(root)
    read_later = {shard.stem.rpartition(".")[0] for _, path in runs for shard in _manifest(path).shards}
    for stage, directory in runs:
        found = _recovered(Found(stage, directory, _manifest(directory)))
        search = Search(found, terms, plan.trail)
        search.begin()
        unread = search_input(found, terms, plan.trail, settings)
        if unread is not None:
            plan.unread[stage] = unread
        search.run()
        if directory.absolute().name in read_later:
            plan.trail.rows |= rows_of_readers(found)
        plan.found.append(found)
    plan.files = files_left(plan)
    return plan


def _recovered(found: Found) -> Found:
    """With what its logs tell. A torn tail is cut, as at every start."""
    stems = [shard.stem for shard in found.manifest.shards]
    sink = Frames(path=str(found.directory))
    sink.attach(found.manifest.run_id, stems)
    for stem, state in zip(stems, sink.recover(), strict=True):
        found.settled[stem], found.revived[stem] = list(state.settled), list(state.revived)
        found.is_finished &= state.finished
        if state.rows is not None:
            found.lengths[stem] = state.rows
    return found


def carry_out_plan(plan: Plan) -> None:
    """Do it. Raises `RunError`; what was not decided on by then is as if it had never been begun."""
    root, journal = plan.root, plan.journal
    for found in plan.found:
        for shard in found.manifest.shards:
            if (doomed := found.doomed(shard.stem)).rows:
                journal.add(found.stage, shard.stem, doomed)
    journal.texts |= plan.trail.digests
    with storage_told():
        disk = OsDisk(str(root))
        decide(disk, journal, folders_of(root), partial(_prepared, plan))
        obey(disk, journal, partial(carry_out_rest, root))


def files_left(plan: Plan) -> Files:
    """Files that hold it now, besides logs. Raises `StorageFailed`."""
    with storage_told():
        return files_with(plan.root, plan.found, Told(plan.terms, plan.trail))


def exports(plan: Plan) -> list[str]:
    """Where exports of these runs went, as their audit logs tell: they are out of reach."""
    events: list[dict[str, Any]] = []
    for found in plan.found:
        with suppress(CorruptOutput):  # `verify` tells of it
            events += read_events(found.directory)
    return sorted({str(each["details"].get("out")) for each in events if each["event"] == "exported"})


def _prepared(plan: Plan) -> Pending:
    """All that is to be written is written, beside what is there."""
    told = Told(plan.terms, plan.trail)
    swaps, removals = [], []
    for found in plan.found:
        within = f"{found.stage}/" if found.stage else ""
        swaps += [within + path for path in _new_generations(found)]
        swaps += [within + path for path in write_rest(found.directory, told)]
        chunks, sent = batches_to_go(found.directory, told)
        plan.batches += sent
        removals += [within + path for path in (*REMOVED, *chunks)]
    if read_stages(plan.root) is not None:
        swaps += write_rest(plan.root, told)
        removals += REMOVED
    settles = {found.stage: rows for found in plan.found if (rows := _to_settle(found))}
    purge = secrets.token_hex(8)
    told_of = {found.stage: {"purge": purge, **_told(plan, found)} for found in plan.found}
    return Pending(swaps, removals, settles, told_of)


def _new_generations(found: Found) -> Iterator[str]:
    """Write parts anew; yields which."""
    disk = OsDisk(str(found.directory))

    def fingerprint(path: str) -> str:
        with LocalFile(str(found.directory / path)) as file:
            return file.fingerprint()

    for shard in found.manifest.shards:
        doomed = found.doomed(shard.stem)
        if not doomed.rows:
            continue
        data, dead = (found.parts(shard.stem, kind) for kind in KINDS)
        final = final_deaths(disk, dead)
        for (path, name), deaths in [*((part, []) for part in data), *zip(dead, final, strict=True)]:
            if Generation(disk, path, name, doomed, fingerprint, found.plain, deaths).write():
                yield path


def _to_settle(found: Found) -> dict[str, list[Range]]:
    """Rows that go and were to be asked again: they would be missed for ever without their letters."""
    rows = {stem: ranges.common(found.doomed(stem).rows, revived) for stem, revived in found.revived.items()}
    return {stem: doomed for stem, doomed in rows.items() if doomed}


def _told(plan: Plan, found: Found) -> dict[str, Any]:
    """What the audit log says: how it was found, and how much. No text, no id."""
    terms = plan.terms
    by = {"ids": len(terms.ids), "where": terms.where is not None, "texts": len(terms.phrases)}
    return {**by, "rows": found.rows, "records": found.records, "letters": found.letters}


def _manifest(directory: Path) -> Manifest:
    manifest = read_manifest(directory)
    assert manifest is not None
    return manifest
