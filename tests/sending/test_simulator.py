"""Mails to the simulator meet their fate, in the ledger as a mail server would have it, whatever happens meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.sending.conftest import Office

from soapstone.accounts.link_keys import LinkKeys
from soapstone.clock import now
from soapstone.contacts.complaints import Complaints
from soapstone.contacts.suppressions import Suppressions
from soapstone.contacts.unsubscribes import Unsubscribes
from soapstone.jobs.job import Job
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import Lists
from soapstone.sending.mail.builder import MailOptions
from soapstone.sending.runner import SendRunner
from soapstone.sending.signed_links import Links
from soapstone.sending.simulator import DOMAIN, RETURNED, Behaviour, Simulator, behaviour_of, reply_to
from soapstone.sending.smtp.retries import Retries
from soapstone.store.tables import deliveries, jobs, memberships
from soapstone.tracking import figures
from soapstone.tracking.figures import LinkFigures, SendFigures
from soapstone.tracking.reports import EventReports
from soapstone.tracking.stems import Stems
from soapstone.vocabulary.tracking import BounceClass

RETRIES = Retries(first=timedelta(hours=1), longest=timedelta(hours=4), limit=timedelta(hours=8))
GREYLISTED = "451 4.7.1 Greylisted, please try again later"
FULL = "452 4.2.2 Mailbox full"


@pytest.fixture
def office(office: Office) -> Office:
    keys = LinkKeys.single("key")
    office.sender = SendRunner(
        office.database,
        office.mail,
        office.drafts,
        options=MailOptions(links=Links("https://lists.example", keys), stems=Stems(keys)),
        simulator=Simulator(office.database, RETRIES),
    )
    return office


def work(office: Office) -> None:
    """Run all jobs until they are over or wait for their time."""
    worker = Worker(office.database, office.blobs, office.sender.runners, idle=0.05)
    worker.run(until=lambda: all(job.over or job.due_at > now() for job in office.jobs.find()))


def pass_hours(office: Office, job: Job, hours: float) -> None:
    """Let the send's time pass: all moments of it lie so much earlier."""
    earlier = timedelta(hours=hours)
    with office.database.write() as connection:
        rows = connection.execute(select(deliveries.c.id, deliveries.c.next_try_at)).all()
        for number, moment in rows:
            if moment is not None:
                values = {"next_try_at": moment - earlier}
                connection.execute(update(deliveries).where(deliveries.c.id == number).values(**values))
        due: datetime = connection.execute(select(jobs.c.due_at).where(jobs.c.id == job.id)).scalar_one()
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(due_at=due - earlier))


def row(office: Office, ticket: Any, local: str) -> Any:
    return next(each for each in office.rows(ticket) if each.email.startswith(local))


def test_which_addresses_behave_how() -> None:
    assert behaviour_of(f"refused@{DOMAIN}") is Behaviour.REFUSED
    assert behaviour_of(f"Deferred+17@{DOMAIN.upper()}") is Behaviour.DEFERRED
    for other in (f"somebody@{DOMAIN}", "refused@example.com", f"refused@mail.{DOMAIN}", f"@{DOMAIN}", "refused", ""):
        assert behaviour_of(other) is None
        assert reply_to(other, 0) is None
    assert [reply_to(f"deferred@{DOMAIN}", attempts) for attempts in range(3)] == [GREYLISTED, GREYLISTED, None]
    assert reply_to(f"full@{DOMAIN}", 1000) == FULL


def test_the_manual_names_each_address_and_what_it_answers() -> None:
    page = (Path(__file__).parents[2] / "docs" / "test-server.md").read_text()
    for behaviour in Behaviour:
        assert f"| `{behaviour.address}` |" in page
        assert (reply_to(behaviour.address, 0) or behaviour) in page
    assert RETURNED in page


def test_each_address_meets_its_fate(office: Office) -> None:
    for local in (*Behaviour, "somebody"):
        office.contact(f"{local}@{DOMAIN}")
    office.contact("ann@example.com")
    ticket = office.to_list()
    work(office)
    job = office.job(ticket)
    assert (job.state, job.error) == ("queued", "The mail server asked to try some recipients again later.")
    assert {name: count for name, count in job.counters.items() if count} == {
        "chosen": 10,
        "built": 10,
        "handed": 7,
        "failed": 1,
        "deferred": 2,
    }
    refused = row(office, ticket, "refused")
    assert (refused.state, refused.attempts, refused.next_try_at) == ("failed", 1, None)
    assert refused.reply == "550 5.1.1 Recipient address rejected: user unknown"
    for local, reply in (("deferred", GREYLISTED), ("full", FULL)):
        deferred = row(office, ticket, local)
        assert (deferred.state, deferred.attempts, deferred.reply) == ("deferred", 1, reply)
        assert timedelta(minutes=59) < deferred.next_try_at - now() <= timedelta(hours=1)
    accepted = ("bounces", "clicks", "complains", "opens", "reads", "somebody")
    assert {"ann@example.com", *(f"{local}@{DOMAIN}" for local in accepted)} == office.mails().keys()
    # Twice as long each further time, and given up after eight hours.
    for hours, state in ((1, "deferred"), (2, "handed"), (4, "handed"), (4, "handed")):
        assert office.job(ticket).state == "queued"
        pass_hours(office, job, hours)
        work(office)
        assert row(office, ticket, "deferred").state == state
    deferred = row(office, ticket, "deferred")
    assert (deferred.attempts, deferred.reply, deferred.next_try_at) == (3, "250 2.0.0 Ok: queued", None)
    full = row(office, ticket, "full")
    assert (full.state, full.attempts, full.reply, full.next_try_at) == ("failed", 5, FULL, None)
    assert f"deferred@{DOMAIN}" in office.mails()
    job = office.job(ticket)
    assert job.state == "completed"
    assert {name: count for name, count in job.counters.items() if count} == {
        "chosen": 10,
        "built": 10,
        "handed": 8,
        "failed": 2,
    }
    assert office.left_over() == []


def test_who_complains_is_unsubscribed_and_gets_no_mail_any_more(office: Office) -> None:
    person = office.contact(f"complains@{DOMAIN}")
    ticket = office.to_list()
    work(office)
    assert office.job(ticket).state == "completed"
    account, database = office.account, office.database
    (complaint,) = Complaints(database).page(account.id, [office.list.id])
    assert (complaint.email, complaint.message_id, complaint.provider) == (
        f"complains@{DOMAIN}",
        ticket.message.id,
        "Mail simulator",
    )
    for kind in ("complained", "unsubscribed"):
        assert len(Unsubscribes(database).page(account.id, kind)) == 1
    assert [each.email for each in Suppressions(database).page(account.id)] == [f"complains@{DOMAIN}"]
    with database.read() as connection:
        query = select(memberships.c.state, memberships.c.removed_by).where(memberships.c.contact_id == person)
        assert tuple(connection.execute(query).one()) == ("unsubscribed", "Feedback Loop")
    again = office.to_list()
    work(office)
    assert office.ledger(again) == []


HTML = '<p>Hello</p><a href="https://example.com/first">1</a> <a href="https://example.com/second">2</a>'


def test_mails_come_back_and_are_opened_read_and_clicked(office: Office) -> None:
    """All in the transaction of the send: there is no moment at which a mail is sent and the act is missing."""
    for local in ("bounces", "opens", "reads", "clicks", "clicks+2", "somebody"):
        office.contact(f"{local}@{DOMAIN}")
    ticket = office.to_list(html=HTML, plain="")
    work(office)
    assert office.job(ticket).state == "completed"
    back = row(office, ticket, "bounces")
    assert (back.state, back.reply) == ("bounced", "")
    reports = EventReports(office.database)
    bounce = reports.bounces([back.id])[back.id]
    assert (bounce.bounce_class, bounce.code, bounce.detail) == (BounceClass.USER, "5.1.1", RETURNED)
    activities = reports.activities([each.id for each in office.rows(ticket)])
    seen = {
        local: (each.opened_at is not None, each.read_at is not None, each.opens, each.clicks)
        for local in ("opens", "reads", "clicks", "clicks+2")
        for each in (activities[row(office, ticket, f"{local}@").id],)
    }
    assert seen == {
        "opens": (True, False, 1, 0),
        "reads": (True, True, 1, 0),
        "clicks": (True, True, 1, 1),
        "clicks+2": (True, True, 1, 1),
    }
    assert len(activities) == 4
    assert counted(office, ticket) == SendFigures(
        sent=6, bounced=1, opens=4, openers=4, readers=3, clicks=2, clickers=2
    )
    links = reports.links(office.account.id, ticket.message.id)
    assert [link.url.rpartition("/")[2] for link in links[:2]] == ["first", "second"]
    clicks = figures.of_links(office.database, [link.id for link in links], [ticket.job.id])
    assert [clicks[link.id] for link in links] == [LinkFigures(clicks=2, clickers=2)] + [LinkFigures()] * (
        len(links) - 1
    )


ACTING = ("opens", "reads", "clicks")


def sent_to_acting(office: Office, **parts: str) -> SendFigures:
    """The figures of a message that is sent to people who act."""
    for local in ACTING:
        office.contact(f"{local}@{DOMAIN}")
    ticket = office.to_list(**parts)
    work(office)
    assert office.job(ticket).state == "completed"
    return counted(office, ticket)


def counted(office: Office, ticket: Any) -> SendFigures:
    return figures.of_sends(office.database, [ticket.job.id])[ticket.job.id]


def test_without_a_link_a_mail_is_opened_only(office: Office) -> None:
    found = sent_to_acting(office, html="<p>Hello</p>", plain="")
    assert found == SendFigures(sent=3, opens=3, openers=3, readers=1)


def test_nothing_is_seen_of_a_text_without_links(office: Office) -> None:
    assert sent_to_acting(office, plain="Hello") == SendFigures(sent=3)


def test_a_click_on_a_link_of_a_text_is_seen(office: Office) -> None:
    found = sent_to_acting(office, plain="See https://example.com/first")
    assert found == SendFigures(sent=3, opens=1, openers=1, readers=1, clicks=1, clickers=1)


@pytest.mark.parametrize(
    ("mode", "found"),
    [("off", SendFigures(sent=3)), ("figures", SendFigures(sent=3, opens=2, clicks=1))],
)
def test_no_more_is_seen_than_is_tracked(office: Office, mode: str, found: SendFigures) -> None:
    Lists(office.database).change(office.account.id, office.list.id, tracking=mode)
    assert sent_to_acting(office, html=HTML, plain="") == found


def test_a_stranger_of_a_file_can_complain(office: Office) -> None:
    office.to_file(f"Email\ncomplains@{DOMAIN}\nrefused@{DOMAIN}\n")
    work(office)
    assert [each.email for each in Complaints(office.database).page(office.account.id, [office.list.id])] == [
        f"complains@{DOMAIN}"
    ]
    assert [each.email for each in Suppressions(office.database).page(office.account.id)] == [f"complains@{DOMAIN}"]


def test_who_leaves_while_the_mail_is_deferred_gets_none(office: Office) -> None:
    person = office.contact(f"deferred@{DOMAIN}")
    ticket = office.to_list()
    work(office)
    with office.database.write() as connection:
        here = memberships.c.contact_id == person
        connection.execute(update(memberships).where(here).values(state="unsubscribed"))
    pass_hours(office, office.job(ticket), 1)
    work(office)
    assert office.ledger(ticket) == [(f"deferred@{DOMAIN}", "skipped", "unsubscribed")]
    job = office.job(ticket)
    assert (job.state, job.counters["deferred"], job.counters["skipped"]) == ("completed", 0, 1)
    assert office.mails() == {}


def test_without_the_simulator_its_addresses_are_like_any_others(office: Office) -> None:
    office.sender = SendRunner(office.database, office.mail, office.drafts)
    for local in Behaviour:
        office.contact(f"{local}@{DOMAIN}")
    ticket = office.to_list()
    work(office)
    assert {state for _, state, _ in office.ledger(ticket)} == {"handed"}
    assert Suppressions(office.database).page(office.account.id) == []
