"""The imports of an installation: submitting one, and reading what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
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
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.vocabulary.jobs import JobKind
from soapstone.vocabulary.rows import ImportOutcome

# The kind of an import's job, and that of a dry run, which the history of a list does not show.


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
        """Keep the file and queue the import; both are safe against a loss of power when this returns.

        Without `contact_list` people are stored and put on no list (mm-61). `new_attributes` are names of profile
        attributes that are made for columns of the file, from 0; a dry run makes none. Raises InvalidError for a spec
        that cannot work; nothing is kept or made then.
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
        job = self._jobs.get([account.id], job_id)
        assert job is not None  # noqa: S101 - it was just committed
        return job

    @contextmanager
    def keeping(self, upload: Upload) -> Iterator[Connection]:
        """Yield a durable transaction in which a kept upload finds the job that it belongs to, or it is not kept."""
        blob = upload.keep()
        try:
            with self._database.write(durable=True) as connection:
                yield connection
        except Exception as error:
            # A job that is perhaps stored needs its file; the sweep removes a file that has no job.
            if not isinstance(error, RecordsUnavailable) or error.undone:
                self._blobs.remove(blob)
            raise

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
        """Queue an import that was checked, in the transaction that keeps its upload; the job's number."""
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

    def _with_attributes(
        self,
        connection: Connection,
        account: Account,
        contact_list: ContactList,
        spec: ImportSpec,
        names: Mapping[int, str],
    ) -> ImportSpec:
        """Return the spec with columns for attributes that are made, as far as the list has none of these names by
        now."""
        made = Profiles(self._database).add_missing(connection, account.id, contact_list.id, NEW_HEADER, names.values())
        columns = [Column(index=index, target=f"{ATTRIBUTE}{made[name]}") for index, name in names.items()]
        # Somebody else may just have made one that the file fills already.
        used = {column.target for column in spec.columns}
        if twice := next((column.target for column in columns if column.target in used), None):
            raise InvalidError(f"Two columns of the file go to {twice}.")
        return replace(spec, columns=(*spec.columns, *columns))

    def check(self, account: Account, contact_list: ContactList | None, spec: ImportSpec) -> None:
        """Raise InvalidError for a spec that cannot work."""
        if contact_list is None:
            attributes = None
        elif contact_list.account_id != account.id:
            raise InvalidError("The list belongs to another account.")
        else:
            attributes = frozenset(attribute.id for attribute in Profiles(self._database).attributes(contact_list.id))
        check(spec, identifier=account.identifier, attributes=attributes)

    def spec(self, job: Job) -> ImportSpec:
        """Return what the import was asked to do."""
        return ImportSpec.of(job.request)

    def unused(self, job: Job) -> list[str]:
        """Headings of the file that nothing uses, also those that only its values could show to be so."""
        told = [*self.spec(job).unused, *job.checkpoint.get("meaningless", ())]
        return told[:MOST_TOLD]

    def counts(self, job: Job) -> ImportCounts:
        """Return the figures of the import so far; all 0 before the first rows are merged."""
        return ImportCounts.of(job.counters, int(job.checkpoint.get("list_members", 0)))

    def unwrapped(self, upload: Upload, delimiter: str) -> Upload:
        """Return the upload, decoded once more if it was encoded in base64 twice (lk-72)."""
        return unwrapped(self._blobs, upload, delimiter)

    def layout(
        self, upload: Upload, *, delimiter: str, qualifier: str, encoding: str, skip: int, header: bool
    ) -> Layout:
        """Return the delimiter of an upload, which is not kept yet, and the lines above its first row.

        An empty delimiter is found out; see imports.layout. Raises InvalidError.
        """
        check_form(delimiter or DELIMITERS[0], qualifier, encoding, skip)
        return recognised(
            upload.path, delimiter=delimiter, qualifier=qualifier, encoding=encoding, skip=skip, header=header
        )

    def header_names(
        self, upload: Upload, *, delimiter: str = ",", qualifier: str = '"', encoding: str = "", skip: int = 0
    ) -> list[str]:
        """Return what the first row of an upload, which is not kept yet, calls the columns. Raises InvalidError."""
        check_form(delimiter, qualifier, encoding, skip)
        return column_names(upload.path, delimiter=delimiter, qualifier=qualifier, encoding=encoding, skip=skip)

    def progress(self, job: Job) -> Progress:
        """Return how far the import is."""
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
        """Return what became of rows, in the order of the file: of those with one of the outcomes, or of all.

        The login is told of no contact that it does not see: a row may name anybody, also in a dry run.
        """
        job = self._jobs.get(None, job_id)
        return [] if job is None else outcomes(self._database, job, wanted, offset, limit, login)

    def rejected(self, job_id: int, *, after_line: int = 0, limit: int = 1000) -> list[RejectedRow]:
        """Return rows that were not taken, in the order of the file, behind the physical line `after_line`."""
        table = rejected_rows
        query = select(table.c.line, table.c.reason, table.c.fields).where(table.c.job_id == job_id)
        query = query.where(table.c.line > after_line).order_by(table.c.line).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(query).all()
        return [
            RejectedRow(line=row.line, reason=row.reason, words=ImportOutcome(row.reason).meaning, fields=row.fields)
            for row in found
        ]
