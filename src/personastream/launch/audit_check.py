"""Whether a run's audit log is what was written, as far as the log and its run can tell.

A chain of hashes shows that a line was changed, taken out or put in, and its head, repeated elsewhere, that lines were
cut off its end. It does not show that somebody who may write to the run directory wrote the whole log anew: for that,
keep the head in another place, and ask for it here.
"""

from dataclasses import dataclass
from pathlib import Path

from personastream.core.audit_chain import BrokenChain, read_all
from personastream.errors import CorruptOutput
from personastream.launch.audit import HEAD_NAME, read_head, read_lines
from personastream.launch.manifest import Manifest


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What was found: how many events, the head of the chain, what is wrong, and what is harmless."""

    events: int
    head: str
    problem: str = ""
    note: str = ""


def check_audit(directory: Path, manifest: Manifest, wanted: str = "") -> AuditCheck:
    """Read the log of a run back. `wanted` is a head that somebody has kept: it must stand in the chain."""
    lines, torn = read_lines(directory)
    if not lines and not torn:
        gone = "is gone, though run.json tells of it"
        return AuditCheck(0, "", gone) if manifest.audit or wanted else AuditCheck(0, "", note=_EARLIER)
    try:
        hashes = read_all(lines)[1]
    except BrokenChain as error:
        return AuditCheck(error.line - 1, "", str(error))
    end = hashes[-1] if hashes else ""
    problem = _missing(directory, manifest, hashes, wanted)
    note = f"{len(torn)} bytes of an event that a crash cut short; the next event mends that" if torn else ""
    return AuditCheck(len(hashes), end, problem, note)


_EARLIER = "there is none: the run was begun by an earlier version"


def _missing(directory: Path, manifest: Manifest, hashes: list[str], wanted: str) -> str:
    """What is not in the chain and should be, if anything is."""
    if manifest.audit and manifest.audit not in hashes:
        return "is another run's, or was begun anew: the event that run.json tells of is not in it"
    if wanted and wanted.lower() not in hashes:
        return f"does not hold the head that was asked for, {wanted}"
    try:
        head = read_head(directory)
    except CorruptOutput as error:
        return f"cannot be compared with its head: {error.message}"
    if head is None or not head.lines:
        return f"cannot be compared with its head: {HEAD_NAME} is gone"
    if head.lines > len(hashes):
        return f"was cut short: it has {len(hashes)} lines, and had {head.lines}"
    if hashes[head.lines - 1] != head.hash:
        return f"was written anew: {HEAD_NAME} tells of another line {head.lines}"
    return ""
