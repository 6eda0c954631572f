"""The queue in front of the imports: each request has a number of its own, accepted or not (mm-62)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from soapstone.accounts.account import Account, Login
from soapstone.errors import InvalidError
from soapstone.imports.imports import Imports
from soapstone.imports.spec import ImportSpec
from soapstone.jobs.job import Job, log_end
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import ContactList
from soapstone.store.blobs import Upload
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import JobKind


@dataclass(frozen=True, kw_only=True)
class InitialQueueEntry:
    """One entry of the queue. It became the import `job_id`, or was refused with the reason `error`.

    `list_id` is None for an import without a list, and for a refused one with an unknown list.
    """

    id: int
    list_id: int | None
    submitted_at: datetime
    job_id: int | None
    error: str

    @classmethod
    def of(cls, job: Job) -> InitialQueueEntry:
        """Build the entry from its job record."""
        return cls(
            id=job.id,
            list_id=job.list_id,
            submitted_at=job.submitted_at,
            job_id=job.checkpoint.get("job_id"),
            error=job.error,
        )


class InitialQueue:
    """All entries of one installation. They draw their numbers from the sequence of all jobs (mm-68)."""

    def __init__(self, database: Database, jobs: Jobs, imports: Imports) -> None:
        self._database = database
        self._jobs = jobs
        self._imports = imports

    def admit(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList | None,
        upload: Upload,
        spec: ImportSpec,
        label: str,
    ) -> int:
        """Add an entry and its import in one transaction; return the entry's number.

        The import takes its turn in its list at once, before all later jobs. An invalid import makes a refused entry.
        Both survive a power loss when this returns.
        """
        try:
            self._imports.check(account, contact_list, spec)
        except InvalidError as refusal:
            return self.refuse(
                account=account,
                login=login,
                contact_list=contact_list,
                upload=upload,
                label=label,
                reason=str(refusal),
            )
        with self._imports.keeping(upload) as connection:
            entry_id = self._jobs.add(
                connection,
                account_id=account.id,
                kind=JobKind.UPLOAD_ENTRY,
                login_id=None if login is None else login.id,
                list_id=None if contact_list is None else contact_list.id,
                blob_size=upload.size,
                label=label,
                state="completed",
            )
            job_id = self._imports.add(
                connection,
                account=account,
                login=login,
                contact_list=contact_list,
                upload=upload,
                spec=spec,
                label=label,
            )
            self._jobs.note(connection, entry_id, {"job_id": job_id})
        log_end(entry_id, JobKind.UPLOAD_ENTRY, account.id, "completed")
        return entry_id

    def refuse(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList | None,
        upload: Upload | None,
        label: str,
        reason: str,
    ) -> int:
        """Add a refused entry with its reason, without a file; return its number."""
        with self._database.write(durable=True) as connection:
            entry_id = self._jobs.add(
                connection,
                account_id=account.id,
                kind=JobKind.UPLOAD_ENTRY,
                login_id=None if login is None else login.id,
                list_id=None if contact_list is None else contact_list.id,
                blob_size=0 if upload is None else upload.size,
                label=label,
                state="failed",
                error=reason,
            )
        log_end(entry_id, JobKind.UPLOAD_ENTRY, account.id, "failed", reason)
        if upload is not None:
            upload.discard()
        return entry_id

    def get(self, account_id: int, entry_id: int) -> InitialQueueEntry | None:
        """Return the account's entry with this number, or None."""
        job = self._jobs.get([account_id], entry_id)
        return None if job is None or job.kind != JobKind.UPLOAD_ENTRY else InitialQueueEntry.of(job)
