"""Metrics of this process and of the records, in the format of Prometheus.

Several web processes count in files of one folder, so that each of them tells the sum of all.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
    values,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from soapstone.jobs.activity import Activity, OpenJobs
from soapstone.jobs.heartbeats import Heartbeats
from soapstone.store.database import Database
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.vocabulary.jobs import SENDS
from soapstone.vocabulary.rows import ImportOutcome
from soapstone.web_processes import WebProcess

log = logging.getLogger(__name__)

# Seconds for which figures of the records are cached.
FRESH = 5.0
# Upper bounds of the duration of a call, in seconds. Most answers to polls take less than the first.
DURATIONS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
UNKNOWN = "unknown"
# The codes at the beginning of fault texts. Other text counts as "other": it may be the caller's input.
FAULT_CODES = frozenset(
    {
        "AccessDenied",
        "InternalError",
        "InUse",
        "InvalidArgument",
        "InvalidLogonAttempt",
        "InvalidRequest",
        "InvalidSession",
        "LoginAttemptsExceeded",
        "NotConfigured",
        "NotFound",
        "NotImplemented",
        "ProhibitedIPAddress",
    }
)
# Counters of row outcomes (imports, updates) and of final mail states (sends).
ROWS = frozenset(ImportOutcome)
MAILS = frozenset({"handed", "failed", "bounced", "skipped"})


class Metrics:
    """The metrics. Calls are counted on the event loop; `page` is thread-safe.

    `operations` holds the operations by contract, which bound the labels. `token` is the monitors' credential,
    `process` the one of several web processes that this is.
    """

    def __init__(
        self,
        database: Database,
        operations: Mapping[str, Collection[str]],
        token: str,
        process: WebProcess | None = None,
    ) -> None:
        self._token = token.encode()
        self._operations = {contract: frozenset(names) for contract, names in operations.items()}
        self._registry = CollectorRegistry()
        if process is None:
            counted: CollectorRegistry | None = self._registry
            ProcessCollector(registry=self._registry)
        else:
            # By its number: a process that takes the place of another one counts on from there.
            values.ValueClass = values.MultiProcessValue(lambda: process.number)  # type: ignore[no-untyped-call]
            counted = None
            MultiProcessCollector(self._registry, str(process.folder))  # type: ignore[no-untyped-call]
            self._registry.register(_ProcessesCollector(process))
        self._requests = Counter(
            "soapstone_requests", "HTTP requests answered.", ("interface", "status"), registry=counted
        )
        self._seconds = Histogram(
            "soapstone_call_seconds",
            "Duration of calls, until their answer is handed over.",
            ("contract", "operation"),
            buckets=DURATIONS,
            registry=counted,
        )
        self._faults = Counter(
            "soapstone_faults",
            "Calls that were answered by a fault or broken off.",
            ("contract", "operation", "code"),
            registry=counted,
        )
        self._unrecorded = Counter(
            "soapstone_unrecorded",
            "Opens, reads and clicks that were answered and are not recorded.",
            ("reason",),
            registry=counted,
        )
        self._registry.register(_RecordsCollector(database))
        self._bucket_requests = Counter(
            "soapstone_bucket_requests", "Requests to the bucket.", ("outcome",), registry=counted
        )

    def add_request(self, interface: str, status: int) -> None:
        """Count a request by its interface and the class of its status, such as "2xx"."""
        self._requests.labels(interface, f"{status // 100}xx").inc()

    def add_call(self, contract: str, operation: str, seconds: float, fault: str) -> None:
        """Count a call. `fault` is its fault text, or that of its refusal; empty for none."""
        if operation not in self._operations[contract]:
            operation = UNKNOWN
        self._seconds.labels(contract, operation).observe(seconds)
        if fault:
            # In SOAP the code follows an arrow, after the words of the runtime.
            code = fault.partition("---> ")[2] or fault
            code = code.partition("]")[0].removeprefix("[")
            self._faults.labels(contract, operation, code if code in FAULT_CODES else "other").inc()

    def add_unrecorded(self, reason: str, count: int) -> None:
        """Count opens, reads and clicks that are not recorded: "not written" to the spool, or "not held" as reads."""
        self._unrecorded.labels(reason).inc(count)

    def add_bucket_request(self, outcome: str) -> None:
        """Count a request to the bucket, "answered" or "failed"; in any thread."""
        self._bucket_requests.labels(outcome).inc()

    def may_be_read(self, authorization: bytes) -> bool:
        """Return whether a header `Authorization` holds the token."""
        scheme, _, given = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token)

    def page(self) -> tuple[bytes, str]:
        """Return all figures as text, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _ProcessesCollector(Collector):
    """Time and memory of each web process, by its name."""

    def __init__(self, process: WebProcess) -> None:
        self._folder = process.folder
        (self._folder / f"{process.name}.pid").write_text(str(os.getpid()))

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of the processes that run."""
        found: dict[str, Metric] = {}
        for path in sorted(self._folder.glob("*.pid")):
            for metric in ProcessCollector(pid=path.read_text, registry=None).collect():
                kept = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    kept.add_sample(sample.name, {**sample.labels, "process": path.stem}, sample.value)
        yield from found.values()


class _RecordsCollector(Collector):
    """Metrics of the records, cached for some seconds, so that many monitors cost no more than one."""

    def __init__(self, database: Database) -> None:
        self._activity = Activity(database)
        self._database = database
        self._heartbeats = Heartbeats(database)
        self._lock = threading.Lock()
        self._known: list[Metric] = []
        self._until = 0.0

    def describe(self) -> Iterable[Metric]:
        """Return nothing: otherwise the registry would collect all figures to get their names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; only `soapstone_records_up` if the records cannot be read."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._known = list(self._look())
                self._until = time.monotonic() + FRESH
            yield from self._known
        connections = GaugeMetricFamily(
            "soapstone_database_connections", "Connections of this process to the database.", labels=("state",)
        )
        for state, count in self._database.connections.items():
            connections.add_metric((state,), count)
        yield connections

    def _look(self) -> Iterator[Metric]:
        try:
            found, workers = self._activity.look(), self._heartbeats.all()
        except RecordsUnavailable as trouble:
            log.warning("no figures of the records: %s", trouble)
            yield GaugeMetricFamily("soapstone_records_up", "Whether the records can be read.", 0)
            return
        yield GaugeMetricFamily("soapstone_records_up", "Whether the records can be read.", 1)
        yield from _jobs(found, self._activity)
        alive = [each for each in workers if each.alive]
        yield GaugeMetricFamily("soapstone_workers", "Workers whose heartbeat came within a minute.", len(alive))
        age = GaugeMetricFamily("soapstone_heartbeat_age_seconds", "How old the newest heartbeat of a worker is.")
        if workers:
            age.add_metric((), min(abs(each.age.total_seconds()) for each in workers))
        yield age
        ages = GaugeMetricFamily(
            "soapstone_worker_heartbeat_age_seconds", "How old a worker's last heartbeat is.", labels=("worker",)
        )
        for each in workers:
            ages.add_metric((each.worker,), abs(each.age.total_seconds()))
        yield ages


def _jobs(found: OpenJobs, activity: Activity) -> Iterator[Metric]:
    open_jobs = GaugeMetricFamily("soapstone_jobs", "Jobs that are not over.", labels=("kind", "state"))
    for labels, count in sorted(found.counts.items()):
        open_jobs.add_metric(labels, count)
    ended = CounterMetricFamily("soapstone_jobs_ended", "Ends of jobs.", labels=("kind", "state"))
    for labels, count in sorted(activity.ended.items()):
        ended.add_metric(labels, count)
    rows = CounterMetricFamily("soapstone_rows", "Rows by their outcome.", labels=("kind", "outcome"))
    mails = CounterMetricFamily("soapstone_mails", "Recipients of sends by the end of their mail.", labels=("state",))
    of_sends: dict[str, int] = {}
    for (kind, name), count in sorted(activity.counted.items()):
        if kind in SENDS and name in MAILS:
            of_sends[name] = of_sends.get(name, 0) + count
        elif kind not in SENDS and name in ROWS:
            rows.add_metric((kind, name), count)
    for state, count in of_sends.items():
        mails.add_metric((state,), count)
    yield from (open_jobs, ended, rows, mails)
    yield GaugeMetricFamily(
        "soapstone_oldest_queued_job_seconds", "How long the oldest job has been due that does not run.", found.oldest
    )
