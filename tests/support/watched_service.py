"""A real service to be watched, and jobs for it that ask a simulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.support.served_root import Served, served


@contextmanager
def watched(folder: Path) -> Iterator[Served]:
    """`personastream serve` on a port of loopback, for as long as the block lasts."""
    with served(folder / "root", folder / "service.log", "--set", 'api.listen="127.0.0.1:0"') as service:
        yield service


def page_of(service: Served) -> str:
    """The page's address, with the token."""
    return f"{service.client.base}/#token={service.client.token}"


def submit(service: Served, name: str, config: str, **more: Any) -> None:
    """A new job."""
    service.call("POST", "/v1/jobs", {"name": name, "config": config, **more})


def config_of(base_url: str, shard: Path, **provider: Any) -> str:
    """A job that asks a simulator for the rows of a shard."""
    settings = {"in_flight_max": 32, "input_price": 1.0, "output_price": 2.0, **provider}
    more = "\n".join(f"{key} = {orjson.dumps(value).decode()}" for key, value in settings.items())
    return (
        f'[source]\npaths = ["{shard}"]\n[[transform]]\ntype = "dedup"\n'
        '[recipe]\ntype = "generate"\ntemplate = "math"\n'
        f'[provider]\ntype = "openai"\nbase_url = "{base_url}"\nmodel = "simulated"\n{more}\n'
        "[limits]\nspend_max = 1000\ndead_share_max = 1.0\n"
    )


def write_personas(path: Path, rows: int, twins: int = 0) -> Path:
    """A shard of so many personas, of which the first ones come twice."""
    texts = [f"A keeper of lighthouse number {number}, who counts ships" for number in range(rows)]
    path.write_bytes(b"".join(orjson.dumps({"persona": text}) + b"\n" for text in [*texts[:twins], *texts]))
    return path
