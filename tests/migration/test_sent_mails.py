"""Sent messages and what became of their mails, moved from a second server of ours: reports answer the same here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.conftest import locally_served
from tests.listrak.mailings import Mailings
from tests.listrak.reports_oracle import Mail
from tests.listrak.tracked_history import Maker
from tests.magnetmail.conftest import Desk
from tests.magnetmail.tracked_world import TrackedWorld
from tests.migration.comparing import Killed, differences, kill_at, kill_at_step, members
from tests.migration.sites import Site, clock_at, move_listrak, move_magnetmail, new_site

from soapstone.accounts.audit import COMMAND_LINE
from soapstone.clock import now
from soapstone.listrak import operations as lk
from soapstone.magnetmail import operations as mm
from soapstone.magnetmail import types as mt
from soapstone.migration.journal import Journal
from soapstone.sending.messages.message import Draft
from soapstone.sending.past_sends import PastMail
from soapstone.store.tables import delivery_activities
from soapstone.tracking.recording import Act, record_acts
from soapstone.vocabulary.tracking import MailEventKind

EVER: dict[str, Any] = dict.fromkeys(("StartDate", "EndDate"), datetime(1, 1, 1))
REPORTS = (
    lk.ReportMessageContactSent,
    lk.ReportMessageContactActivity,
    lk.ReportMessageContactOpen,
    lk.ReportMessageContactRead,
    lk.ReportMessageContactClick,
    lk.ReportMessageContactBounces,
    lk.ReportMessageContactRemoval,
    lk.ReportMessageLinkClick,
)


def killed_moves(move: Callable[[Callable[[str], None]], object]) -> int:
    """Move, killed again and again a few moments after its begin; how often it was killed."""
    for kills in range(100):
        try:
            move(kill_at(9 + kills % 3))
        except Killed:
            continue
        return kills
    raise AssertionError("it gets no further")


def in_order(rows: list[Any]) -> list[dict[str, Any]]:
    """Rows without numbers that are renumbered; those of one second have no order of their own."""
    return sorted((members(row) for row in rows), key=repr)


def listrak_reports(site: Site) -> dict[str, Any]:
    """What the reports of sent messages answer."""
    told: dict[str, Any] = {}
    numbers = set()
    for each in site.ask(lk.GetContactListCollection):
        for of_list in (lk.ReportListMessageActivity, lk.ReportListMessageDelivery):
            rows = site.ask(of_list, ListID=each.ListID, IncludeTestMessages=False, **EVER)
            told[f"{of_list.__name__} {each.ListID}"] = rows
            numbers |= {row.MsgID for row in rows}
        for person in site.ask(lk.ReportSubscribedContacts, ListID=each.ListID, Page=1)[:10]:
            asked = {"ListID": each.ListID, "EmailAddress": person.EmailAddress, "Page": 1}
            rows = site.ask(lk.ReportContactMessageActivity, **asked)
            told[f"messages of {person.EmailAddress}"] = in_order(rows)
    told["analytics"] = site.ask(lk.GetMessageAnalyticsInformation, MsgIDs=sorted(numbers))
    for number in numbers:
        for report in REPORTS:
            told[f"{report.__name__} {number}"] = in_order(site.ask(report, MsgID=number, Page=1))
        for place, link in enumerate(site.ask(lk.ReportMessageLinkClick, MsgID=number, Page=1)):
            rows = site.ask(lk.ReportContactLinkClick, LinkID=link.LinkID, Page=1)
            told[f"clicks on link {place} of {number}"] = in_order(rows)
    return told


@pytest.fixture
def listrak(tmp_path: Path) -> Iterator[tuple[Site, Maker]]:
    """A served account with a history of messages: one of them went to two lists."""
    with locally_served(tmp_path / "there", demo=False) as server:
        site = new_site(server.product, "ACME")
        maker = Maker(Mailings(server.product, site.account), seed=3, acts=250, repeats=False)
        history = maker.make()
        lists = list(history.lists)
        campaign = server.product.campaigns.add(site.account.id, lists[0], "Spring")
        with server.product.database.write() as connection:
            connection.exec_driver_sql(
                f"UPDATE message SET campaign_id = {campaign.id} WHERE id = {history.sends[0].message}"
            )
        yield Site.of(server.product, "ACME", server.base), maker


def test_reports_of_old_messages_answer_the_same(listrak: tuple[Site, Maker], here: Site) -> None:
    there, _ = listrak
    journal = move_listrak(there, here, profiles_of="none")
    wanted = members(listrak_reports(there))
    assert differences(wanted, members(listrak_reports(here))) == {}
    assert len(wanted) > 1_500
    assert journal.counts["sent message: new"] == 4


def test_kills_lose_and_repeat_nothing(listrak: tuple[Site, Maker], here: Site) -> None:
    there, _ = listrak
    assert killed_moves(lambda at: move_listrak(there, here, at=at, profiles_of="none")) > 5
    assert differences(members(listrak_reports(there)), members(listrak_reports(here))) == {}


def test_a_second_run_brings_what_happened_since(listrak: tuple[Site, Maker], here: Site) -> None:
    there, maker = listrak
    move_listrak(there, here, profiles_of="none")
    again = move_listrak(there, here, profiles_of="none")
    assert again.counts["event of a sent mail: new"] == 0
    maker._acts += 60
    maker.make()
    assert move_listrak(there, here, profiles_of="none").counts["event of a sent mail: new"] > 20
    assert differences(members(listrak_reports(there)), members(listrak_reports(here))) == {}


def opens(maker: Maker, mails: list[Mail]) -> None:
    """Let recipients open their mails."""
    maker._pass()
    with clock_at(maker._now), maker._mailings.database.write() as connection:
        record_acts(connection, [Act(MailEventKind.OPEN, each.delivery) for each in mails])


def silent(maker: Maker, message: int, list_id: int) -> list[Mail]:
    """The mails of a message to a list that nobody has opened."""
    mails = [each for each in maker._out if (each.message, each.list) == (message, list_id)]
    activity = delivery_activities.c
    with maker._mailings.database.read() as connection:
        query = select(activity.delivery_id).where(activity.opened_at.is_not(None))
        opened = set(connection.execute(query).scalars())
    return [each for each in mails if each.delivery not in opened]


def test_a_second_run_brings_what_happened_on_one_of_two_lists(listrak: tuple[Site, Maker], here: Site) -> None:
    """A message that went to both is one message with two sends."""
    there, maker = listrak
    move_listrak(there, here, profiles_of="none")
    shared = maker._history.sends[3]
    assert maker._history.sends[2].message == shared.message
    some = silent(maker, shared.message, shared.list)
    assert some
    opens(maker, some)
    assert move_listrak(there, here, profiles_of="none").counts["event of a sent mail: new"] == len(some)
    assert differences(members(listrak_reports(there)), members(listrak_reports(here))) == {}


def test_who_came_after_the_contacts_were_read_is_not_left_out(listrak: tuple[Site, Maker], here: Site) -> None:
    """Whose mail it is only the next run knows, if the message went to several lists."""
    there, maker = listrak
    with pytest.raises(Killed):
        move_listrak(there, here, at=kill_at_step("sent mails"), profiles_of="none")
    shared = maker._history.sends[3]
    late = next(each for each in maker._out if (each.message, each.list) == (shared.message, shared.list))
    with closing(sqlite3.connect(here.product.settings.data_dir / "migrations" / "1.sqlite")) as journal, journal:
        gone = journal.execute("DELETE FROM number WHERE theirs = ?", (late.person.number,)).rowcount
    assert gone
    move_listrak(there, here, profiles_of="none")
    move_listrak(there, here, profiles_of="none")
    assert differences(members(listrak_reports(there)), members(listrak_reports(here))) == {}


@pytest.mark.parametrize("where", ["over there", "here"])
def test_events_of_deleted_people_hide_and_repeat_no_others(
    listrak: tuple[Site, Maker], here: Site, where: str
) -> None:
    """Nor do those that the other service deletes as too old."""
    there, maker = listrak
    move_listrak(there, here, profiles_of="none")
    message = maker._history.sends[0].message
    some = silent(maker, message, maker._history.sends[0].list)
    mine = {each.delivery for each in some}
    others = [each for each in maker._out if each.message == message and each.delivery not in mine]
    site = there if where == "over there" else here
    for email in sorted({each.person.email for each in others})[:10]:
        site.product.erasure.delete(site.account, email, COMMAND_LINE)
    opens(maker, some)
    assert move_listrak(there, here, profiles_of="none").counts["event of a sent mail: new"] == len(some)
    rows = here.ask(lk.ReportMessageContactOpen, MsgID=message, Page=1)
    assert {each.person.email for each in some} <= {row.EmailAddress for row in rows}


# Members that are left out are nil, which the declarations of types do not say to mypy.
_types: Any = mt


def magnetmail_reports(site: Site, world: TrackedWorld) -> dict[str, Any]:
    """What the reports of sent messages answer."""
    both = dict.fromkeys(("archived", "hidden", "hasFax", "hasEmail"), mt.bool_special.all)
    told: dict[str, Any] = {"messages": site.call(mm.getMessagesUTC, **both)}
    for message in world.messages:
        for group in (0, *world.groups):
            asked = {"message_id": message, "group_id": group}
            told[f"totals {message} {group}"] = site.call(mm.getOverallTracking, **asked)
            told[f"links {message} {group}"] = [
                (each.link_url, each.link_clicks) for each in site.call(mm.getLinkURLs, **asked)
            ]
            for report in mt.tracking_report_type:
                page = site.call(mm.getDetailedTrackingUTC, **asked, report_type=report, page=1, recordsPerPage=0)
                told[f"{report} {message} {group}"] = in_order(page.RecipientDetails)
                told[f"{report} {message} {group} total"] = page.totalRecords
    for kind in (mm.GetMessageSentTracking, mm.GetMessageOpenTracking):
        criteria = _types.MessageTrackingSearchCriteria(PageNo=1, PageSize=2000)
        rows = site.call(kind, criteria=criteria).data
        assert [row.Date for row in rows] == sorted(row.Date for row in rows)
        told[kind.__name__] = sorted((row.Date, row.MessageId) for row in rows)
    clicks = site.call(
        mm.GetMessageLinkTracking, criteria=_types.MessageLinkTrackingSearchCriteria(PageNo=1, PageSize=2000)
    )
    told["clicks"] = sorted((row.MessageId, row.Date, row.Url) for row in clicks.data)
    return told


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, TrackedWorld]]:
    """A served account whose messages went to groups and to single people."""
    with locally_served(tmp_path / "there", demo=False) as server:
        site = new_site(server.product, "ACME")
        desk = server.product.accounts.add_login(site.account, "desk", "secret")
        world = TrackedWorld(Desk(server.product, site.account, desk), monkeypatch, seed=4)
        (one, two, three), (may, june) = world.groups, world.messages
        world.send(may, one, two, tests=("tess@example.com",))
        world.act_until(100)
        world.send(june, two)
        world.send_to(may, *world.people[:3])
        world.act_until(250)
        world.send(may, three, ignore_dedupe=True)
        world.act_until(400)
        yield Site.of(server.product, "ACME", server.base), world


def test_tracking_of_old_messages_answers_the_same(world: tuple[Site, TrackedWorld], here: Site) -> None:
    there, made = world
    move_magnetmail(there, here)
    wanted = members(magnetmail_reports(there, made))
    assert differences(wanted, members(magnetmail_reports(here, made))) == {}
    assert len(wanted) > 3_000


def test_kills_between_calls_lose_and_repeat_nothing(world: tuple[Site, TrackedWorld], here: Site) -> None:
    there, made = world
    assert killed_moves(lambda at: move_magnetmail(there, here, at=at)) > 5
    made.act_until(500)
    move_magnetmail(there, here)
    assert differences(members(magnetmail_reports(there, made)), members(magnetmail_reports(here, made))) == {}


def test_a_kill_behind_the_first_send_of_a_message_leaves_nothing_out(
    world: tuple[Site, TrackedWorld], here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, made = world

    def keep(journal: Journal, kind: str, theirs: int, ours: int) -> None:
        if kind == "send":
            raise Killed
        Journal.save(journal, "", None, {kind: [(theirs, ours)]})

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "keep", keep)
        with pytest.raises(Killed):
            move_magnetmail(there, here)
    assert not any("was sent from here" in sentence for sentence in move_magnetmail(there, here).remarks)
    assert differences(members(magnetmail_reports(there, made)), members(magnetmail_reports(here, made))) == {}


def test_contacts_with_one_address_keep_their_own_mails(
    tmp_path: Path, here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locally_served(tmp_path / "there", demo=False) as server:
        site = new_site(server.product, "ACME")
        account = server.product.accounts.change(site.account, identifier="custom_id")
        desk = server.product.accounts.add_login(account, "desk", "secret")
        world = TrackedWorld(Desk(server.product, account, desk), monkeypatch, seed=5)
        one, two, _ = world.groups
        for number, group in (("A1", one), ("A2", two), ("A3", two)):
            told = world.desk.addRecipient(
                email="house@example.com", custom_id=number, first_name=number, Groups=[group]
            )
            world.people.append(int(told.id))
            world.oracle.people[int(told.id)] = ("house@example.com", number)
        for message, group in zip(world.messages, (one, two), strict=True):
            world.send(message, group)
        world.act_until(150)
        there = Site.of(server.product, "ACME", server.base)
        wanted = members(magnetmail_reports(there, world))
        assert {"A1", "A2"} <= {value for path, value in wanted.items() if path.endswith("/Custom_Id")}
        move_magnetmail(there, here)
        assert differences(wanted, members(magnetmail_reports(here, world))) == {}


def test_a_mail_without_a_contact_is_that_of_another_one_to_the_address(here: Site) -> None:
    """Wherever the page ends."""
    product = here.product
    account = product.accounts.change(here.account, identifier="custom_id")
    group = product.lists.create(account.id, "News")
    numbers = [
        product.contacts.add(account, {"email": "house@example.com", "custom_id": each}, [group.id]) for each in "AB"
    ]
    message, moment = product.messages.save(account.id, group.id, Draft(subject="Hello", plain="Hello")), now()
    unknown, known = PastMail("house@example.com", moment), PastMail("house@example.com", moment, numbers[1])
    found = []
    for place, pages in enumerate(([[unknown, known]], [[known], [unknown]])):
        send = product.past_sends.begin(account, message.id, group.id, moment + timedelta(days=place))
        found.append([number for page in pages for number in product.past_sends.mails(send, page)])
    assert [len(set(each)) for each in found] == [1, 1]


def test_a_message_that_was_sent_from_here_stays_as_it_is(world: tuple[Site, TrackedWorld], here: Site) -> None:
    there, made = world
    with pytest.raises(Killed):
        move_magnetmail(there, here, at=kill_at_step("sent mails"))
    product, (may, june) = here.product, made.messages
    person, message = product.contacts.find(here.account, email="person01@example.com"), product.messages.get(1, may)
    assert person is not None
    assert message is not None
    product.sends.to_people(account=here.account, login=None, message=message, contact_ids=[person])
    journal = move_magnetmail(there, here)
    assert any("was sent from here" in sentence for sentence in journal.remarks)
    assert len(product.reports.of_message(here.account.id, may)) == 1
    assert [each.list_id for each in product.reports.of_message(here.account.id, june)] == [made.groups[1]]
