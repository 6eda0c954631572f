"""The imports of an installation: submitting one, and reading its results."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection, select

from soapstone.accounts.account import Account, Login
from soapstone.errors import InvalidError
from soapstone.imports.columns import MOST_TOLD, NEW_HEADER
from soapstone.imports.double_base64 import unwrapped
from soapstone.imports.header_row import column_names
from soapstone.imports.layout import DELIMITERS, Layout, recognised
from soapstone.imports.outcomes import ImportCounts, RejectedRow
from soapstone.imports.progress import Progress
from soapstone.imports.report import RowOutcome, outcomes
from soapstone.imports.spec import ATTRIBUTE, Column, ImportSpec, check, check_form
from soapstone.jobs.job import Job
from soapstone.jobs.queue import Jobs
from soapstone.lists.lists import ContactList
from soapstone.lists.profiles import Profiles
from soapstone.store.blobs import Blobs, Upload
from soapstone.store.database import Database
from soapstone.store.tables import rejected_rows
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.rows import ImportOutcome


class Imports:
    """All imports of one installation. Each is a job of kind "import" with one step."""

    def __init__(self, database: Database, blobs: Blobs, jobs: Jobs) -> None:
        self._database = database
        self._blobs = blobs
        self._jobs = jobs

    def submit(
        self,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList | None,
        upload: Upload,
        spec: ImportSpec,
        label: str,
        new_attributes: Mapping[int, str] = MappingProxyType({}),
    ) -> Job:
        """Store the file and queue the import; both survive a power loss when this returns.

        Without `contact_list` contacts are stored and put on no list (mm-61). `new_attributes` are names of profile
        attributes to create, by column of the file, from 0; a dry run creates none. Raises InvalidError for an invalid
        spec, and then stores nothing.
        """
        try:
            self.check(account, contact_list, spec)
        except InvalidError:
            upload.discard()
            raise
        with self.keeping(upload) as connection:
            if new_attributes and contact_list is not None and not spec.dry_run:
                spec = self._with_attributes(connection, account, contact_list, spec, new_attributes)
            job_id = self.add(
                connection,
                account=account,
                login=login,
                contact_list=contact_list,
                upload=upload,
                spec=spec,
                label=label,
            )
            return self._jobs.added(connection, job_id)

    @contextmanager
    def keeping(self, upload: Upload) -> Iterator[Connection]:
        """Yield a durable transaction that stores the job of an upload; keep the upload only with it."""
        with self._blobs.keeping(upload), self._database.write(durable=True) as connection:
            yield connection

    def add(
        self,
        connection: Connection,
        *,
        account: Account,
        login: Login | None,
        contact_list: ContactList | None,
        upload: Upload,
        spec: ImportSpec,
        label: str,
    ) -> int:
        """Queue a checked import in the transaction that keeps its upload; return the job's number."""
        return self._jobs.add(
            connection,
            account_id=account.id,
            kind=JobKind.TRIAL_IMPORT if spec.dry_run else JobKind.IMPORT,
            login_id=None if login is None else login.id,
            list_id=None if contact_list is None else contact_list.id,
            request=spec.document(),
            blob=upload.name,
            blob_size=upload.size,
            label=label,
        )

    def record(
        self,
        account: Account,
        contact_list: ContactList,
        spec: ImportSpec,
        counters: Mapping[str, int],
        *,
        label: str,
        size: int,
        finished_at: datetime,
    ) -> int:
        """Store, as one submitted now, an import that another service has done: rows per outcome, file name and size.

        Return its number. No file and no outcomes of single rows belong to it.
        """
        with self._database.write(durable=True) as connection:
            job_id = self._jobs.add(
                connection,
                account_id=account.id,
                kind=JobKind.IMPORT,
                list_id=contact_list.id,
                request=spec.document(),
                blob_size=size,
                label=label,
                state="completed",
            )
            self._jobs.conclude(connection, job_id, counters, finished_at=finished_at)
        return job_id

    def _with_attributes(
        self,
        connection: Connection,
        account: Account,
        contact_list: ContactList,
        spec: ImportSpec,
        names: Mapping[int, str],
    ) -> ImportSpec:
        """Return the spec with columns for the new attributes, created unless the list has the names by now."""
        made = Profiles(self._database).add_missing(connection, account.id, contact_list.id, NEW_HEADER, names.values())
        columns = [Column(index=index, target=f"{ATTRIBUTE}{made[name]}") for index, name in names.items()]
        # A concurrent call may have created one that the file fills already.
        used = {column.target for column in spec.columns}
        if twice := next((column.target for column in columns if column.target in used), None):
            raise InvalidError(f"Two columns of the file go to {twice}.")
        return replace(spec, columns=(*spec.columns, *columns))

    def check(self, account: Account, contact_list: ContactList | None, spec: ImportSpec) -> None:
        """Raise InvalidError for an invalid spec."""
        if contact_list is None:
            attributes = None
        elif contact_list.account_id != account.id:
            raise InvalidError("The list belongs to another account.")
        else:
            attributes = frozenset(attribute.id for attribute in Profiles(self._database).attributes(contact_list.id))
        check(spec, identifier=account.identifier, attributes=attributes)

    def spec(self, job: Job) -> ImportSpec:
        """Return the spec of an import."""
        return ImportSpec.of(job.request)

    def unused(self, job: Job) -> list[str]:
        """Return the unused headings of the file, including those that only its values show to be unused."""
        told = [*self.spec(job).unused, *job.checkpoint.get("meaningless", ())]
        return told[:MOST_TOLD]

    def counts(self, job: Job) -> ImportCounts:
        """Return the counts of the import so far; all 0 before the first rows are merged."""
        return ImportCounts.of(job.counters, int(job.checkpoint.get("list_members", 0)))

    def unwrapped(self, upload: Upload, delimiter: str) -> Upload:
        """Return the upload, decoded once more if it was encoded in base64 twice (lk-72)."""
        return unwrapped(self._blobs, upload, delimiter)

    def layout(
        self, upload: Upload, *, delimiter: str, qualifier: str, encoding: str, skip: int, header: bool
    ) -> Layout:
        """Return the delimiter of an upload that is not kept yet, and the number of lines above its first row.

        An empty `delimiter` is detected; see imports.layout. Raises InvalidError.
        """
        check_form(delimiter or DELIMITERS[0], qualifier, encoding, skip)
        return recognised(
            upload.path, delimiter=delimiter, qualifier=qualifier, encoding=encoding, skip=skip, header=header
        )

    def header_names(
        self, upload: Upload, *, delimiter: str = ",", qualifier: str = '"', encoding: str = "", skip: int = 0
    ) -> list[str]:
        """Return the first row of an upload that is not kept yet. Raises InvalidError."""
        check_form(delimiter, qualifier, encoding, skip)
        return column_names(upload.path, delimiter=delimiter, qualifier=qualifier, encoding=encoding, skip=skip)

    def progress(self, job: Job) -> Progress:
        """Return the progress of an import."""
        return Progress.of(job)

    def outcomes(
        self,
        job_id: int,
        wanted: Collection[str] | None = None,
        *,
        offset: int = 0,
        limit: int = 1000,
        login: Login | None = None,
    ) -> list[RowOutcome]:
        """Return outcomes of rows in the order of the file, only the wanted ones or all.

        Contacts that the login does not see are left out: a row may name any contact, also in a dry run.
        """
        job = self._jobs.get(None, job_id)
        return [] if job is None else outcomes(self._database, job, wanted, offset, limit, login)

    def rejected(self, job_id: int, *, after_line: int = 0, limit: int = 1000) -> list[RejectedRow]:
        """Return rejected rows in the order of the file, after the physical line `after_line`."""
        table = rejected_rows
        query = select(table.c.line, table.c.reason, table.c.fields).where(table.c.job_id == job_id)
        query = query.where(table.c.line > after_line).order_by(table.c.line).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query).all()
        return [
            RejectedRow(line=row.line, reason=row.reason, words=ImportOutcome(row.reason).meaning, fields=row.fields)
            for row in found
        ]
