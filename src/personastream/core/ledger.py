"""The ledger of one shard: which of its rows are settled. An index over the output, never the truth itself."""

from collections.abc import Sequence

from personastream.core import ranges
from personastream.core.ranges import Range, Ranges


class Ledger:
    """Settled rows of one shard, as ranges; its size grows with the rows in flight, not with the shard."""

    def __init__(self, settled: Ranges = ()) -> None:
        self._settled: list[Range] = list(settled)

    def __contains__(self, number: int) -> bool:
        return ranges.contains(self._settled, number)

    def __len__(self) -> int:
        return ranges.count(self._settled)

    @property
    def watermark(self) -> int:
        """The first unsettled row: everything before it is settled."""
        return ranges.watermark(self._settled)

    @property
    def stop(self) -> int:
        """One past the last settled row; nothing from here on is settled."""
        return self._settled[-1][1] if self._settled else 0

    def settle(self, rows: Ranges) -> None:
        """Add rows. Raises `Overlap` if one is settled already."""
        self._settled = ranges.union_all((self._settled, rows))

    def unsettled(self, numbers: Sequence[int]) -> Sequence[int]:
        """Those of `numbers` (ascending) that are not settled, in order."""
        if not numbers or numbers[0] >= self.stop:
            return numbers
        if numbers[-1] < self.watermark:
            return ()
        return [number for number in numbers if number not in self]

    def covers(self, rows: int) -> bool:
        """Whether all rows from 0 to `rows - 1` are settled."""
        return self.watermark >= rows


class LengthEstimate:
    """How many rows the whole input may have: shards read to their end count exactly, the rest by rows per byte."""

    def __init__(self, bytes_total: int) -> None:
        self._bytes_total = bytes_total
        self._rows = 0
        self._bytes = 0

    def finished(self, rows: int, size_bytes: int) -> None:
        """A shard is known to its end."""
        self._rows += rows
        self._bytes += size_bytes

    def rows(self, current_rows: int = 0, current_bytes: int = 0) -> int:
        """The estimate, with what is known of the shard being read."""
        known_rows, known_bytes = self._rows + current_rows, self._bytes + current_bytes
        if known_bytes <= 0:
            return 0
        return max(known_rows, round(known_rows * self._bytes_total / known_bytes))
