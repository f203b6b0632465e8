"""How transforms drop rows in which something was found."""

from collections.abc import Mapping, Sequence

from personastream.core.marks import Found
from personastream.records import Batch


def without_found(batch: Batch, found: Mapping[int, Sequence[Found]], name: str) -> Batch:
    """The batch without rows in which something was found, by their places; the reason is `name` and its first kind."""
    reasons = [""] * len(batch.texts)
    for place, here in found.items():
        reasons[place] = f"{name}_{here[0].kind}"
    for reason in sorted({*reasons} - {""}):
        batch = batch.keep([other != reason for other in reasons], reason)
        reasons = [other for other in reasons if other != reason]
    return batch
