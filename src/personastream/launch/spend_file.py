"""`spend.json`: how much a run may have spent at most, written before it is spent. See `engine.budget`."""

from pathlib import Path

import orjson

from personastream.errors import CorruptOutput, StorageFailed
from personastream.launch.durable_file import replace_durably

NAME = "spend.json"


def read_authorised(directory: Path) -> int:
    """Billionths authorised so far, 0 if there never was a ceiling. Raises `CorruptOutput`."""
    path = directory / NAME
    try:
        return int(orjson.loads(path.read_bytes())["authorised_nanos"])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorruptOutput(
            f"{path} is damaged: {error}",
            hint="It says how much of [limits] spend_max is gone: restore it, or delete it to count what "
            "`personastream status` shows as spent and nothing more.",
        ) from error


def write_authorised(directory: Path, nanos: int) -> None:
    """Durable on return. Raises `StorageFailed`."""
    path = directory / NAME
    try:
        replace_durably(path, orjson.dumps({"authorised_nanos": nanos}))
    except OSError as error:
        raise StorageFailed(
            f"cannot write {path}: {error.strerror}", hint="Make room, then run again with --resume."
        ) from error
