"""Runs an import: index the file, merge its rows stage by stage, remove replaced members.

The checkpoint, committed with each stage, holds all of the job's progress:

- `read`: data rows seen by the first look through the file; `rows`: all data rows; `encoding`: how it is read;
- `heading`: the fields of its heading; `meaningless`: headings of opt-outs whose columns hold none;
- `chunk_rows`: rows of one chunk; `since`, `at`, `done_before`: see Progress;
- `last_number`: the account's last contact number when the job began: members beyond it came later (replace);
- `misfits`: values that did not fit their attributes: see there; `surplus`: rows with values beyond the last heading;
- `done`: rows that have their outcome; `complete`: rows before the first one without; both are the end of a chunk after
  its last stage;
- `joined`, `stayed`: memberships made, and members that rows referred to;
- `swept`: replace has looked at members up to this contact; `list_members`: the size of the list at the end.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from soapstone.accounts.account import Account, Accounts
from soapstone.clock import now, system_now
from soapstone.contacts.erased_addresses import erased_among, has_erased, keys_in
from soapstone.contacts.mailboxes import has_doubles
from soapstone.imports import scratch, sweep
from soapstone.imports.columns import shortened
from soapstone.imports.merge import NOTHING, Merge, Merged
from soapstone.imports.misfits import counted, misfits_of
from soapstone.imports.outcomes import CODES, NAMES, REPAIRED, ImportCounts
from soapstone.imports.parts import Part, stored_lines
from soapstone.imports.reader import events
from soapstone.imports.reading import Event, Indexed, Looking, Rejection, Staged, Task
from soapstone.imports.rejects import kept_heading
from soapstone.imports.rows import Rows
from soapstone.imports.spec import ImportSpec
from soapstone.imports.stage import Stage
from soapstone.imports.surplus import surplus_of, with_surplus
from soapstone.jobs.run import Chunk, JobFailed, Run, Stopped
from soapstone.lists.profiles import Profiles
from soapstone.store.bulk import insert_rows
from soapstone.store.tables import lists, rejected_rows

log = logging.getLogger(__name__)

# Rows that are sorted together, and rows of one transaction, by kind of database: see docs/decisions. SQLite's other
# writers wait for the end of a transaction.
CHUNK_ROWS = {"sqlite": 100_000, "postgresql": 20_000}
STAGE_ROWS = {"sqlite": 12_500, "postgresql": 20_000}
# The most bytes of an unpacked file, or the most times its packed size.
FREE_BYTES = 8 << 20
MOST_GROWTH = 200
# A call may store the same contact between look-up and insert; then the chunk is retried.
TRIES = 5
# Chunks that keep other imports of the account out after that: imports of the same new people would clash each time.
ALONE = 10


def run_import(
    run: Run,
    *,
    chunk_rows: int | None = None,
    stage_rows: int | None = None,
    rejects: Mapping[int, str] | None = None,
) -> None:
    """Run or resume an import. Raises JobFailed with a sentence for its owner.

    `rejects` are rows to reject whatever they hold: the reason, an outcome, by physical line.
    """
    kind = run.database.kind
    _Import(run, chunk_rows or CHUNK_ROWS[kind], stage_rows or STAGE_ROWS[kind], rejects or {}).run()


class _Import:
    def __init__(self, run: Run, chunk_rows: int, stage_rows: int, rejects: Mapping[int, str]) -> None:
        self._run = run
        self._rejects = rejects
        self._chunk_rows, self._stage_rows = chunk_rows, stage_rows
        self._spec = ImportSpec.of(run.job.request)
        account = Accounts(run.database).get(run.job.account_id)
        if account is None:
            raise JobFailed("The account no longer exists.")
        self._account: Account = account
        list_id = run.job.list_id
        self._attributes = [] if list_id is None else Profiles(run.database).attributes(list_id)
        rows = Rows(self._spec, self._spec.key(account.identifier), self._attributes)
        stage = Stage(run.database.kind, rows, keeps_fields=self._spec.may_refuse)
        with run.database.read() as connection:
            doubles = has_doubles(connection, account.id)
        # Stages from here on that keep other imports of the account out.
        self._alone = 0
        self._merge = Merge(account, list_id, run.job.id, self._spec, stage, database=run.database, doubles=doubles)

    def run(self) -> None:
        if "list_members" in self._run.job.checkpoint:
            return
        with self._run.connected() as connection:
            self._read_and_merge(connection)
            if self._spec.replace:
                if not ImportCounts.of(self._run.job.counters).good:
                    raise JobFailed("The file has no good row; the list keeps its members.")
                if not self._spec.dry_run:
                    sweep.sweep(self._run)
            self._finish()

    def _read_and_merge(self, connection: Connection) -> None:
        job, blobs = self._run.job, self._run.blobs
        checkpoint = job.checkpoint
        # The first attempt fixes the size of chunks.
        chunk_rows = checkpoint.get("chunk_rows", self._chunk_rows)
        done, merged = checkpoint.get("complete", checkpoint.get("done", 0)), frozenset[int]()
        if done < checkpoint.get("done", 0):
            with self._run.database.read() as reading:
                # A stage that begins before `done` may have rows behind it, if another attempt cut other chunks.
                merged = frozenset(stored_lines(reading, job.id, done - chunk_rows))
        with self._merge.prepared(connection), scratch.folder(blobs.folder, job.id, job.attempt) as folder:
            try:
                path = blobs.fetch(job.blob or "", folder, self._heed)
            except FileNotFoundError:
                raise JobFailed("The file of this import is gone.") from None
            task = Task(
                path=str(path),
                folder=str(folder),
                spec=self._spec,
                key=self._spec.key(self._account.identifier),
                attributes=self._attributes,
                kind=self._run.database.kind,
                chunk_rows=chunk_rows,
                stage_rows=self._stage_rows,
                done=done,
                merged=merged,
                most_bytes=max(FREE_BYTES, MOST_GROWTH * job.blob_size),
                rejects=self._rejects,
            )
            with closing(events(task, size=job.blob_size, heed=self._stop)) as found:
                for event in found:
                    self._take(connection, event)

    def _stop(self) -> None:
        """Heed a request to stop while the process that reads is silent, such as at its start."""
        if self._run.stopping():
            raise Stopped

    def _heed(self) -> None:
        """Heed a request to stop or cancel, or a lost lease, while the file is fetched."""
        with self._run.chunk() as chunk:
            chunk.progress = False

    def _take(self, connection: Connection, event: Event) -> None:
        if isinstance(event, Looking):
            # It heeds such requests as well.
            with self._run.chunk() as chunk:
                chunk.progress = False
                chunk.checkpoint = dict(chunk.checkpoint) | {"read": event.rows}
        elif isinstance(event, Indexed):
            self._begin(event)
        else:
            self._merge_stage(connection, event)

    def _begin(self, found: Indexed) -> None:
        with self._run.chunk() as chunk:
            chunk.progress = False
            checkpoint = dict(chunk.checkpoint)
            if "rows" not in checkpoint:
                self._merge.lock(chunk.connection)
                last = self._merge.last_number(chunk.connection)
                checkpoint |= {"rows": found.rows, "encoding": found.codec, "last_number": last}
                checkpoint |= {
                    "heading": kept_heading(found.heading),
                    "meaningless": list(shortened(found.meaningless)),
                }
                checkpoint |= {"chunk_rows": self._chunk_rows, "done": 0, "joined": 0, "stayed": 0}
            moment = system_now().timestamp()
            chunk.checkpoint = checkpoint | {"since": moment, "at": moment, "done_before": checkpoint["done"]}

    def _merge_stage(self, connection: Connection, staged: Staged) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                with self._merge.staged(connection, staged.path), self._run.chunk(gives_way=True) as chunk:
                    self._apply(chunk, staged)
                self._alone = max(0, self._alone - 1)
                return
            except IntegrityError:
                if attempt == TRIES:
                    raise
                self._alone = ALONE

    def _apply(self, chunk: Chunk, staged: Staged) -> None:
        connection, first, lines = chunk.connection, staged.first, staged.lines
        self._require_list(chunk)
        checkpoint = dict(chunk.checkpoint)
        refused, counts = list(staged.refused), dict[str, int]()

        def keep(merged: Merged) -> None:
            codes, contact_ids = bytearray(len(lines)), [0] * len(lines)
            for row, code, contact_id in merged.rows:
                codes[row - first], contact_ids[row - first] = code, contact_id
            refused.extend(Rejection(row - first, reason, fields) for row, reason, fields in merged.refused)
            for position, reason, _ in refused:
                codes[position] = CODES[reason]
            counts.update({NAMES[code]: codes.count(code) for code in set(codes)})
            if lines:
                part = Part(first=first, counts=counts, lines=lines, codes=codes, contact_ids=contact_ids)
                part.store(connection, self._run.job.id)
            checkpoint["joined"] += merged.new_members
            checkpoint["stayed"] += merged.old_members

        if staged.staged:
            self._merge.lock(connection, alone=self._alone > 0)
            self._merge.apply(connection, now(), keep)
        else:
            keep(NOTHING)
        if refused:
            self._reject(connection, lines, refused)
        chunk.count(**counts)
        if staged.repaired:
            chunk.count(**{REPAIRED: staged.repaired})
        checkpoint |= counted(checkpoint, self._attributes, staged.misfits, lines)
        checkpoint |= with_surplus(checkpoint, staged.surplus, lines)
        done = checkpoint["done"] + len(lines)
        chunk.checkpoint = checkpoint | {"done": done, "complete": staged.done, "at": system_now().timestamp()}

    def _reject(self, connection: Connection, lines: list[int], refused: list[Rejection]) -> None:
        account_id, erased = self._run.job.account_id, dict[str, datetime]()
        if has_erased(connection, account_id):
            texts = {text for _, _, fields in refused for text in fields if "@" in text}
            erased = erased_among(connection, account_id, set().union(*map(keys_in, texts)))

        def kept(fields: list[str]) -> list[str]:
            """Drop the fields of a row about a deleted contact, whatever the reason of its rejection."""
            named = erased and any(erased.keys() & keys_in(text) for text in fields if "@" in text)
            return [] if named else fields

        rows = [
            (self._run.job.id, lines[position], reason, json.dumps(kept(fields)))
            for position, reason, fields in refused
        ]
        insert_rows(connection, rejected_rows, ("job_id", "line", "reason", "fields"), rows)

    def _require_list(self, chunk: Chunk) -> int:
        """Return the present number of members of the list, 0 without a list. Raises JobFailed if it was deleted."""
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
        for each in misfits_of(self._run.job):
            how = "cut" if each.cut else "dropped"
            log.warning(
                "import %d: %d values %s for attribute %d", self._run.job.id, each.values, how, each.attribute_id
            )
        if surplus := surplus_of(self._run.job):
            log.warning("import %d: values beyond the last heading dropped in %d rows", self._run.job.id, surplus.rows)
