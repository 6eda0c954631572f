"""Mails that come in about mails that went out: bounces, complaints, automatic replies (RFC 3464, RFC 5965, RFC 3834).

A mail is taken once, whichever way and how often it comes, and it is on disk when `take` returns. Without a signature
of this server it changes nothing: whoever can send a mail could write a bounce.
"""

from __future__ import annotations

import hashlib
import logging
import re
import zlib
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from soapstone.accounts.account import account_within
from soapstone.clock import now
from soapstone.store.bulk import Values, insert_missing_rows, select_by_key
from soapstone.store.database import Database
from soapstone.store.group_commit import GroupCommit
from soapstone.store.tables import bounces, deliveries, delivery_activities, incoming_mails
from soapstone.store.timestamps import microseconds
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking.bounce_classes import DETAIL_CHARACTERS, Bounce
from soapstone.tracking.complaint_reports import ComplaintReport, read_complaint, returned_headers
from soapstone.tracking.consequences import of_complaint
from soapstone.tracking.delivery_reports import read_report
from soapstone.tracking.figures import FigureChanges
from soapstone.tracking.mail_parts import Header, IncomingMail, read_mail
from soapstone.tracking.recipient_reports import DeliveryReport, RecipientReport
from soapstone.tracking.recording import FinalResult, record_bounces, record_bounces_of, record_results
from soapstone.tracking.relays import RelayReport
from soapstone.tracking.report_texts import failed_recipients, is_named_as_server, read_text
from soapstone.tracking.sent_mails import SentMail, lock_mails, read_mails
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
_TAKEN = ("digest", "kind", "outcome", "delivery_id")
_COLUMNS = tuple(incoming_mails.c.keys())[1:]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A mail that came in, for one mail that it is about, or for none that is known.

    `name` is the text of the stem, and `identity` what is the same in all copies of the mail.
    """

    found: Classified
    raw: bytes
    name: str
    stem: Stem | None
    identity: str
    source: str
    account_id: int | None


class IncomingMails:
    """Takes mails that come in, and gives up mails that stay delayed."""

    def __init__(self, database: Database, stems: Stems) -> None:
        self._database = database
        self._stems = stems
        self._commits = GroupCommit(database, _take_all, _subject)

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
        names: Mapping[str, Stem | None] = self._stems_of(found, recipients) or {"": None}
        same: dict[str, Any] = {"found": found, "raw": raw, "source": source, "account_id": account_id}
        same["identity"] = _identity(found.mail, raw)
        return self._take([_Case(name=name, stem=stem, **same) for name, stem in names.items()])

    def take_relayed(self, reports: Iterable[RelayReport], *, source: str) -> Sequence[Taken]:
        """Take what a relay service says of single mails, as `take` does."""
        cases = []
        for report in reports:
            names: Mapping[str, Stem | None] = self._valid([report.stem]) or {"": None}
            ((name, stem),) = names.items()
            identity = f"{source} {report.kind} {report.uid}"
            same: dict[str, Any] = {"raw": b"", "source": source, "account_id": None}
            cases.append(_Case(found=_relayed(report, source), name=name, stem=stem, identity=identity, **same))
        return self._take(cases)

    def _take(self, cases: Sequence[_Case]) -> Sequence[Taken]:
        taken = []
        for case, one in zip(cases, self._commits.run(cases), strict=True):
            if one is None:
                raise RecordsUnavailable("The mail that this one is about is just being sent.")
            log.info("incoming %s by %s: %s, delivery %s", one.kind, case.source, one.outcome, one.delivery_id)
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


def _take_all(connection: Connection, cases: Sequence[_Case]) -> list[Taken | None]:
    """Take mails that are about different ones; None for those that must come again: see _NotYet."""
    numbers = {case.stem.delivery_id for case in cases if case.stem}
    lock_mails(connection, numbers)
    sent = read_mails(connection, numbers)
    about = [_about(case, sent) for case in cases]
    digests = [_digest(case, mail) for case, mail in zip(cases, about, strict=True)]
    known = select_by_key(connection, [incoming_mails.c[name] for name in _TAKEN], incoming_mails.c.digest, digests)
    taken = {digest: _taken(*values) for digest, *values in known}
    rows: list[Values] = []
    # Stored at the end: the recorder locks the figures of sends in their order, too.
    changes = FigureChanges()

    def take(case: _Case, mail: SentMail | None, digest: bytes) -> Bounce | None:
        """Take a mail that is new; return the bounce that it tells of, if that is new, too."""
        told = _told(case.found, mail)
        try:
            outcome = _outcome(connection, case, mail, told, changes)
        except _NotYet:
            return None
        taken[digest] = Taken(kind=case.found.kind, outcome=outcome, delivery_id=mail.id if mail else None)
        rows.append(_row(case, digest, mail, told, outcome))
        return told.bounce if told is not None and outcome is IncomingOutcome.RECORDED else None

    new = [each for each in zip(cases, about, digests, strict=True) if each[2] not in taken]
    bounced = []
    for case, mail, digest in new:
        if case.found.complaint is None and (bounce := take(case, mail, digest)) and mail is not None:
            bounced.append((mail, bounce))
    record_bounces_of(connection, bounced, changes)
    for case, mail, digest in new:
        if case.found.complaint is not None:
            take(case, mail, digest)
    changes.store(connection)
    # What is about a known mail is stored by nobody else, while that is locked.
    insert_missing_rows(connection, incoming_mails, _COLUMNS, rows)
    return [taken.get(digest) for digest in digests]


def _subject(case: _Case) -> Hashable:
    """Return what the cases of one transaction must differ in: the mail that it is about, else the mail itself."""
    return case.stem.delivery_id if case.stem else (case.account_id, case.identity)


def _about(case: _Case, sent: Mapping[int, SentMail]) -> SentMail | None:
    mail = sent.get(case.stem.delivery_id) if case.stem else None
    if mail is None or case.stem is None or mail.message_id != case.stem.message_id:
        return None
    return mail if case.account_id in (None, mail.account_id) else None


def _digest(case: _Case, mail: SentMail | None) -> bytes:
    # What is not found for one account hides nothing from the account that sent it.
    scope = "" if mail is not None or case.account_id is None else f"account {case.account_id} "
    return hashlib.sha256(f"{scope}{case.name} {case.identity}".encode()).digest()


def _told(found: Classified, mail: SentMail | None) -> RecipientReport | None:
    told = found.report.about(mail.email if mail is not None else "") if found.report else None
    # Without a known mail nobody could find words again to delete them with a person; and a person may be deleted.
    if told and told.bounce and not _has_person(mail):
        told = replace(told, bounce=replace(told.bounce, detail=""))
    return told


def _has_person(mail: SentMail | None) -> bool:
    return mail is not None and bool(mail.email_key)


def _row(
    case: _Case, digest: bytes, mail: SentMail | None, told: RecipientReport | None, outcome: IncomingOutcome
) -> Values:
    """Return the columns of `_COLUMNS`."""
    has_person, complaint = _has_person(mail), case.found.complaint
    bounce = told.bounce if told else None
    detail = complaint.feedback_type if complaint else bounce.detail if bounce else ""
    keeps = outcome not in (IncomingOutcome.RECORDED, IncomingOutcome.REPEATED, IncomingOutcome.WAITING)
    return (
        digest,
        microseconds(now()),
        case.source,
        mail.account_id if mail is not None else case.account_id,
        mail.id if mail is not None else None,
        case.found.kind.value,
        outcome.value,
        told.address if told and has_person else "",
        bounce.code if bounce else "",
        detail[:DETAIL_CHARACTERS] if has_person else "",
        zlib.compress(case.raw[:KEPT_BYTES]) if keeps and (mail is None or has_person) else None,
    )


def _relayed(report: RelayReport, source: str) -> Classified:
    """Return a service's report as if it had come by mail."""
    told = RecipientReport(
        address=report.address,
        original_address="",
        action="delayed" if report.kind is IncomingKind.DELAY else "failed",
        bounce=report.bounce,
    )
    complaint = None
    if report.kind is IncomingKind.COMPLAINT:
        complaint = ComplaintReport(feedback_type=report.feedback_type, provider=source, fields=Header(()))
    return Classified(
        mail=IncomingMail(Header(()), "", ()),
        kind=report.kind if complaint is None or complaint.is_complaint else IncomingKind.SUCCESS,
        report=None if complaint else DeliveryReport(recipients=(told,)),
        complaint=complaint,
    )


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


def _outcome(
    connection: Connection, case: _Case, mail: SentMail | None, told: RecipientReport | None, changes: FigureChanges
) -> IncomingOutcome:
    """Return what is made of a mail; record what it says, unless that is a bounce. Raises _NotYet."""
    if mail is None:
        return IncomingOutcome.UNSIGNED if case.stem is None else IncomingOutcome.NOT_SENT
    if case.found.kind not in (IncomingKind.BOUNCE, IncomingKind.DELAY, IncomingKind.COMPLAINT):
        return IncomingOutcome.NOTHING
    if mail.state in _UNDER_WAY and (mail.state == "handing" or mail.next_try_at is not None):
        raise _NotYet
    if mail.state not in ("handed", "bounced", "failed", "uncertain"):
        return IncomingOutcome.NOT_SENT
    if mail.handed_at is not None and mail.handed_at < now() - BELIEVED:
        return IncomingOutcome.EXPIRED
    if mail.state == "uncertain":
        # What comes back was accepted.
        values = {"state": "handed", "handed_at": now()}
        connection.execute(update(deliveries).where(deliveries.c.id == mail.id).values(**values))
        record_results(connection, [FinalResult(delivery_id=mail.id)], changes)
    if case.found.complaint is not None:
        return _complain(connection, case.found.complaint, mail, changes)
    if told is None or (told.bounce is None and told.action != "delayed"):
        return IncomingOutcome.NOTHING
    if told.bounce is None:
        return IncomingOutcome.WAITING
    return IncomingOutcome.RECORDED if mail.bounce_class is None else IncomingOutcome.REPEATED


def _complain(
    connection: Connection, complaint: ComplaintReport, mail: SentMail, changes: FigureChanges
) -> IncomingOutcome:
    table = incoming_mails.c
    before = select(table.id).where(
        table.delivery_id == mail.id,
        table.kind == IncomingKind.COMPLAINT.value,
        table.outcome == IncomingOutcome.RECORDED.value,
    )
    account = account_within(connection, mail.account_id)
    if account is None or connection.execute(before.limit(1)).first() is not None:
        return IncomingOutcome.REPEATED
    if not mail.email_key:
        # The person was deleted.
        return IncomingOutcome.NOTHING
    of_complaint(
        connection,
        account,
        job_id=mail.job_id,
        message_id=mail.message_id,
        list_id=mail.list_id,
        contact_id=mail.contact_id,
        address=mail.email,
        provider=complaint.provider,
        changes=changes,
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


def _taken(kind: str, outcome: str, delivery_id: int | None) -> Taken:
    return Taken(kind=IncomingKind(kind), outcome=IncomingOutcome(outcome), delivery_id=delivery_id)
