"""Sends by way of an SMTP server: scheduling, clients and the delivery log of one attempt, brought together."""

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

# Seconds at most that the first replies wait for others, so that one commit tells all of them.
LONGEST_GATHERING = 0.02
# Seconds that a commit has for its own work before mails are built beside it, while it waits for the disk.
COMMIT_START = 0.001
# Seconds that a send with nothing else to do waits inside its run; for longer it goes back to the queue.
SHORT_WAIT = 3.0
# Seconds between two signs of life, each with a look whether the send is still wanted.
LOOK_PAUSE = 1.0
# Seconds that mails under way may take when the send is to stop.
GRACE = 10.0
# Seconds for which the send goes back to the queue when the server takes nothing; twice as long each further time, and
# at most.
LONG_PAUSE = 20.0
LONGEST_PAUSE = 900.0
# Seconds without a try after which it is unknown whether the server was away all the time.
LONGEST_GAP = 2 * LONGEST_PAUSE


class SmtpTransport:
    """Delivers sends to an SMTP server. `folder` knows what it had begun before there was one."""

    phase = "mail"

    def __init__(self, server: SmtpServer, folder: FolderTransport) -> None:
        self._server = server
        self._folder = folder

    def opened(self, run: Run) -> AbstractContextManager[None]:
        """Return a block for one attempt at a send."""
        return nullcontext()

    def adopt(self, run: Run) -> None:
        """Take over what an attempt before began, by this transport or by the other one."""
        if run.job.checkpoint["phase"] != self.phase:
            self._folder.release(run, self.phase)
        adopt(run, self._server.retries)

    def deliver(self, run: Run, builder: MailBuilder, final_check: FinalCheck) -> None:
        """Send all mails that are due. Raises Snooze when others are due later, JobFailed when the server wants none.

        What the run's chunks raise passes, after what happened to the mails under way was stored.
        """
        delivery = SmtpDelivery(run, builder, self._server, final_check)
        with self._server.shared(), asyncio.Runner(loop_factory=self._server.loop_factory) as runner:
            runner.run(delivery.run())


class Assignment(NamedTuple):
    """A client, and the mail that it sends next."""

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
        # What is not in the log yet.
        self._results: list[Result] = []
        # Seconds of the last commit.
        self._commit_seconds = 0.0
        # Mails that were built ahead, by recipient.
        self._built: dict[int, Envelope] = {}

    async def run(self) -> None:
        """Send all mails that are due."""
        try:
            while await self._turn():
                pass
            await self._commit(durable=True)
        finally:
            await self._end()

    async def _turn(self) -> bool:
        """Store what came back, send what may go out; False when there is nothing left to do in this run."""
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
        # Replies that came in while others were stored are looked at first: they may say when to come again.
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
            # Replies that are about to come join those that came, no later than another commit would tell them.
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
        """As many clients as are due to this send; a server that had taken nothing is tried with one."""
        wanted = self._server.share if self._availability.works or not self._log.rests else 1
        while len(self._clients) < wanted:
            self._clients.append(SmtpClient(self._reports, self._server))

    def _assign(self) -> list[Assignment]:
        """Give the next mails to the clients that are idle."""
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
        """Store what came back and what goes out; send the latter. Return whether anybody was put back."""
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
        """Note that no mail can be made for a recipient, who may have an earlier one where that is uncertain."""
        self._schedule.under_way.remove(row.id)
        verdict = Verdict.UNKNOWN if row.state == "uncertain" else Verdict.FAILED
        self._results.append(Result(row, Outcome(verdict=verdict, stage=Stage.MAIL, reply=why), begun))

    async def _commit(
        self, assigned: Sequence[Assignment] = (), *, last_words: bool = False, durable: bool = False
    ) -> Checked:
        """Commit; while that waits for the disk, build the mails that go out next."""
        loop = asyncio.get_running_loop()
        began, results, beginning = loop.time(), self._results[:], [row for _, row, _ in assigned]
        returned = [result.row.id for result in _returned(results)]
        settled = {row.id for row in beginning} | {result.row.id for result in results}.difference(returned)
        availability = self._availability
        # A person who sends a stopped send on its way again has mended something.
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
            # The same happens when this mail's turn comes, where nothing is under way that it could harm.
            log.debug("a mail could not be built ahead", exc_info=True)

    async def _end(self) -> None:
        """Let the mails under way end, for a while, and store what became of them."""
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
                # Whoever has taken over holds them for uncertain, and says so.
                log.warning("job %d: %d replies came too late", self._run.job.id, len(self._results))

    def _check_server(self) -> None:
        """Let the send rest when the server has taken nothing for a while; at once where it has rested before."""
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
    """First attempts that did not get as far as the server hearing of the mail; they are committed as chosen again."""
    return [result for result in results if result.outcome.verdict in UNTOUCHED and result.row.state == "chosen"]
