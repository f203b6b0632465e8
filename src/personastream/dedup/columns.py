"""An array that grows at its end by doubling."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item", bound=np.generic)


class Column(Generic[Item]):
    """Values of one numpy type; `append` copies them in, amortised constant time each."""

    def __init__(self, dtype: type[Item], size_min: int = 1024) -> None:
        self._data: NDArray[Item] = np.empty(size_min, dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> NDArray[Item]:
        """All values, as a view that the next `append` may leave behind."""
        return self._data[: self._size]

    def append(self, values: NDArray[Item]) -> None:
        """Add `values` at the end."""
        end = self._size + len(values)
        if end > len(self._data):
            grown: NDArray[Item] = np.empty(max(end, 2 * len(self._data)), self._data.dtype)
            grown[: self._size] = self.values
            self._data = grown
        self._data[self._size : end] = values
        self._size = end

    def truncate(self, size: int) -> None:
        """Forget all but the first `size` values."""
        self._size = min(size, self._size)
