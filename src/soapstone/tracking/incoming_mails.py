"""Mails that come in about mails that went out: bounces, complaints, automatic replies (RFC 3464, RFC 5965, RFC 3834).

A mail is taken once, whichever way and how often it comes, and it is on disk when `take` returns. Without a signature
of this server it changes nothing: whoever can send a mail could write a bounce.
"""

from __future__ import annotations

import hashlib
import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from soapstone.accounts.account import account_within
from soapstone.clock import now
from soapstone.store.database import Database
from soapstone.store.tables import bounces, deliveries, delivery_activities, incoming_mails, sends
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.store.unique import insert_unless_there
from soapstone.tracking.bounce_classes import DETAIL_CHARACTERS, Bounce
from soapstone.tracking.complaint_reports import ComplaintReport, read_complaint, returned_headers
from soapstone.tracking.consequences import hold_accounts, of_complaint
from soapstone.tracking.delivery_reports import read_report
from soapstone.tracking.mail_parts import Header, IncomingMail, read_mail
from soapstone.tracking.recipient_reports import DeliveryReport, RecipientReport
from soapstone.tracking.recording import FinalResult, record_bounces, record_results
from soapstone.tracking.relays import RelayReport
from soapstone.tracking.report_texts import failed_recipients, is_named_as_server, read_text
from soapstone.tracking.stems import LENGTH, Stem, Stems
from soapstone.vocabulary.tracking import BounceClass, IncomingKind, IncomingOutcome

log = logging.getLogger(__name__)

# A stem is believed for this long after its mail went out.
BELIEVED = timedelta(days=30)
# What was not recorded is kept for this long, and this much of it, for the operator.
KEPT = timedelta(days=30)
KEPT_BYTES = 32 << 10
# Most stems of one mail that are looked at, and that are taken.
_CANDIDATES, MOST_STEMS = 200, 10
# Rows of one step of the maintenance.
STEP = 500

# Addresses of the envelope in the order in which servers write them, then those of the header.
_ENVELOPE_FIELDS = ("x-original-to", "envelope-to", "delivered-to")
_FOR = re.compile(r"\bfor\s+<?([^\s<>;]{1,320})>?")
# In an address rewritten by BATV (`prvs=…=`) or SRS the stem stands between other characters than letters and digits.
_STEM = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z2-7]{{{LENGTH}}}(?![A-Za-z0-9])")
_AUTO_REPLY_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-mail-autoreply")
_AUTO_REPLY_PRECEDENCE = ("auto_reply", "auto-reply", "autoreply")
# States of the ledger in which the result of the send is not known yet.
_UNDER_WAY = ("handing", "uncertain")
_GIVEN_UP = "The mail stayed delayed; no other report followed."


class _NotYet(Exception):
    """The mail's own send has not stored its result yet: the same report may be taken some seconds later."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What was made of an incoming mail, for one mail that it is about; `delivery_id` is None if it names none."""

    kind: IncomingKind
    outcome: IncomingOutcome
    delivery_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Classified:
    """A mail that came in, with its kind and what its report says."""

    mail: IncomingMail
    kind: IncomingKind
    report: DeliveryReport | None = None
    complaint: ComplaintReport | None = None


def classify(mail: IncomingMail) -> Classified:
    """Return what a mail is. Reports go first: they are sent by programs, and many say so as automatic replies do."""
    if report := read_report(mail):
        return Classified(mail=mail, kind=_kind(report.recipients), report=report)
    if complaint := read_complaint(mail):
        kind = IncomingKind.COMPLAINT if complaint.is_complaint else IncomingKind.SUCCESS
        return Classified(mail=mail, kind=kind, complaint=complaint)
    if any(mail.of_type("message/disposition-notification", "message/global-disposition-notification")):
        return Classified(mail=mail, kind=IncomingKind.RECEIPT)
    is_automatic = _is_auto_reply(mail.header)
    # An absent person's answer may have the empty sender, too; its From names the person.
    if (not is_automatic or failed_recipients(mail) or is_named_as_server(mail)) and (text := read_text(mail)):
        return Classified(mail=mail, kind=_kind(text.recipients), report=text)
    return Classified(mail=mail, kind=IncomingKind.AUTO_REPLY if is_automatic else IncomingKind.REPLY)


class IncomingMails:
    """Takes mails that come in, and gives up mails that stay delayed."""

    def __init__(self, database: Database, stems: Stems) -> None:
        self._database = database
        self._stems = stems

    def is_ours(self, address: str) -> bool:
        """Return whether an address holds a valid stem."""
        return bool(self._valid(_STEM.findall(address[:400])))

    def take(
        self, raw: bytes, recipients: Iterable[str] = (), *, source: str, account_id: int | None = None
    ) -> Sequence[Taken]:
        """Take a mail; return what was made of it, once it is on disk.

        `recipients` are those of the envelope, as far as the way in tells. With `account_id`, mails of other accounts
        are unknown. Raises RecordsUnavailable if the mail cannot be taken now and should come again.
        """
        found = classify(read_mail(raw))
        names = self._stems_of(found, recipients)
        return self._take(found, names, _identity(found.mail, raw), raw, source, account_id)

    def take_relayed(self, report: RelayReport, *, source: str) -> Taken:
        """Take what a relay service says of one mail, as `take` does."""
        told = RecipientReport(
            address=report.address,
            original_address="",
            action="delayed" if report.kind is IncomingKind.DELAY else "failed",
            bounce=report.bounce,
        )
        complaint = None
        if report.kind is IncomingKind.COMPLAINT:
            complaint = ComplaintReport(feedback_type=report.feedback_type, provider=source, fields=Header(()))
        found = Classified(
            mail=IncomingMail(Header(()), "", ()),
            kind=report.kind if complaint is None or complaint.is_complaint else IncomingKind.SUCCESS,
            report=None if complaint else DeliveryReport(recipients=(told,)),
            complaint=complaint,
        )
        names = self._valid([report.stem])
        (taken,) = self._take(found, names, f"{source} {report.kind} {report.uid}", b"", source, None)
        return taken

    def _take(
        self,
        found: Classified,
        names: Mapping[str, Stem],
        identity: str,
        raw: bytes,
        source: str,
        account_id: int | None,
    ) -> Sequence[Taken]:
        wanted: list[tuple[str, Stem | None]] = list(names.items()) or [("", None)]
        taken = []
        for name, stem in wanted:
            try:
                with self._database.write(durable=True) as connection:
                    one = self._take_one(connection, found, raw, f"{name} {identity}", stem, source, account_id)
            except _NotYet:
                raise RecordsUnavailable("The mail that this one is about is just being sent.") from None
            log.info("incoming %s by %s: %s, delivery %s", one.kind, source, one.outcome, one.delivery_id)
            taken.append(one)
        return taken

    def give_up_delayed(self, after: timedelta) -> int:
        """Record mails as bounced that were reported as delayed so long ago, and of which nothing came since."""
        table, count = incoming_mails.c, 0
        late = (table.outcome == IncomingOutcome.WAITING.value) & (table.received_at < now() - after)
        while True:
            with self._database.read() as connection:
                query = select(table.delivery_id).where(late, table.delivery_id.is_not(None)).distinct().limit(STEP)
                numbers = list(connection.execute(query).scalars())
            for number in numbers:
                with self._database.write() as connection:
                    count += _give_up(connection, number)
            if len(numbers) < STEP:
                return count

    def forget_contents(self) -> None:
        """Delete the contents of old mails; the rows stay, and tell what was made of them."""
        table = incoming_mails.c
        old = table.content.is_not(None) & (table.received_at < now() - KEPT)
        more = True
        while more:
            with self._database.write() as connection:
                some = select(table.id).where(old).order_by(table.id).limit(STEP)
                query = update(incoming_mails).where(table.id.in_(some)).values(content=None)
                more = connection.execute(query).rowcount == STEP

    def _take_one(
        self,
        connection: Connection,
        found: Classified,
        raw: bytes,
        identity: str,
        stem: Stem | None,
        source: str,
        account_id: int | None,
    ) -> Taken:
        row = self._delivery(connection, stem, account_id)
        # What is not found for one account hides nothing from the account that sent it.
        scope = "" if row is not None or account_id is None else f"account {account_id} "
        digest = hashlib.sha256((scope + identity).encode()).digest()
        known = select(incoming_mails).where(incoming_mails.c.digest == digest)
        if earlier := connection.execute(known).one_or_none():
            return _taken(earlier)
        told = found.report.about(row.email if row is not None else "") if found.report else None
        # Without a known mail nobody could find words again to delete them with a person; and a person may be deleted.
        has_person = row is not None and bool(row.email_key)
        if told and told.bounce and not has_person:
            told = replace(told, bounce=replace(told.bounce, detail=""))
        outcome = IncomingOutcome.UNSIGNED if stem is None else IncomingOutcome.NOT_SENT
        if row is not None:
            outcome = _outcome(connection, found, row, told)
        detail = found.complaint.feedback_type if found.complaint else _detail(told)
        keeps = outcome not in (IncomingOutcome.RECORDED, IncomingOutcome.REPEATED, IncomingOutcome.WAITING)
        values: dict[str, Any] = {
            "received_at": now(),
            "source": source,
            "account_id": row.account_id if row is not None else account_id,
            "delivery_id": row.id if row is not None else None,
            "kind": found.kind.value,
            "outcome": outcome.value,
            "address": told.address if told and has_person else "",
            "code": told.bounce.code if told and told.bounce else "",
            "detail": detail[:DETAIL_CHARACTERS] if has_person else "",
            "content": zlib.compress(raw[:KEPT_BYTES]) if keeps and (row is None or has_person) else None,
        }
        if not insert_unless_there(connection, incoming_mails, digest=digest, **values):
            # Another process took it meanwhile, and what was recorded here was recorded there before.
            return _taken(connection.execute(known).one())
        return Taken(kind=found.kind, outcome=outcome, delivery_id=values["delivery_id"])

    @staticmethod
    def _delivery(connection: Connection, stem: Stem | None, account_id: int | None) -> Row[Any] | None:
        """Lock the account of the mail that a stem names, then return the mail; None if there is none."""
        if stem is None:
            return None
        here = (deliveries.c.id == stem.delivery_id) & (deliveries.c.message_id == stem.message_id)
        if account_id is not None:
            here &= deliveries.c.account_id == account_id
        owner = connection.execute(select(deliveries.c.account_id).where(here)).scalar_one_or_none()
        if owner is None:
            return None
        hold_accounts(connection, [owner])
        query = select(deliveries, sends.c.list_id).join(sends, sends.c.job_id == deliveries.c.job_id)
        return connection.execute(query.where(here)).one_or_none()

    def _stems_of(self, found: Classified, recipients: Iterable[str]) -> dict[str, Stem]:
        """Return the valid stems of a mail, by their text in lower case: those of its recipients, else one that it
        returns."""
        for texts in (list(recipients), list(_recipients(found.mail.header))):
            if valid := self._valid(_candidates(texts)):
                return dict(list(valid.items())[:MOST_STEMS])
        valid = self._valid(_candidates(_returned(found)))
        return dict(list(valid.items())[:1])

    def _valid(self, names: Iterable[str]) -> dict[str, Stem]:
        valid: dict[str, Stem] = {}
        for name in names:
            stem = self._stems.read(name)
            if stem is not None and stem.delivery_id:
                valid.setdefault(name.lower(), stem)
        return valid


def _kind(recipients: Sequence[RecipientReport]) -> IncomingKind:
    if any(each.bounce for each in recipients):
        return IncomingKind.BOUNCE
    if any(each.action == "delayed" for each in recipients):
        return IncomingKind.DELAY
    return IncomingKind.SUCCESS if recipients else IncomingKind.REPLY


def _is_auto_reply(header: Header) -> bool:
    submitted = header.get("auto-submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no") or header.get("precedence").lower() in _AUTO_REPLY_PRECEDENCE:
        return True
    return any(value.strip().lower() != "no" for value in header.all(*_AUTO_REPLY_FIELDS))


def _recipients(header: Header) -> Iterator[str]:
    """Yield the texts that hold a mail's recipients, of its envelope first."""
    yield from header.all(*_ENVELOPE_FIELDS)
    for value in header.all("received"):
        yield from _FOR.findall(value)
    yield from header.all("to", "cc")


def _returned(found: Classified) -> Iterator[str]:
    """Yield the texts of a report that may hold the stem of the mail that it is about."""
    if found.complaint:
        yield from (value for _, value in found.complaint.fields.fields)
    for header in returned_headers(found.mail):
        yield from header.all("cfbl-feedback-id", "return-path")
        yield from (value for _, value in header.fields)


def _candidates(texts: Iterable[str]) -> Iterator[str]:
    given = 0
    for text in texts:
        for name in _STEM.findall(text[:4000]):
            given += 1
            if given > _CANDIDATES:
                return
            yield name


def _identity(mail: IncomingMail, raw: bytes) -> str:
    """Return what is the same in all copies of a mail: its Message-ID, else its content without the header."""
    if uid := mail.header.get("message-id"):
        return uid
    sender = "\n".join(mail.header.all("date", "from", "subject"))
    return hashlib.sha256(sender.encode() + b"\n".join(part.raw for part in mail.parts)).hexdigest()


def _outcome(connection: Connection, found: Classified, row: Row[Any], told: RecipientReport | None) -> IncomingOutcome:
    """Record what a mail says about one that went out; return what was made of it. Raises _NotYet."""
    if found.kind not in (IncomingKind.BOUNCE, IncomingKind.DELAY, IncomingKind.COMPLAINT):
        return IncomingOutcome.NOTHING
    if row.state in _UNDER_WAY and (row.state == "handing" or row.next_try_at is not None):
        raise _NotYet
    if row.state not in ("handed", "bounced", "failed", "uncertain"):
        return IncomingOutcome.NOT_SENT
    if row.handed_at is not None and row.handed_at < now() - BELIEVED:
        return IncomingOutcome.EXPIRED
    if row.state == "uncertain":
        # What comes back was accepted.
        values = {"state": "handed", "handed_at": now()}
        connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(**values))
        record_results(connection, [FinalResult(delivery_id=row.id)])
    if found.complaint is not None:
        return _complain(connection, found.complaint, row)
    if told is None or (told.bounce is None and told.action != "delayed"):
        return IncomingOutcome.NOTHING
    if told.bounce is None:
        return IncomingOutcome.WAITING
    new = record_bounces(connection, {row.id: told.bounce})
    return IncomingOutcome.RECORDED if new else IncomingOutcome.REPEATED


def _complain(connection: Connection, complaint: ComplaintReport, row: Row[Any]) -> IncomingOutcome:
    table = incoming_mails.c
    before = select(table.id).where(
        table.delivery_id == row.id,
        table.kind == IncomingKind.COMPLAINT.value,
        table.outcome == IncomingOutcome.RECORDED.value,
    )
    account = account_within(connection, row.account_id)
    if account is None or connection.execute(before.limit(1)).first() is not None:
        return IncomingOutcome.REPEATED
    if not row.email_key:
        # The person was deleted.
        return IncomingOutcome.NOTHING
    of_complaint(
        connection,
        account,
        job_id=row.job_id,
        message_id=row.message_id,
        list_id=row.list_id,
        contact_id=row.contact_id,
        address=row.email,
        provider=complaint.provider,
    )
    return IncomingOutcome.RECORDED


def _give_up(connection: Connection, delivery_id: int) -> int:
    """Record a delayed mail as given up, unless it was opened or came back; return the number of bounces, 0 or 1."""
    table = incoming_mails.c
    waiting = (table.delivery_id == delivery_id) & (table.outcome == IncomingOutcome.WAITING.value)
    told = connection.execute(select(table.code, table.detail).where(waiting).order_by(table.id)).first()
    if told is None:
        return 0
    arrived = select(delivery_activities.c.delivery_id).where(delivery_activities.c.delivery_id == delivery_id)
    back = select(bounces.c.delivery_id).where(bounces.c.delivery_id == delivery_id)
    new: Sequence[int] = ()
    if not any(connection.execute(query).first() for query in (arrived, back)):
        bounce = Bounce(
            bounce_class=BounceClass.TRANSIENT,
            reason="Transient Failure",
            code=told.code,
            detail=told.detail or _GIVEN_UP,
        )
        new = record_bounces(connection, {delivery_id: bounce})
    outcome = IncomingOutcome.RECORDED if new else IncomingOutcome.REPEATED
    connection.execute(update(incoming_mails).where(waiting).values(outcome=outcome.value))
    return len(new)


def _detail(told: RecipientReport | None) -> str:
    return told.bounce.detail if told and told.bounce else ""


def _taken(row: Row[Any]) -> Taken:
    return Taken(kind=IncomingKind(row.kind), outcome=IncomingOutcome(row.outcome), delivery_id=row.delivery_id)
