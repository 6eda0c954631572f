"""Runs an import: index the file, merge its rows chunk by chunk, sweep those who were replaced.

All that the job knows of its progress is in its checkpoint, which every chunk's transaction carries along:

- `rows`: data rows of the file; `encoding`: how it is read;
- `last_number`: the account's last contact number when the job began: members beyond it came later (replace);
- `done`: rows that have their outcome; `joined`, `stayed`: memberships made, and members that rows referred to;
- `swept`: replace has looked at members up to this contact; `list_members`: the size of the list at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from soapstone.accounts.account import Account, Accounts
from soapstone.imports import index, outcomes, sweep
from soapstone.imports.encodings import readable
from soapstone.imports.merge import Merge
from soapstone.imports.outcomes import REASONS, ImportCounts
from soapstone.imports.records import Dialect, Place, Record, Records, Unreadable
from soapstone.imports.rows import Rows
from soapstone.imports.spec import ImportSpec
from soapstone.jobs.run import Chunk, JobFailed, Run
from soapstone.lists.profiles import Profiles
from soapstone.store.instants import now
from soapstone.store.tables import lists, rejected_rows

# Rows of one transaction: see bench/imports.py.
CHUNK_ROWS = 5000
# Somebody else may store the same person between look-up and insert, outside of imports; then the chunk is done again.
TRIES = 5


def run_import(run: Run, *, chunk_rows: int = CHUNK_ROWS) -> None:
    """Do an import, or what is left of it. Raises JobFailed with a sentence for its owner."""
    _Import(run, chunk_rows).run()


class _Import:
    def __init__(self, run: Run, chunk_rows: int) -> None:
        self._run = run
        self._chunk_rows = chunk_rows
        self._spec = ImportSpec.of(run.job.request)
        account = Accounts(run.database).get(run.job.account_id)
        if account is None:
            raise JobFailed("The account no longer exists.")
        self._account: Account = account
        attributes = [] if run.job.list_id is None else Profiles(run.database).attributes(run.job.list_id)
        self._rows = Rows(self._spec, self._spec.key(account.identifier), attributes)
        self._merge = Merge(run.database.kind, account, run.job.list_id, run.job.id, self._spec, self._rows)

    def run(self) -> None:
        if "list_members" in self._run.job.checkpoint:
            return
        if self._run.job.blob is None:
            raise JobFailed("The file of this import is gone.")
        try:
            with readable(self._run.blobs.path(self._run.job.blob), self._spec.encoding) as (file, codec, skip):
                self._read_and_merge(file, codec, skip)
        except FileNotFoundError:
            raise JobFailed("The file of this import is gone.") from None
        except Unreadable as problem:
            raise JobFailed(str(problem)) from None
        if self._spec.replace:
            if not ImportCounts.of(self._run.job.counters).good:
                raise JobFailed("The file has no good row; the list keeps its members.")
            if not self._spec.dry_run:
                sweep.sweep(self._run)
        self._finish()

    def _read_and_merge(self, file: BinaryIO, codec: str, skip: int) -> None:
        dialect = Dialect(self._spec.delimiter, self._spec.qualifier, codec)
        found = index.build(
            Records(file, dialect, Place(skip, 1)),
            self._rows.key_of,
            header=self._spec.header,
            range_rows=self._chunk_rows,
            scratch=self._run.blobs.folder,
            heed=self._heed,
        )
        if "rows" not in self._run.job.checkpoint:
            self._begin(found.rows, codec)
        for part in found.ranges:
            done = self._run.job.checkpoint["done"]
            if part.first + part.rows > done:
                records = Records(file, dialect, part.start, part.stop)
                rows = [(row, record) for row, record in enumerate(records, part.first) if row >= done]
                self._merge_chunk(found, rows)

    def _heed(self) -> None:
        # Reading a large file takes a while: a request to stop or cancel, or another attempt, is seen meanwhile.
        with self._run.chunk():
            pass

    def _begin(self, rows: int, codec: str) -> None:
        with self._run.chunk() as chunk:
            last = self._merge.lock(chunk.connection)
            checkpoint = {"rows": rows, "encoding": codec, "last_number": last, "done": 0, "joined": 0, "stayed": 0}
            chunk.checkpoint = dict(chunk.checkpoint) | checkpoint

    def _merge_chunk(self, found: index.FileIndex, rows: list[tuple[int, Record]]) -> None:
        judged: dict[int, str] = {}
        values: list[dict[str, Any]] = []
        for row, record in rows:
            outcome = record.flaw
            if not outcome:
                key, email, outcome = self._rows.check(record.fields)
                if not outcome and found.is_superseded(row):
                    outcome = outcomes.DUPLICATE
            if outcome:
                judged[row] = outcome
            else:
                values.append({"row": row, **self._rows.values(record.fields, key, email)})
        for attempt in range(1, TRIES + 1):
            try:
                with self._run.chunk() as chunk:
                    self._apply(chunk, rows, judged, values)
                return
            except IntegrityError:
                if attempt == TRIES:
                    raise

    def _apply(
        self, chunk: Chunk, rows: list[tuple[int, Record]], judged: dict[int, str], values: list[dict[str, Any]]
    ) -> None:
        connection = chunk.connection
        self._require_list(chunk)
        checkpoint = dict(chunk.checkpoint)
        all_judged = judged
        if values:
            self._merge.lock(connection)
            merged = self._merge.apply(connection, values, now())
            all_judged = judged | merged.outcomes
            checkpoint["joined"] += merged.new_members
            checkpoint["stayed"] += merged.old_members
        if rejects := list(self._rejects(rows, all_judged)):
            connection.execute(insert(rejected_rows), rejects)
        chunk.count(**Counter(all_judged.values()))
        chunk.checkpoint = checkpoint | {"done": rows[-1][0] + 1}

    def _rejects(self, rows: list[tuple[int, Record]], judged: dict[int, str]) -> Iterator[dict[str, Any]]:
        for row, record in rows:
            if (outcome := judged[row]) in REASONS:
                yield {
                    "job_id": self._run.job.id,
                    "line": record.line,
                    "reason": outcome,
                    "fields": record.fields,
                }

    def _require_list(self, chunk: Chunk) -> int:
        """The members of the list now, 0 without one. Raises JobFailed when it was deleted meanwhile."""
        if self._run.job.list_id is None:
            return 0
        query = select(lists.c.members).where(lists.c.id == self._run.job.list_id, lists.c.deleted_at.is_(None))
        members = chunk.connection.execute(query).scalar_one_or_none()
        if members is None:
            raise JobFailed("The list no longer exists.")
        return int(members)

    def _finish(self) -> None:
        with self._run.chunk() as chunk:
            members = self._require_list(chunk)
            if self._spec.dry_run and self._run.job.list_id is not None:
                stayed = chunk.checkpoint["stayed"] if self._spec.replace else members
                members = stayed + chunk.checkpoint["joined"]
            chunk.checkpoint = dict(chunk.checkpoint) | {"list_members": members}
