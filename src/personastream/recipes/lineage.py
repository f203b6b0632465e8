"""Where a persona comes from: the page it was read off (`root`), whom it was derived from (`parent`), and in how many
steps (`hop`). All three are ids of records or rows, so that a chain can be followed back through runs.

A row tells its own place if its source keeps `id`, `meta.root` and `meta.hop`; else the row itself is the root.
"""

from typing import NamedTuple

from personastream.records import Row

ID, ROOT, HOP = "id", "meta.root", "meta.hop"
COLUMNS = (ID, ROOT, HOP)


class Lineage(NamedTuple):
    """The place of a row, or of what is derived from one."""

    root: str
    hop: int
    parent: str = ""


def identity_of(row: Row) -> str:
    """What tells a row from others, however many rows before it were dropped: draws by the row depend on it alone."""
    own = row.origin.get(ID)
    return own if isinstance(own, str) else row.id


def lineage_of(row: Row) -> Lineage:
    """The lineage of what is derived from a row."""
    parent, root, hop = identity_of(row), row.origin.get(ROOT), row.origin.get(HOP)
    return Lineage(root if isinstance(root, str) else parent, hop + 1 if isinstance(hop, int) else 1, parent)


def without_lineage(row: Row) -> Row:
    """The row with the kept columns that are no part of its lineage."""
    return row._replace(origin={path: value for path, value in row.origin.items() if path not in COLUMNS})
