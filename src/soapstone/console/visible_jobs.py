"""What a login may see of its account's jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice

from soapstone.accounts.logon import Identity
from soapstone.accounts.visibility import is_restricted, sees_job
from soapstone.jobs.job import Job
from soapstone.product import Product
from soapstone.vocabulary.jobs import SENDS

BATCH = 200


class VisibleJobs:
    """The jobs of one login's account that it sees."""

    def __init__(self, product: Product, identity: Identity) -> None:
        self._jobs = product.jobs
        self._account_id = identity.account.id
        self._login = identity.login
        self._granted: frozenset[int] = frozenset()
        if is_restricted(identity.login):
            granted = product.lists.all(identity.account.id, identity.login)
            self._granted = frozenset(contact_list.id for contact_list in granted)

    def get(self, job_id: int) -> Job | None:
        """Return the job of that number, if the login may see it."""
        job = self._jobs.get([self._account_id], job_id)
        return job if job is not None and self._sees(job) else None

    def sees(self, job_id: int) -> bool:
        """Return whether the login may see the job of that number."""
        return self.get(job_id) is not None

    def page(self, offset: int, limit: int, *, list_id: int | None = None) -> list[Job]:
        """Return jobs, newest first."""
        if not is_restricted(self._login):
            return self._jobs.find(account_id=self._account_id, list_id=list_id, offset=offset, limit=limit)
        return list(islice(filter(self._sees, self._all(list_id=list_id)), offset, offset + limit))

    def sends(self) -> Iterator[int]:
        """Return numbers of all sends, newest first, read as they are asked for."""
        return (job.id for job in self._all(kinds=SENDS) if self._sees(job))

    def _all(self, *, kinds: Sequence[str] = (), list_id: int | None = None) -> Iterator[Job]:
        for offset in count(0, BATCH):
            batch = self._jobs.find(
                account_id=self._account_id, kinds=kinds, list_id=list_id, offset=offset, limit=BATCH
            )
            yield from batch
            if len(batch) < BATCH:
                return

    def _sees(self, job: Job) -> bool:
        return sees_job(self._login, job, self._granted)
