"""A line of the table of results."""

from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table: what was measured, the target, and what came out."""

    what: str
    target: str
    measured: str
