"""A service has one heap, whatever threads it has: what is free in it is free for all."""

from pathlib import Path

from tests.support.served_root import served

HEAP_BYTES = 64 << 20
"""What glibc sets aside for each further heap, at an address that this divides."""


def further_heaps(process: int) -> list[str]:
    """Mappings that only such a heap makes: set aside, not yet used, up to its end."""
    found = []
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        addresses, permissions, *rest = line.split()
        start, end = (int(each, 16) for each in addresses.split("-"))
        if permissions == "---p" and len(rest) == 3 and end % HEAP_BYTES == 0 and end - start > HEAP_BYTES // 2:
            found.append(line)
    return found


def test_threads_share_one_heap(tmp_path: Path) -> None:
    with served(tmp_path / "root", tmp_path / "log") as seen:
        for _ in range(8):
            seen.call("GET", "/v1/state")
        assert len(list(Path(f"/proc/{seen.process.pid}/task").iterdir())) > 1
        assert further_heaps(seen.process.pid) == []
