"""Retention of personal data of finished jobs: rows of imports, and mails in the folder.

Jobs themselves stay, with their counters: a client may ask for the state of an old one at any time (lk-93, mm-48).
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, exists, or_, select, update

from soapstone.clock import now
from soapstone.sending.folder.mail_store import MailStore
from soapstone.sending.folder.outbox import job_of_mail
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, erased_addresses, import_parts, jobs, rejected_rows
from soapstone.vocabulary.deliveries import SkipReason
from soapstone.vocabulary.rows import ImportOutcome

# Rows, and files, of one step: other writers wait no longer than for a chunk of an import.
STEP = 5000


class Retention:
    """Deletes expired data; 0 days mean for ever."""

    def __init__(self, database: Database, mails: MailStore, *, days: int) -> None:
        self._database = database
        self._mails = mails
        self._days = days

    def sweep(self) -> None:
        """Delete all expired data, step by step."""
        self._forget_files_of_deleted()
        if self._days:
            self._forget_rows()
            self._remove_mails()

    def _forget_files_of_deleted(self) -> None:
        """Detach uploaded files that may name a person who was deleted during or before the job."""
        ended = jobs.c.finished_at.is_not(None) & jobs.c.blob.is_not(None)
        meanwhile = exists().where(
            erased_addresses.c.account_id == jobs.c.account_id,
            erased_addresses.c.erased_at >= jobs.c.submitted_at,
            erased_addresses.c.erased_at <= jobs.c.finished_at,
        )
        # Rows of the ledger that keep nothing of a person.
        skipped = exists().where(
            deliveries.c.job_id == jobs.c.id, deliveries.c.email_key == "", deliveries.c.reason == SkipReason.SUPPRESSED
        )
        with self._database.read() as connection:
            counted = connection.execute(select(jobs.c.id, jobs.c.counters).where(ended)).all()
            met = [row.id for row in counted if ImportOutcome.DELETED in row.counters]
            ran = list(connection.execute(select(jobs.c.id).where(ended, or_(meanwhile, skipped))).scalars())
        for start in range(0, len(found := sorted({*met, *ran})), STEP):
            with self._database.write() as connection:
                some = jobs.c.id.in_(found[start : start + STEP]) & jobs.c.finished_at.is_not(None)
                connection.execute(update(jobs).where(some).values(blob=None))

    def _forget_rows(self) -> None:
        """Remove rejected rows and the outcomes of rows of imports that ended long ago."""
        old = jobs.c.finished_at < now() - timedelta(days=self._days)
        for table, place in ((rejected_rows, rejected_rows.c.line), (import_parts, import_parts.c.first_row)):
            with self._database.read() as connection:
                query = select(table.c.job_id).join(jobs, jobs.c.id == table.c.job_id).where(old).distinct()
                job_ids = list(connection.execute(query).scalars())
            for job_id in job_ids:
                more = True
                while more:
                    with self._database.write() as connection:
                        # The job may have been retried meanwhile.
                        over = exists().where(jobs.c.id == job_id, old)
                        first = select(place).where(table.c.job_id == job_id).order_by(place).limit(STEP)
                        gone = delete(table).where(table.c.job_id == job_id, place.in_(first), over)
                        more = connection.execute(gone).rowcount == STEP

    def _remove_mails(self) -> None:
        """Remove mails from the folder that finished sends wrote long ago."""
        before = (now() - timedelta(days=self._days)).timestamp()
        over: dict[int, bool] = {}
        for name, written in self._mails.entries():
            if (job_id := job_of_mail(name)) is None:
                continue
            if job_id not in over:
                over[job_id] = self._is_over(job_id)
            if over[job_id] and written < before:
                self._mails.remove(name)

    def _is_over(self, job_id: int) -> bool:
        """Return whether no attempt at the send needs its mails any more.

        A failed send can be retried. The presence of a mail in the folder then shows whether it was sent.
        """
        unfinished = select(jobs.c.id).where(jobs.c.id == job_id, jobs.c.finished_at.is_(None))
        handing = select(deliveries.c.id).where(deliveries.c.job_id == job_id, deliveries.c.state == "handing")
        with self._database.read() as connection:
            return not any(connection.execute(query.limit(1)).first() for query in (unfinished, handing))
