"""Mails that come in at once are stored together: each has its own answer, as if it had come alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, select, update
from tests.sending.conftest import Office
from tests.tracking.reports import block, complaint, report
from tests.tracking.test_incoming_mails import STEMS, Post, outcome

from soapstone.accounts.account import Accounts
from soapstone.store.tables import bounces, contact_events, deliveries, incoming_mails, sends
from soapstone.store.transient_errors import RecordsUnavailable
from soapstone.tracking.incoming_mails import Taken
from soapstone.tracking.recording import record_bounces_of


@pytest.fixture
def post(office: Office) -> Post:
    return Post(office)


def bounce(post: Post, row: Any, status: str = "5.1.1", *, number: int = 1, **how: Any) -> bytes:
    raw = report(block(row.email, status=status, **how), to=post.address(row))
    return raw.replace(b"<r1@", f"<r{row.id}.{number}@".encode())


def together(
    post: Post, monkeypatch: pytest.MonkeyPatch, mails: Sequence[bytes], **of: int
) -> list[Future[Sequence[Taken]]]:
    """Take mails by threads that come in this order while another transaction runs; `of` is the caller's account."""
    commits, sizes = post.incoming._commits, []
    work = commits._work

    def counted(connection: Any, cases: Any) -> Any:
        sizes.append(len(cases))
        if len(sizes) == 1:
            end = time.monotonic() + 60
            while len(commits._waiting) < len(mails):
                assert time.monotonic() < end
                time.sleep(0.001)
        return work(connection, cases)

    monkeypatch.setattr(commits, "_work", counted)
    with ThreadPoolExecutor(len(mails) + 1) as threads:
        first = threads.submit(post.take, b"Subject: a note\n\nOf nobody.\n")
        while not sizes:
            time.sleep(0.001)
        found = []
        for number, raw in enumerate(mails, 1):
            found.append(threads.submit(post.incoming.take, raw, source="pipe", account_id=of.get(f"mail_{number}")))
            while len(commits._waiting) < number and not first.done():
                time.sleep(0.001)
    assert outcome(first.result()) == ("reply", "unsigned")
    monkeypatch.setattr(commits, "_work", work)
    assert max(sizes) > 1
    return found


def outcomes(found: Sequence[Future[Sequence[Taken]]]) -> list[tuple[str, str]]:
    return [outcome(taken) for each in found for taken in each.result()]


def stored(post: Post, table: Any) -> list[Any]:
    with post.office.database.read() as connection:
        return list(connection.execute(select(table)))


def test_each_has_its_own_answer(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ann", "bea", "cat", "dan", "eva", "fay")
    ann, bea, cat, dan, eva, fay = post.send(*(f"{name}@receiver.example" for name in names))
    with post.office.database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.id == dan.id).values(state="uncertain"))
        connection.execute(update(deliveries).where(deliveries.c.id == eva.id).values(state="handing"))
    other = Accounts(post.office.database).create("OTHER", time_zone="UTC")
    fields = f"Original-Mail-From: {post.address(fay)}"
    mails = [
        bounce(post, ann),
        bounce(post, ann),
        bounce(post, ann, number=2),
        bounce(post, bea),
        bounce(post, cat, "4.2.1", action="delayed"),
        bounce(post, dan, "5.2.2"),
        bounce(post, eva),
        complaint(fields=fields),
        complaint(fields=fields).replace(b"<c1@", b"<c2@"),
        complaint(fields="Original-Rcpt-To: ann@receiver.example"),
    ]
    found = together(post, monkeypatch, mails, mail_4=other.id)
    with pytest.raises(RecordsUnavailable):
        found.pop(6).result()
    assert outcomes(found) == [
        ("bounce", "recorded"),
        ("bounce", "recorded"),
        ("bounce", "repeated"),
        ("bounce", "not_sent"),
        ("delay", "waiting"),
        ("bounce", "recorded"),
        ("complaint", "recorded"),
        ("complaint", "repeated"),
        ("complaint", "unsigned"),
    ]
    assert [post.state(row) for row in (ann, bea, cat, dan, eva, fay)] == [
        "bounced",
        "handed",
        "handed",
        "bounced",
        "handing",
        "handed",
    ]
    figures = post.figures(ann)
    assert (figures.bounced, figures.complaints) == (2, 1)
    assert {(row.delivery_id, row.code) for row in stored(post, bounces)} == {(ann.id, "5.1.1"), (dan.id, "5.2.2")}
    # Each is known when it comes again, and what was not taken is taken.
    with post.office.database.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.id == eva.id).values(state="handed"))
    assert outcome(post.take(mails[6])) == ("bounce", "recorded")
    count = len(stored(post, incoming_mails))
    assert [outcome(post.take(raw)) for raw in mails[:3]] == [("bounce", "recorded")] * 2 + [("bounce", "repeated")]
    assert len(stored(post, incoming_mails)) == count
    # What another account was told hides nothing from the account that sent it.
    assert outcome(post.take(mails[3])) == ("bounce", "recorded")


def test_bounces_of_one_recipient_count_one_after_another(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """lk-39, lk-119, mm-123"""
    post.settings(bounce_limit=3)
    (one,) = post.send("ann@receiver.example")
    (two,), (three,), (four,) = post.send(), post.send(), post.send()
    with post.office.database.write() as connection:
        # Bounces of tests, and of other lists, are none of this list.
        connection.execute(update(sends).where(sends.c.job_id == two.job_id).values(list_id=None))
    found = together(post, monkeypatch, [bounce(post, row, "5.1.4") for row in (four, two, one, three)])
    assert outcomes(found) == [("bounce", "recorded")] * 4
    counts = {row.delivery_id: row.contact_bounces for row in stored(post, bounces)}
    assert counts == {four.id: 1, two.id: 1, one.id: 2, three.id: 3}
    assert post.member(one.contact_id).state == "unsubscribed"
    (left,) = [row for row in stored(post, contact_events) if row.kind == "unsubscribed"]
    assert (left.message_id, left.by) == (three.message_id, "Bounce")
    assert not post.suppressed(one.email)


def test_two_in_a_row_that_come_at_once(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-123"""
    ann, bea = post.send("ann@receiver.example", "bea@receiver.example")
    later = {row.email: row for row in post.send()}
    mails = [bounce(post, row) for row in (later[ann.email], ann, bea)]
    found = together(post, monkeypatch, [*mails, bounce(post, later[bea.email], "5.2.2")])
    assert outcomes(found) == [("bounce", "recorded")] * 4
    assert (post.suppressed(ann.email), post.suppressed(bea.email)) == (True, False)


def test_a_fault_of_one_mail_harms_no_other(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, bea, cat = post.send(*(f"{name}@receiver.example" for name in ("ann", "bea", "cat")))

    def failing(connection: Any, found: Any, *more: Any) -> Any:
        new = record_bounces_of(connection, found, *more)
        if any(mail.id == bea.id for mail, _ in found):
            raise ArithmeticError("a fault")
        return new

    monkeypatch.setattr("soapstone.tracking.incoming_mails.record_bounces_of", failing)
    found = together(post, monkeypatch, [bounce(post, row) for row in (ann, bea, cat)])
    with pytest.raises(ArithmeticError):
        found.pop(1).result()
    assert outcomes(found) == [("bounce", "recorded")] * 2
    assert [post.state(row) for row in (ann, bea, cat)] == ["bounced", "handed", "bounced"]
    assert post.figures(ann).bounced == 2
    monkeypatch.undo()
    assert outcome(post.take(bounce(post, bea))) == ("bounce", "recorded")
    assert post.figures(ann).bounced == 3


def test_a_stem_of_another_message_is_of_no_mail(post: Post) -> None:
    """Numbers that are signed, but do not belong together, such as after a restore."""
    (ann,) = post.send("ann@receiver.example")
    stem = STEMS.make(ann.message_id + 1, ann.id)
    assert outcome(post.take(report(block(ann.email)), f"b+{stem}@bounce.example.com")) == ("bounce", "not_sent")
    assert post.state(ann) == "handed"


def test_figures_are_changed_by_one_statement(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the sends, as the recorder changes them: otherwise each could wait for the other."""
    first, second = post.send("ann@receiver.example")[0], post.send("bea@receiver.example")[-1]
    mails = [bounce(post, second), complaint(fields=f"Original-Mail-From: {post.address(first)}")]
    asked: list[str] = []

    @event.listens_for(post.office.database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    found = together(post, monkeypatch, mails)
    event.remove(post.office.database.engine, "before_cursor_execute", note)
    assert outcomes(found) == [("bounce", "recorded"), ("complaint", "recorded")]
    assert sum("INTO send_figure" in statement for statement in asked) == 1
