"""The soak itself: what happens when, until every row of every job is settled."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.soak.account import account, verified
from tests.soak.plan import FAULTS, JOBS, Plan
from tests.soak.processes import Endpoint, Served
from tests.soak.samples import Sample, draw, look, slope_bytes_per_million, steady

SETTINGS = """
[serve]
retry_s = 1.0
retry_s_max = 5.0
[api]
listen = "127.0.0.1:0"
"""
IDLE_S = 12.0


@dataclass
class Story:
    """A soak under way."""

    plan: Plan
    served: Served
    endpoints: list[Endpoint]
    started_s: float = field(default_factory=monotonic)
    samples: list[Sample] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    drained: list[int] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    fed: int = 0

    @property
    def at_s(self) -> float:
        """Since the start."""
        return monotonic() - self.started_s

    def carry(self) -> None:
        """All that is planned, in its time; then until all rows are settled."""
        for share, event in (*self._schedule(), (1.0, self._feed_all)):
            self._watch_until(lambda share=share: self.at_s >= share * 60 * self.plan.minutes)  # type: ignore[misc]
            self.events.append((self.at_s, event.__name__.strip("_").replace("_", " ")))
            event()
        self._watch_until(self._all_done, timeout_s=60 * self.plan.minutes + 600)
        self.events.append((self.at_s, "all done"))

    def _schedule(self) -> list[tuple[float, Callable[[], None]]]:
        return [
            (0.08, self._kill),
            (0.16, self._drain_by_api),
            (0.24, self._kill),
            (0.30, self._drain_by_signal),
            (0.34, self._ask_for_pauses),
            (0.36, self._ask_for_none),
            (0.45, self._lose_endpoint),
            (0.48, self._endpoint_is_back),
            (0.60, self._reload),
            (0.68, self._pause),
            (0.70, self._resume),
            (0.80, self._reload),
        ]

    def _kill(self) -> None:
        self.served.kill()
        self.served.start()

    def _drain_by_api(self) -> None:
        self.drained.append(self.served.drain("api"))
        self.served.start()

    def _drain_by_signal(self) -> None:
        self.drained.append(self.served.drain("signal"))
        self.served.start()

    def _ask_for_pauses(self) -> None:
        self.endpoints[0].change(faults={"429": 0.2, "503-pause": 0.05})

    def _ask_for_none(self) -> None:
        self.endpoints[0].change(faults=dict(_rates()))

    def _lose_endpoint(self) -> None:
        self.endpoints[-1].lose()

    def _endpoint_is_back(self) -> None:
        self.endpoints[-1].come_back()

    def _reload(self) -> None:
        self.served.reload()

    def _pause(self) -> None:
        self.served.call("POST", "/v1/jobs/second/pause")

    def _resume(self) -> None:
        self.served.call("POST", "/v1/jobs/second/resume")

    def _feed_all(self) -> None:
        self._feed(len(self.plan.shards("followed")))

    def _feed(self, count: int) -> None:
        """So many shards of the followed job are there."""
        for path, rows in self.plan.shards("followed")[self.fed : count]:
            self.plan.write_shard(path, rows)
            self.fed += 1

    def _watch_until(self, true: Callable[[], bool], timeout_s: float = float("inf")) -> None:
        end_s = monotonic() + timeout_s
        shards = len(self.plan.shards("followed"))
        while not true():
            assert monotonic() < end_s, f"not done: {self.state.get('jobs')}"
            self._feed(min(shards, 1 + int(shards * self.at_s / (55 * self.plan.minutes))))
            if (seen := look(self.served, self.at_s)) is not None:
                self.samples.append(seen[0])
                self.state = seen[1]
            sleep(1.0)

    def _all_done(self) -> bool:
        """Finished are two jobs, and the third has all that was given to it."""
        jobs = {job["name"]: job for job in self.state.get("jobs", ())}
        failed = {name: job["why"] for name, job in jobs.items() if job["state"] == "failed"}
        assert not failed, failed
        followed = jobs.get("followed", {"state": "", "delivered": 0, "dead": {}})
        whole = followed["delivered"] + sum(followed["dead"].values()) == self.plan.rows
        done = all(jobs[name]["state"] == "done" for name in ("first", "second") if name in jobs)
        return done and followed["state"] == "following" and whole

    def figures(self) -> dict[str, Any]:
        """What came of it. The service is idle by now."""
        sleep(IDLE_S)  # threads that wait for work end after ten seconds
        idle = look(self.served, self.at_s)
        assert idle is not None
        self.drained.append(self.served.drain("api"))
        runs = {job: self.served.root / "runs" / job for job in JOBS}
        accounts = {job: account(self.plan, job, run) for job, run in runs.items()}
        warm = steady(self.samples, self.plan.in_flight) or self.samples
        busy = sorted(sample.in_flight for sample in warm)
        rows = sum(each["rows"] for each in accounts.values())
        requests = sum(endpoint.arrivals() for endpoint in self.endpoints)
        return {
            "minutes": round(self.events[-1][0] / 60, 2),
            "rows": rows,
            "requests": requests,
            "requests_per_row": round(requests / rows, 4),
            "lives": self.served.lives,
            "drained": self.drained,
            "jobs": accounts,
            "verified": {job: verified(run) for job, run in runs.items()},
            "in_flight_median": busy[len(busy) // 2],
            "in_flight_most": busy[-1],
            "minutes_warm": round((warm[-1].at_s - warm[0].at_s) / 60, 2),
            "rows_warm": warm[-1].rows - warm[0].rows,
            "rss_mb": [round(warm[0].rss_bytes / 1e6, 1), round(warm[-1].rss_bytes / 1e6, 1)],
            "rss_slope_mb_per_million_rows": round(slope_bytes_per_million(warm) / 1e6, 3),
            "idle": {
                "descriptors": idle[0].descriptors,
                "threads": idle[0].threads,
                "tasks": idle[0].tasks,
            },
            "loop_lag_s_most": round(max(sample.lag_s for sample in warm), 3),
        }


def _rates() -> Iterator[tuple[str, float]]:
    for fault in FAULTS:
        name, _, rate = fault.partition("=")
        yield name, float(rate)


@contextmanager
def _under_way(plan: Plan) -> Iterator[Story]:
    root = plan.folder / "root"
    root.mkdir(parents=True)
    (root / "serve.toml").write_text(SETTINGS)
    for job in JOBS[:2]:
        for path, rows in plan.shards(job):
            plan.write_shard(path, rows)
    (plan.folder / "in" / "followed").mkdir()
    endpoints = [Endpoint(plan.latency_s, plan.seed), Endpoint(plan.latency_s, plan.seed + 1)]
    served = Served(root)
    try:
        for job in JOBS:
            config = plan.config(job, [endpoint.base_url for endpoint in endpoints])
            served.call("POST", "/v1/jobs", {"name": job, "config": config})
        yield Story(plan, served, endpoints)
    finally:
        served.kill()
        served.log.close()
        for endpoint in endpoints:
            endpoint.end()


def soak(plan: Plan, picture: Path) -> dict[str, Any]:
    """Carry it out, draw it, and return its figures."""
    with _under_way(plan) as story:
        try:
            story.carry()
            return story.figures()
        finally:
            if len(story.samples) > 1:
                draw(picture, story.samples, story.events)
