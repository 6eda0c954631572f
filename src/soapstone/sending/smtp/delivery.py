"""Delivery over SMTP: runs schedule, clients and delivery log of one attempt at a send."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import NamedTuple

from soapstone.backoff import backoff
from soapstone.clock import now
from soapstone.jobs.run import JobFailed, LeaseLost, Run, Snooze
from soapstone.sending.final_check import Checked, FinalCheck
from soapstone.sending.folder.delivery import FolderTransport
from soapstone.sending.ledger import Recipient
from soapstone.sending.mail.builder import MailBuilder
from soapstone.sending.messages.message import MergedTooLarge
from soapstone.sending.smtp.availability import Availability
from soapstone.sending.smtp.client import Finished, Idle, Refused, Report, Reports, Resting, SmtpClient
from soapstone.sending.smtp.connection import Envelope
from soapstone.sending.smtp.delivery_log import DeliveryLog, Result, adopt
from soapstone.sending.smtp.replies import UNTOUCHED, Outcome, Stage, Verdict
from soapstone.sending.smtp.scheduling import Schedule
from soapstone.sending.smtp.server import SmtpServer
from soapstone.store.transient_errors import RecordsUnavailable

log = logging.getLogger(__name__)

# Most seconds that the first replies wait for others, so that one commit stores them all.
LONGEST_GATHERING = 0.02
# With a journal: the share of a batch that is left when the next one is taken. No mail goes out during the commit, and
# a commit costs the same for few mails and for many.
REFILL = 16
# With a journal: results that wait for a commit, and seconds for which they do.
MOST_RESULTS, COMMIT_PAUSE = 500, 0.25
# Seconds after which mails in hand are checked again in any case.
LONGEST_TRUST = 1.5
# Seconds into a commit, which then mostly waits for the disk, after which mails are built beside it.
COMMIT_START = 0.001
# With a journal: seconds within which a batch goes out, in the end.
BATCH_SECONDS = 1.0
# Most seconds that an idle send waits in its run; for longer waits it goes back to the queue.
SHORT_WAIT = 3.0
# Renew the lease and check for cancellation at least this often (seconds).
LOOK_PAUSE = 1.0
# Seconds that mails under way may take when the send stops.
GRACE = 10.0
# Seconds that the send goes back to the queue if the server accepts nothing: at first (doubled each further time), and
# at most.
LONG_PAUSE = 20.0
LONGEST_PAUSE = 900.0
# Seconds without a try after which the server no longer counts as continuously unavailable.
LONGEST_GAP = 2 * LONGEST_PAUSE


class SmtpTransport:
    """Delivers sends over SMTP. `folder` releases sends begun before a server was configured."""

    phase = "mail"

    def __init__(self, server: SmtpServer, folder: FolderTransport) -> None:
        self._server = server
        self._folder = folder

    def opened(self, run: Run) -> AbstractContextManager[None]:
        """Return a context manager for one attempt at a send."""
        return nullcontext()

    def adopt(self, run: Run) -> None:
        """Take over an earlier attempt, by this transport or the other one."""
        if run.job.checkpoint["phase"] != self.phase:
            self._folder.release(run, self.phase)
        adopt(run, self._server.retries)

    def deliver(self, run: Run, builder: MailBuilder, final_check: FinalCheck) -> None:
        """Send all due mails. Raises Snooze if others are due later, JobFailed if the server refuses us.

        Exceptions of the run's chunks pass through once the results of mails under way are stored.
        """
        # On PostgreSQL a connection that broke is replaced between two chunks.
        held = run.connected() if run.database.kind == "sqlite" else nullcontext()
        with held, self._server.shared(), asyncio.Runner(loop_factory=self._server.loop_factory) as runner:
            runner.run(SmtpDelivery(run, builder, self._server, final_check).run())


class InHand(NamedTuple):
    """A mail that is taken for sending: its recipient, the address if it has changed, and when that was checked."""

    row: Recipient
    email: str
    checked_at: float


class SmtpDelivery:
    """One attempt at sending the mails of one send whose recipients are chosen.

    Mails are taken in batches, each in one commit with its final check. Clients get them one after another, as long as
    nobody else changes the database; then the rest is checked again.
    """

    def __init__(self, run: Run, builder: MailBuilder, server: SmtpServer, final_check: FinalCheck) -> None:
        self._run = run
        self._builder = builder
        self._server = server
        # It reads the records. The log has a file open, which the end of `run` closes.
        self._schedule = Schedule(run, builder, server.rates)
        self._log = DeliveryLog(run, final_check, server.retries)
        self._availability = Availability(run.job.checkpoint.get("refused_for"))
        self._reports = Reports(self._hear)
        self._clients: list[SmtpClient] = []
        self._idle: deque[SmtpClient] = deque()
        self._in_hand: deque[InHand] = deque()
        # Numbers of the mails that clients are sending.
        self._sending: set[int] = set()
        # Results that are not in the log yet.
        self._results: list[Result] = []
        # Mails of a commit that got no answer: they are taken, or not.
        self._doubtful: Sequence[Recipient] = ()
        # Duration of the last commit, in seconds, and the loop's time of its end.
        self._commit_seconds = self._committed_at = 0.0
        self._is_committing = False
        # Whether mails in hand must be checked again.
        self._is_stale = False
        # Mails in one batch, if a journal allows more than one for each idle client.
        self._batch = server.share
        # Mails built ahead, by recipient.
        self._built: dict[int, Envelope] = {}
        # An error of a client's task, which ends the attempt.
        self._error: Exception | None = None

    async def run(self) -> None:
        """Send all due mails."""
        try:
            while await self._turn():
                pass
            await self._commit(durable=True)
        finally:
            await self._end()

    async def _turn(self) -> bool:
        """Store results and take what is due; False if nothing is left to do in this run."""
        schedule, server = self._schedule, self._server
        self._raise_error()
        self._hire()
        finished = [result.row.id for result in self._results]
        await schedule.fill(is_idle=bool(self._idle), finished=finished)
        if self._is_stale and not await self._check_again():
            await self._exchange([], again=True)
            return True
        taken = schedule.take(self._most())
        wait = schedule.wait
        if taken or self._must_commit():
            was_put_back = await self._exchange(taken)
            if taken or was_put_back:
                return True
        # First handle replies that arrived during the commit: they may set the next retry.
        if self._availability.refusal:
            raise JobFailed(f"The SMTP server {server.address.shown} refuses to work: {self._availability.refusal}")
        if schedule.is_empty and not (self._results or schedule.under_way):
            if schedule.next_due is None:
                return False
            wait = (schedule.next_due - now()).total_seconds()
            if wait > SHORT_WAIT:
                raise Snooze(timedelta(seconds=wait), "The SMTP server asked to try some recipients again later.")
        self._check_server()
        if self._in_hand:
            await self._reports.wait(max(0.0, self._commit_due() - asyncio.get_running_loop().time()))
            return True
        may_go = self._idle and not schedule.is_empty and len(self._sending) < server.share
        if not self._results and (not may_go or wait > 0):
            seconds = min(LOOK_PAUSE, max(0.005, wait)) if wait else LOOK_PAUSE
            if not await self._reports.wait(seconds):
                await self._commit()
        if self._results and self._sending:
            # Wait for imminent replies, no longer than another commit would take.
            seconds = min(self._commit_seconds, LONGEST_GATHERING)
            await self._reports.wait(seconds, finished=len(self._sending))
        return True

    def _raise_error(self) -> None:
        journal = self._log.journal
        if error := self._error or (journal and journal.trouble):
            raise error

    def _hear(self, report: Report) -> bool:
        """Take note of a client's report, and give it its next mail; return whether a turn is needed."""
        match report:
            case Idle(client):
                self._idle.append(client)
                self._serve()
                return bool(self._idle) or self._is_stale or len(self._in_hand) == self._batch // REFILL
            case Finished(row, outcome):
                self._sending.remove(row.id)
                self._schedule.under_way.remove(row.id)
                outcome = self._availability.judge(row.id, outcome, self._sending)
                self._results.append(Result(row, outcome, now()))
                return not self._in_hand or len(self._results) >= MOST_RESULTS or bool(self._availability.refusal)
            case Refused(why):
                self._availability.refuse(why)
            case Resting(why):
                self._availability.rest(why, asyncio.get_running_loop().time())
        return True

    def _hire(self) -> None:
        """Start clients up to this send's share; a single one if the server accepted nothing before."""
        wanted = self._server.share if self._availability.works or not self._log.rests else 1
        while len(self._clients) < wanted:
            self._clients.append(SmtpClient(self._reports, self._server))

    def _most(self) -> int:
        """Return how many mails may be taken now."""
        if self._availability.refusal or not (self._idle or self._sending):
            return 0
        if self._log.journal is None:
            return max(0, min(len(self._idle), self._server.share - len(self._sending)) - len(self._in_hand))
        if len(self._in_hand) > self._batch // REFILL and not self._must_commit():
            return 0
        return max(0, self._batch - len(self._in_hand))

    def _must_commit(self) -> bool:
        if not self._in_hand or len(self._results) >= MOST_RESULTS:
            return bool(self._results)
        return asyncio.get_running_loop().time() >= self._commit_due()

    def _commit_due(self) -> float:
        return self._committed_at + (COMMIT_PAUSE if self._results else LOOK_PAUSE)

    def _serve(self, *, just_checked: bool = False) -> None:
        """Give the mails in hand to idle clients, as far as they may go out now.

        If all of them were `just_checked`, each idle client gets one whatever others have changed since: on a busy
        server there is always something.
        """
        while self._idle and self._in_hand and self._may_send(just_checked=just_checked):
            mail = self._in_hand.popleft()
            row, journal = mail.row, self._log.journal
            try:
                envelope = self._built.pop(row.id, None) or self._builder.envelope(row, mail.email)
            except MergedTooLarge as error:
                self._give_up(row, str(error))
            except Exception as error:
                # It would end the client's task alone.
                self._in_hand.appendleft(mail)
                self._error = error
                self._reports.wake()
            else:
                self._sending.add(row.id)
                self._idle.popleft().send(row, envelope, mail.checked_at, journal)

    def _may_send(self, *, just_checked: bool) -> bool:
        if self._is_committing or self._is_stale or self._error or self._availability.refusal:
            return False
        if len(self._sending) >= self._server.share:
            return False
        if self._log.journal is None or just_checked:
            return True
        age = asyncio.get_running_loop().time() - self._in_hand[0].checked_at
        self._is_stale = age > LONGEST_TRUST or not self._log.is_current()
        return not self._is_stale and self._log.journal.trouble is None

    async def _check_again(self) -> bool:
        """Check the mails in hand again without a change of the records; return whether nothing was different.

        Each idle client gets one of them then, even if the records have changed since.
        """
        moment, rows = asyncio.get_running_loop().time(), [mail.row for mail in self._in_hand]
        moved = {mail.row.id: mail.email for mail in self._in_hand if mail.email}
        if not await asyncio.to_thread(self._log.holds, rows, moved):
            return False
        self._in_hand = deque(mail._replace(checked_at=moment) for mail in self._in_hand)
        self._is_stale = False
        self._serve(just_checked=True)
        return True

    async def _exchange(self, taken: Sequence[Recipient], *, again: bool = False) -> bool:
        """Store results and what goes out, and serve the clients. Return whether any recipient was put back.

        With `again` the mails in hand are checked, too.
        """
        loop, came_back, since = asyncio.get_running_loop(), self._results[:], self._committed_at
        checking = [*self._in_hand] if again else []
        checked = await self._commit(taken, again=[mail.row for mail in checking])
        checked_at = loop.time() - checked.age
        if again:
            self._in_hand.clear()
            self._is_stale = False
        for row in [*(mail.row for mail in checking), *taken]:
            if row.id in checked.gone or row.id in checked.moved:
                self._built.pop(row.id, None)
            if row.id in checked.gone:
                self._schedule.under_way.remove(row.id)
            else:
                self._in_hand.append(InHand(row, checked.moved.get(row.id, ""), checked_at))
        returned = _returned(came_back)
        for row, outcome, _ in returned:
            self._schedule.put_back(row, last=outcome.verdict is Verdict.REFUSES_SENDER)
        if taken:
            soon = BATCH_SECONDS * len(came_back) / max(loop.time() - since, 0.001)
            self._batch = int(min(self._schedule.most, 2 * self._batch, max(self._server.share, soon)))
        self._serve()
        return bool(returned)

    def _give_up(self, row: Recipient, why: str) -> None:
        """Record that no mail can be built for a recipient (who may have an earlier one if uncertain)."""
        self._schedule.under_way.remove(row.id)
        verdict = Verdict.UNKNOWN if row.state == "uncertain" else Verdict.FAILED
        self._results.append(Result(row, Outcome(verdict=verdict, stage=Stage.MAIL, reply=why), now()))

    async def _commit(
        self,
        taken: Sequence[Recipient] = (),
        *,
        again: Sequence[Recipient] = (),
        last_words: bool = False,
        durable: bool = False,
    ) -> Checked:
        """Commit; meanwhile build the mails that go out next."""
        loop = asyncio.get_running_loop()
        began, results = loop.time(), self._results[:]
        returned = [result.row.id for result in _returned(results)]
        ended = [result.row.id for result in results]
        settled = {row.id for row in taken} | set(ended).difference(returned)
        availability, journal = self._availability, self._log.journal
        if journal is not None:
            journal.begin([row.id for row in taken])
        # A retried send gets a fresh judgement: the cause may be fixed.
        refused_for = None if availability.refusal else availability.refused_for
        progress = self._schedule.progress(settled, returned, len(self._in_hand))
        commit = partial(self._log.commit, again=again, refused_for=refused_for, last_words=last_words, durable=durable)
        self._is_committing = True
        try:
            storing = loop.run_in_executor(None, copy_context().run, commit, results, taken, progress)
            if taken or results:
                await self._build_ahead(storing, taken)
            checked = await storing
        except RecordsUnavailable as error:
            self._doubtful = () if error.undone else taken
            raise
        finally:
            self._is_committing = False
        self._committed_at = loop.time()
        self._commit_seconds = self._committed_at - began
        self._schedule.commit(settled)
        del self._results[: len(results)]
        if journal is not None:
            journal.settle(ended)
        if any(outcome.verdict not in (Verdict.ACCEPTED, Verdict.FAILED) for _, outcome, _ in results):
            await asyncio.to_thread(self._schedule.look_ahead)
        return checked

    async def _build_ahead(self, storing: asyncio.Future[Checked], taken: Sequence[Recipient]) -> None:
        share = self._server.share
        mails = chain(((mail.row, mail.email) for mail in self._in_hand), ((row, "") for row in taken))
        try:
            await asyncio.wait((storing,), timeout=COMMIT_START)
            for row, email in chain(mails, ((row, "") for row in self._schedule.upcoming(share))):
                if storing.done() or len(self._built) >= 2 * share:
                    break
                if row.id not in self._built:
                    self._built[row.id] = self._builder.envelope(row, email)
                    await asyncio.sleep(0)
        except Exception:
            # It fails again at this mail's turn, where the failure is handled.
            log.debug("a mail could not be built ahead", exc_info=True)

    async def _end(self) -> None:
        """Wait briefly for mails under way, store their results, and put back what is still in hand."""
        self._is_stale = True
        for client in self._clients:
            client.dismiss()
        tasks = [client.task for client in self._clients]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        not_sent, moment = Outcome(verdict=Verdict.BUSY, stage=Stage.MAIL, reply=""), now()
        self._results += [
            Result(row, not_sent, moment) for row in (*(each.row for each in self._in_hand), *self._doubtful)
        ]
        self._in_hand.clear()
        try:
            if self._results or self._log.is_open:
                await self._commit(last_words=True, durable=True)
        except LeaseLost:
            # The attempt that took over has read the journal, or marked them as uncertain.
            log.warning("job %d: %d replies came too late", self._run.job.id, len(self._results))
        finally:
            self._log.close()

    def _check_server(self) -> None:
        """Requeue the send if the server has accepted nothing for a while; at once if it was requeued before."""
        rests, availability = self._log.rests, self._availability
        if self._sending or self._idle:
            return
        if not availability.is_away(asyncio.get_running_loop().time(), was_away=rests > 0):
            return
        trouble = f"The SMTP server {self._server.address.shown} takes no mail now: {availability.trouble}."
        if not self._log.rest(LONGEST_GAP):
            raise JobFailed(f"{trouble} What is left goes out when the send is retried.")
        pause = self._server.jittered(backoff(rests + 1, LONG_PAUSE, LONGEST_PAUSE))
        raise Snooze(timedelta(seconds=pause), f"{trouble} The send goes on by itself.")


def _returned(results: Sequence[Result]) -> list[Result]:
    """Return first attempts that the server never heard of; they are committed as chosen again."""
    return [result for result in results if result.outcome.verdict in UNTOUCHED and result.row.state == "chosen"]
