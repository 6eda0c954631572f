"""Both contracts work on the same people: what is done through one is seen and honoured by the other, through stock
clients of both in both SOAP versions (mm-59, mm-72, mm-80, mm-120, mm-125, lk-50, lk-52, lk-62, lk-75, lk-116)."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.listrak.conftest import Listrak
from tests.magnetmail.conftest import MagnetMail

from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database

EASTERN = ZoneInfo("America/New_York")
ALWAYS = {"fromDate": datetime.datetime(1, 1, 1), "toDate": datetime.datetime(9999, 12, 31)}


def address() -> str:
    return f"{uuid4().hex}@example.com"


@dataclass(frozen=True)
class Worlds:
    """A client of either contract, both logged on to the same account."""

    mm: MagnetMail
    lk: Listrak

    def group(self) -> int:
        """A new group; its number is that of the contact list."""
        return int(self.mm.addGroup(group_name=str(uuid4()), categoryId=0)["id"])

    def add(self, email: str, *groups: int) -> int:
        made = self.mm.addRecipient(email=email, text_only=False, Groups={"int": list(groups)})
        assert made["error"] == 0, made
        return int(made["id"])

    def edit_groups(self, recipient: int, joined: list[int], left: list[int]) -> None:
        groups = {"new_groups": {"int": joined}, "unsubscribed_groups": {"int": left}}
        assert self.mm.editRecipientGroups(recipient_id=recipient, message_id=0, **groups) is True

    def unsubscribe(self, recipient: int, group: int = 0) -> None:
        row = {"Id": 0, "RecipientId": recipient, "MessageId": 0, "GroupId": group}
        assert self.mm.unsubscribeRecipients(unsubscribes={"Unsubscribe": [row]})[0]["Id"] > 0

    def unsubscribed(self, email: str) -> list[str | None]:
        """The groups of the unsubscribes of a person, None for one from everything."""
        rows = self.mm.getUnsubscribes(**ALWAYS) or []
        return [each["group_name"] for each in rows if each["recipient"]["email"] == email]

    def totals(self, group: int) -> tuple[int, int]:
        """Members of a group, and how many of them are unsubscribed."""
        found = self.mm.getGroupDetails(groupId=group)
        return self.mm.getGroupRecipientsCount(groupId=group), found["TotalUnsubscribed"]

    def subscribed(self, list_id: int) -> list[str]:
        return sorted(each["EmailAddress"] for each in self.lk.subscribed(list_id))

    def removed(self, list_id: int) -> list[tuple[str, str]]:
        """Who left a list, and the way, by date."""
        answer = self.lk.ReportListContactRemoval(list_id, 1)
        rows = answer and answer["ReportListContactRemovalResult"]
        return [(each["EmailAddress"], each["RemovalMethod"]) for each in rows["WSContactRemovalInfo"]] if rows else []

    def set(self, list_id: int, email: str, override: bool = False) -> Any:
        contact = {"EmailAddress": email, "ListID": list_id, "ContactProfileAttribute": []}
        return self.lk.SetContact(contact, "Update", "", override)

    def imported(self, list_id: int, *emails: str) -> Any:
        """The counts of an import through Listrak."""
        self.lk.load(list_id, "".join(f"{email}\n" for email in emails).encode())
        return self.lk.history(list_id)[-1]


@pytest.fixture(scope="module", params=["1.1", "1.2"])
def worlds(request: pytest.FixtureRequest, served: Any) -> Worlds:
    return Worlds(MagnetMail(served.base, request.param), Listrak(served.base, request.param))


@pytest.fixture
def unsubscribe_type(served: Any) -> Iterator[Any]:
    """Changes the demo account's type of unsubscribe, and puts it back."""
    database = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    accounts = Product.open(Settings(data_dir=served.data), database).accounts
    demo = accounts.named("DEMO")
    assert demo is not None
    yield lambda kind: accounts.change(demo, unsubscribe_type=kind)
    accounts.change(demo, unsubscribe_type="all")
    database.close()


def test_who_is_added_through_a_group_is_a_contact_of_the_list(worlds: Worlds) -> None:
    """lk-62, lk-65, mm-72"""
    here, email = worlds.group(), address()
    worlds.add(email, here)
    assert worlds.lk.GetContact(here, email.upper())["EmailAddress"] == email
    assert worlds.subscribed(here) == [email]
    assert worlds.lk.GetFilteredListCount(here, None) == 1
    assert worlds.set(here, email) == "ContactAlreadySubscribedProfileUpdated"
    assert [each["EmailId"] for each in worlds.mm.page(here)] == [email]


def test_who_is_subscribed_to_the_list_is_a_recipient_of_the_group(worlds: Worlds) -> None:
    """lk-58, mm-20, mm-82"""
    here, there, email = worlds.lk.create(), worlds.group(), address()
    assert worlds.lk.SubscribeContact(here, email, False) == "SuccessContactSubscribed"
    again = worlds.mm.addRecipient(email=email.upper(), text_only=False, Groups={"int": [there]})
    assert again["error"] == 1005
    number = int(again["id"])
    assert worlds.mm.getRecipientDetails(recipient_id=number)["email"] == email
    assert [each["Id"] for each in worlds.mm.getRecipientGroups(recipient={"email": email})] == [here]
    assert [int(each["RecipientId"]) for each in worlds.mm.page(here)] == [number]
    worlds.mm.editRecipient(recipient_id=number, email=(moved := address()), text_only=False)
    assert worlds.lk.GetContact(here, email) is None
    assert worlds.lk.GetContact(here, moved)["EmailAddress"] == moved


def test_listrak_unsubscribes_are_honoured_by_magnetmail(worlds: Worlds) -> None:
    """lk-116, mm-59, mm-116"""
    here, other, email = worlds.group(), worlds.group(), address()
    number = worlds.add(email, here, other)
    assert worlds.lk.UnsubscribeContact(here, email) == "SuccessContactUnSubscribed"
    assert worlds.totals(here) == (1, 1)
    assert worlds.totals(other) == (1, 0)
    assert worlds.mm.getRecipientDetails(recipient_id=number)["unsubscribed"] is False
    assert worlds.unsubscribed(email) == [worlds.mm.getGroupDetails(groupId=here)["group_name"]]
    done = worlds.mm.upload(email, groupid=here, MM_1="Email")
    assert done["status"] >= 2
    assert worlds.subscribed(here) == []
    assert worlds.totals(here) == (1, 1)
    # The call names one person and one group: who calls it knows that the person wants it.
    worlds.edit_groups(number, [here], [])
    assert worlds.subscribed(here) == [email]


def test_who_left_a_group_has_left_the_list(worlds: Worlds) -> None:
    """mm-80, lk-52, lk-75, lk-112, lk-116"""
    here, email, friend = worlds.group(), address(), address()
    number = worlds.add(email, here)
    worlds.edit_groups(number, [], [here])
    assert worlds.totals(here) == (0, 0)
    assert worlds.removed(here) == [(email, "API")]
    assert worlds.lk.GetContact(here, email) is None
    assert worlds.lk.UnsubscribeContact(here, email) == "ContactAlreadyUnSubscribed"
    assert worlds.set(here, email) == "FailedContactUnSubscribed"
    assert worlds.lk.SubscribeContact(here, email, False) == "FailedContactUnSubscribed"
    run = worlds.imported(here, email, friend)
    assert worlds.subscribed(here) == [friend]
    assert (run["SubscribedCount"], run["PreviouslyUnsubscribedCount"]) == (1, 1)
    assert worlds.set(here, email, override=True) == "SuccessContactSubscribed"
    assert worlds.subscribed(here) == sorted([email, friend])
    assert worlds.totals(here) == (2, 0)
    assert worlds.removed(here) == []


def test_who_is_unsubscribed_from_everything_is_so_on_each_list(worlds: Worlds) -> None:
    """mm-77, mm-120, lk-52, lk-75"""
    here, later, email = worlds.group(), worlds.lk.create(), address()
    number = worlds.add(email, here)
    worlds.unsubscribe(number)
    assert worlds.unsubscribed(email) == [None]
    for list_id in (here, later):
        assert worlds.lk.GetContact(list_id, email) is None
        assert worlds.set(list_id, email) == "FailedContactUnSubscribed"
        worlds.imported(list_id, email)
        assert worlds.subscribed(list_id) == []
    worlds.mm.upload(email, groupid=later, MM_1="Email")
    assert worlds.totals(later) == (1, 1)
    assert worlds.subscribed(later) == []
    assert worlds.lk.SubscribeContact(later, email, True) == "SuccessContactSubscribed"
    assert worlds.mm.getRecipientDetails(recipient_id=number)["unsubscribed"] is False
    assert (worlds.subscribed(later), worlds.subscribed(here)) == ([email], [])


def test_who_asks_for_one_list_again_stays_away_from_the_others(worlds: Worlds) -> None:
    """lk-52, lk-117, mm-120"""
    here, other, email = worlds.group(), worlds.lk.create(), address()
    worlds.unsubscribe(worlds.add(email, here))
    assert worlds.set(here, email, override=True) == "SuccessContactSubscribed"
    assert worlds.subscribed(here) == [email]
    worlds.imported(other, email)
    worlds.mm.upload(email, groupid=other, MM_1="Email")
    assert worlds.set(other, email) == "FailedContactUnSubscribed"
    assert worlds.subscribed(other) == []
    assert worlds.set(other, email, override=True) == "SuccessContactSubscribed"
    assert worlds.subscribed(other) == worlds.subscribed(here) == [email]


def test_accounts_that_unsubscribe_by_group(worlds: Worlds, unsubscribe_type: Any) -> None:
    """mm-120, lk-116: members as well as those who are not on the list yet"""
    unsubscribe_type("lists")
    here, other, email, outside = worlds.group(), worlds.group(), address(), address()
    number, stranger = worlds.add(email, here, other), worlds.add(outside, other)
    worlds.unsubscribe(number, here)
    worlds.unsubscribe(stranger, here)
    assert worlds.totals(here) == (1, 1)
    for each in (email, outside):
        assert worlds.set(here, each) == "FailedContactUnSubscribed"
        assert worlds.lk.UnsubscribeContact(here, each) == "ContactAlreadyUnSubscribed"
    assert worlds.removed(here) == [(email, "API"), (outside, "API")]
    worlds.imported(here, email, outside)
    assert worlds.subscribed(here) == []
    assert worlds.subscribed(other) == sorted([email, outside])


def test_suppression_of_the_e_mail_channel_holds_for_both(worlds: Worlds) -> None:
    """mm-124, mm-125, lk-54"""
    here, email, stranger = worlds.group(), address(), address()
    worlds.add(email, here)
    people = {"Recipient": [{"email": email}, {"email": stranger}]}
    worlds.mm.uploadSuppressionList(suppressionlist={"suppressby": "Email", "type": "Email", "recipients": people})
    assert worlds.set(here, stranger) == "FailedContactSuppressed"
    assert worlds.lk.SubscribeContact(worlds.lk.create(), email, True) == "FailedContactSuppressed"


def test_removals_by_import_are_seen_by_magnetmail(worlds: Worlds) -> None:
    """lk-73, mm-116"""
    here, email = worlds.group(), address()
    worlds.add(email, here)
    worlds.lk.load(here, email.encode(), "RemoveSubscribers")
    assert worlds.subscribed(here) == []
    assert worlds.unsubscribed(email) == [worlds.mm.getGroupDetails(groupId=here)["group_name"]]
    assert worlds.set(here, email) == "FailedContactUnSubscribed"


def test_imported_opt_outs_have_one_date_in_both(worlds: Worlds, served: Any) -> None:
    """mm-120, lk-112: those of members, of new people, and from everything"""
    here, member, new, undated = worlds.group(), address(), address(), address()
    everywhere, stranger = address(), address()
    for email in (member, everywhere):
        worlds.add(email, here)
    began = datetime.datetime.now(EASTERN).replace(microsecond=0, tzinfo=None)
    to_list = f"Email,unsubscribed_at,status\n{member},2024-02-29 13:05:07,\n{new},2023-05-05 10:00:00,\n"
    to_list += f"{undated},,unsubscribed\n"
    to_all = f"Email,unsubscribed_at\n{everywhere},2022-01-01 12:00:00\n{stranger},2021-07-01 12:00:00\n"
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo"), timeout=30) as rest:
        for path, file in ((f"/lists/{here}/imports", to_list), ("/imports", to_all)):
            job = rest.post(path, content=file, headers={"Content-Type": "text/csv"}).json()["id"]
            end = time.monotonic() + 60
            while rest.get(f"/jobs/{job}").json()["state"] in ("queued", "running") and time.monotonic() < end:
                time.sleep(0.02)
    rows = worlds.lk.ReportListContactRemoval(here, 1)["ReportListContactRemovalResult"]["WSContactRemovalInfo"]
    told = {each["EmailAddress"]: each["RemovalDate"] for each in rows}
    assert told.pop(undated) >= began
    dates = {
        member: datetime.datetime(2024, 2, 29, 8, 5, 7),
        new: datetime.datetime(2023, 5, 5, 6),
        everywhere: datetime.datetime(2022, 1, 1, 7),
    }
    assert told == dates
    found = {each["recipient"]["email"]: each for each in worlds.mm.getUnsubscribes(**ALWAYS)}
    dates[stranger] = datetime.datetime(2021, 7, 1, 8)
    assert {email: found[email]["ResultDate"] for email in dates} == dates
    assert found[undated]["ResultDate"] >= began
    name = worlds.mm.getGroupDetails(groupId=here)["group_name"]
    assert [found[each]["group_name"] for each in (member, new, everywhere, stranger)] == [name, name, None, None]


def test_a_deleted_list_is_no_group_any_more(worlds: Worlds) -> None:
    """mm-82, lk-62: the person stays"""
    here, email = worlds.lk.create(), address()
    number = worlds.add(email, here)
    assert worlds.lk.DeleteContactList(here) is True
    assert not worlds.mm.getRecipientGroups(recipient={"id": str(number)})
    assert worlds.mm.getGroupDetails(groupId=here) is None
    assert worlds.mm.getRecipientDetails(recipient_id=number)["email"] == email


def test_the_rest_api_keeps_to_the_same_rules(worlds: Worlds, served: Any) -> None:
    """mm-80, lk-52, lk-116: who left is refused until somebody who may overrides it"""
    here, other, email = worlds.group(), worlds.group(), address()
    number = worlds.add(email, here, other)
    with httpx.Client(base_url=f"{served.base}/api/v1", auth=("demo", "demo"), timeout=30) as rest:
        assert rest.delete(f"/lists/{here}/subscriptions/{email}").status_code == 204
        assert (worlds.totals(here), worlds.totals(other)) == ((1, 1), (1, 0))
        assert worlds.set(here, email) == "FailedContactUnSubscribed"
        worlds.edit_groups(number, [], [other])
        refused = rest.post(f"/lists/{other}/subscriptions", json={"email": email})
        assert refused.status_code == 409
        assert rest.post(f"/lists/{other}/subscriptions", json={"email": email, "override": True}).status_code == 200
    assert worlds.subscribed(other) == [email]
    assert [each["Id"] for each in worlds.mm.getRecipientGroups(recipient={"email": email})] == [other]
