"""Sent mails: what became of them is staged as it is told, and recorded in the order of dates once all of it is there.

The records number events by date, within a message and within the account, while services tell them message by message.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar

from soapstone.clock import now
from soapstone.migration.journal import Staged
from soapstone.migration.move import Move
from soapstone.sending.past_sends import PastBounce, PastMail, PastSend
from soapstone.store.timestamps import microseconds
from soapstone.tracking.recording import PastEvent
from soapstone.vocabulary.tracking import MailEventKind

T = TypeVar("T")
# Kinds by their place in the order of events at the same moment.
KINDS = (MailEventKind.SENT, MailEventKind.BOUNCE, MailEventKind.OPEN, MailEventKind.READ, MailEventKind.CLICK)
# Events that are recorded together.
STEP = 2_000
# What happened in the last hour before a run is left to the next one: by then, nothing earlier can be added, whatever
# the clock of the other service says.
REST = timedelta(hours=1)
_RECORDING = "events of sent mails"
_MESSAGES, _CUT = "all of ", "later events of "

# Kinds of numbers in the journal.
MAIL, LINK = "mail", "link"


class Happened(NamedTuple):
    """A row of a report: the mail by its number over there, if it is told, or else by address; the link of a click,
    what a bounce tells, and our number of the contact, where contacts share addresses. `later`: whose mail it is cannot
    be known before the next run."""

    email: str
    at: datetime | None
    link: int | None = None
    mail: int = 0
    bounce: PastBounce | None = None
    contact_id: int | None = None
    later: bool = False


class SentMails(Move):
    """What moving sent mails has in common."""

    def begin_sent(self) -> None:
        """Fix the end of what this run brings."""
        if self.journal.position("until") is None:
            self.save("until", (now() - REST).isoformat())
        self.until = datetime.fromisoformat(self.journal.position("until"))

    def is_told(self, name: str, told: Any) -> bool:
        """Return whether the events of a message were read, in this run or in one that was told the same figures."""
        place = f"{_MESSAGES}{name}"
        known = self.journal.fact(place)
        return self.journal.position(place) is not None or (known is not None and known["told"] == told)

    def end_message(self, name: str, told: Any, sends: dict[int, dict[str, int]]) -> None:
        """Store that the events of a message were read: what was told of it, and figures of its sends by job."""
        is_cut = bool(self.journal.positions(f"{_CUT}{name}"))
        self.save(f"{_MESSAGES}{name}", {"told": None if is_cut else told, "sends": list(sends.items())})

    def stage(
        self,
        name: str,
        send: PastSend,
        kind: MailEventKind,
        fetch: Callable[[int], list[T]],
        told: Callable[[T], Happened],
        *,
        of_others: bool = True,
    ) -> None:
        """Stage the events of a report, without those of mails of other sends unless they are wanted."""
        step, place = f"{kind} {name}", KINDS.index(kind)
        for page, rows in self.pages(step, fetch):
            every = [told(row) for row in rows]
            found = [each for each in every if each.email or each.mail]
            numbers = self.journal.numbers(MAIL, {each.mail for each in found if each.mail})
            if not of_others:
                mine = self.product.past_sends.among(send, numbers.values())
                found = [each for each in found if each.mail not in numbers or numbers[each.mail] in mine]
            new = [each for each in found if each.mail not in numbers]
            told_mails = [PastMail(each.email, each.at or send.at, each.contact_id) for each in new]
            mails = self.product.past_sends.mails(send, told_mails)
            by_row = dict(zip(map(id, new), mails, strict=True))
            staged, bounces = [], {}
            for each in found:
                number = by_row.get(id(each)) or numbers[each.mail]
                at = each.at or send.at
                if each.bounce is not None:
                    bounces[number] = each.bounce
                if at < self.until:
                    staged.append(Staged(microseconds(at), place, 0, send.message_id, number, each.link))
            self.product.past_sends.bounced(self.account, bounces)
            if len(staged) < len(found) or any(each.later for each in every):
                self.save(f"{_CUT}{name}", True)
            self.save(step, page, staged, mail=[(each.mail, by_row[id(each)]) for each in new if each.mail])
            self.display.advance(len(rows))

    def record_staged(self) -> None:
        """Record the staged events, and correct the figures of each send by what was told of it."""
        self.display.step("what became of sent mails", None)
        messages = self.journal.staged_messages()
        self.journal.leave_out_recorded(partial(self.product.past_sends.of_deleted_people, messages))
        last = self.journal.position(_RECORDING) or (0, 0, 0)
        before, noted = self.journal.staged_until(last), self.journal.recorded()
        there = self.product.past_sends.recorded(messages)
        # What a killed run has recorded and not noted.
        known = {
            (message, place): there.get((message, kind.value), 0) - before[message, place] - noted[message, place]
            for message in messages
            for place, kind in enumerate(KINDS)
        }
        while rows := self.journal.staged(last, STEP):
            fresh = []
            for row in rows:
                if known[row.message, row.kind] > 0:
                    known[row.message, row.kind] -= 1
                else:
                    fresh.append(PastEvent(KINDS[row.kind], row.delivery, row.at, row.link))
            self.product.past_sends.record(fresh)
            self.counts["event of a sent mail: new"] += len(fresh)
            last = rows[-1][:3]
            self.save(_RECORDING, last)
            self.display.advance(len(rows))
        for place, told in self.journal.positions(_MESSAGES).items():
            for job_id, figures in told["sends"]:
                self.product.past_sends.correct(self.account, job_id, figures)
            self.journal.set_fact(place, told)
        self.journal.note_recorded()
