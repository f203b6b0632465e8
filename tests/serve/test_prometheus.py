"""A real Prometheus scrapes a real run: it takes every metric, and every panel of the dashboard has an answer."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import orjson
import pytest

from tests.support.served_root import Served
from tests.support.simulated import simulated
from tests.support.watched_service import config_of, submit, watched, write_personas

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs"
DASHBOARD = orjson.loads((CONFIGS / "grafana" / "personastream.json").read_bytes())
DEADLINE_S = 100.0
LISTENS = re.compile(r'msg="Listening on".* address=(127\.0\.0\.1:\d+)')
FAULTS = ("--fault", "429=0.05", "--fault", "badrequest=0.05", "--fault", "500=0.02", "--retry-after-s", "0.1")


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Our own configuration, but for the target and a shorter interval."""
    config = (CONFIGS / "prometheus" / "prometheus.yml").read_text("utf-8")
    config = config.replace("127.0.0.1:8765", target).replace("interval: 15s", "interval: 1s")
    (folder / "prometheus.yml").write_text(config)
    (folder / "alerts.yml").write_bytes((CONFIGS / "prometheus" / "alerts.yml").read_bytes())
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    log = folder / "prometheus.log"
    with (
        log.open("wb") as file,
        subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stdout=file, stderr=file) as process,
    ):
        try:
            until(lambda: LISTENS.search(log.read_text("utf-8")) is not None, "Prometheus does not listen")
            found = LISTENS.search(log.read_text("utf-8"))
            assert found is not None
            yield f"http://{found[1]}/api/v1/"
        finally:
            process.kill()


def asked(api: str, path: str, **query: str) -> Any:
    with urlopen(f"{api}{path}?{urlencode(query)}", timeout=30) as reply:
        return orjson.loads(reply.read())["data"]


def until(true: Any, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            if (found := true()) is True:
                return
        except URLError as error:
            found = error
        assert time.monotonic() < deadline, f"{what}: {found}"
        time.sleep(0.2)


def queries() -> list[str]:
    """All of the dashboard, as Grafana would send them with every run chosen."""
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return [expr.replace("$__rate_interval", "30s").replace("$run", ".*") for expr in found]


def scraped(service: Served) -> bytes:
    with urlopen(f"{service.client.base}/metrics", timeout=30) as reply:
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        content: bytes = reply.read()
    return content


def test_every_query_of_the_dashboard_has_an_answer(tmp_path: Path) -> None:
    shard = write_personas(tmp_path / "many.jsonl", 100_000, twins=200)
    with simulated("--latency", "0.1", *FAULTS) as simulator, watched(tmp_path) as service:
        submit(service, "math", config_of(simulator.base_url, shard, in_flight_max=16))
        with prometheus(tmp_path, service.client.base.removeprefix("http://")) as api:
            wanted = queries()
            assert len(wanted) > 30

            def unanswered() -> bool | list[str]:
                return [expr for expr in wanted if not asked(api, "query", query=expr)["result"]] or True

            until(unanswered, "nothing came of")
            (target,) = asked(api, "targets")["activeTargets"]
            assert (target["health"], target["lastError"]) == ("up", "")
            rules = asked(api, "rules")["groups"][0]["rules"]
            assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
            runs = asked(api, "label/run/values", **{"match[]": "personastream_run_state"})
            assert runs == ["math"]
            metrics = scraped(service)
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    told = set(re.findall(r"^([a-z_]+)[{ ]", metrics.decode(), re.MULTILINE))
    rules = (CONFIGS / "prometheus" / "alerts.yml").read_text("utf-8")
    named = set(re.findall(r"\b(personastream_[a-z_]+)", "\n".join([*wanted, rules])))
    assert named <= told
