"""Moving from the MagnetMail contract: what became of the mails of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from soapstone.magnetmail import operations as op
from soapstone.magnetmail import types as t
from soapstone.magnetmail.call import LARGEST_PAGE
from soapstone.magnetmail.types import EmailStatus
from soapstone.magnetmail.types import tracking_report_type as Report
from soapstone.migration.magnetmail_account import ANY, OPEN, RECIPIENT, MagnetMailAccount
from soapstone.migration.sent_mails import LINK, Happened, SentMails
from soapstone.sending.past_sends import PastBounce, PastSend
from soapstone.tracking.links import LONGEST_TEXT, TrackedLink
from soapstone.vocabulary.tracking import BounceClass, MailEventKind

CLASSES = {
    EmailStatus.HB: BounceClass.HARD,
    EmailStatus.UNF: BounceClass.USER,
    EmailStatus.BD: BounceClass.DOMAIN,
    EmailStatus.MF: BounceClass.FULL,
    EmailStatus.TU: BounceClass.TRANSIENT,
}
# Kind of the numbers of sends in the journal: sends are jobs here, by their own numbers.
SEND = "send"
SECOND = timedelta(seconds=1)
# link_type of links that lead to the web (mm-115).
WEB = 1


class MagnetMailSent(MagnetMailAccount, SentMails):
    """The sends of messages to groups and to single people."""

    def sent_mails(self) -> None:
        """Store sends with their recipients, opens, clicks and bounces."""
        self.begin_sent()
        dates = dict.fromkeys(("createStartDate", "createEndDate", "sentStartDate", "sentEndDate"), OPEN)
        flags = dict.fromkeys(("archived", "hidden", "hasFax", "hasEmail"), ANY)
        told: list[t.MessageList] = self.ask(op.getMessagesUTC, **dates, **flags) or []
        self.display.step("sent mails", None)
        moved = set(self.journal.numbers(SEND).values())
        for each in told:
            message = each.message
            ours = self.journal.number("message", message.message_id) if message else None
            sent_at = self.instant(message.lastSent) if message else None
            if message is None or ours is None or sent_at is None:
                continue
            departures = each.GroupsEmailSentTo or []
            # A killed run may have stored a send without noting its number.
            moments = {sent_at, *(self.instant(one.sent_date) for one in departures)}
            here = [record.job for record in self.product.reports.of_message(self.account.id, ours)]
            if any(job.id not in moved and job.started_at not in moments for job in here):
                self.journal.remark(f"Message {ours} was sent from here: its mails over there are left out.")
                continue
            self._sends(message.message_id, ours, sent_at, departures)
        self.record_staged()

    def _sends(self, theirs: int, ours: int, sent_at: datetime, departures: list[t.JobToGroup]) -> None:
        """Read the sends of a message."""
        groups: dict[int, list[datetime]] = {}
        for each in departures:
            if (at := self.instant(each.sent_date)) is not None:
                groups.setdefault(each.group_id, []).append(at)
        name, figures = f"message {theirs}:", {group: self._figures(theirs, group) for group in (0, *groups)}
        told = [[group, each, len(groups.get(group, ()))] for group, each in figures.items()]
        if self.is_told(name, told):
            return
        sends: dict[int, dict[str, int]] = {}
        for group, dates in groups.items():
            for at, span in zip(sorted(dates), _spans(sorted(dates)), strict=True):
                send = self._begin(ours, self.journal.number("list", group), at)
                fetch = self._report(Report.email_sent, theirs, group, *span)
                self.stage(f"{name} {group} {at}", send, MailEventKind.SENT, fetch, self._row())
                sends[send.job_id] = figures[group] if len(dates) == 1 else {}
        if not groups or figures[0]["sent"] > sum(figures[group]["sent"] for group in groups):
            send = self._begin(ours, None, sent_at)
            self.stage(
                name, send, MailEventKind.SENT, self._report(Report.email_sent, theirs), self._row(), of_others=False
            )
            sends[send.job_id] = {}
        links = self._links(theirs, ours)
        for kind, report in (
            (MailEventKind.BOUNCE, Report.email_bounced),
            (MailEventKind.OPEN, Report.email_opened),
            (MailEventKind.CLICK, Report.links),
        ):
            self.stage(name, send, kind, self._report(report, theirs), self._row(kind, links))
        self.end_message(name, told, sends)

    def _begin(self, message: int, list_id: int | None, at: datetime) -> PastSend:
        send = self.product.past_sends.begin(self.account, message, list_id, at)
        self.journal.keep(SEND, send.job_id, send.job_id)
        return send

    def _figures(self, theirs: int, group: int) -> dict[str, int]:
        told = self.ask(op.getOverallTracking, message_id=theirs, group_id=group)
        if told is None:
            return {"sent": 0}
        return {
            "sent": told.EmailSent,
            "bounced": told.EmailBounced,
            "opens": told.EmailOpened,
            "clicks": told.EmailLinksClicked,
        }

    def _links(self, theirs: int, ours: int) -> dict[str, int]:
        """Store the links of a message; return our numbers by URL."""
        told = {
            url: each
            for each in self.ask(op.getLinkURLs, message_id=theirs, group_id=0) or []
            if each.link_type == WEB and (url := each.link_url or "")
        }
        links = [
            TrackedLink("html", url, url, each.link_label or "", (each.link_text or "")[:LONGEST_TEXT], False)
            for url, each in told.items()
        ]
        numbers = self.product.past_sends.links(self.account, ours, links)
        for each, number in zip(told.values(), numbers, strict=True):
            self.journal.keep(LINK, each.linkid, number)
        return dict(zip(told, numbers, strict=True))

    def _report(
        self, report: Report, theirs: int, group: int = 0, start: datetime = OPEN, end: datetime = OPEN
    ) -> Callable[[int], list[t.recp_track]]:
        """Return what fetches the pages of a report; both ends of a range belong to it."""
        asked: dict[str, Any] = {"report_type": report, "message_id": theirs, "group_id": group}
        asked |= {"fromDate": start, "toDate": end, "recordsPerPage": LARGEST_PAGE}

        def fetch(page: int) -> list[t.recp_track]:
            answer = self.ask(op.getDetailedTrackingUTC, **asked, page=page)
            return [] if answer is None else [each for each in answer.RecipientDetails or [] if each]

        return fetch

    def _row(
        self, kind: MailEventKind = MailEventKind.SENT, links: Mapping[str, int] | None = None
    ) -> Callable[[t.recp_track], Happened]:
        """Return what tells address, moment and more of a row."""

        def told(row: t.recp_track) -> Happened:
            email = (row.recipient.email if row.recipient else "") or ""
            at, bounce = self.instant(row.ResultDate), None
            if kind == MailEventKind.BOUNCE:
                found = CLASSES.get(row.Status, BounceClass.UNKNOWN)
                bounce = PastBounce(at or self.until, found, "", row.remarks or "", 1)
            link = (links or {}).get(row.remarks or "") if kind == MailEventKind.CLICK else None
            number = row.recipient.id or "" if row.recipient else ""
            contact_id = self.journal.number(RECIPIENT, int(number)) if number.isdecimal() else None
            return Happened(email, at, link, max(row.MMId, 0), bounce, contact_id)

        return told


def _spans(dates: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Return ranges between sends to one group, the first and the last one open."""
    ends = [OPEN, *(each - SECOND for each in dates[1:]), OPEN]
    starts = [OPEN, *dates[1:]]
    return zip(starts, ends[1:], strict=True)
