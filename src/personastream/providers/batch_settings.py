"""What all services that take batches can be told."""

from dataclasses import dataclass, field

from personastream.providers.http import HttpService
from personastream.records import Prices
from personastream.settings import setting


@dataclass
class BatchSettings(HttpService):
    """A service that answers in its own time, at a lower price."""

    in_flight_max: int = setting(
        "Rows that may wait for their batches at once.", default=10_000, minimum=1, maximum=10_000, identity=False
    )
    pacing: str = field(init=False, default="fixed")
    timeout_s: float = setting(
        "Time for one call as a whole, such as an upload, in seconds.",
        default=600.0,
        minimum=0.1,
        maximum=3600.0,
        identity=False,
    )
    batch_dir: str | None = setting(
        "Folder for batches under way and their answers, of one run only; unset: in the run directory.",
        default=None,
        identity=False,
        path=True,
    )
    batch_requests: int = setting("Requests in a batch.", default=5_000, minimum=1, maximum=50_000, identity=False)
    batch_bytes_max: int = setting(
        "A batch is sent before its requests grow beyond so many bytes.",
        default=100_000_000,
        minimum=1_000,
        maximum=200_000_000,
        identity=False,
    )
    answers_bytes_max: int = setting(
        "Answers of a batch that take more bytes are refused.",
        default=4 << 30,
        minimum=1 << 20,
        maximum=1 << 40,
        identity=False,
    )
    collect_s: float = setting(
        "A batch that is not full is sent when no row has come for so long, in seconds.",
        default=5.0,
        minimum=0.0,
        maximum=3600.0,
        identity=False,
    )
    poll_s: float = setting(
        "How often to ask after a batch, in seconds; less often when it takes long.",
        default=30.0,
        minimum=0.01,
        maximum=3600.0,
        identity=False,
    )
    price_factor: float = setting(
        "What a request costs in a batch, as a share of the prices.", default=0.5, minimum=0, maximum=10, identity=False
    )
    rows_kept: int = setting(
        "Answers kept on the disk for a killed run to ask for again; older ones are deleted.",
        default=50_000,
        minimum=20_000,
        maximum=10_000_000,
        identity=False,
    )

    @property
    def prices(self) -> Prices:
        """What a million tokens cost in a batch."""
        return Prices(*(price * self.price_factor for price in super().prices))
