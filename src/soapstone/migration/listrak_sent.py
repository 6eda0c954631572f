"""Moving from the Listrak contract: sent messages, and what became of their mails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from soapstone.listrak import operations as op
from soapstone.listrak import types as t
from soapstone.listrak.call import NO_DATE
from soapstone.lists.lists import ContactList
from soapstone.migration.listrak_lists import ListrakLists
from soapstone.migration.sent_mails import LINK, Happened, SentMails
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.past_sends import PastBounce, PastSend
from soapstone.tracking.bounce_classes import of_reason
from soapstone.tracking.links import LONGEST_TEXT, TrackedLink
from soapstone.vocabulary.contacts import ContactEventKind
from soapstone.vocabulary.messages import MessageKind
from soapstone.vocabulary.tracking import MailEventKind
from soapstone.wire.types import Struct

# Type of a link → the part of the mail (lk-111).
BODIES = {"Text": "plain"}
# Kind of their numbers in the journal, which may be those of saved messages, too.
SENT = "sent message"
# The same of the contacts of a list.
MEMBER = "contact of list {}"


class ListrakSent(ListrakLists, SentMails):
    """The messages that lists were sent, by the reports of each."""

    def sent_mails(self) -> None:
        """Store sent messages with their recipients, opens, reads, clicks and bounces."""
        self.begin_sent()
        self.display.step("sent mails", None)
        lists = [(theirs, found, self._listed(theirs)) for theirs, found in self._lists_here()]
        self._of_lists = [MEMBER.format(found.id) for _, found, _ in lists]
        times = Counter(row.MsgID for _, _, rows in lists for row, _ in rows)
        for _, found, rows in lists:
            for row, bounced in rows:
                self._sent(found, row, bounced, is_shared=times[row.MsgID] > 1)
        self._blame_for_complaints()
        self.record_staged()

    def _listed(self, theirs: int) -> list[tuple[t.WSMessageActivity, int]]:
        """Return the messages that a list was sent, each with the number of bounces."""
        asked: dict[str, Any] = {"ListID": theirs, "StartDate": NO_DATE, "EndDate": NO_DATE}
        asked["IncludeTestMessages"] = False
        delivered = self.ask(op.ReportListMessageDelivery, **asked) or []
        bounced = {row.MsgID: row.BounceCount for row in delivered}
        return [(row, bounced.get(row.MsgID, 0)) for row in self.ask(op.ReportListMessageActivity, **asked) or []]

    def _blame_for_complaints(self) -> None:
        """Note the messages that people complained about."""

        def fetch(page: int) -> list[t.WSFeedbackLoopListing]:
            return self.ask(op.ReportAdminContactFeedbackLoop, StartDate=NO_DATE, EndDate=NO_DATE, Page=page) or []

        for _, rows in self.pages("messages of complaints", fetch):
            for row in rows:
                message, theirs = self.journal.number(SENT, row.MessageID), self.journal.number("list", row.ListID)
                at = self.instant(row.AbuseDate)
                if message is not None and theirs is not None and at is not None:
                    left = [(row.EmailAddress or "", at)]
                    self.product.past_sends.blame(self.account, message, theirs, left, ContactEventKind.COMPLAINED)

    def _sent(self, found: ContactList, told: t.WSMessageActivity, bounced: int, *, is_shared: bool) -> None:
        """Read what became of a message on a list. If it is shared with others, contacts tell whose mail is meant."""
        members = MEMBER.format(found.id) if is_shared else ""
        at = self.instant(told.SendDate)
        name = f"message {told.MsgID} to list {found.id}:"
        if at is None:
            return
        figures = {
            "sent": told.DeliverCount + bounced,
            "bounced": bounced,
            "openers": told.OpenCount,
            "readers": told.ReadCount,
            "clicks": told.ClickCount,
            "clickers": told.ClickerCount,
            "repeat_clickers": told.RepeatClickerCount,
        }
        send = self.product.past_sends.begin(self.account, self._sent_message(found, told, at), found.id, at)
        whole = {**figures, "left": told.RemoveCount}
        if self.is_told(name, whole):
            return
        number = told.MsgID
        events = (
            (MailEventKind.SENT, op.ReportMessageContactActivity, "SendDate"),
            (MailEventKind.OPEN, op.ReportMessageContactOpen, "OpenDate"),
            (MailEventKind.READ, op.ReportMessageContactRead, "ReadDate"),
        )
        for kind, report, date in events:
            self.stage(name, send, kind, self._pages_of(report, MsgID=number), self._happened(date, members))
        bounces = self._pages_of(op.ReportMessageContactBounces, MsgID=number)
        self.stage(name, send, MailEventKind.BOUNCE, bounces, partial(self._bounce, members))
        self._clicks(name, send, number, members)
        for _, rows in self.pages(f"removals {name}", self._pages_of(op.ReportMessageContactRemoval, MsgID=number)):
            left = ((row.EmailAddress or "", self.instant(row.RemovalDate)) for row in rows)
            dated = [(email, moment) for email, moment in left if moment]
            self.product.past_sends.blame(self.account, send.message_id, found.id, dated)
        here = self.product.removals.counts(self.account.id, found.id, [send.message_id]).get(send.message_id, 0)
        # The service counts deleted contacts, and tells nothing else of them.
        figures["erased_departures"] = max(told.RemoveCount - here, 0)
        self.end_message(name, whole, {send.job_id: figures})

    def _sent_message(self, found: ContactList, told: t.WSMessageActivity, at: datetime) -> int:
        """Return our number of a sent message; only its subject, campaign and date are told."""
        known = self.journal.number(SENT, told.MsgID)
        if known is not None:
            return known
        subject, messages = told.Subject or "", self.product.messages
        campaign, extras = None, {}
        for row in self.ask(op.GetMessageAnalyticsInformation, MsgIDs=[told.MsgID]) or []:
            campaign = self.journal.number("campaign", row.CampaignID)
            further = {
                "analytics_content": row.GoogleAnalyticsCampaignContent,
                "analytics_name": row.GoogleAnalyticsCampaignName,
            }
            extras = {name: text for name, text in further.items() if text}
        there = (
            each.id
            for each in messages.find(self.account.id, kind=MessageKind.SEND, list_ids=[found.id])
            if (each.subject, each.created_at) == (subject, at)
        )

        def add(number: int | None) -> int:
            traits = Traits(campaign_id=campaign, extras=extras)
            draft = Draft(subject=subject)
            return messages.save(
                self.account.id, found.id, draft, kind=MessageKind.SEND, traits=traits, number=number
            ).id

        with self.as_of(at):
            return self.same_number(SENT, told.MsgID, there, add, name=subject)[0]

    def _pages_of(self, report: type[Struct], **asked: Any) -> Callable[[int], list[Any]]:
        """Return what fetches the pages of a report."""
        return lambda page: self.ask(report, **asked, Page=page) or []

    def _happened(self, date: str, members: str, link: int | None = None) -> Callable[[Any], Happened]:
        """Return what tells address and moment of a row."""

        def told(row: Any) -> Happened:
            email, later = self._address(members, row)
            return Happened(email, self._moment(getattr(row, date)), link, later=later)

        return told

    def _address(self, members: str, row: Any) -> tuple[str, bool]:
        """Return the address in a row; none if its contact has no number of this kind, if one is given, and whether it
        has none at all: it came after the contacts were read."""
        number = int(row.ContactID) if str(row.ContactID).isdecimal() else 0
        if members and self.journal.number(members, number) is None:
            return "", number > 0 and all(self.journal.number(each, number) is None for each in self._of_lists)
        return row.EmailAddress or "", False

    def _moment(self, told: datetime | str | None) -> datetime | None:
        """Return the instant of a date, which some reports tell as text (lk-22)."""
        if isinstance(told, str):
            try:
                told = datetime.fromisoformat(told)
            except ValueError:
                return None
        return self.instant(told)

    def _bounce(self, members: str, row: t.WSContactBounce) -> Happened:
        at, reason = self._moment(row.BounceDate), row.BounceReason or ""
        count = max(row.BounceCount, 1)
        bounce = PastBounce(at or self.until, of_reason(reason), reason, row.BounceDetail or "", count)
        email, later = self._address(members, row)
        return Happened(email, at, bounce=bounce, later=later)

    def _clicks(self, name: str, send: PastSend, number: int, members: str) -> None:
        """Store the links in their order, and stage the clicks on each."""
        pages = self.pages(f"links {name}", self._pages_of(op.ReportMessageLinkClick, MsgID=number))
        told: list[t.WSMessageLink] = [row for _, rows in pages for row in rows]
        links = [
            TrackedLink(
                BODIES.get(row.LinkType or "", "html"),
                row.LinkURL or "",
                row.LinkURL or "",
                "",
                (row.LinkDescription or "")[:LONGEST_TEXT],
                False,
            )
            for row in told
        ]
        ours = self.product.past_sends.links(self.account, send.message_id, links)
        for row, link in zip(told, ours, strict=True):
            self.journal.keep(LINK, row.LinkID, link)
            if row.ClickCount:
                fetch = self._pages_of(op.ReportContactLinkClick, LinkID=row.LinkID)
                happened = self._happened("ClickDate", members, link)
                self.stage(f"{name} link {row.LinkID}", send, MailEventKind.CLICK, fetch, happened)
