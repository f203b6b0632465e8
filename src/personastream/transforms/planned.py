"""Keeps the rows that a plan keeps: what `personastream dedup --plan` has decided for the same shards."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from personastream.core.plan import Plan, decode
from personastream.errors import BadInput
from personastream.records import Batch, Shard
from personastream.settings import setting

_HINT = "Make the plan anew: personastream dedup --plan, with the same source as this run."


@dataclass
class Planned:
    """Applies a plan, one shard's bits in memory at a time. Needs no index, whatever the number of rows."""

    path: str = setting("The folder that `personastream dedup --plan` wrote, its --out.", path=True)
    _stem: str = field(init=False, repr=False, default="")
    _plan: Plan = field(init=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """Which plan it is. Raises `BadInput` if there is none."""
        path = Path(self.path, "run.json")
        try:
            return str(orjson.loads(path.read_bytes())["run_id"])
        except OSError as error:
            raise BadInput(f"cannot read the plan {path}: {error.strerror}", hint=_HINT) from error
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f"the plan {path} is damaged: {error}", hint=_HINT) from error

    def __call__(self, batch: Batch) -> Batch:
        """Raises `BadInput` if the plan is missing, damaged, or made for other rows."""
        if self._stem != batch.shard.stem:
            self._plan, self._stem = self._read(batch.shard), batch.shard.stem
        kept = self._plan.kept
        if batch.stop > len(kept):
            raise BadInput(f"{batch.shard.path}: row {len(kept)}: the plan in {self.path} ends before it", hint=_HINT)
        return batch.keep(kept[np.fromiter(batch.numbers, np.int64)].tolist(), "planned")

    def _read(self, shard: Shard) -> Plan:
        path = Path(self.path, "plan", f"{shard.stem}.keep")
        try:
            plan = decode(path.read_bytes())
        except OSError as error:
            raise BadInput(f"cannot read the plan {path}: {error.strerror}", hint=_HINT) from error
        except ValueError as error:
            raise BadInput(f"the plan {path} is damaged: {error}", hint=_HINT) from error
        if plan.fingerprint != shard.fingerprint:
            raise BadInput(f"the plan {path} was made for other content than {shard.path}", hint=_HINT)
        return plan
