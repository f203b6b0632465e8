"""What a process is set up for."""

import resource
from pathlib import Path

from personastream.launch.process import give_back_memory

PIECE_BYTES = 2000
"""More than Python's own allocator takes, less than the C library takes from the system each by itself."""


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_what_is_free_between_pieces_that_live_on_goes_back_to_the_system() -> None:
    pieces = [bytes([number % 251]) * PIECE_BYTES for number in range(60_000)]
    kept = pieces[::50]
    pieces.clear()
    before = resident_bytes()
    give_back_memory()
    assert resident_bytes() < before - 30_000_000
    assert [piece[0] for piece in kept[:3]] == [0, 50, 100]
