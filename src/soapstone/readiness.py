"""Readiness: whether this installation can work now, and if not, why."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol

from soapstone.jobs.activity import oldest_queued
from soapstone.jobs.heartbeats import LIVES, Heartbeats
from soapstone.product import Product
from soapstone.store import schema
from soapstone.store.database import SPARE_BYTES
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking.spool import Spool

log = logging.getLogger(__name__)

# Public texts; the log has the reason.
DATABASE = "No change can be stored in the database."
FOLDER = "No file can be stored in the data folder."
WORKER = (
    f"No worker has sent a heartbeat in the last {LIVES.total_seconds():.0f} seconds: "
    "start one with soapstone serve or soapstone worker."
)
BUCKET = "No file can be stored in the bucket."
SPOOL = "Opens and clicks cannot be recorded: no file can be written in the data folder."
FAILING = "The worker ends again and again: jobs do not get on."

# How long a check waits for the bucket.
BUCKET_SECONDS = 1.0


class Failing(Protocol):
    """Reports how this server's own worker is."""

    @property
    def fails(self) -> bool:
        """Whether the worker has ended repeatedly of late."""


class Readiness:
    """Checks database, data folder, bucket, workers and spool. `supervisor` knows this server's own worker."""

    def __init__(self, product: Product, supervisor: Failing | None = None, spool: Spool | None = None) -> None:
        self._product = product
        self._supervisor = supervisor
        self._spool = spool
        self._heartbeats = Heartbeats(product.database)
        # The check that runs, or the last one: a bucket that hangs has no more than one.
        self._storing: Future[None] | None = None

    def missing(self) -> dict[str, str]:
        """Return a sentence for each of `database`, `folder`, `bucket`, `spool` and `worker` that fails.

        It takes about a second at most.
        """
        checks: dict[str, tuple[Callable[[], str | None], str]] = {
            "database": (self._database, DATABASE),
            "folder": (self._folder, FOLDER),
            "bucket": (self._bucket, BUCKET),
            "spool": (self._spooling, SPOOL),
            "worker": (self._worker, WORKER),
        }
        missing: dict[str, str] = {}
        for name, (check, sentence) in checks.items():
            if name == "worker" and "database" in missing:
                # The heartbeats are in the database.
                continue
            try:
                found = check()
            except Exception as error:
                found = sentence
                log.warning("not ready, %s: %s", name, error)
            else:
                if found is not None:
                    log.warning("not ready, %s: %s", name, found)
            if found is not None:
                missing[name] = found
        return missing

    def figures(self) -> dict[str, Any]:
        """Return the connections to the database, how long the oldest runnable job has waited, and the age of each
        worker's last heartbeat, in seconds. The last two are missing if the records cannot be read.
        """
        database = self._product.database
        found: dict[str, Any] = {"connections": database.connections}
        with suppress(RecordsUnavailable):
            found["queue_seconds"] = round(oldest_queued(database), 1)
            found["heartbeat_seconds"] = [round(each.age.total_seconds(), 1) for each in self._heartbeats.all()]
        return found

    def _database(self) -> None:
        # First: without a free connection any look at the records would wait for one.
        self._product.database.check_ready()
        schema.check(self._product.database)

    def _folder(self) -> str | None:
        settings = self._product.settings
        for folder in (settings.data_dir, settings.blobs):
            if not os.access(folder, os.W_OK | os.X_OK):
                return FOLDER
        return FOLDER if shutil.disk_usage(settings.blobs).free < SPARE_BYTES else None

    def _bucket(self) -> str | None:
        bucket = self._product.bucket
        if bucket is None:
            return None
        if self._storing is None or self._storing.done():
            self._storing = bucket.submit(bucket.check)
        self._storing.result(timeout=BUCKET_SECONDS)
        return None

    def _spooling(self) -> str | None:
        return SPOOL if self._spool is not None and self._spool.fails else None

    def _worker(self) -> str | None:
        if self._supervisor is not None and self._supervisor.fails:
            return FAILING
        return None if any(heartbeat.alive for heartbeat in self._heartbeats.all()) else WORKER
