"""What happens between the commit that takes a batch and the mails of it: nobody gets a mail who must not any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.sending.scripted import Said, ScriptedServer

from soapstone.clock import now
from soapstone.contacts.changes import UNTOLD, Changes
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import from_everything
from soapstone.jobs.worker import Worker
from soapstone.sending.runner import SendRunner
from soapstone.sending.smtp import delivery
from soapstone.sending.smtp.delivery_log import DeliveryLog
from soapstone.sending.smtp.server import SmtpServer
from soapstone.store.tables import contacts, jobs
from soapstone.vocabulary.contacts import MembershipState

PEOPLE = 40


@pytest.fixture(autouse=True)
def _batches_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little a busy machine sends in a second."""
    monkeypatch.setattr(delivery, "BATCH_SECONDS", 3600.0)


def edit(office: Any, contact_id: int, change: Callable[[Any], object]) -> None:
    with Changes(office.database).begin(office.account) as changes:
        change(changes)


WAYS: dict[str, tuple[Callable[[Any, Any], object], str]] = {
    "unsubscribed": (
        lambda o, row: edit(
            o, row.contact_id, lambda c: c.move(o.list.id, row.contact_id, MembershipState.UNSUBSCRIBED)
        ),
        "unsubscribed",
    ),
    "from everything": (
        lambda o, row: edit(o, row.contact_id, lambda c: from_everything(c, row.contact_id, UNTOLD)),
        "unsubscribed",
    ),
    "off the list": (lambda o, row: edit(o, row.contact_id, lambda c: c.leave(o.list.id, row.contact_id)), "left"),
    "suppressed": (lambda o, row: Suppressions(o.database).add(o.account.id, row.email), "suppressed"),
    "banned": (lambda o, row: Suppressions(o.database).add(o.account.id, row.email, kind="banned"), "banned"),
}


class Scene:
    """A send over one connection; `then` happens once, while a mail is being answered and others are in hand."""

    def __init__(self, office: Any, then: Callable[[Any], object]) -> None:
        self.office = office
        self._then = then
        # The row that comes next, and how many were in hand then.
        self.next: Any = None
        self.in_hand = 0
        for number in range(PEOPLE):
            office.contact(f"p{number}@example.com")
        self.ticket = office.to_list()
        self.server = ScriptedServer(self._answer)

    def _answer(self, said: Said) -> bytes | None:
        if said.stage != "END" or self.next is not None:
            return None
        rows = self.office.rows(self.ticket)
        here = next(place for place, row in enumerate(rows) if row.email == said.recipient)
        in_hand = [row for row in rows[here + 1 :] if row.state == "handing"]
        if len(in_hand) < 3 and (self.office.database.kind == "sqlite" or here < 5):
            return None
        self.next, self.in_hand = rows[here + 1], len(in_hand)
        self._then(self.next)
        return None

    def run(self, *, once: bool = False) -> None:
        with self.server as server:
            smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
            self.office.sender = SendRunner(self.office.database, self.office.mail, self.office.drafts, server=smtp)
            if once:
                worker = Worker(self.office.database, self.office.blobs, self.office.sender.runners, idle=0.05)
                worker.run(until=lambda: True)
            else:
                self.office.work()
        # On PostgreSQL a batch is what the connections send at once.
        assert self.next is not None
        assert (self.in_hand >= 3) == (self.office.database.kind == "sqlite")

    @property
    def everybody(self) -> list[str]:
        return [f"p{number}@example.com" for number in range(PEOPLE)]


@pytest.mark.parametrize("way", WAYS)
def test_who_leaves_while_others_of_the_batch_are_sent_gets_no_mail(office: Any, way: str) -> None:
    leave, reason = WAYS[way]
    scene = Scene(office, lambda row: leave(office, row))
    scene.run()
    assert scene.server.accepted == [each for each in scene.everybody if each != scene.next.email]
    row = next(row for row in office.rows(scene.ticket) if row.id == scene.next.id)
    assert (row.state, row.reason, row.next_try_at, row.attempts) == ("skipped", reason, None, 0)
    counters = {name: count for name, count in office.job(scene.ticket).counters.items() if count}
    assert counters == {"chosen": PEOPLE - 1, "skipped": 1, "handed": PEOPLE - 1}


def test_who_moves_while_others_of_the_batch_are_sent_gets_the_mail_at_the_new_address(office: Any) -> None:
    def move(row: Any) -> None:
        edit(office, row.contact_id, lambda c: c.edit(row.contact_id, {"email": "new@example.com"}))

    scene = Scene(office, move)
    scene.run()
    assert scene.server.accepted == [
        "new@example.com" if each == scene.next.email else each for each in scene.everybody
    ]
    row = next(row for row in office.rows(scene.ticket) if row.id == scene.next.id)
    assert (row.state, row.email, row.email_key) == ("handed", "new@example.com", "new@example.com")


def test_who_moves_and_moves_back_gets_the_mail_where_the_ledger_says(office: Any) -> None:
    moves = 0

    def move(row: Any) -> None:
        edit(office, row.contact_id, lambda c: c.edit(row.contact_id, {"email": "new@example.com"}))

    scene = Scene(office, move)
    settle = DeliveryLog.commit

    def committing(self: Any, *given: Any, **named: Any) -> Any:
        nonlocal moves
        checked = settle(self, *given, **named)
        if checked.moved and not moves:
            moves += 1
            row = scene.next
            edit(office, row.contact_id, lambda c: c.edit(row.contact_id, {"email": row.email}))
        return checked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeliveryLog, "commit", committing)
        scene.run()
    row = next(row for row in office.rows(scene.ticket) if row.id == scene.next.id)
    assert row.state == "handed"
    assert [each for each in scene.server.accepted if each not in scene.everybody or each == row.email] == [row.email]
    assert moves == 1
    if office.database.kind == "sqlite":
        assert row.email == scene.next.email


@pytest.mark.parametrize("how", ["pause", "cancel"])
def test_what_is_in_hand_is_put_back_when_the_send_pauses_or_is_cancelled(office: Any, how: str) -> None:
    scene = Scene(office, lambda _: getattr(office.jobs, how)(None, scene.ticket.job.id))
    scene.run(once=True)
    before = list(scene.server.accepted)
    # On PostgreSQL it was not asked between two mails, but between two commits.
    assert before == scene.everybody[: len(before)]
    assert len(before) == scene.everybody.index(scene.next.email)
    rows = office.rows(scene.ticket)
    assert [row.state for row in rows] == ["handed"] * len(before) + ["chosen"] * (PEOPLE - len(before))
    counters = {name: count for name, count in office.job(scene.ticket).counters.items() if count}
    assert counters == {"chosen": PEOPLE, "handed": len(before)}
    if how == "cancel":
        assert office.job(scene.ticket).state == "cancelled"
        return
    office.jobs.pause(None, scene.ticket.job.id, paused=False)
    with ScriptedServer(lambda said: None) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        office.work()
    assert before + server.accepted == scene.everybody
    assert {(row.state, row.attempts, row.doubts) for row in office.rows(scene.ticket)} == {("handed", 1, 0)}


def test_an_attempt_that_has_lost_its_lease_sends_nothing_more_of_its_batch(office: Any) -> None:
    def take_over(_: Any) -> None:
        with office.database.write() as connection:
            connection.execute(update(jobs).values(lease_until=now() - timedelta(seconds=1)))
        office.jobs.expire_leases()
        assert office.jobs.claim("another", office.sender.runners, timedelta(seconds=-1))

    scene = Scene(office, take_over)
    scene.run()
    # The worker that has lost it goes on as another attempt.
    rows, times = office.rows(scene.ticket), Counter(scene.server.accepted)
    assert {row.state for row in rows} == {"handed"}
    assert all(1 <= times[row.email] <= 1 + row.doubts for row in rows)
    # The journal has the reply that came too late for the ledger.
    assert sum(row.doubts for row in rows) == (0 if office.database.kind == "sqlite" else 1)


def test_changes_of_other_records_hold_nothing_up(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody changes something all the time: mails in hand are checked again, and go out."""
    other = office.contact("other@example.net", state="")
    ticks = 0

    def tick(said: Said) -> bytes | None:
        nonlocal ticks
        ticks += said.stage == "RCPT"
        with office.database.write() as connection:
            connection.execute(contacts.update().where(contacts.c.id == other).values(city=str(ticks)))
        return None

    for number in range(PEOPLE):
        office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    with ScriptedServer(tick) as server:
        smtp = SmtpServer(server.address, connections=2, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        office.work()
    assert sorted(server.accepted) == sorted(f"p{number}@example.com" for number in range(PEOPLE))
    assert {(row.state, row.attempts) for row in office.rows(ticket)} == {("handed", 1)}


def test_a_send_goes_on_when_others_change_something_during_each_check(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy server something else is stored between a check of the mails in hand and the first of them.

    One of them has moved, so that its address differs from the row that was read in each check.
    """
    other = office.contact("other@example.net", state="")
    checks = 0
    mover = 0

    def change() -> None:
        nonlocal checks
        checks += 1
        # A send that makes no progress would go on checking for ever.
        assert checks < 2 * PEOPLE
        with office.database.write() as connection:
            connection.execute(contacts.update().where(contacts.c.id == other).values(city=str(checks)))
        if checks == 3:
            edit(office, mover, lambda c: c.edit(mover, {"email": "new@example.com"}))

    def followed(real: Callable[..., Any]) -> Callable[..., Any]:
        def checking(*given: Any, **named: Any) -> Any:
            found = real(*given, **named)
            change()
            return found

        return checking

    for name in ("holds", "commit"):
        monkeypatch.setattr(DeliveryLog, name, followed(getattr(DeliveryLog, name)))
    for number in range(PEOPLE):
        mover = office.contact(f"p{number}@example.com")
    ticket = office.to_list()
    with ScriptedServer(lambda said: None) as server:
        smtp = SmtpServer(server.address, connections=2, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        office.work()
    stayed = [f"p{number}@example.com" for number in range(PEOPLE - 1)]
    assert sorted(server.accepted) == sorted([*stayed, "new@example.com"])
    assert {(row.state, row.attempts, row.doubts) for row in office.rows(ticket)} == {("handed", 1, 0)}
