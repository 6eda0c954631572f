"""Who leaves, or moves, after a send has chosen its recipients: at a retry, after a pause, however it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import update
from tests.sending.scripted import Said, ScriptedServer

from soapstone.jobs.worker import Worker
from soapstone.lists.categories import Categories
from soapstone.lists.changes import UNTOLD, Change, Changes
from soapstone.lists.contact_list import Lists
from soapstone.lists.suppression import Suppressions
from soapstone.lists.unsubscribes import from_everything
from soapstone.sending.folder_delivery import FolderDelivery
from soapstone.sending.links import Links
from soapstone.sending.message import Draft, Traits
from soapstone.sending.messages import Messages
from soapstone.sending.replies import Replies
from soapstone.sending.sender import Sender
from soapstone.sending.smtp_server import Retries, SmtpServer
from soapstone.store.instants import now
from soapstone.store.tables import deliveries, jobs

LINKS = Links("https://lists.example", "key")


class Scene:
    """A send to a list whose message and list have categories; the first recipient is put off once."""

    def __init__(self, office: Any) -> None:
        self.office = office
        categories = Categories(office.database)
        self.clubs = categories.add_list_category(office.account.id, "Clubs").id
        self.offers = categories.add_message_category(office.account.id, "Offers").id
        changed = Lists(office.database).change(office.account.id, office.list.id, category_id=self.clubs)
        assert changed is not None
        office.list = changed
        self.ann = office.contact("ann@example.com")
        self.bob = office.contact("bob@example.com")
        draft, traits = Draft(subject="News", plain="Hello {{ Email }}"), Traits(category_id=self.offers)
        message = Messages(office.database).save(office.account.id, office.list.id, draft, traits=traits)
        self.ticket = office.sends.to_list(
            account=office.account, login=None, contact_list=office.list, message=message
        )

    def change(self, do: Callable[[Change], object]) -> None:
        with Changes(self.office.database).begin(self.office.account) as change:
            do(change)

    def click(self) -> None:
        """Follow the link in ann's mail."""
        replies = Replies(self.office.database, lambda: LINKS)
        row = next(row for row in self.office.rows(self.ticket) if row.contact_id == self.ann)
        sent = replies.find(row.id)
        assert sent is not None
        replies.unsubscribe(sent, by="Unsubscribe Link")


def block(scene: Scene, **how: Any) -> None:
    Suppressions(scene.office.database).add(scene.office.account.id, "ANN@example.com", **how)


def leave_as_double(scene: Scene) -> None:
    """Ann has another contact of the same mailbox, as an upgrade may find it, which leaves (lk-64)."""
    double = scene.office.contact("Ann@example.com", "", double_of=scene.ann)
    scene.change(lambda change: from_everything(change, double, UNTOLD))


WAYS: dict[str, tuple[Callable[[Scene], object], str]] = {
    "unsubscribe link": (Scene.click, "unsubscribed"),
    "off the list": (lambda s: s.change(lambda c: c.leave(s.office.list.id, s.ann)), "left"),
    "unsubscribed from the list": (
        lambda s: s.change(lambda c: c.move(s.office.list.id, s.ann, "unsubscribed")),
        "unsubscribed",
    ),
    "unsubscribed from everything": (lambda s: s.change(lambda c: from_everything(c, s.ann, UNTOLD)), "unsubscribed"),
    "opted out of the list's category": (
        lambda s: s.change(lambda c: c.opt_out(s.ann, "list_category", s.clubs)),
        "unsubscribed",
    ),
    "opted out of the message's category": (
        lambda s: s.change(lambda c: c.opt_out(s.ann, "message_category", s.offers)),
        "unsubscribed",
    ),
    "unsubscribed as another contact": (leave_as_double, "unsubscribed"),
    "waits again": (lambda s: s.change(lambda c: c.move(s.office.list.id, s.ann, "waiting")), "waiting"),
    "suppressed": (block, "suppressed"),
    "suppressed on the list": (lambda s: block(s, list_id=s.office.list.id), "suppressed"),
    "banned": (lambda s: block(s, kind="banned"), "banned"),
    "address removed": (lambda s: s.change(lambda c: c.edit(s.ann, {"email": ""})), "malformed"),
    "address of another recipient": (
        lambda s: s.change(
            lambda c: (c.edit(s.bob, {"email": "bobby@example.com"}), c.edit(s.ann, {"email": "bob@example.com"}))
        ),
        "repeated",
    ),
}


def run(office: Any) -> None:
    """Work on the send until it is over, or waits."""
    worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.01)
    worker.run(until=lambda: True)


def put_off(scene: Scene, server: ScriptedServer) -> None:
    """Send up to the point where ann was put off."""
    office = scene.office
    retries = Retries(first=timedelta(seconds=60))
    smtp = SmtpServer(server.address, connections=1, retries=retries, local_hostname="c.example")
    office.sender = Sender(office.database, office.mail, office.drafts, server=smtp)
    run(office)
    assert [row.state for row in office.rows(scene.ticket)] == ["deferred", "handed"]


def make_due(scene: Scene) -> None:
    """Let the time of the retry come."""
    with scene.office.database.write() as connection:
        waits = deliveries.c.next_try_at.is_not(None)
        connection.execute(update(deliveries).where(waits).values(next_try_at=now()))
        connection.execute(update(jobs).where(jobs.c.id == scene.ticket.job.id).values(due_at=now()))


def busy_once() -> Callable[[Said], bytes | None]:
    asked = False

    def answer(said: Said) -> bytes | None:
        nonlocal asked
        if said.stage == "RCPT" and said.recipient == "ann@example.com" and not asked:
            asked = True
            return b"450 4.2.1 busy"
        return None

    return answer


@pytest.mark.parametrize("way", WAYS)
def test_who_leaves_before_a_retry_gets_no_mail(office: Any, way: str) -> None:
    scene = Scene(office)
    leave, reason = WAYS[way]
    with ScriptedServer(busy_once()) as server:
        put_off(scene, server)
        leave(scene)
        make_due(scene)
        office.work()
    assert server.accepted == ["bob@example.com"]
    (row, _) = office.rows(scene.ticket)
    assert (row.state, row.reason, row.next_try_at) == ("skipped", reason, None)
    job = office.job(scene.ticket)
    counted = {name: job.counters.get(name, 0) for name in ("chosen", "skipped", "deferred", "handed")}
    assert (job.state, counted) == ("completed", {"chosen": 1, "skipped": 1, "deferred": 0, "handed": 1})


def test_who_moves_before_a_retry_gets_the_mail_at_the_new_address(office: Any) -> None:
    scene = Scene(office)
    with ScriptedServer(busy_once()) as server:
        put_off(scene, server)
        scene.change(lambda change: change.edit(scene.ann, {"email": "Ann@New.example"}))
        make_due(scene)
        office.work()
    assert server.accepted == ["bob@example.com", "Ann@New.example"]
    (row, _) = office.rows(scene.ticket)
    assert (row.state, row.email, row.email_key) == ("handed", "Ann@New.example", "ann@new.example")


@pytest.mark.parametrize("way", WAYS)
def test_who_leaves_during_a_pause_gets_no_mail(office: Any, way: str) -> None:
    """The send has chosen its recipients, and rests before the first mail."""
    scene = Scene(office)
    leave, reason = WAYS[way]
    with ScriptedServer(lambda said: b"421 4.3.2 not now" if said.stage == "GREETING" and closed else None) as server:
        closed = True
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = Sender(office.database, office.mail, office.drafts, server=smtp)
        worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.01)
        thread = Thread(target=worker.run)
        thread.start()
        while not server.times("GREETING"):
            time.sleep(0.005)
        office.jobs.pause(None, scene.ticket.job.id)
        worker.stop()
        thread.join()
        assert [row.state for row in office.rows(scene.ticket)] == ["chosen", "chosen"]
        leave(scene)
        closed = False
        office.jobs.pause(None, scene.ticket.job.id, paused=False)
        office.work()
    expected = "bobby@example.com" if way == "address of another recipient" else "bob@example.com"
    assert server.accepted in ([expected], ["bob@example.com"])
    assert office.rows(scene.ticket)[0].reason == reason


@pytest.mark.parametrize("way", WAYS)
def test_a_folder_gets_no_mail_for_who_leaves_after_the_mails_were_built(
    office: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(office)
    leave, reason = WAYS[way]
    hand = FolderDelivery._hand

    def later(self: Any) -> None:
        leave(scene)
        hand(self)

    monkeypatch.setattr(FolderDelivery, "_hand", later)
    office.work()
    assert {str(mail["To"]) for mail in office.mails().values()} <= {"bob@example.com", "bobby@example.com"}
    assert office.rows(scene.ticket)[0].reason == reason
    assert office.job(scene.ticket).counters["skipped"] == 1
    assert not office.left_over()


def test_a_folder_gets_the_mail_for_the_new_address(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(office)
    hand = FolderDelivery._hand

    def later(self: Any) -> None:
        scene.change(lambda change: change.edit(scene.ann, {"email": "ann@new.example"}))
        hand(self)

    monkeypatch.setattr(FolderDelivery, "_hand", later)
    office.work()
    assert set(office.mails()) == {"ann@new.example", "bob@example.com"}
    assert office.mails()["ann@new.example"].get_content().strip() == "Hello ann@new.example"


def test_a_stranger_of_a_file_who_leaves_before_a_retry_gets_no_mail(office: Any) -> None:
    ticket = office.to_file("EmailAddress\nann@example.com\nbob@example.com\n")
    scene = object.__new__(Scene)
    scene.office, scene.ticket, scene.ann = office, ticket, None
    with ScriptedServer(busy_once()) as server:
        put_off(scene, server)
        scene.click()
        make_due(scene)
        office.work()
    assert server.accepted == ["bob@example.com"]
    assert office.ledger(ticket)[0] == ("ann@example.com", "skipped", "unsubscribed")
