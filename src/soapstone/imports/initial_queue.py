"""The queue in front of the imports: what was handed in has a number of its own, whether it can work or not (mm-62)."""

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

# The kind of an entry's job record. No worker runs it: it is over as soon as it is there.


@dataclass(frozen=True, kw_only=True)
class InitialQueueEntry:
    """One entry of the queue. It became the import `job_id`, or it was refused: then `error` is the reason.

    `list_id` is None for an import without a list, and for a refused one whose list there is not.
    """

    id: int
    list_id: int | None
    submitted_at: datetime
    job_id: int | None
    error: str

    @classmethod
    def of(cls, job: Job) -> InitialQueueEntry:
        """Return the entry in its job record."""
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
        """Make an entry and the import that it becomes, in one transaction; the entry's number.

        The import takes its place in the order of its list at once, before whatever is asked for later. An import that
        cannot work makes a refused entry. Both are safe against a loss of power when this returns.
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
        """Make an entry that tells why it became no import, and keep no file; its number."""
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
        """Return the account's entry of that number, or None."""
        job = self._jobs.get([account_id], entry_id)
        return None if job is None or job.kind != JobKind.UPLOAD_ENTRY else InitialQueueEntry.of(job)
