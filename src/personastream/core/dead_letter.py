"""A dead row as one JSON line: what is written to the dead letters."""

import orjson

from personastream.records import NO_LICENCE, DeadRow


def encodable(row: DeadRow) -> DeadRow:
    """The row as UTF-8 can hold it: half surrogates, which somebody else's adapter may let pass, become `?`."""
    reason, detail, text, response = (each.encode("utf-8", "replace").decode() for each in row[1:5])
    return DeadRow(row.number, reason, detail, text, response, row.origin, row.licence)


def dead_letter(stem: str, row: DeadRow, *, asked: bool) -> bytes:
    """The line for an encodable row of shard `stem`. `asked` is false for one that could not be read."""
    letter = {"id": f"{stem}:{row.number}", **row._asdict(), "asked": asked}
    del letter["number"]
    if not row.origin:
        del letter["origin"]
    if row.licence in ("", NO_LICENCE):
        del letter["licence"]
    return orjson.dumps(letter)
