"""`run.json`: what a run is made of, written once, compared at every later start. It grows with a source that does."""

import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from personastream import __version__
from personastream.errors import CannotCreate, CorruptOutput, ManifestMismatch
from personastream.launch.durable_file import replace_durably
from personastream.records import Shard

FORMAT = 1
NAME = "run.json"
CONTRACT = "recipe.contract"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A run's identity: settings that shape the output, and the input shards. Immutable, but for shards that follow.

    `terms` tell of each model under whose terms it is, as far as is known when the run begins. `audit` is the hash of
    the event with which the run begins in its audit log; runs of earlier versions have none.
    """

    run_id: str
    created: str
    version: str
    config: str
    identity: Mapping[str, Any]
    shards: Sequence[Shard]
    terms: Sequence[Mapping[str, Any]] = ()
    audit: str = ""


def new_manifest(
    config: Path, identity: Mapping[str, Any], shards: Sequence[Shard], terms: Sequence[Mapping[str, Any]] = ()
) -> Manifest:
    """A manifest for a run that starts now."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(uuid.uuid4().hex, created, __version__, str(config), identity, shards, list(terms))


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest of the run in `directory`, or None if there is no run. Raises `CorruptOutput`."""
    path = directory / NAME
    try:
        document = orjson.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise CorruptOutput(f"{path} has format {document['format']}; this version reads {FORMAT}")
        shards = [Shard(**shard) for shard in document["shards"]]
        fields = {key: document[key] for key in ("run_id", "created", "version", "config", "identity")}
        terms, audit = document.get("terms", ()), str(document.get("audit", ""))
        return Manifest(**fields, shards=shards, terms=terms, audit=audit)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CannotCreate(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptOutput(
            f"{path} is damaged: {error}", hint="Restore it from a copy; without it the run cannot be continued."
        ) from error


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write it durably: whole, or not at all. Raises `CannotCreate`."""
    document = {"format": FORMAT, **asdict(manifest), "config": _utf8(manifest.config)}
    document["shards"] = [{**asdict(shard), "path": _utf8(shard.path)} for shard in manifest.shards]
    path = directory / NAME
    try:
        replace_durably(path, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise CannotCreate(f"cannot write {path}: {error.strerror}") from error


def with_contract(manifest: Manifest, identity: Mapping[str, Any]) -> Manifest:
    """The manifest with the reply contract of `identity`, which may be mended during a run."""
    return replace(manifest, identity={**manifest.identity, CONTRACT: identity.get(CONTRACT)})


def check_unchanged(
    kept: Manifest, identity: Mapping[str, Any], shards: Sequence[Shard], directory: Path, *, grows: bool = False
) -> None:
    """Raise `ManifestMismatch`, naming each difference, unless the run can go on with these settings and shards.

    If it `grows`, further shards may follow those it has.
    """
    if grows:
        known = {shard.stem for shard in kept.shards}
        shards = [shard for shard in shards if shard.stem in known]
    now = orjson.loads(orjson.dumps(identity))
    changes = [
        f"{key}: was {_show(kept.identity.get(key))}, is now {_show(now.get(key))}"
        for key in sorted({*kept.identity, *now})
        if kept.identity.get(key) != now.get(key)
    ]
    before = {shard.stem: shard for shard in kept.shards}
    after = {shard.stem: shard for shard in shards}
    changes += [f"shard {stem}: is gone" for stem in before if stem not in after]
    changes += [f"shard {stem}: is new" for stem in after if stem not in before]
    for stem in before:
        if stem in after and before[stem].fingerprint != after[stem].fingerprint:
            changes.append(f"shard {stem}: its content has changed ({after[stem].path})")
    if not changes and [shard.stem for shard in kept.shards] != [shard.stem for shard in shards]:
        changes.append("shards: their order has changed")
    if changes:
        mended = len(changes) == 1 and changes[0].startswith(CONTRACT)
        raise ManifestMismatch(
            f"the run in {directory} was started with something else:\n  " + "\n  ".join(changes),
            hint=f"To go on with this contract: personastream reparse {shlex.quote(str(directory))}"
            if mended
            else "Restore what was, or give the new settings a run of their own: another [sink] path.",
        )


def _utf8(path: str) -> str:
    """A path to be read by people; one that is not UTF-8 is shown with escapes."""
    return path.encode("utf-8", "backslashreplace").decode()


def _show(value: object) -> str:
    return "not set" if value is None else repr(value)
