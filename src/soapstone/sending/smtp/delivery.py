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
from typing import Any, NamedTuple

from sqlalchemy import Row

from soapstone.backoff import backoff
from soapstone.clock import now
from soapstone.jobs.run import JobFailed, LeaseLost, Run, Snooze
from soapstone.sending.final_check import Checked, FinalCheck
from soapstone.sending.folder.delivery import FolderTransport
from soapstone.sending.mail.builder import MailBuilder
from soapstone.sending.messages.message import MergedTooLarge
from soapstone.sending.smtp.availability import Availability
from soapstone.sending.smtp.client import Finished, Idle, Refused, Reports, Resting, SmtpClient
from soapstone.sending.smtp.connection import Envelope
from soapstone.sending.smtp.delivery_log import DeliveryLog, Result, adopt
from soapstone.sending.smtp.replies import UNTOUCHED, Outcome, Stage, Verdict
from soapstone.sending.smtp.scheduling import Schedule
from soapstone.sending.smtp.server import SmtpServer

log = logging.getLogger(__name__)

# Most seconds that the first replies wait for others, so that one commit stores them all.
LONGEST_GATHERING = 0.02
# Seconds into a commit, which then mostly waits for the disk, after which mails are built beside it.
COMMIT_START = 0.001
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
        delivery = SmtpDelivery(run, builder, self._server, final_check)
        with self._server.shared(), asyncio.Runner(loop_factory=self._server.loop_factory) as runner:
            runner.run(delivery.run())


class Assignment(NamedTuple):
    """A client and the mail that it sends next."""

    client: SmtpClient
    row: Row[Any]
    envelope: Envelope


class SmtpDelivery:
    """One attempt at sending the mails of one send whose recipients are chosen."""

    def __init__(self, run: Run, builder: MailBuilder, server: SmtpServer, final_check: FinalCheck) -> None:
        self._run = run
        self._builder = builder
        self._server = server
        self._log = DeliveryLog(run, final_check, server.retries)
        self._schedule = Schedule(run, builder, server.rates)
        self._availability = Availability(run.job.checkpoint.get("refused_for"))
        self._reports = Reports()
        self._clients: list[SmtpClient] = []
        self._idle: deque[SmtpClient] = deque()
        # Results that are not in the log yet.
        self._results: list[Result] = []
        # Duration of the last commit, in seconds.
        self._commit_seconds = 0.0
        # Mails built ahead, by recipient.
        self._built: dict[int, Envelope] = {}

    async def run(self) -> None:
        """Send all due mails."""
        try:
            while await self._turn():
                pass
            await self._commit(durable=True)
        finally:
            await self._end()

    async def _turn(self) -> bool:
        """Store results and send what is due; False if nothing is left to do in this run."""
        schedule, server = self._schedule, self._server
        self._take_reports()
        self._hire()
        finished = [result.row.id for result in self._results]
        await schedule.fill(is_idle=bool(self._idle), finished=finished)
        self._take_reports()
        assigned = self._assign()
        wait = schedule.wait
        if self._results or assigned:
            was_put_back = await self._exchange(assigned)
            if assigned or was_put_back:
                return True
        # First handle replies that arrived during the commit: they may set the next retry.
        self._take_reports()
        if self._availability.refusal:
            raise JobFailed(f"The SMTP server {server.address.shown} refuses to work: {self._availability.refusal}")
        if schedule.is_empty and not (self._results or schedule.under_way):
            if schedule.next_due is None:
                return False
            wait = (schedule.next_due - now()).total_seconds()
            if wait > SHORT_WAIT:
                raise Snooze(timedelta(seconds=wait), "The SMTP server asked to try some recipients again later.")
        self._check_server()
        may_go = self._idle and not schedule.is_empty and len(schedule.under_way) < server.share
        if not self._results and (not may_go or wait > 0):
            if not await self._reports.wait(min(LOOK_PAUSE, max(0.005, wait)) if wait else LOOK_PAUSE):
                await self._commit()
            self._take_reports()
        if self._results and schedule.under_way:
            # Wait for imminent replies, no longer than another commit would take.
            seconds = min(self._commit_seconds, LONGEST_GATHERING)
            await self._reports.wait(seconds, finished=len(schedule.under_way))
        return True

    def _take_reports(self) -> None:
        for report in self._reports.take():
            match report:
                case Idle(client):
                    self._idle.append(client)
                case Finished(row, outcome):
                    self._schedule.under_way.remove(row.id)
                    outcome = self._availability.judge(row.id, outcome, self._schedule.under_way)
                    self._results.append(Result(row, outcome))
                case Refused(why):
                    self._availability.refuse(why)
                case Resting(why):
                    self._availability.rest(why, asyncio.get_running_loop().time())

    def _hire(self) -> None:
        """Start clients up to this send's share; a single one if the server accepted nothing before."""
        wanted = self._server.share if self._availability.works or not self._log.rests else 1
        while len(self._clients) < wanted:
            self._clients.append(SmtpClient(self._reports, self._server))

    def _assign(self) -> list[Assignment]:
        """Assign the next mails to idle clients."""
        assigned = []
        free = min(len(self._idle), self._server.share - len(self._schedule.under_way))
        most = free if not self._availability.refusal else 0
        for row in self._schedule.take(most):
            try:
                envelope = self._built.pop(row.id, None) or self._builder.envelope(row)
            except MergedTooLarge as error:
                self._give_up(row, str(error), begun=False)
            else:
                assigned.append(Assignment(self._idle.popleft(), row, envelope))
        return assigned

    async def _exchange(self, assigned: Sequence[Assignment]) -> bool:
        """Store results and what goes out; send the latter. Return whether any recipient was put back."""
        came_back = self._results[:]
        checked = await self._commit(assigned)
        checked_at = asyncio.get_running_loop().time() - checked.age
        for client, row, envelope in assigned:
            if row.id in checked.gone:
                self._schedule.under_way.remove(row.id)
                self._idle.append(client)
                continue
            if row.id in checked.moved:
                try:
                    envelope = self._builder.envelope(row, checked.moved[row.id])
                except MergedTooLarge as error:
                    self._give_up(row, str(error))
                    self._idle.append(client)
                    continue
            client.send(row, envelope, checked_at)
        returned = _returned(came_back)
        for row, outcome, _ in returned:
            self._schedule.put_back(row, last=outcome.verdict is Verdict.REFUSES_SENDER)
        return bool(returned)

    def _give_up(self, row: Row[Any], why: str, *, begun: bool = True) -> None:
        """Record that no mail can be built for a recipient (who may have an earlier one if uncertain)."""
        self._schedule.under_way.remove(row.id)
        verdict = Verdict.UNKNOWN if row.state == "uncertain" else Verdict.FAILED
        self._results.append(Result(row, Outcome(verdict=verdict, stage=Stage.MAIL, reply=why), begun))

    async def _commit(
        self, assigned: Sequence[Assignment] = (), *, last_words: bool = False, durable: bool = False
    ) -> Checked:
        """Commit; meanwhile build the mails that go out next."""
        loop = asyncio.get_running_loop()
        began, results, beginning = loop.time(), self._results[:], [row for _, row, _ in assigned]
        returned = [result.row.id for result in _returned(results)]
        settled = {row.id for row in beginning} | {result.row.id for result in results}.difference(returned)
        availability = self._availability
        # A retried send gets a fresh judgement: the cause may be fixed.
        refused_for = None if availability.refusal else availability.refused_for
        progress = self._schedule.progress(settled, returned)
        commit = partial(self._log.commit, refused_for=refused_for, last_words=last_words, durable=durable)
        storing = loop.run_in_executor(None, copy_context().run, commit, results, beginning, progress)
        if assigned or results:
            await self._build_ahead(storing)
        checked = await storing
        self._commit_seconds = loop.time() - began
        self._schedule.commit(settled)
        del self._results[: len(results)]
        if any(outcome.verdict not in (Verdict.ACCEPTED, Verdict.FAILED) for _, outcome, _ in results):
            await asyncio.to_thread(self._schedule.look_ahead)
        return checked

    async def _build_ahead(self, storing: asyncio.Future[Checked]) -> None:
        share = self._server.share
        try:
            await asyncio.wait((storing,), timeout=COMMIT_START)
            for row in self._schedule.upcoming(share):
                if storing.done() or len(self._built) >= share:
                    break
                if row.id not in self._built:
                    self._built[row.id] = self._builder.envelope(row)
                    await asyncio.sleep(0)
        except Exception:
            # It fails again at this mail's turn, where the failure is handled.
            log.debug("a mail could not be built ahead", exc_info=True)

    async def _end(self) -> None:
        """Wait briefly for mails under way, and store their results."""
        for client in self._clients:
            client.dismiss()
        tasks = [client.task for client in self._clients]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._take_reports()
        if self._results or self._log.reserved:
            try:
                await self._commit(last_words=True, durable=True)
            except LeaseLost:
                # The attempt that took over has marked them as uncertain.
                log.warning("job %d: %d replies came too late", self._run.job.id, len(self._results))

    def _check_server(self) -> None:
        """Requeue the send if the server has accepted nothing for a while; at once if it was requeued before."""
        rests, availability = self._log.rests, self._availability
        if self._schedule.under_way or self._idle:
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
