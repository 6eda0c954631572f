"""Habits of the contract as clients of many years meet them: addresses, envelopes, outcomes, dates, empty arrays."""

from __future__ import annotations

import base64
import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
from lxml import etree  # type: ignore[import-untyped]

PATH = "/v31/IntegrationService.asmx"
NS = "http://webservices.listrak.com/v31/"
SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
# What clients of this contract parse dates with: no zone, at most three digits of a second's fraction (lk-21).
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?")


def envelope(version: str, body: str) -> bytes:
    user = f'<WSUser xmlns="{NS}"><UserName>demo</UserName><Password>demo</Password></WSUser>'
    return (
        f'<s:Envelope xmlns:s="{SOAP[version]}"><s:Header>{user}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def post(base: str, operation: str, body: str, *, version: str = "1.1", query: str = "", **headers: str) -> Any:
    given = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NS}{operation}"', **headers}
    answer = httpx.post(f"{base}{PATH}{query}", content=envelope(version, body), headers=given)
    assert answer.status_code == 200, answer.text
    return answer


def test_lk_3_the_description_is_the_same_under_both_spellings(served: Any) -> None:
    """Clients fetch it before every call, so it is made once: no later answer differs."""
    answers = [httpx.get(f"{served.base}{PATH}{query}") for query in ("?WSDL", "?wsdl", "?WSDL")]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert etree.fromstring(answers[0].content).tag == "{http://schemas.xmlsoap.org/wsdl/}definitions"


def test_lk_4_what_is_ignored_and_what_decides(served: Any) -> None:
    """`?op=…` and HTTP Basic credentials are ignored; the namespace of the envelope decides on the version."""
    body = f'<GetContactListCollection xmlns="{NS}"/>'
    plain = post(served.base, "GetContactListCollection", body)
    basic = "Basic " + base64.b64encode(b"nobody:wrong").decode()
    other = post(
        served.base, "GetContactListCollection", body, query="?op=GetContactListCollection", Authorization=basic
    )
    assert other.content == plain.content
    newer = post(served.base, "GetContactListCollection", body, version="1.2")
    assert etree.fromstring(newer.content).tag == f"{{{SOAP['1.2']}}}Envelope"


def test_lk_5_prefixes_that_plain_readers_look_for(served: Any) -> None:
    """The envelope has the prefix `soap:`, what is in it has none."""
    text = post(served.base, "GetContactListCollection", f'<GetContactListCollection xmlns="{NS}"/>').text
    assert "<soap:Envelope" in text
    assert "<soap:Body>" in text
    assert f'<GetContactListCollectionResponse xmlns="{NS}"><GetContactListCollectionResult>' in text


@pytest.mark.parametrize("prefixed", [False, True])
def test_lk_6_members_in_any_order_and_with_prefixes(served: Any, listrak: Any, prefixed: bool) -> None:
    """ListID before EmailAddress, a prefix on every child, switches as 0 and 1, what is not needed left out."""
    list_id, email = listrak.create(), f"{uuid4().hex}@example.com"
    members = f"<ListID>{list_id}</ListID><EmailAddress>{email}</EmailAddress>"
    body = (
        f"<WSContact>{members}</WSContact><ProfileUpdateType>Append</ProfileUpdateType>"
        "<OverrideUnsubscribe>0</OverrideUnsubscribe>"
    )
    call = f'<SetContact xmlns="{NS}">{body}</SetContact>'
    if prefixed:
        call = re.sub(r"<(/?)", r"<\1w:", call).replace(" xmlns=", " xmlns:w=")
    answer = post(served.base, "SetContact", call)
    assert "<SetContactResult>SuccessContactSubscribed</SetContactResult>" in answer.text
    assert [row["EmailAddress"] for row in listrak.subscribed(list_id)] == [email]


def test_lk_20_outcomes_are_words_and_no_faults(listrak: Any) -> None:
    """Whatever becomes of a single contact."""
    list_id, email = listrak.create(), f"{uuid4().hex}@example.com"
    contact = {"EmailAddress": email, "ListID": list_id, "ContactProfileAttribute": []}
    outcomes = [
        listrak.SetContact({**contact, "EmailAddress": "no address"}, "Update", "", False),
        listrak.SetContact(contact, "Update", "", False),
        listrak.SetContact(contact, "Update", "", False),
        listrak.UnsubscribeContact(list_id, email),
        listrak.SetContact(contact, "Update", "", False),
    ]
    assert outcomes == [
        "FailedContactInvalidEmailAddress",
        "SuccessContactSubscribed",
        "ContactAlreadySubscribedProfileUpdated",
        "SuccessContactUnSubscribed",
        "FailedContactUnSubscribed",
    ]


def test_lk_21_and_27_dates(served: Any, listrak: Any) -> None:
    """No zone, no long fraction, and no date where there is none but nil."""
    list_id, email = listrak.create(), f"{uuid4().hex}@example.com"
    listrak.load(list_id, email.encode())
    calls = {
        "ReportSubscribedContacts": f"<ListID>{list_id}</ListID><Page>1</Page>",
        "ReportListImportHistory": f"<ListID>{list_id}</ListID><Page>1</Page>",
        "GetContact": f"<ListID>{list_id}</ListID><EmailAddress>{email}</EmailAddress>",
    }
    seen = 0
    for operation, members in calls.items():
        answer = post(served.base, operation, f'<{operation} xmlns="{NS}">{members}</{operation}>')
        for element in etree.fromstring(answer.content).iter():
            if "Date" in etree.QName(element).localname and not len(element):
                nil = element.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"
                assert nil or DATE.fullmatch(element.text or ""), (operation, element.tag, element.text)
                seen += 1
    assert seen >= 3


def test_lk_29_an_empty_array_is_an_empty_element(served: Any, listrak: Any) -> None:
    """Toolkits stop paging there, and plain readers need the element."""
    list_id = listrak.create()
    members = f"<ListID>{list_id}</ListID><Page>1</Page>"
    answer = post(
        served.base,
        "ReportSubscribedContacts",
        f'<ReportSubscribedContacts xmlns="{NS}">{members}</ReportSubscribedContacts>',
    )
    assert "<ReportSubscribedContactsResult />" in answer.text.replace("Result/>", "Result />")


def test_lk_38_and_39_settings_of_a_list_are_given_back(listrak: Any) -> None:
    """Also those that have no effect yet, such as how many bounces a contact may have."""
    settings = {"EnableRemovalLink": True, "EnableBrowserLink": True, "EnableListRemoveHeader": True}
    numbers = {"BounceUnsubscribeCount": 3, "FromName": "Paper", "FromEmail": "paper@example.net"}
    list_id = listrak.create(**settings, **numbers)
    found = listrak.GetContactList(list_id)
    assert {name: found[name] for name in (settings | numbers)} == settings | numbers


def test_lk_92_history_of_imports(listrak: Any) -> None:
    """Both dates may be nil; the file's number leads to its rows."""
    list_id, email = listrak.create(), f"{uuid4().hex}@example.com"
    listrak.load(list_id, f"{email}\nno address\n{email}\n".encode())
    (run,) = listrak.history(list_id)
    assert [run[f"{name}Count"] for name in ("Processed", "Subscribed", "InvalidEmail", "Skipped")] == [3, 1, 1, 1]
    answer = listrak.ReportImportContactDetail(
        ImportFileID=run["ImportFileID"], ImportResult="All", Page=1, WSException=None
    )
    rows = answer["ReportImportContactDetailResult"]
    assert len(next(iter(rows.values()))) == 3
