"""Lists and their contacts, through a stock client against a started server."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import zeep


def test_create_contact_list(listrak: Any) -> None:
    """lk-36 to lk-43"""
    list_id = listrak.create(
        ListName="Shoes",
        BounceHandling=2,
        BounceUnsubscribeCount=3,
        EnableRSS=True,
        EnableListRemoveHeader=True,
        DomainAliasLink="links.example",
        GoogleTrackingDomains={"string": ["B.example", "a.example"]},
    )
    got = listrak.GetContactList(list_id)
    assert (got["ListID"], got["ListName"], got["FromName"], got["FromEmail"]) == (
        list_id,
        "Shoes",
        "Ann",
        "ann@example",
    )
    assert (got["bounceHandling"], got["BounceUnsubscribeCount"], got["DomainAliasLink"]) == (2, 3, "links.example")
    assert got["Vmta"] == {"VmtaID": 1, "Description": "Default"}
    assert got["GoogleTrackingDomains"] == ["a.example", "b.example"]
    switches = {name for name, value in got.items() if value is True}
    assert switches == {"EnableRSS", "EnableListRemoveHeader"}
    eastern = datetime.now(ZoneInfo("America/New_York")).replace(tzinfo=None)
    assert got["CreateDate"].tzinfo is None
    assert abs(eastern - got["CreateDate"]) < timedelta(minutes=1)
    assert got in listrak.GetContactListCollection()


@pytest.mark.parametrize(
    "members",
    [
        {"ListName": ""},
        {"ListName": None},
        {"ListName": "x" * 256},
        {"BounceHandling": 3},
        {"BounceHandling": -1},
        {"VmtaID": 9},
        {"BounceUnsubscribeCount": -1},
        {"FromEmail": "nobody"},
    ],
)
def test_refused_lists(listrak: Any, members: dict[str, Any]) -> None:
    """lk-17, lk-37"""
    before = len(listrak.GetContactListCollection())
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] "):
        listrak.create(**members)
    assert len(listrak.GetContactListCollection()) == before


def test_an_unknown_list(listrak: Any) -> None:
    """lk-16, lk-19"""
    assert listrak.GetContactList(987654) is None
    answer = listrak.ReportSubscribedContacts(ListID=987654, Page=1, WSException=None)
    assert answer["ReportSubscribedContactsResult"] is None
    assert answer["WSException"]["SoapMethod"] == "ReportSubscribedContacts"
    assert answer["WSException"]["Description"] == "[NotFound] List 987654 does not exist or is not accessible."
    assert answer["WSException"]["DateTime"].year > 2000


def test_subscribed_contacts_by_page(listrak: Any) -> None:
    """lk-30, lk-31, lk-34, lk-35, lk-110"""
    list_id = listrak.create()
    addresses = [f"{number:04}@{list_id}.example" for number in range(2501)]
    listrak.load(list_id, "\n".join(addresses).encode())
    first, second, third = (listrak.subscribed(list_id, page) for page in (1, 2, 3))
    assert (len(first), len(second), third) == (2500, 1, [])
    assert listrak.subscribed(list_id, 0) == first
    assert [row["EmailAddress"] for row in first + second] == addresses
    numbers = [int(row["ContactID"]) for row in first + second]
    assert numbers == sorted(set(numbers))
    assert {row["AdditionMethod"] for row in first} == {"Import"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "dummy",
        "<SoapMethod>string</SoapMethod><DateTime>dateTime</DateTime><Description>string</Description>",
        "<DateTime />",
        "<DateTime></DateTime><Description><b>?</b></Description>",
    ],
)
def test_what_a_request_brings_as_exception_is_ignored(served: Any, content: str) -> None:
    """lk-15: clients fill the by-reference member with anything."""
    namespace = "http://webservices.listrak.com/v31/"
    envelope = f"""<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{namespace}">
        <e:Header><WSUser><UserName>demo</UserName><Password>demo</Password></WSUser></e:Header><e:Body><ReportSubscribedContacts>
        <ListID>1</ListID><WSException>{content}</WSException><Page>1</Page></ReportSubscribedContacts></e:Body>
        </e:Envelope>"""
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{namespace}ReportSubscribedContacts"'}
    answer = httpx.post(f"{served.base}/v31/IntegrationService.asmx", content=envelope, headers=headers)
    assert answer.status_code == 200
    assert '<WSException xsi:nil="true" />' in answer.text
    assert answer.text.count("<WSContactSubscriptionInfo>") >= 10
