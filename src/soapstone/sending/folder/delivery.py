"""Delivery as files, through drafts, while no SMTP server is configured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from soapstone.clock import now
from soapstone.jobs.queue import Jobs
from soapstone.jobs.run import Cancelled, Chunk, JobFailed, LeaseLost, Paused, Run, Snooze, Stopped
from soapstone.sending import ledger
from soapstone.sending.final_check import FinalCheck
from soapstone.sending.folder.bucket_outbox import BucketOutbox
from soapstone.sending.folder.mail_store import BucketMailStore, MailStore
from soapstone.sending.folder.outbox import Outbox, jobs_with_drafts
from soapstone.sending.ledger import Recipient
from soapstone.sending.mail.builder import MailBuilder
from soapstone.sending.messages.message import MergedTooLarge
from soapstone.sending.simulator import ACCEPTED, Simulator, reply_to
from soapstone.sending.smtp import delivery_log
from soapstone.sending.smtp.replies import Outcome, Stage, classify, enhanced_code
from soapstone.sending.smtp.retries import Retries, after
from soapstone.store.database import Database
from soapstone.store.tables import deliveries
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import FinalResult, record_results

# Mails built, and mails sent, in one chunk.
BUILD_MAILS = 250
SEND_MAILS = 250
# Phases of a checkpoint: building and sending.
_PHASES = ("build", "hand")


_Step = Callable[[Chunk, Sequence[Recipient]], None]


def _nothing(chunk: Chunk, batch: Sequence[Recipient]) -> None:
    """Do nothing before or after a move."""


def _note_failed(failed: Mapping[int, str], chunk: Chunk, batch: Sequence[Recipient]) -> None:
    """Note the mails of a batch that cannot be built."""
    ledger.fail(chunk, failed)


class FolderTransport:
    """Delivers sends as files into `mail`, a folder through `drafts` on the same file system, or into a bucket.

    With a `simulator`, addresses of its domain refuse mails, or react to them.
    """

    phase = "build"

    def __init__(self, mail: Path | MailStore, drafts: Path, simulator: Simulator | None = None) -> None:
        self._mail = MailStore(mail) if isinstance(mail, Path) else mail
        self._drafts = drafts
        self._simulator = simulator

    @contextmanager
    def opened(self, run: Run) -> Iterator[None]:
        """Yield for one attempt at a send; drafts are removed at its end, unless the send goes on later."""
        outbox = self._outbox(run)
        try:
            outbox.open()
            yield
        except (Stopped, LeaseLost, Paused, Snooze, RecordsUnavailable):
            # The job goes on later, perhaps on another worker, with the same drafts.
            raise
        except Cancelled:
            outbox.clear()
            raise
        except Exception:
            self.release(run, self.phase)
            raise
        outbox.clear()

    def adopt(self, run: Run) -> None:
        """Take over an earlier attempt over SMTP."""
        if run.job.checkpoint["phase"] not in _PHASES:
            delivery_log.release(run, self.phase)

    def deliver(self, run: Run, builder: MailBuilder, final_check: FinalCheck) -> None:
        """Build all mails, then move them into the mail folder. Raises Snooze if some are to be retried."""
        FolderDelivery(run, builder, self._outbox(run), final_check, self._simulator).deliver()

    def release(self, run: Run, phase: str) -> None:
        """Remove the drafts: mails not in the mail folder go out later, perhaps over another transport.

        `phase` is that transport's first one.
        """
        checkpoint = run.job.checkpoint
        if checkpoint.get("phase") in _PHASES:
            first, last = checkpoint["first"], checkpoint["last"]
            with run.chunk() as chunk:
                these = ledger.within(run.job.id, first - 1, last)
                chunk.count(built=-ledger.move(chunk, these, "built", "chosen"))
                chunk.checkpoint = {**checkpoint, "phase": phase, "place": first - 1}
        self._outbox(run).clear()

    def sweep(self, database: Database) -> None:
        """Remove drafts of jobs that were ended while not running."""
        for job_id in jobs_with_drafts(self._drafts):
            job = Jobs(database).get(None, job_id)
            if job is None or job.over:
                Outbox(self._mail.folder, self._drafts, job_id, 0).clear()

    def _outbox(self, run: Run) -> Outbox:
        given = self._drafts, run.job.id, run.job.attempt
        if isinstance(self._mail, BucketMailStore):
            return BucketOutbox(self._mail, *given)
        return Outbox(self._mail.folder, *given)


class FolderDelivery:
    """One attempt at sending the mails of one send whose recipients are chosen.

    Each chunk is stored with its results; files may be ahead of the records by one chunk, never behind.
    """

    def __init__(
        self,
        run: Run,
        builder: MailBuilder,
        outbox: Outbox,
        final_check: FinalCheck,
        simulator: Simulator | None = None,
    ) -> None:
        self._run = run
        self._simulator = simulator
        self._builder = builder
        self._outbox = outbox
        self._final_check = final_check
        # The first chunk of sending may have been done before, but not stored.
        self._may_be_done = self._phase == "hand"

    @property
    def _phase(self) -> str:
        return str(self._run.job.checkpoint["phase"])

    @property
    def _place(self) -> int:
        return int(self._run.job.checkpoint.get("place", 0))

    def deliver(self) -> None:
        """Build all mails, then send them. Raises Snooze if some are to be retried."""
        if self._phase == "build":
            self._build()
        if self._phase == "hand":
            self._send()
            self._try_again()

    def _build(self) -> None:
        while batch := self._builder.queued(self._place, self._run.job.checkpoint["last"], BUILD_MAILS):
            failed: dict[int, str] = {}
            for row in batch:
                try:
                    self._outbox.build(row.id, self._builder.content_for(row))
                except MergedTooLarge as error:
                    failed[row.id] = str(error)
            self._move("chosen", "built", batch, before=partial(_note_failed, failed))
        first = self._run.job.checkpoint["first"]
        ledger.step(self._run, self._run.job.steps - 1, "hand", place=first - 1)

    def _send(self) -> None:
        while batch := self._built(SEND_MAILS):
            self._outbox.settle([row.id for row in batch])
            # Within the fenced transaction, so that a job that was cancelled or taken over sends nothing.
            self._move("built", "handed", batch, before=self._send_batch, after=self._record_sent, handed_at=now())
            self._may_be_done = False

    def _send_batch(self, chunk: Chunk, batch: Sequence[Recipient]) -> None:
        if self._may_be_done and not self._outbox.builds_again:
            # A mail in neither folder was sent by the previous attempt, and moved away since.
            batch = [row for row in batch if self._outbox.has(row.id)]
        checked = self._final_check.settle(chunk, batch)
        for row in batch:
            if row.id in checked.gone:
                # The previous attempt may have sent it. Drafts are removed at the end of the send.
                self._outbox.take_back(row.id)
                continue
            address = checked.moved.get(row.id, row.email)
            if (row.id not in checked.moved and self._has_draft(row)) or self._build_again(chunk, row, address):
                self._offer(chunk, row, address)
        self._outbox.close()

    def _has_draft(self, row: Recipient) -> bool:
        """Return whether a mail need not be built again."""
        return not self._outbox.builds_again or self._outbox.has_draft(row.id)

    def _build_again(self, chunk: Chunk, row: Recipient, address: str) -> bool:
        try:
            self._outbox.build(row.id, self._builder.content_for(row, address))
        except MergedTooLarge as error:
            ledger.fail(chunk, {row.id: str(error)})
            return False
        self._outbox.settle([row.id])
        return True

    def _offer(self, chunk: Chunk, row: Recipient, address: str) -> bool:
        """Send a mail, unless the simulator refuses it; return whether it was sent."""
        if self._simulator is not None and (reply := reply_to(address, row.attempts)):
            self._note_refusal(chunk, row, reply, self._simulator.retries)
            return False
        if not self._outbox.send(row.id) and not self._may_be_done:
            raise JobFailed("Drafts of this send were removed by somebody else. Retry it to build them again.")
        if self._simulator is not None:
            self._simulator.follow_up(chunk, self._run.job, row.contact_id, address)
        return True

    def _note_refusal(self, chunk: Chunk, row: Recipient, reply: str, retries: Retries) -> None:
        code, _, text = reply.partition(" ")
        verdict = classify(int(code), enhanced_code(text), Stage.RCPT)
        standing = after(row, Outcome(verdict=verdict, stage=Stage.RCPT, reply=reply), retries, now())
        values = {"reply": reply, "attempts": standing.attempts, "next_try_at": standing.next_try_at}
        mine = deliveries.c.id == row.id
        chunk.count(**{standing.state: ledger.move(chunk, mine, row.state, standing.state, **values)})
        if standing.state == "failed":
            record_results(chunk.connection, [FinalResult(delivery_id=row.id, refusal=of_reply(reply))])

    def _record_sent(self, chunk: Chunk, batch: Sequence[Recipient]) -> None:
        """Record the mails of a batch that were sent."""
        query = select(deliveries.c.id).where(
            deliveries.c.id.in_([row.id for row in batch]), deliveries.c.state == "handed"
        )
        self._record(chunk, chunk.connection.execute(query.order_by(deliveries.c.id)).scalars().all())

    def _record(self, chunk: Chunk, sent: Sequence[int]) -> None:
        """Record mails as sent, with what the simulator's recipients do next."""
        record_results(chunk.connection, [FinalResult(delivery_id=number) for number in sent])
        if self._simulator is not None:
            self._simulator.react(chunk, sent, self._builder.tracking)

    def _try_again(self) -> None:
        """Retry the mails that are due. Raises Snooze if others are due later."""
        while batch := self._builder.due(now(), SEND_MAILS):
            with self._run.chunk() as chunk:
                for row in batch:
                    chunk.count(**{row.state: -1})
                checked = self._final_check.settle(chunk, batch)
                for row in batch:
                    address = checked.moved.get(row.id, row.email)
                    if row.id in checked.gone or not self._build_again(chunk, row, address):
                        continue
                    if self._offer(chunk, row, address):
                        values = {"attempts": row.attempts + 1, "reply": ACCEPTED, "next_try_at": None}
                        mine = deliveries.c.id == row.id
                        ledger.move(chunk, mine, row.state, "handed", handed_at=now(), **values)
                        chunk.count(handed=1)
                        self._record(chunk, [row.id])
                self._outbox.close()
        query = select(func.min(deliveries.c.next_try_at)).where(deliveries.c.job_id == self._run.job.id)
        with self._run.database.read() as connection:
            due = connection.execute(query).scalar_one()
        if due is not None:
            raise Snooze(due - now(), "The mail server asked to try some recipients again later.")

    def _built(self, limit: int) -> Sequence[Recipient]:
        return self._builder.built(self._place, self._run.job.checkpoint["last"], limit)

    def _move(
        self,
        old: str,
        new: str,
        batch: Sequence[Recipient],
        *,
        before: _Step = _nothing,
        after: _Step = _nothing,
        **values: Any,
    ) -> None:
        with self._run.chunk() as chunk:
            before(chunk, batch)
            these = ledger.within(self._run.job.id, self._place, batch[-1].id)
            chunk.count(**{new: ledger.move(chunk, these, old, new, **values)})
            after(chunk, batch)
            chunk.checkpoint = {**chunk.checkpoint, "place": batch[-1].id}
