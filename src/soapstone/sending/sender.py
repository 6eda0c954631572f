"""The work of a send: file read, recipients chosen, mails built, all handed over (lk-90).

Where it stands is in the job's checkpoint: a `phase` (read, choose, build, hand) and how far that is. Each chunk is
stored with what it did; drafts and mails may be ahead of the records by one chunk, never behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Row, select
from sqlalchemy.exc import OperationalError

from soapstone.imports.records import Place
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Cancelled, JobFailed, Run, Runner, Stopped, Superseded
from soapstone.lists.profiles import Profiles
from soapstone.sending import ledger
from soapstone.sending.audience import Audience
from soapstone.sending.builder import MailBuilder
from soapstone.sending.mailbox import is_mailbox
from soapstone.sending.message import InvalidMessage
from soapstone.sending.outbox import Outbox, jobs_with_drafts
from soapstone.sending.send import SEND_TO_FILE, SEND_TO_LIST, known_names
from soapstone.sending.supplied_file import FileForm, InvalidFile, SuppliedFile
from soapstone.store.database import Database
from soapstone.store.instants import now
from soapstone.store.tables import deliveries

Item = TypeVar("Item")

# Rows of a file between two signs of life; people judged, mails built and mails handed over in one chunk.
READ_ROWS = 20_000
CHOOSE_ROWS = 1_000
BUILD_MAILS = 250
HAND_MAILS = 250


class Sender:
    """Runs sends; mails go as files into the folder `mail`, by way of the folder `drafts` on the same file system."""

    def __init__(self, database: Database, mail: Path, drafts: Path) -> None:
        self._database = database
        self._mail = mail
        self._drafts = drafts

    @property
    def runners(self) -> dict[str, Runner]:
        """Kind of job → its runner."""
        return {SEND_TO_LIST: self.run_list, SEND_TO_FILE: self.run_file}

    def run_list(self, run: Run) -> None:
        """Run a Send to List."""
        self._run(run, None)

    def run_file(self, run: Run) -> None:
        """Run a Send to File."""
        self._run(run, FileForm(**run.job.request["file"]))

    def sweep(self) -> None:
        """Remove drafts that jobs left behind which were ended while nobody ran them."""
        for job_id in jobs_with_drafts(self._drafts):
            job = Jobs(self._database).get(None, job_id)
            if job is None or job.over:
                Outbox(self._mail, self._drafts, job_id, 0).clear()

    def _run(self, run: Run, form: FileForm | None) -> None:
        self.sweep()
        outbox = Outbox(self._mail, self._drafts, run.job.id, run.job.attempt)
        try:
            outbox.open()
            _Send(run, outbox, form).go_on()
        except (Stopped, Superseded, OperationalError):
            # The job goes on later, perhaps elsewhere, with the drafts as they are.
            raise
        except Cancelled:
            outbox.clear()
            raise
        except Exception:
            _forget_drafts(run)
            outbox.clear()
            raise
        outbox.clear()


class _Send:
    """One attempt at one send."""

    def __init__(self, run: Run, outbox: Outbox, form: FileForm | None) -> None:
        self._run = run
        self._outbox = outbox
        self._form = form
        self._message_id: int = run.job.request["message_id"]
        self._audience = Audience(run.database, run.job, self._message_id)
        self._builder = MailBuilder(run.database, run.job, self._message_id)
        # The first chunk of handing over may have been done before without being stored.
        self._may_be_done = self._phase == "hand"

    @property
    def _phase(self) -> str:
        return str(self._run.job.checkpoint.get("phase", "choose" if self._form is None else "read"))

    @property
    def _place(self) -> int:
        return int(self._run.job.checkpoint.get("place", 0))

    def go_on(self) -> None:
        if self._form is not None and self._phase in ("read", "choose"):
            self._take_from_file(self._form)
        if self._phase == "choose":
            self._choose_members()
        if self._phase == "build":
            self._build()
        if self._phase == "hand":
            self._hand()

    def _take_from_file(self, form: FileForm) -> None:
        blob = self._run.job.blob
        assert blob is not None  # noqa: S101 - no Send to File is submitted without one
        try:
            file = SuppliedFile(self._run.blobs.path(blob), form)
            if self._phase == "read":
                self._read(file)
            if self._phase == "choose":
                self._choose_from(file)
        except (InvalidFile, InvalidMessage) as error:
            raise JobFailed(str(error)) from None

    def _read(self, file: SuppliedFile) -> None:
        """Read the whole file before anybody is mailed: a message or a file that will not do is refused here."""
        list_id = self._run.job.list_id
        assert list_id is not None  # noqa: S101 - sends have a list
        self._builder.content.check_names(known_names(Profiles(self._run.database), list_id) | file.columns)
        rows = usable = 0
        for batch in _batches(file.rows(), READ_ROWS):
            rows += len(batch)
            usable += sum(is_mailbox(row.address) and not row.flawed for row in batch)
            with self._run.chunk() as chunk:
                # Reading starts again after an interruption, so this is no sum.
                chunk.counters["rows"] = rows
        if not usable:
            raise JobFailed("The file has no row with a valid e-mail address.")
        self._step(1, "choose")

    def _choose_from(self, file: SuppliedFile) -> None:
        wanted = self._builder.content.names.keys() & file.columns
        checkpoint = self._run.job.checkpoint
        start = Place(checkpoint["place"], checkpoint["line"]) if "line" in checkpoint else None
        for batch in _batches(file.rows(start), CHOOSE_ROWS):
            rows = self._audience.judge(self._audience.strangers(batch, wanted))
            with self._run.chunk() as chunk:
                ledger.enter(chunk, rows)
                end = batch[-1].end
                chunk.checkpoint = {"phase": "choose", "place": end.offset, "line": end.line}
        self._chosen(2)

    def _choose_members(self) -> None:
        while members := self._audience.members(self._place, CHOOSE_ROWS):
            rows = self._audience.judge(members)
            with self._run.chunk() as chunk:
                ledger.enter(chunk, rows)
                chunk.checkpoint = {"phase": "choose", "place": members[-1].contact_id}
        self._chosen(1)

    def _chosen(self, step: int) -> None:
        first, last = ledger.span(self._run.database, self._run.job.id)
        self._step(step, "build", place=first - 1, first=first, last=last)

    def _build(self) -> None:
        while batch := self._builder.next(self._place, self._run.job.checkpoint["last"], BUILD_MAILS):
            for delivery_id, content in self._builder.contents(batch):
                self._outbox.build(delivery_id, content)
            self._move("chosen", "built", batch)
        self._step(self._run.job.steps - 1, "hand", place=self._run.job.checkpoint["first"] - 1)

    def _hand(self) -> None:
        while batch := self._built(HAND_MAILS):
            self._outbox.settle([row.id for row in batch])
            # Within the fenced transaction, so that a job that was cancelled or taken over hands nothing over.
            self._move("built", "handed", batch, before=self._hand_batch, handed_at=now())
            self._may_be_done = False

    def _hand_batch(self, batch: Sequence[Row[Any]]) -> None:
        for row in batch:
            # A mail that is nowhere was handed over by the attempt before and taken out of the folder since.
            if not self._outbox.hand(row.id) and not self._may_be_done:
                raise JobFailed("Drafts of this send were removed by somebody else. Retry it to build them again.")
        self._outbox.close()

    def _built(self, limit: int) -> Sequence[Row[Any]]:
        table = deliveries
        query = select(table.c.id).where(
            ledger.within(self._run.job.id, self._place, self._run.job.checkpoint["last"]), table.c.state == "built"
        )
        with self._run.database.read() as connection:
            return connection.execute(query.order_by(table.c.id).limit(limit)).all()

    def _move(
        self, old: str, new: str, batch: Sequence[Row[Any]], *, before: Any = lambda batch: None, **values: Any
    ) -> None:
        with self._run.chunk() as chunk:
            before(batch)
            these = ledger.within(self._run.job.id, self._place, batch[-1].id)
            chunk.count(**{new: ledger.move(chunk, these, old, new, **values)})
            chunk.checkpoint = {**chunk.checkpoint, "place": batch[-1].id}

    def _step(self, step: int, phase: str, **checkpoint: int) -> None:
        """A phase is complete. A send that is retried passes phases again that are counted already."""
        with self._run.chunk() as chunk:
            chunk.step = max(chunk.step, step)
            kept = {name: value for name, value in chunk.checkpoint.items() if name in ("first", "last")}
            chunk.checkpoint = {**kept, "phase": phase, "place": 0, **checkpoint}


def _forget_drafts(run: Run) -> None:
    """Before drafts are removed: mails that are built but not handed over count as chosen only, for a later retry."""
    if run.job.checkpoint.get("phase") not in ("build", "hand"):
        return
    checkpoint: Mapping[str, Any] = run.job.checkpoint
    with run.chunk() as chunk:
        these = ledger.within(run.job.id, checkpoint["first"] - 1, checkpoint["last"])
        chunk.count(built=-ledger.move(chunk, these, "built", "chosen"))
        chunk.checkpoint = {**checkpoint, "phase": "build", "place": checkpoint["first"] - 1}


def _batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, size)):
        yield batch
