"""How often tests of chance try: a little while one writes code (`make`), enough to see a fault with every change, or
as often as was promised (`make long`)."""

import os

EFFORT = os.environ.get("EFFORT", "usual")
QUICK_SHARE = 5


def tries(usual: int, whole: int = 0) -> int:
    """`usual`; with EFFORT in the environment `quick`, a fifth of that; `whole`, at least `whole`."""
    return {"quick": max(1, usual // QUICK_SHARE), "whole": max(usual, whole)}.get(EFFORT, usual)
