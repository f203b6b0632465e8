"""How often tests of chance try: enough to see a fault with every change, or as often as was promised (`make long`)."""

import os

WHOLE = os.environ.get("EFFORT") == "whole"


def tries(usual: int, whole: int) -> int:
    """`usual`, or with `EFFORT=whole` in the environment, `whole`."""
    return whole if WHOLE else usual
