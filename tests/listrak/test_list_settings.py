"""Lists, their settings and profile fields, and what reports tell of their contacts (lk-34, lk-36 to lk-48, lk-110)."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

import pytest
import zeep.exceptions

from soapstone.contacts.changes import Cause, Changes
from soapstone.lists.campaigns import Campaigns
from soapstone.lists.external_events import ExternalEvents
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database


@pytest.fixture(scope="module")
def records(served: Any) -> Any:
    database = Database(served.product.settings.database)
    yield Product.open(Settings(data_dir=served.data), database)
    database.close()


@pytest.fixture(scope="module")
def demo(records: Product) -> Any:
    account = records.accounts.named("DEMO")
    assert account is not None
    return account


def rows(answer: Any, result: str, item: str) -> list[Any]:
    """The rows of a report whose answer has by-reference members."""
    if answer is None:
        return []
    assert answer["WSException"] is None
    found = answer[result]
    return list(found[item]) if found else []


def update(listrak: Any, list_id: int, **members: Any) -> Any:
    switches: tuple[str, ...] = (
        "EnableRemovalLink",
        "EnableBrowserLink",
        "EnableDoubleOptin",
        "EnableListHygiene",
        "ShowEmailList",
    )
    switches += ("ShowAdvancedPersonalization", "EnableRSS", "EnableGoogleAnalytics", "EnableInternationalization")
    switches += ("EnableDynamicContent", "EnableListRemoveHeader")
    given: dict[str, Any] = {**dict.fromkeys(switches, False), "ListID": list_id, "ListName": "Renamed"}
    given |= {"BounceHandling": "StandardHandling", "VmtaID": 0, "BounceUnsubscribeCount": 3, "DefaultMerchantID": 7}
    return listrak.UpdateContactList({**given, **members})


def test_update_contact_list(listrak: Any) -> None:
    """lk-19, lk-36, lk-37, lk-43: what it does not speak of stays."""
    made = listrak.create(GoogleTrackingDomains={"string": ["Shop.Example.com"]})
    answer = update(listrak, made, EnableDoubleOptin=True, FromName="Bob", FromEmail="bob@example.com")
    assert (answer["ListName"], answer["BounceHandling"], answer["VmtaID"]) == ("Renamed", "StandardHandling", 1)
    assert (answer["DefaultMerchantID"], answer["EnableDoubleOptin"]) == (7, True)
    found = listrak.GetContactList(made)
    assert (found["ListName"], found["FromEmail"], found["bounceHandling"]) == ("Renamed", "bob@example.com", 1)
    assert found["GoogleTrackingDomains"] == ["shop.example.com"]
    assert update(listrak, 987654) is None
    for wrong in ({"FromEmail": "nobody"}, {"VmtaID": 9}, {"BounceUnsubscribeCount": -1}, {"ListName": " "}):
        with pytest.raises(zeep.exceptions.Fault, match="InvalidArgument"):
            update(listrak, made, **wrong)


def test_create_list(listrak: Any) -> None:
    """lk-16, lk-36"""
    given = {
        "ListID": 0,
        "ListName": "Old way",
        "CreateDate": datetime.datetime(1, 1, 1),
        "FromName": "Ann",
        "FromEmail": "ann@example.com",
        "bounceHandling": 2,
        "BounceUnsubscribeCount": 0,
        **dict.fromkeys(("EnableRemovalLink", "EnableBrowserLink", "EnableDoubleOptin", "EnableListHygiene"), True),
        **dict.fromkeys(("ShowEmailList", "ShowAdvancedPersonalization"), False),
    }
    answer = listrak.CreateList(WSList=given, WSException=None)
    assert (answer["CreateListResult"], answer["WSException"]) == (True, None)
    made = answer["WSList"]
    assert made["ListID"] > 0
    assert (made["Vmta"]["VmtaID"], made["bounceHandling"], made["EnableRemovalLink"]) == (1, 2, True)
    assert listrak.GetContactList(made["ListID"])["ListName"] == "Old way"
    refused = listrak.CreateList(WSList={**given, "bounceHandling": 3}, WSException=None)
    assert refused["CreateListResult"] is False
    assert refused["WSException"]["Description"].startswith("[InvalidArgument]")


def test_tracking_domains(listrak: Any) -> None:
    """lk-41, lk-42"""
    made = listrak.create()
    for _ in range(2):
        assert listrak.AddGoogleTrackingDomainsToList(made, {"string": ["B.example.com", "a.example.com"]}) is True
    assert listrak.GetContactList(made)["GoogleTrackingDomains"] == ["a.example.com", "b.example.com"]
    for _ in range(2):
        assert listrak.DeleteGoogleTrackingDomainsFromList(made, {"string": ["A.EXAMPLE.COM"]}) is True
    assert listrak.GetContactList(made)["GoogleTrackingDomains"] == ["b.example.com"]
    assert listrak.AddGoogleTrackingDomainsToList(987654, {"string": ["a.example.com"]}) is False


def test_delete_contact_list(listrak: Any, records: Product, demo: Any) -> None:
    """lk-44"""
    made = listrak.create()
    listrak.SubscribeContact(made, "ann@example.com", False)
    assert listrak.DeleteContactList(made) is True
    assert listrak.DeleteContactList(made) is False
    assert listrak.GetContactList(made) is None
    assert made not in [each["ListID"] for each in listrak.GetContactListCollection()]
    assert listrak.GetContact(made, "ann@example.com") is None
    records.lists.purge()
    assert records.members.page(made) == []


def test_a_list_at_work_stays(records: Product, demo: Any) -> None:
    """lk-44"""
    made = records.lists.create(demo.id, "Busy")
    with records.database.write(durable=True) as connection:
        job = records.jobs.add(connection, account_id=demo.id, kind="nobody does this", list_id=made.id)
    assert not records.lists.delete(demo.id, made.id)
    records.jobs.cancel([demo.id], job)
    assert records.lists.delete(demo.id, made.id)


def test_small_collections(listrak: Any, records: Product, demo: Any) -> None:
    """lk-32, lk-40, lk-105, lk-120, lk-121, lk-123"""
    pools = rows(listrak.GetAccountVmtaCollection(WSException=None), "GetAccountVmtaCollectionResult", "WSVmta")
    assert [(each["VmtaID"], each["Description"]) for each in pools] == [(1, "Default")]
    sets = [(each["CharacterSetID"], each["Name"]) for each in listrak.GetCharacterSetCollection()]
    assert sets == [(1, "Unicode (UTF-8)"), (2, "Western European (ISO-8859-1)")]
    made = listrak.create()
    assert listrak.GetCampaignCollection(made) in (None, [])
    assert listrak.ConductorGetExternalEvents(made) in (None, [])
    assert listrak.ConductorGetConversations(made) in (None, [])
    campaign = Campaigns(records.database).add(demo.id, made, "Spring")
    events = ExternalEvents(records.database)
    bought, blocked = events.add(demo.id, made, "Bought"), events.add(demo.id, made, "Blocked")
    events.change(demo.id, blocked.id, active=False)
    found = listrak.GetCampaignCollection(made)
    assert [(each["CampaignID"], each["ListID"], each["Name"], each["MessageCount"]) for each in found] == [
        (campaign.id, made, "Spring", 0)
    ]
    told = [(e["EventID"], e["EventName"], e["Status"]) for e in listrak.ConductorGetExternalEvents(made)]
    assert told == [(bought.id, "Bought", "Active"), (blocked.id, "Blocked", "Blocked")]
    assert all(each["LastModifiedDate"] is not None for each in listrak.ConductorGetExternalEvents(made))


def headers(listrak: Any, list_id: int) -> list[tuple[str, list[str]]]:
    answer = listrak.GetProfileHeaderCollection(ListID=list_id, WSException=None)
    return [
        (each["Name"], [attribute["Name"] for attribute in each["WSProfileAttributes"] or []])
        for each in rows(answer, "GetProfileHeaderCollectionResult", "WSProfileHeader")
    ]


def test_profile_headers_and_attributes(listrak: Any) -> None:
    """lk-45, lk-47, lk-48"""
    made = listrak.create()
    numbers = {}
    for name in ("One", "Two", "Three"):
        header = {"HeaderID": 0, "ListID": made, "Name": name, "Position": 0}
        answer = listrak.CreateProfileHeader(WSProfileHeader=header, WSException=None)
        numbers[name] = answer["WSProfileHeader"]["HeaderID"]
    moved = {"HeaderID": numbers["Three"], "ListID": made, "Name": "First", "Position": 1}
    answer = listrak.UpdateProfileHeader(WSProfileHeader=moved, WSException=None)
    assert answer["UpdateProfileHeaderResult"] is True
    assert (answer["WSProfileHeader"]["Name"], answer["WSProfileHeader"]["Position"]) == ("First", 1)
    assert [name for name, _ in headers(listrak, made)] == ["First", "One", "Two"]
    taken = listrak.UpdateProfileHeader(WSProfileHeader={**moved, "Name": "one"}, WSException=None)
    assert taken["WSException"]["Description"].startswith("[InvalidArgument]")
    a, b = (listrak.attribute(made, name, HeaderID=numbers["One"]) for name in ("A", "B"))
    changed = {"AttributeID": b, "HeaderID": numbers["One"], "Name": "Bee", "DataType": "Text"}
    answer = listrak.UpdateProfileAttribute(
        WSProfileAttribute={**changed, "MaxLength": 2, "Position": 1}, WSException=None
    )
    assert answer["UpdateProfileAttributeResult"] is True
    assert answer["WSProfileAttribute"]["MaxLength"] == 2
    assert headers(listrak, made)[1] == ("One", ["Bee", "A"])
    kind = listrak.UpdateProfileAttribute(
        WSProfileAttribute={**changed, "DataType": "Date", "MaxLength": 0, "Position": 0}, WSException=None
    )
    assert kind["WSException"]["Description"].startswith("[InvalidArgument]")
    in_use = listrak.DeleteProfileHeader(HeaderID=numbers["One"], WSException=None)
    assert in_use["DeleteProfileHeaderResult"] is False
    assert in_use["WSException"]["Description"].startswith("[InUse]")
    values = [{"AttributeID": a, "Value": "x"}, {"AttributeID": b, "Value": "long"}]
    contact = {"EmailAddress": "ann@example.com", "ListID": made, "ContactProfileAttribute": values}
    listrak.SetContact(contact, "Update", "", False)
    for number in (a, b):
        gone = listrak.DeleteProfileAttribute(AttributeID=number, WSException=None)
        assert gone["DeleteProfileAttributeResult"] is True
        left = listrak.GetContact(made, "ann@example.com")["ContactProfileAttribute"]
        assert [(v["AttributeID"], v["Value"]) for v in left or []] == ([(b, "lo")] if number == a else [])
    assert listrak.DeleteProfileHeader(HeaderID=numbers["One"], WSException=None)["DeleteProfileHeaderResult"] is True
    assert [name for name, _ in headers(listrak, made)] == ["First", "Two"]


def test_values_of_a_deleted_attribute_go(listrak: Any, served: Any, profiles: Any) -> None:
    """lk-48"""
    made = listrak.create()
    colour = listrak.attribute(made, "Colour")
    contact = {"EmailAddress": "ann@example.com", "ListID": made}
    contact["ContactProfileAttribute"] = [{"AttributeID": colour, "Value": "green"}]
    listrak.SetContact(contact, "Update", "", False)
    assert profiles(made) == {"ann@example.com": ("subscribed", {str(colour): "green"})}
    listrak.DeleteProfileAttribute(AttributeID=colour, WSException=None)
    served.settle()
    assert profiles(made) == {"ann@example.com": ("subscribed", {})}


def test_reports_of_contacts(listrak: Any) -> None:
    """lk-25, lk-33, lk-34, lk-110, lk-112, lk-114"""
    made = listrak.create()
    addresses = [f"{n}-{uuid4().hex}@example.com" for n in range(3)]
    for address in addresses:
        listrak.SubscribeContact(made, address, False)
    for address in reversed(addresses[:2]):
        listrak.UnsubscribeContact(made, address)
    removed = rows(
        listrak.ReportListContactRemoval(ListID=made, Page=1, WSException=None),
        "ReportListContactRemovalResult",
        "WSContactRemovalInfo",
    )
    assert [each["EmailAddress"] for each in removed] == [addresses[1], addresses[0]]
    assert {each["RemovalMethod"] for each in removed} == {"API"}
    assert all(each["RemovalDate"] >= each["AdditionDate"] for each in removed)
    listed = listrak.subscribed(made)
    assert [each["EmailAddress"] for each in listed] == [addresses[2]]
    today = listed[0]["AdditionDate"].replace(hour=0, minute=0, second=0)
    day = datetime.timedelta(days=1)
    for report, expected in (
        (listrak.ReportRangeSubscribedContacts, [addresses[2]]),
        (listrak.ReportRangeListContactRemoval, [addresses[1], addresses[0]]),
    ):
        for start, end, hits in (
            (today, today + day, True),
            (today + day, today + 2 * day, False),
            (today, today, False),
        ):
            found = report(ListID=made, StartDate=start, EndDate=end, Page=1)
            assert [each["EmailAddress"] for each in found or []] == (expected if hits else [])
        assert report(ListID=made, StartDate=today, EndDate=today + day, Page=2) in (None, [])
    hygiene = listrak.ReportListContactHygiene(ListID=made, Page=1, WSException=None)
    assert rows(hygiene, "ReportListContactHygieneResult", "WSContactHygieneInfo") == []
    again = listrak.ReportRangeListContactHygiene(ListID=made, StartDate=today, EndDate=today + day, Page=1)
    assert again in (None, [])


def test_complaints(listrak: Any, records: Product, demo: Any) -> None:
    """lk-112: of all lists of the caller."""
    made = records.lists.create(demo.id, "Complained about")
    with Changes(records.database).begin(demo, by="Feedback Loop") as change:
        email = f"{uuid4().hex}@example.com"
        person = change.add(email=email)
        number = change.join(made.id, person)
        change.log("complained", person, made.id, cause=Cause(message_id=987654), detail={"provider": "Mail Inc."})
    answer = listrak.ReportAdminContactFeedbackLoop(
        StartDate=datetime.datetime(1, 1, 1), EndDate=datetime.datetime(1, 1, 1), Page=1, WSException=None
    )
    found = rows(answer, "ReportAdminContactFeedbackLoopResult", "WSFeedbackLoopListing")
    mine = [each for each in found if each["EmailAddress"] == email]
    assert [(e["ListID"], e["ListName"], e["MessageID"], e["ContactID"], e["ISPName"]) for e in mine] == [
        (made.id, "Complained about", 987654, str(number), "Mail Inc.")
    ]
