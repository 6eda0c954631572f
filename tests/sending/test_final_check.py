"""Who leaves, or moves, after a send has chosen its recipients: at a retry, after a pause, however it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import update
from tests.sending.scripted import DROP, Said, ScriptedServer

from soapstone.accounts.account import Accounts
from soapstone.accounts.link_keys import LinkKeys
from soapstone.clock import now
from soapstone.contacts.changes import UNTOLD, Change, Changes
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import from_everything
from soapstone.jobs.run import Run
from soapstone.jobs.worker import Worker
from soapstone.lists.categories import Categories
from soapstone.lists.lists import Lists
from soapstone.sending.final_check import FinalCheck
from soapstone.sending.folder.delivery import FolderDelivery
from soapstone.sending.link_actions import LinkActions
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.messages.messages import Messages
from soapstone.sending.runner import SendRunner
from soapstone.sending.signed_links import Links
from soapstone.sending.smtp import client
from soapstone.sending.smtp import client as smtp_client
from soapstone.sending.smtp import delivery as smtp_delivery
from soapstone.sending.smtp.retries import Retries
from soapstone.sending.smtp.server import SmtpServer
from soapstone.store.tables import deliveries, jobs
from soapstone.vocabulary.contacts import MembershipState, OptOutKind

LINKS = Links("https://lists.example", LinkKeys.single("key"))


class Scene:
    """A send to a list whose message and list have categories; the first recipient is put off once."""

    def __init__(self, office: Any) -> None:
        self.office = office
        self.clubs = Categories(office.database, OptOutKind.LIST_CATEGORY).add(office.account.id, "Clubs").id
        self.offers = Categories(office.database, OptOutKind.MESSAGE_CATEGORY).add(office.account.id, "Offers").id
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
        replies = LinkActions(self.office.database, lambda: LINKS)
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
        lambda s: s.change(lambda c: c.move(s.office.list.id, s.ann, MembershipState.UNSUBSCRIBED)),
        "unsubscribed",
    ),
    "unsubscribed from everything": (lambda s: s.change(lambda c: from_everything(c, s.ann, UNTOLD)), "unsubscribed"),
    "opted out of the list's category": (
        lambda s: s.change(lambda c: c.opt_out(s.ann, OptOutKind.LIST_CATEGORY, s.clubs)),
        "unsubscribed",
    ),
    "opted out of the message's category": (
        lambda s: s.change(lambda c: c.opt_out(s.ann, OptOutKind.MESSAGE_CATEGORY, s.offers)),
        "unsubscribed",
    ),
    "unsubscribed as another contact": (leave_as_double, "unsubscribed"),
    "waits again": (
        lambda s: s.change(lambda c: c.move(s.office.list.id, s.ann, MembershipState.UNCONFIRMED)),
        MembershipState.UNCONFIRMED,
    ),
    "suppressed": (block, "suppressed"),
    "suppressed on the list": (lambda s: block(s, list_id=s.office.list.id), "suppressed"),
    "banned": (lambda s: block(s, kind="banned"), "banned"),
    "e-mail channel shut": (lambda s: s.change(lambda c: c.edit(s.ann, {"channels_shut": "email fax"})), "suppressed"),
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
    worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05)
    worker.run(until=lambda: True)


def put_off(scene: Scene, server: ScriptedServer) -> None:
    """Send up to the point where ann was put off."""
    office = scene.office
    retries = Retries(first=timedelta(seconds=60))
    smtp = SmtpServer(server.address, connections=1, retries=retries, local_hostname="c.example")
    office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
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
def test_who_leaves_during_a_pause_gets_no_mail(office: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The send has chosen its recipients, and rests before the first mail."""
    monkeypatch.setattr(smtp_client, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(smtp_delivery, "LOOK_PAUSE", 0.05)
    scene = Scene(office)
    leave, reason = WAYS[way]
    with ScriptedServer(lambda said: b"421 4.3.2 not now" if said.stage == "GREETING" and closed else None) as server:
        closed = True
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05)
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
    hand = FolderDelivery._send

    def later(self: Any) -> None:
        leave(scene)
        hand(self)

    monkeypatch.setattr(FolderDelivery, "_send", later)
    office.work()
    assert {str(mail["To"]) for mail in office.mails().values()} <= {"bob@example.com", "bobby@example.com"}
    assert office.rows(scene.ticket)[0].reason == reason
    assert office.job(scene.ticket).counters["skipped"] == 1
    assert not office.left_over()


def test_a_folder_gets_the_mail_for_the_new_address(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(office)
    hand = FolderDelivery._send

    def later(self: Any) -> None:
        scene.change(lambda change: change.edit(scene.ann, {"email": "ann@new.example"}))
        hand(self)

    monkeypatch.setattr(FolderDelivery, "_send", later)
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


def test_the_time_that_a_commit_takes_counts(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL lets people leave while the transaction that looked at them waits for its commit."""
    scene, settle, slow = Scene(office), FinalCheck.settle, True

    def settle_slowly(self: FinalCheck, chunk: Any, rows: Any) -> Any:
        nonlocal slow
        checked = settle(self, chunk, rows)
        if slow:
            slow = False
            if office.database.kind == "postgresql":
                scene.change(lambda change: change.move(office.list.id, scene.ann, MembershipState.UNSUBSCRIBED))
            time.sleep(0.3)
        return checked

    monkeypatch.setattr(FinalCheck, "settle", settle_slowly)
    monkeypatch.setattr(client, "LONGEST_WAY", 0.2)
    with ScriptedServer(lambda said: None) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        office.work()
    # On SQLite nobody can leave before the commit.
    expected = {"bob@example.com"} | ({"ann@example.com"} if office.database.kind == "sqlite" else set())
    assert set(server.accepted) == expected


def by_number(office: Any) -> Any:
    """An office where the custom id tells people apart, so that several may have one address (mm-53)."""
    office.account = Accounts(office.database).create("BYID", time_zone="UTC", identifier="custom_id")
    return type(office)(office.database, office.blobs, office.account, office.mail.parent)


@pytest.mark.parametrize("by_folder", [False, True])
def test_two_who_move_to_one_address_get_one_mail(
    office: Any, by_folder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mm-53: both are looked at in one transaction."""
    office = by_number(office)
    people = [office.contact(f"{name}@example.com", custom_id=name) for name in ("ann", "bob")]
    ticket = office.to_list()

    def move() -> None:
        with Changes(office.database).begin(office.account) as change:
            for each in people:
                change.edit(each, {"email": "both@example.com"})

    if by_folder:
        hand = FolderDelivery._send

        def later(self: Any) -> None:
            move()
            hand(self)

        monkeypatch.setattr(FolderDelivery, "_send", later)
        office.work()
        assert list(office.mails()) == ["both@example.com"]
    else:
        asked: set[str] = set()

        def busy(said: Said) -> bytes | None:
            known = said.recipient in asked
            asked.add(said.recipient)
            return b"450 busy" if said.stage == "RCPT" and not known and said.recipient != "both@example.com" else None

        with ScriptedServer(busy) as server:
            smtp = SmtpServer(server.address, connections=2, local_hostname="c.example")
            office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
            run(office)
            move()
            scene = object.__new__(Scene)
            scene.office, scene.ticket = office, ticket
            make_due(scene)
            office.work()
        assert server.accepted == ["both@example.com"]
    assert sorted(row.reason for row in office.rows(ticket)) == ["", "repeated"]


def test_another_contact_of_the_address_that_a_file_names_leaves(office: Any) -> None:
    """mm-53, lk-91: nobody knows which of the two the file means, so the one that left counts."""
    office = by_number(office)
    office.contact("ann@example.com", custom_id="1")
    other = office.contact("ann@example.com", custom_id="2")
    office.contact("bob@example.com", custom_id="3")
    scene = object.__new__(Scene)
    scene.office, scene.ticket = office, office.to_file("EmailAddress\nann@example.com\nbob@example.com\n")
    with ScriptedServer(busy_once()) as server:
        put_off(scene, server)
        scene.change(lambda change: change.move(office.list.id, other, MembershipState.UNSUBSCRIBED))
        make_due(scene)
        office.work()
    assert server.accepted == ["bob@example.com"]
    assert office.ledger(scene.ticket)[0] == ("ann@example.com", "skipped", "unsubscribed")


def test_who_leaves_and_may_have_the_mail_stays_uncertain(office: Any) -> None:
    """The server has the whole mail, and its reply was lost."""
    scene = Scene(office)
    with ScriptedServer(
        lambda said: DROP if said.stage == "END" and said.recipient == "ann@example.com" else None
    ) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        run(office)
        assert [row.state for row in office.rows(scene.ticket)] == ["uncertain", "handed"]
        scene.click()
        make_due(scene)
        office.work()
    assert len(server.times("MAIL")) == 2
    (row, _) = office.rows(scene.ticket)
    assert (row.state, row.reason, row.next_try_at) == ("uncertain", "", None)
    job = office.job(scene.ticket)
    counted = {name: job.counters.get(name, 0) for name in ("chosen", "skipped", "uncertain", "handed")}
    assert (job.state, counted) == ("completed", {"chosen": 2, "skipped": 0, "uncertain": 1, "handed": 1})


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("way", ["unsubscribed from the list", "moved"])
def test_who_leaves_while_the_worker_is_dead_after_the_mail_came_into_the_folder(
    office: Any, way: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail that is in the folder goes no more; one that was taken out of it went, and no second one goes."""
    scene, hand = Scene(office), FolderDelivery._send_batch

    class Killed(BaseException):
        pass

    def killed(*given: Any) -> None:
        hand(*given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(FolderDelivery, "_send_batch", killed)
        job = office.jobs.claim("test", sorted(office.sender.runners), timedelta(minutes=1))
        with pytest.raises(Killed):
            office.sender.run_list(Run(office.database, office.blobs, job, lease=timedelta(minutes=1), stopping=bool))
    went = office.mails().keys()
    assert went == {"ann@example.com", "bob@example.com"}
    if taken:
        for path in office.mail.iterdir():
            path.unlink()
    if way == "moved":
        scene.change(lambda change: change.edit(scene.ann, {"email": "ann@new.example"}))
    else:
        WAYS[way][0](scene)
    office.jobs.expire_leases()
    office.work()
    left = {"ann@new.example"} if way == "moved" else set()
    assert office.mails().keys() == (set() if taken else left | {"bob@example.com"})
    states = [row.state for row in office.rows(scene.ticket)]
    assert states == ["handed" if taken or way == "moved" else "skipped", "handed"]
    assert not office.left_over()


def send_once(scene: Scene, refused: str = "") -> list[str]:
    """Send to the end by a server that refuses one recipient; whose mails it took."""
    office = scene.office

    def answer(said: Said) -> bytes | None:
        return b"550 5.1.1 unknown" if said.stage == "RCPT" and said.recipient == refused else None

    with ScriptedServer(answer) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        office.work()
    return server.accepted


def try_failed(scene: Scene, first: Any) -> Any:
    office = scene.office
    scene.ticket = office.sends.to_failed(account=office.account, login=None, job=office.job(first))
    return scene.ticket


def test_a_wrong_address_that_was_corrected_is_tried_again_at_the_right_one(office: Any) -> None:
    scene = Scene(office)
    assert send_once(scene, "ann@example.com") == ["bob@example.com"]
    scene.change(lambda change: change.edit(scene.ann, {"email": "ann@new.example"}))
    again = try_failed(scene, scene.ticket)
    assert send_once(scene) == ["ann@new.example"]
    assert office.ledger(again) == [("ann@new.example", "handed", "")]


def test_who_has_it_by_another_attempt_gets_no_second_one_at_a_new_address(office: Any) -> None:
    scene = Scene(office)
    first = scene.ticket
    assert send_once(scene, "ann@example.com") == ["bob@example.com"]
    try_failed(scene, first)
    assert send_once(scene) == ["ann@example.com"]
    scene.change(lambda change: change.edit(scene.ann, {"email": "ann@new.example"}))
    again = try_failed(scene, first)
    assert send_once(scene) == []
    assert [row.state for row in office.rows(again)] == ["skipped"]


def test_who_leaves_the_list_while_a_second_attempt_waits_gets_no_mail(office: Any) -> None:
    scene = Scene(office)
    assert send_once(scene, "ann@example.com") == ["bob@example.com"]
    again = try_failed(scene, scene.ticket)
    with ScriptedServer(busy_once()) as server:
        smtp = SmtpServer(server.address, connections=1, local_hostname="c.example")
        office.sender = SendRunner(office.database, office.mail, office.drafts, server=smtp)
        run(office)
        scene.change(lambda change: change.leave(office.list.id, scene.ann))
        make_due(scene)
        office.work()
    assert server.accepted == []
    assert office.ledger(again) == [("ann@example.com", "skipped", "left")]
