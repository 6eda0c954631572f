"""Mails that come in: each counts once, by its signature alone, with its consequences (lk-39, lk-119, mm-123)."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.sending.conftest import Office
from tests.tracking.reports import VERP, block, complaint, plain, report

from soapstone import clock
from soapstone.accounts.account import Accounts
from soapstone.accounts.audit import COMMAND_LINE
from soapstone.accounts.link_keys import LinkKeys
from soapstone.contacts.changes import Changes
from soapstone.contacts.suppressions import Suppressions
from soapstone.lists.lists import Lists
from soapstone.personal_data.erasure import Erasure
from soapstone.sending.folder.mail_store import MailStore
from soapstone.sending.runner import SendRunner
from soapstone.sending.simulator import Simulator
from soapstone.sending.smtp.retries import Retries
from soapstone.store.tables import (
    bounces,
    contact_events,
    deliveries,
    incoming_mails,
    lists,
    memberships,
)
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking import figures
from soapstone.tracking.incoming_mails import IncomingMails, Taken
from soapstone.tracking.recording import Act, record_acts
from soapstone.tracking.stems import Stems
from soapstone.vocabulary.tracking import IncomingKind, IncomingOutcome, MailEventKind

DOMAIN = "bounce.example.com"
STEMS = Stems(LinkKeys.single("secret"))


class Post:
    """An office whose mails come back."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.incoming = IncomingMails(office.database, STEMS)

    def send(self, *people: str, **parts: str) -> list[Any]:
        """Send to these people, who are on the list from then on, and return the rows of the ledger."""
        for email in people:
            self.office.contact(email)
        ticket = self.office.to_list(**parts)
        self.office.work()
        return list(self.office.rows(ticket))

    def address(self, row: Any) -> str:
        return f"b+{STEMS.make(row.message_id, row.id)}@{DOMAIN}"

    def bounce(self, row: Any, status: str = "5.1.1", **how: Any) -> Taken:
        raw = report(block(row.email, status=status, **how), to=self.address(row))
        return self.take(raw.replace(b"<r1@", f"<r{row.id}@".encode()))

    def take(self, raw: bytes, *recipients: str, **how: Any) -> Taken:
        (taken,) = self.incoming.take(raw, recipients, source="pipe", **how)
        return taken

    def state(self, row: Any) -> str:
        with self.office.database.read() as connection:
            return str(connection.execute(select(deliveries.c.state).where(deliveries.c.id == row.id)).scalar_one())

    def member(self, contact_id: int) -> Any:
        with self.office.database.read() as connection:
            here = memberships.c.contact_id == contact_id
            return connection.execute(select(memberships).where(here)).one()

    def suppressed(self, email: str) -> bool:
        return Suppressions(self.office.database).blocked(self.office.account.id, 0, email)

    def figures(self, row: Any) -> figures.SendFigures:
        return figures.of_sends(self.office.database, [row.job_id])[row.job_id]

    def settings(self, **values: Any) -> None:
        with self.office.database.write() as connection:
            settings = dict(self.office.list.settings) | values
            connection.execute(update(lists).where(lists.c.id == self.office.list.id).values(settings=settings))


@pytest.fixture
def post(office: Office) -> Post:
    return Post(office)


def outcome(taken: Taken) -> tuple[str, str]:
    return taken.kind.value, taken.outcome.value


def test_a_bounce_is_recorded_once(post: Post) -> None:
    row, other = post.send("ann@receiver.example", "bea@receiver.example")
    assert outcome(post.bounce(row)) == ("bounce", "recorded")
    # The same mail again, and another report about the same mail.
    assert outcome(post.bounce(row)) == ("bounce", "recorded")
    again = report(block(row.email), to=post.address(row)).replace(b"<r1@", b"<another@")
    assert outcome(post.take(again)) == ("bounce", "repeated")
    assert (post.state(row), post.state(other)) == ("bounced", "handed")
    found = post.figures(row)
    assert (found.sent, found.bounced, found.delivered) == (2, 1, 1)
    with post.office.database.read() as connection:
        stored = connection.execute(select(bounces)).one()
        assert len(connection.execute(select(incoming_mails)).all()) == 2
    assert (stored.delivery_id, stored.code, stored.reason) == (row.id, "5.1.1", "Invalid Address")


ENVELOPES = {
    "postfix after an alias": "X-Original-To: {verp}\nDelivered-To: bounces@host.example\nTo: list@x.example\n",
    "exim, several folded": "Envelope-To: other@x.example,\n {verp}\nTo: a@b.example\n",
    "opensmtpd": "Delivered-To: {verp}\nTo: a@b.example\n",
    "a relay's trace": "Received: from a by b with ESMTP\n\tfor <{verp}>; Sun, 1 Nov 2026\nTo: a@b.example\n",
    "To": "To: Bounces <{verp}>\n",
    "BATV": "To: prvs=1234abcdef={verp}\n",
    "SRS": "Delivered-To: SRS0=abcd=ef=bounce.example.com=b+{stem}@forwarder.example\n",
    "capitals": "To: {upper}\n",
    "Cc": "To: a@b.example\nCc: x@y.example, {verp}\n",
}


@pytest.mark.parametrize("way", ENVELOPES)
def test_where_the_stem_is_found(post: Post, way: str) -> None:
    """R11, R15"""
    (row,) = post.send("ann@receiver.example")
    verp = post.address(row)
    stem = verp.partition("+")[2].partition("@")[0]
    head = ENVELOPES[way].format(verp=verp, stem=stem, upper=verp.upper())
    raw = report(block(row.email, status="5.1.1")).replace(f"To: {VERP}\n".encode(), head.encode(), 1)
    assert post.take(raw) == Taken(kind=IncomingKind.BOUNCE, outcome=IncomingOutcome.RECORDED, delivery_id=row.id)


def test_the_envelope_goes_first_and_several_are_several(post: Post) -> None:
    one, two = post.send("ann@receiver.example", "bea@receiver.example")
    raw = report(block("old@receiver.example", status="5.1.1"), to=post.address(one))
    assert post.take(raw, post.address(two)).delivery_id == two.id
    raw = report(block("old@receiver.example", status="5.1.1"), to=f"{post.address(one)}, {post.address(two)}")
    taken = post.incoming.take(raw, source="pipe")
    assert [(each.delivery_id, each.outcome.value) for each in taken] == [(one.id, "recorded"), (two.id, "recorded")]


def test_the_stem_in_the_returned_headers(post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    raw = report(block(row.email, status="5.1.1"), to="news@example.com")
    returned = raw.replace(b"Return-Path: <b+aaaa@bounce.example.com>", f"Return-Path: <{post.address(row)}>".encode())
    assert outcome(post.take(returned)) == ("bounce", "recorded")


def test_nothing_unsigned_changes_anything(post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    stem = STEMS.make(row.message_id, row.id)
    wrong = stem[:-1] + ("a" if stem[-1] != "a" else "b")
    foreign = Stems(LinkKeys.single("other")).make(row.message_id, row.id)
    for address in (VERP, f"b+{wrong}@{DOMAIN}", f"b+{foreign}@{DOMAIN}"):
        raw = report(block(row.email, status="5.1.1"), to=address).replace(b"<r1@", address.encode())
        taken = post.take(raw)
        assert outcome(taken) == ("bounce", "unsigned")
        assert taken.delivery_id is None
    assert post.state(row) == "handed"
    assert post.figures(row).bounced == 0
    with post.office.database.read() as connection:
        assert all(each.content for each in connection.execute(select(incoming_mails)))
    with clock.shifted(clock.Shift(timedelta(days=31))):
        post.incoming.forget_contents()
    with post.office.database.read() as connection:
        assert [each.content for each in connection.execute(select(incoming_mails))] == [None] * 3


def test_mails_of_other_accounts_are_unknown(post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    raw = report(block(row.email, status="5.1.1"), to=post.address(row))
    other = Accounts(post.office.database).create("OTHER", time_zone="UTC")
    assert outcome(post.take(raw, account_id=other.id)) == ("bounce", "not_sent")
    assert post.state(row) == "handed"


def answer(post: Post, row: Any, text: str = "I am away", **head: str) -> bytes:
    mail = EmailMessage()
    mail["To"], mail["From"], mail["Subject"] = post.address(row), row.email, "Away"
    for name, value in head.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def test_these_are_no_bounces(post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    mails = {
        "auto_reply": answer(post, row, Auto_Submitted="auto-replied (vacation)", Precedence="bulk"),
        "reply": answer(post, row, "Please confirm that you are a person, your mail could not be delivered."),
        "receipt": report(
            "Final-Recipient: rfc822; ann@receiver.example\nDisposition: automatic-action; deleted\n",
            top="multipart/report; report-type=disposition-notification",
            kind="message/disposition-notification",
            to=post.address(row),
        ),
        "success": report(block(row.email, "delivered", "2.0.0"), to=post.address(row)),
    }
    for kind, raw in mails.items():
        assert outcome(post.take(raw.replace(b"<r1@", f"<{kind}@".encode()))) == (kind, "nothing")
    returned = f"CFBL-Feedback-ID: {STEMS.make(row.message_id, row.id)}\n\n"
    for number, feedback in enumerate(("not-spam", "auth-failure")):
        report_of_it = complaint(feedback=feedback, returned=returned).replace(b"<c1@", f"<c{number}@".encode())
        assert outcome(post.take(report_of_it)) == ("success", "nothing")
    assert post.state(row) == "handed"


def test_a_delay_is_given_up_when_nothing_follows(post: Post) -> None:
    rows = post.send(*(f"{name}@receiver.example" for name in ("ann", "bea", "cat")))
    ann, bea, cat = rows
    for row in rows:
        assert outcome(post.bounce(row, "4.2.1", action="delayed")) == ("delay", "waiting")
    with post.office.database.write() as connection:
        record_acts(connection, [Act(kind=MailEventKind.OPEN, delivery_id=bea.id)])
    later = report(block(cat.email, status="5.1.1"), to=post.address(cat)).replace(b"<r1@", b"<later@")
    assert outcome(post.take(later)) == ("bounce", "recorded")
    assert post.incoming.give_up_delayed(timedelta(days=6)) == 0
    with clock.shifted(clock.Shift(timedelta(days=7))):
        assert post.incoming.give_up_delayed(timedelta(days=6)) == 1
        assert post.incoming.give_up_delayed(timedelta(days=6)) == 0
    assert [post.state(row) for row in rows] == ["bounced", "handed", "bounced"]
    with post.office.database.read() as connection:
        found = connection.execute(select(bounces.c["class"]).where(bounces.c.delivery_id == ann.id)).scalar_one()
    assert found == "transient"


def test_old_stems_are_not_believed(post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    with clock.shifted(clock.Shift(timedelta(days=31))):
        assert outcome(post.bounce(row)) == ("bounce", "expired")
    assert post.state(row) == "handed"


def test_a_bounce_that_overtakes_the_result(post: Post) -> None:
    """The relay may report before the result of the send is stored; an unknown result becomes known."""
    (row,) = post.send("ann@receiver.example")
    with post.office.database.write() as connection:
        connection.execute(update(deliveries).values(state="handing"))
    with pytest.raises(RecordsUnavailable):
        post.bounce(row)
    with post.office.database.write() as connection:
        connection.execute(update(deliveries).values(state="handed"))
    assert outcome(post.bounce(row)) == ("bounce", "recorded")


def test_hard_bounces_unsubscribe_at_the_limit(post: Post) -> None:
    """lk-39, lk-119: soft ones do not count, and 0 means never."""
    post.settings(bounce_limit=2)
    (row,) = post.send("ann@receiver.example")
    assert outcome(post.bounce(row)) == ("bounce", "recorded")
    (soft,) = post.send()
    post.bounce(soft, "5.2.2")
    assert post.member(row.contact_id).state == "subscribed"
    (second,) = post.send()
    post.bounce(second, "5.1.4")
    member = post.member(row.contact_id)
    assert (member.state, member.removed_by) == ("unsubscribed", "Bounce")
    with post.office.database.read() as connection:
        query = select(contact_events).where(contact_events.c.kind == "unsubscribed")
        event = connection.execute(query).one()
    assert (event.message_id, event.by) == (second.message_id, "Bounce")
    assert not post.suppressed("ann@receiver.example")


@pytest.mark.parametrize(
    ("settings", "leaves"),
    [({"bounce_limit": 0}, False), ({"bounce_limit": 1}, True), ({"bounce_limit": 1, "bounce_handling": 0}, False)],
)
def test_limit_and_policy(post: Post, settings: dict[str, int], leaves: bool) -> None:
    """lk-37, lk-39"""
    post.settings(**settings)
    (row,) = post.send("ann@receiver.example")
    assert outcome(post.bounce(row)) == ("bounce", "recorded")
    assert post.member(row.contact_id).state == ("unsubscribed" if leaves else "subscribed")


def test_two_in_a_row_suppress(post: Post) -> None:
    """mm-123, whatever the order in which the reports arrive."""
    (one,) = post.send("ann@receiver.example")
    (two,) = post.send()
    post.bounce(two, "5.1.1")
    assert not post.suppressed("ann@receiver.example")
    post.bounce(one, "5.1.2")
    assert post.suppressed("ann@receiver.example")


@pytest.mark.parametrize("between", ["arrived", "opened", "full"])
def test_what_ends_the_row(post: Post, between: str) -> None:
    """mm-123"""
    shift = clock.Shift()
    with clock.shifted(shift):
        (one,) = post.send("ann@receiver.example")
        post.bounce(one)
        (two,) = post.send()
        if between == "opened":
            with post.office.database.write() as connection:
                record_acts(connection, [Act(kind=MailEventKind.OPEN, delivery_id=two.id)])
        elif between == "full":
            post.bounce(two, "5.2.2")
        else:
            shift.ahead = timedelta(hours=73)
        (three,) = post.send()
        post.bounce(three)
        assert not post.suppressed("ann@receiver.example")
        (four,) = post.send()
        post.bounce(four)
        assert post.suppressed("ann@receiver.example")


def test_a_mail_under_way_does_not_end_the_row(post: Post) -> None:
    """mm-123: nothing is known of the second mail yet."""
    (one,) = post.send("ann@receiver.example")
    post.send()
    (three,) = post.send()
    post.bounce(one)
    post.bounce(three)
    assert post.suppressed("ann@receiver.example")


COMPLAINTS = {
    "Original-Mail-From": ("Original-Mail-From: <{verp}>", "From: x@y.example\n\n"),
    "CFBL-Feedback-ID, all else redacted": ("", "From: redacted\nCFBL-Feedback-ID: {stem}\n\n"),
    "Return-Path": ("", "Return-Path: <{verp}>\nFrom: x@y.example\n\n"),
    "Original-Rcpt-To": (
        "Original-Rcpt-To: ann@receiver.example\nOriginal-Mail-From: <{verp}>",
        "From: x@y.example\n\n",
    ),
}


@pytest.mark.parametrize("form", COMPLAINTS)
@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_complaints(post: Post, form: str, kind: str) -> None:
    """lk-119, mm-123, RFC 5965, RFC 9477"""
    (row,) = post.send("ann@receiver.example")
    verp = post.address(row)
    stem = STEMS.make(row.message_id, row.id)
    fields, returned = (text.format(verp=verp, stem=stem) for text in COMPLAINTS[form])
    raw = complaint(fields=fields, returned=returned, kind=kind)
    assert outcome(post.take(raw)) == ("complaint", "recorded")
    assert outcome(post.take(raw.replace(b"<c1@", b"<c2@"))) == ("complaint", "repeated")
    member = post.member(row.contact_id)
    assert (member.state, member.removed_by) == ("unsubscribed", "Feedback Loop")
    assert post.suppressed("ann@receiver.example")
    assert post.figures(row).complaints == 1
    with post.office.database.read() as connection:
        event = connection.execute(select(contact_events).where(contact_events.c.kind == "complained")).one()
    assert (event.message_id, event.detail) == (row.message_id, {"provider": "provider.example"})


def test_a_complaint_after_a_change_of_address(post: Post) -> None:
    """mm-123: no more mail goes to the address that complains, whatever file brings it back; nor to the person."""
    (row,) = post.send("ann@receiver.example")
    with Changes(post.office.database).begin(post.office.account) as change:
        change.edit(row.contact_id, {"email": "ann@new.example"})
    raw = complaint(fields=f"Original-Mail-From: {post.address(row)}")
    assert outcome(post.take(raw)) == ("complaint", "recorded")
    assert post.suppressed("ann@receiver.example")
    assert post.suppressed("ann@new.example")
    assert post.member(row.contact_id).state == "unsubscribed"


def test_an_unsigned_complaint_changes_nothing(post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    assert outcome(post.take(complaint(fields="Original-Rcpt-To: ann@receiver.example"))) == ("complaint", "unsigned")
    assert post.member(row.contact_id).state == "subscribed"


def test_text_alone(post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    text = "There was an error delivering your mail to <ann@receiver.example>.\n\n550 5.1.1 unknown\n"
    raw = plain(text).replace(f"To: {VERP}".encode(), f"To: {post.address(row)}".encode())
    assert outcome(post.take(raw)) == ("bounce", "recorded")
    assert outcome(post.take(raw)) == ("bounce", "recorded")
    assert post.figures(row).bounced == 1


def test_refusals_during_the_send_have_the_same_consequences(post: Post) -> None:
    """lk-119, mm-112, mm-123"""
    post.settings(bounce_limit=2)
    post.office.sender = SendRunner(
        post.office.database,
        post.office.mail,
        post.office.drafts,
        simulator=Simulator(post.office.database, Retries()),
    )
    (row,) = post.send("refused@simulator.example")
    assert row.state == "failed"
    assert post.member(row.contact_id).state == "subscribed"
    post.send()
    member = post.member(row.contact_id)
    assert (member.state, member.removed_by) == ("unsubscribed", "Bounce")
    assert post.suppressed("refused@simulator.example")
    assert post.figures(row).delivered == 0


def test_the_simulator_counts_complaints(post: Post) -> None:
    """mm-123"""
    post.office.sender = SendRunner(
        post.office.database,
        post.office.mail,
        post.office.drafts,
        simulator=Simulator(post.office.database, Retries()),
    )
    (row,) = post.send("complains@simulator.example")
    assert post.figures(row).complaints == 1
    assert post.member(row.contact_id).removed_by == "Feedback Loop"


def test_a_deleted_person_is_gone_from_what_came_in(post: Post) -> None:
    """docs/people.md"""
    (row,) = post.send("ann@receiver.example")
    raw = report(block(row.email, "delayed", "4.2.1", "450 4.2.1 ann@receiver.example is busy"), to=post.address(row))
    post.take(raw)
    post.take(answer(post, row, Auto_Submitted="auto-replied"))
    office = post.office
    erasure = Erasure(office.database, office.blobs, MailStore(office.mail), office.drafts)
    erasure.delete(office.account, row.contact_id, COMMAND_LINE)
    with office.database.read() as connection:
        for found in connection.execute(select(incoming_mails)):
            assert (found.address, found.detail, found.content) == ("", "", None)
    # The figures still learn that the mail came back.
    later = report(block(row.email, status="5.1.1"), to=post.address(row)).replace(b"<r1@", b"<later@")
    assert outcome(post.take(later)) == ("bounce", "recorded")
    assert post.figures(row).bounced == 1
    assert outcome(post.take(complaint(fields=f"Original-Mail-From: {post.address(row)}"))) == ("complaint", "nothing")
    with office.database.read() as connection:
        stored = [each.detail + each.address for each in connection.execute(select(incoming_mails))]
        stored += connection.execute(select(bounces.c.detail)).scalars()
    assert not any("ann@" in text for text in stored)


def test_lists_without_a_policy_are_standard(office: Office) -> None:
    """lk-37"""
    found = Lists(office.database).get(office.account.id, office.list.id)
    assert found is not None
    assert "bounce_handling" not in found.settings
