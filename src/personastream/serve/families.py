"""The metrics of the service: a ServiceView and the engine's histograms as Prometheus takes them.

Law: base units, `_total` for what only rises, and no label without bounds: runs and reasons beyond a number of them are
left out or told as `other`; no row, no text, no server's words. Loaded when the first scrape comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from personastream.core.histogram import BOUNDS_S
from personastream.serve.view import ENDED, EndpointView, JobState, JobView, ServiceView

PREFIX = "personastream_"
RUNS_MAX = 50
"""Runs with series of their own: those that have not ended, then those that ended last. `jobs` counts all."""
REASONS_MAX = 40
"""Reasons with series of their own, of one end of one stage; the rarest are told as `other`."""

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sitting:
    """What the engine counts of a job's sitting beyond its view: copies, so that they can be told in a thread."""

    rows_read: int
    output_bytes: int
    cached_tokens: int
    oldest_s: float
    latency: tuple[Sequence[int], float]
    commit: tuple[Sequence[int], float]


@dataclass(slots=True)
class Rising:
    """Totals that never fall: when dead rows are asked again there are fewer of them, but as many have died."""

    _last: dict[Labels, tuple[int, int]] = field(default_factory=dict)

    def total(self, key: Labels, now: int) -> int:
        """All that has been added, if there are `now` so many."""
        before, total = self._last.get(key, (0, 0))
        total += max(0, now - before)
        self._last[key] = now, total
        return total

    def keep(self, runs: frozenset[str]) -> None:
        """Forget all others."""
        self._last = {key: value for key, value in self._last.items() if key[0] in runs}


@dataclass(slots=True)
class Families:
    """One scrape: what `prometheus_client` collects."""

    view: ServiceView
    sittings: Mapping[str, Sitting]
    rising: Rising

    def collect(self) -> Iterator[Metric]:
        """All families, each with all its samples."""
        jobs = shown_jobs(self.view.jobs)
        self.rising.keep(frozenset(job.name for job in jobs))
        yield from _service(self.view)
        yield from _endpoints(self.view.endpoints)
        yield from _rows(jobs, self.rising)
        yield from _jobs(jobs)
        sittings = {job.name: self.sittings[job.name] for job in jobs if job.name in self.sittings}
        yield from _sittings(sittings)
        yield from ProcessCollector(registry=None).collect()


def shown_jobs(jobs: Sequence[JobView]) -> list[JobView]:
    """Those that have series of their own, the last ones that have ended at the end."""
    going = [job for job in jobs if job.state not in ENDED]
    ended = sorted((job for job in jobs if job.state in ENDED), key=lambda job: job.ended, reverse=True)
    return [*going, *ended][:RUNS_MAX]


def few(counts: Mapping[str, int]) -> Mapping[str, int]:
    """The most frequent reasons; what is beyond them in one."""
    if len(counts) <= REASONS_MAX:
        return counts
    first = sorted(counts, key=lambda reason: (-counts[reason], reason))[: REASONS_MAX - 1]
    kept = {reason: counts[reason] for reason in first}
    kept["other"] = kept.get("other", 0) + sum(counts.values()) - sum(kept.values())
    return kept


def _gauge(name: str, doc: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, doc, labels=labels)


def _counter(name: str, doc: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(PREFIX + name, doc, labels=labels)


def _one(name: str, doc: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, doc, value=value)


def _service(view: ServiceView) -> Iterator[Metric]:
    build = _gauge("build_info", "Always 1; the version is the label.", "version")
    build.add_metric([view.version], 1.0)
    yield build
    yield _one("ready", "1 if the service takes work and can do it, as /readyz says.", float(view.ready))
    yield _one("draining", "1 while the service ends its sittings for good.", float(view.state == "draining"))
    states = dict.fromkeys(JobState, 0)
    for job in view.jobs:
        states[job.state] += 1
    jobs = _gauge("jobs", "Jobs, by where they stand.", "state")
    for state, count in states.items():
        jobs.add_metric([state.value], count)
    yield jobs
    yield _one("disk_free_bytes", "Room on the disk of the service's folder.", view.disk_free_bytes)
    yield _one("memory_bytes", "Resident memory of the process.", view.memory_bytes)
    yield _one("memory_limit_bytes", "Memory beyond which no job starts; 0: no limit.", view.memory_bytes_max)
    yield _one("descriptors", "Open file descriptors.", view.descriptors)
    yield _one("tasks", "Tasks of the event loop: a few, and one for each row that may be in flight.", view.tasks)
    yield _one("descriptors_limit", "File descriptors that the process may open.", view.descriptors_max)
    yield _one("event_loop_lag_seconds", "By how much the event loop is late.", view.loop_lag_s)
    yield CounterMetricFamily(
        f"{PREFIX}service_cost", "Spent by all jobs, in the currency of the prices.", value=view.spend
    )
    yield _one("service_cost_limit", "Ceiling on what all jobs may cost together; 0: none.", view.spend_max)


def _endpoints(endpoints: Sequence[EndpointView]) -> Iterator[Metric]:
    labels = "endpoint", "label"
    requests = _counter("requests", "Requests to an endpoint that have ended, by how.", *labels, "code_class")
    for each in endpoints:
        for ending, count in (("answered", each.answered), ("throttled", each.throttled), ("failed", each.failed)):
            requests.add_metric([each.id, each.label, ending], count)
    yield requests
    gauges = (
        (_gauge("inflight_requests", "Requests on the wire to an endpoint.", *labels), lambda each: each.in_flight),
        (_gauge("concurrency_limit", "Requests that may be on the wire now.", *labels), lambda each: each.limit),
        (_gauge("concurrency_ceiling", "Configured most of that.", *labels), lambda each: each.in_flight_max),
        (
            _gauge("rate_limit_rps", "Configured requests per second; 0: no limit.", *labels),
            lambda each: each.requests_per_minute / 60.0,
        ),
        (
            _gauge("token_limit_tps", "Configured tokens per second; 0: no limit.", *labels),
            lambda each: each.tokens_per_minute / 60.0,
        ),
        (
            _gauge("retry_after_blocked_seconds", "Time left of the rest it asks for.", *labels),
            lambda each: each.paused_s,
        ),
        (
            _gauge("endpoint_up", "1 while requests flow to it, 0 while it is left alone.", *labels),
            lambda each: float(each.state == "closed"),
        ),
    )
    for gauge, value in gauges:
        for each in endpoints:
            gauge.add_metric([each.id, each.label], value(each))
        yield gauge


def _rows(jobs: Sequence[JobView], rising: Rising) -> Iterator[Metric]:
    committed = _counter("rows_committed", "Rows that have met their end, by which.", "run", "stage", "status")
    dropped = _counter("rows_dropped", "Rows dropped, by reason.", "run", "stage", "reason")
    dead = _counter("rows_dead", "Rows that ended in the dead letters, by reason.", "run", "stage", "reason")
    letters = _gauge("dead_letters", "Rows that are dead now: fewer once some are asked again.", "run", "stage")
    expected = _gauge("rows_expected", "About how many rows the whole input has; 0 while unknown.", "run", "stage")
    for job in jobs:
        for stage in job.stages:
            place = job.name, stage.name
            deaths = sum(stage.dead.values())
            ends = {"delivered": stage.delivered, "dropped": sum(stage.dropped.values()), "dead": deaths}
            for status, count in ends.items():
                committed.add_metric([*place, status], rising.total((*place, "", status), count))
            for family, kind, counts in ((dropped, "dropped", stage.dropped), (dead, "dead", stage.dead)):
                totals = {reason: rising.total((*place, kind, reason), count) for reason, count in counts.items()}
                for reason, count in few(totals).items():
                    family.add_metric([*place, reason], count)
            letters.add_metric(place, deaths)
            expected.add_metric(place, stage.rows_estimated)
    yield from (committed, dropped, dead, letters, expected)


def _jobs(jobs: Sequence[JobView]) -> Iterator[Metric]:
    state = _gauge("run_state", "1 for where the run stands.", "run", "state")
    faults = _counter("faults", "Attempts that failed in this sitting, by kind of fault.", "run", "error")
    tokens = _counter("tokens", "Tokens of this sitting, as endpoints counted them.", "run", "type")
    commit = _gauge("last_commit_timestamp_seconds", "When rows were last committed.", "run")
    for job in jobs:
        state.add_metric([job.name, job.state.value], 1.0)
        for error, count in few(job.faults).items():
            faults.add_metric([job.name, error], count)
        tokens.add_metric([job.name, "input"], job.input_tokens)
        tokens.add_metric([job.name, "output"], job.output_tokens)
        if job.last_commit:
            commit.add_metric([job.name], datetime.fromisoformat(job.last_commit).timestamp())
    yield from (state, faults, tokens, commit)
    simple: tuple[tuple[GaugeMetricFamily | CounterMetricFamily, str], ...] = (
        (_gauge("run_inflight_requests", "Requests on the wire.", "run"), "in_flight"),
        (_gauge("waiting_rows", "Rows between two attempts.", "run"), "waiting"),
        (_gauge("commit_lag_rows", "Rows that have met their end and are not committed.", "run"), "uncommitted"),
        (_counter("run_requests", "Requests sent in this sitting.", "run"), "requests"),
        (_counter("retries", "Attempts of this sitting that were tried again.", "run"), "retries"),
        (_counter("throttled", "Requests of this sitting that were turned away for now.", "run"), "throttled"),
        (_counter("commits", "Commits of this sitting.", "run"), "commits"),
        (_counter("cost", "Spent by the whole run, in the currency of the prices.", "run"), "spend"),
        (_gauge("cost_limit", "Ceiling on what the run may cost; 0: none.", "run"), "spend_max"),
    )
    for family, name in simple:
        for job in jobs:
            family.add_metric([job.name], getattr(job, name))
        yield family


def _sittings(sittings: Mapping[str, Sitting]) -> Iterator[Metric]:
    read = _counter("rows_read", "Rows read in this sitting.", "run")
    output = _counter("output_bytes", "Bytes committed in this sitting, before compression.", "run")
    cached = _counter("cached_tokens", "Input tokens that endpoints had in their caches.", "run")
    oldest = _gauge("oldest_inflight_seconds", "How long the oldest request has been on the wire.", "run")
    latency = HistogramMetricFamily(f"{PREFIX}request_duration_seconds", "Of answered requests.", labels=["run"])
    commit = HistogramMetricFamily(f"{PREFIX}commit_duration_seconds", "Of commits, with their sync.", labels=["run"])
    for run, seen in sittings.items():
        read.add_metric([run], seen.rows_read)
        output.add_metric([run], seen.output_bytes)
        cached.add_metric([run], seen.cached_tokens)
        oldest.add_metric([run], seen.oldest_s)
        for family, (counts, sum_s) in ((latency, seen.latency), (commit, seen.commit)):
            family.add_metric([run], list(zip(_BOUNDS, accumulate(counts), strict=True)), sum_s)
    yield from (read, output, cached, oldest, latency, commit)


_BOUNDS = [*map(str, BOUNDS_S), "+Inf"]
