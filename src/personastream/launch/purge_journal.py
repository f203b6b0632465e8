"""`purge/journal.json`: what was purged from a run or from stages of one, and a purge that has been decided on.

Tombstones hold nothing of what they hide: numbers of rows and records, and keyed hashes of the texts that were read.
The key lies beside them, so who has the run can try out a guess, and that is all.

The file is the decision: with `pending` in it, a purge is to be carried out, whatever happens; without it, none is.
"""

import base64
import secrets
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from personastream.core import ranges
from personastream.core.purging import Doomed
from personastream.errors import CorruptOutput
from personastream.sinks.disk import Disk
from personastream.sinks.generations import SUFFIX

FOLDER = "purge"
NAME = f"{FOLDER}/journal.json"
FORMAT = 1

_DIGEST_BYTES = 16

Rows = Mapping[str, list[ranges.Range]]
"""Rows by the stem of their shard."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What is still to be done, with all paths from the root: files that get the content of their `.purging` ones;
    what is removed (`*` stands for anything); rows by stage that have no end and shall be dropped. `told` is for the
    audit log, by stage.
    """

    swaps: list[str]
    removals: list[str]
    settles: Mapping[str, Rows]
    told: dict[str, Any]


@dataclass(slots=True)
class Journal:
    """`doomed` is what was purged, by stage and by the stem of the shard; `texts` are hashes of what was read."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(_DIGEST_BYTES))
    doomed: dict[str, dict[str, Doomed]] = field(default_factory=dict)
    texts: set[bytes] = field(default_factory=set)
    pending: Pending | None = None

    def digest(self, text: str) -> bytes:
        """What stands for a text here: that of another one that differs in case, width or spacing is the same."""
        from personastream.dedup.text import normalise  # with all of numpy behind it, which few need

        data = normalise(text).encode("utf-8", "surrogatepass")
        return blake2b(data, key=self.key, digest_size=_DIGEST_BYTES).digest()

    def add(self, stage: str, stem: str, doomed: Doomed) -> None:
        """More was purged."""
        of_stage = self.doomed.setdefault(stage, {})
        before = of_stage.get(stem, Doomed(frozenset()))
        of_stage[stem] = Doomed(before.whole | doomed.whole, before.records | doomed.records)


def read_journal(disk: Disk) -> Journal | None:
    """The journal; None if nothing was ever purged. Raises `CorruptOutput`."""
    if NAME.rpartition("/")[2] not in disk.names(FOLDER):
        return None
    with closing(disk.open(NAME, writable=False)) as file:
        data = file.read_at(0, file.size())
    try:
        document = orjson.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']} is not {FORMAT}")
        pending = document["pending"]
        return Journal(
            bytes.fromhex(document["key"]),
            {
                stage: {stem: _doomed(told) for stem, told in stems.items()}
                for stage, stems in document["doomed"].items()
            },
            set(_cut(base64.b64decode(document["texts"], validate=True))),
            Pending(**pending) if pending else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptOutput(
            f"{NAME} is damaged: {error}",
            hint="It keeps purged rows from coming back: restore it from a copy. Nothing was changed.",
        ) from error


def write_journal(disk: Disk, journal: Journal) -> None:
    """Durable on return, whole or not at all. Raises `StorageFailed` or `DiskFull`."""
    document = {
        "format": FORMAT,
        "key": journal.key.hex(),
        "doomed": {
            stage: {stem: _told(doomed) for stem, doomed in stems.items()} for stage, stems in journal.doomed.items()
        },
        "texts": base64.b64encode(b"".join(sorted(journal.texts))).decode(),
        "pending": journal.pending,
    }
    sweep_journal(disk)
    with closing(disk.create(NAME + SUFFIX)) as file:
        file.append(orjson.dumps(document))
        file.sync()
    disk.replace(NAME + SUFFIX, NAME)
    disk.sync_directory(FOLDER)


def sweep_journal(disk: Disk) -> None:
    """Remove what was not written to its end."""
    if (NAME + SUFFIX).rpartition("/")[2] in disk.names(FOLDER):
        disk.remove(NAME + SUFFIX)


def _doomed(told: Mapping[str, Any]) -> Doomed:
    rows = (row for start, stop in told["rows"] for row in range(start, stop))
    return Doomed(frozenset(rows), frozenset((row, place) for row, place in told["records"]))


def _told(doomed: Doomed) -> dict[str, Any]:
    return {"rows": ranges.from_numbers(doomed.whole), "records": sorted(doomed.records)}


def _cut(data: bytes) -> Iterable[bytes]:
    return (data[at : at + _DIGEST_BYTES] for at in range(0, len(data), _DIGEST_BYTES))
