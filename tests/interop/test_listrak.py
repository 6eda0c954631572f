"""The Listrak contract through foreign clients: a list, its imports, their history, and both sends to the end."""

from __future__ import annotations

import base64
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from email import policy
from email.parser import BytesParser
from functools import partial
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

pytestmark = pytest.mark.interop

POLL_SECONDS = 60
NEVER = "0001-01-01T00:00:00"
SWITCHES = [
    "EnableRemovalLink",
    "EnableBrowserLink",
    "EnableDoubleOptin",
    "EnableListHygiene",
    "ShowEmailList",
    "ShowAdvancedPersonalization",
    "EnableRSS",
    "EnableGoogleAnalytics",
    "EnableInternationalization",
    "EnableDynamicContent",
    "EnableListRemoveHeader",
]
COUNTERS = [
    "ProcessedCount",
    "InvalidEmailCount",
    "SubscribedCount",
    "UnSubscribedCount",
    "AlreadySubscribedCount",
    "AlreadyUnsubscribedCount",
    "PreviouslyUnsubscribedCount",
    "SuppressedCount",
    "BannedCount",
    "SkippedCount",
]
SEND_TO_LIST = """<SendToList><UserName>demo</UserName><Password>demo</Password><ListID>{list_id}</ListID>
  <Message><Subject>Grüße</Subject><TextBody>Hello {{{{ Email }}}}</TextBody></Message></SendToList>"""
SEND_TO_FILE = """<SendToFile><UserName>demo</UserName><Password>demo</Password><ListID>{list_id}</ListID>
  <Message><Subject>Hello {{{{ Name }}}}</Subject><TextBody>Hello</TextBody></Message>
  <File Name="people.csv" Delimiter="," TextQualifier="&quot;" HasColumnNames="true">{file}</File></SendToFile>"""


def test_imports_and_sends(client: Any, server: Any) -> None:
    """lk-36, lk-66 to lk-76, lk-79 to lk-84, lk-88 to lk-94"""
    call = client.listrak
    mark = uuid4().hex
    made = call(
        "CreateContactList",
        ListName=f"Küche {mark}",
        FromName="Ännchen",
        FromEmail="ann@example.com",
        BounceHandling=1,
        VmtaID=0,
        BounceUnsubscribeCount=3,
        GoogleTrackingDomains={"string": ["a.example"]},
        **dict.fromkeys(SWITCHES, False) | {"EnableRSS": True},
    )
    list_id = made["ListID"]
    assert (made["ListName"], made["FromName"], made["bounceHandling"]) == (f"Küche {mark}", "Ännchen", 1)
    assert made["Vmta"] == {"VmtaID": 1, "Description": "Default"}
    assert [name for name in SWITCHES if made[name]] == ["EnableRSS"]
    assert made in call("GetContactListCollection")
    # lk-84: a list without such processes.
    assert not call("GetLegacyProcessStatus", ListID=list_id)

    people = [f"person{number:03}@{mark}.example" for number in range(320)]
    bad = [f"nobody{number}" for number in range(9)]
    check = imports(call, list_id, mark)
    check("AddSubscribers", [*people[:300], *bad, *people[:25]], Processed=334, Invalid=9, Subscribed=300, Skipped=25)
    gone, strangers = people[:50], [f"stranger{number}@{mark}.example" for number in range(5)]
    check("RemoveSubscribers", [*gone, *strangers], Processed=55, UnSubscribed=50, AlreadyUnsubscribed=5)
    check(
        "AddSubscribers",
        [*people[40:], *people[300:303]],
        Processed=283,
        Subscribed=20,
        AlreadySubscribed=250,
        PreviouslyUnsubscribed=10,
        Skipped=3,
    )
    check("RemoveSubscribers", gone[:1], Processed=1, AlreadyUnsubscribed=1)

    subscribed(call, list_id, expected=people[50:])
    first, second = sends(client, list_id)
    mails = {process: len(list((server.data / "mail").glob(f"{process:08}-*.eml"))) for process in (first, second)}
    assert mails == {first: len(people[50:]), second: 2}


def test_profiles(client: Any, server: Any) -> None:
    """lk-45 to lk-48, lk-66, lk-77, lk-81, lk-95: attributes are made, imported, set for everybody, and read back."""
    call, mark = client.listrak, uuid4().hex
    made = call(
        "CreateContactList",
        ListName=f"Profile {mark}",
        BounceHandling=0,
        VmtaID=0,
        BounceUnsubscribeCount=0,
        **dict.fromkeys(SWITCHES, False),
    )
    list_id = made["ListID"]
    empty = call("GetProfileHeaderCollection", ListID=list_id, WSException=None)
    assert not empty["GetProfileHeaderCollectionResult"]
    asked = {"HeaderID": 0, "ListID": list_id, "Name": "Größen", "Position": 0}
    answer = call("CreateProfileHeader", WSProfileHeader=asked, WSException=None)
    assert (answer["CreateProfileHeaderResult"], answer["WSException"]) == (True, None)
    header = answer["WSProfileHeader"]["HeaderID"]
    numbers = {}
    for name, kind, place in (("Schuh", "Numeric", 0), ("Gruß", "Text", 1), ("Post", "CheckBox", 0)):
        asked = {
            "AttributeID": 0,
            "HeaderID": header,
            "Name": name,
            "DataType": kind,
            "MaxLength": 9,
            "Position": place,
        }
        answer = call("CreateProfileAttribute", WSProfileAttribute=asked, WSException=None)
        assert (answer["CreateProfileAttributeResult"], answer["WSException"]) == (True, None)
        numbers[name] = answer["WSProfileAttribute"]["AttributeID"]
    again = call("CreateProfileAttribute", WSProfileAttribute=asked, WSException=None)
    assert again["CreateProfileAttributeResult"] is False
    assert again["WSException"]["Description"] == "[InvalidArgument] The list has the attribute Post already."
    answer = call("GetProfileHeaderCollection", ListID=list_id, WSException=None)
    (found,) = answer["GetProfileHeaderCollectionResult"]
    assert (found["Name"], [each["Name"] for each in found["WSProfileAttributes"]]) == (
        "Größen",
        ["Gruß", "Schuh", "Post"],
    )
    assert [each["AttributeID"] for each in found["WSProfileAttributes"]] == [
        numbers[name] for name in ("Gruß", "Schuh", "Post")
    ]

    mappings = [{"AttributeID": 0, "FileColumn": 0, "IsEmailAddressColumn": True}]
    mappings += [
        {"AttributeID": numbers[name], "FileColumn": place, "IsEmailAddressColumn": False}
        for place, name in enumerate(("Schuh", "Gruß"), 1)
    ]
    process = call(
        "BulkLoadContactsWithOptions",
        ListID=list_id,
        WSImportDirectives={
            "ImportTypeEnum": "AddSubscribersAndProfileData",
            "ImportProfileTypeEnum": "Append",
            "HasColumnNames": False,
        },
        fileMappings={"WSFileMappings": mappings},
        ImportFileStream=base64.b64encode(f"ann@{mark}.example,38.5,Grüße\nbob@{mark}.example\nx\n".encode()).decode(),
        WSBulkLoadOptions={"SuppressEmailNotifications": True},
    )
    on = call("UpdateSubscribedContactAttribute", AttributeID=numbers["Post"], Value="1")
    greeting = call(
        "UpdateSubscribedContactAttributeWithOptions",
        AttributeID=numbers["Gruß"],
        Value="Hej ☃",
        WSUpdateSubcribedContactAttributeOptions={"SuppressEmailNotifications": False},
    )
    update = "UpdateSubscribedContactAttribute"
    for number, name in ((process, "BulkLoadContacts"), (on, update), (greeting, update)):
        status = wait(partial(call, "GetProcessStatus", ProcessID=number), "ProcessCompleteTime")
        assert status["Status"] == "ProcessingCompleted"
        assert (status["ListID"], status["ProcessName"]) == (list_id, name)
    rows = [
        (row["EmailAddress"], row["ContactID"] > 0)
        for page in (1, 2)
        for row in call("ReportImportContactDetail", ImportFileID=process, Page=page, ImportResult="All")[
            "ReportImportContactDetailResult"
        ]
        or ()
    ]
    assert rows == [(f"ann@{mark}.example", True), (f"bob@{mark}.example", True), ("x", False)]
    body = '{{ Email }} {{ Schuh }} {{ field["Gruß"] }} {{ Post }}'
    first = submit(
        client.base,
        "SendToList",
        f"""<SendToList><UserName>demo</UserName><Password>demo</Password><ListID>{list_id}</ListID><Message>
        <FromEmailAddress>ann@example.com</FromEmailAddress><Subject>{body}</Subject><TextBody>.</TextBody></Message>
        </SendToList>""",
    )
    wait(partial(call, "GetProcessStatus", ProcessID=first), "ProcessCompleteTime")
    mails = [path.read_bytes() for path in (server.data / "mail").glob(f"{first:08}-*.eml")]
    parser = BytesParser(policy=policy.default)
    assert sorted(parser.parsebytes(mail)["Subject"] for mail in mails) == [
        f"ann@{mark}.example 38.5 Hej ☃ on",
        f"bob@{mark}.example  Hej ☃ on",
    ]


def imports(call: Callable[..., Any], list_id: int, mark: str) -> Callable[..., None]:
    """Runs an import to its end and compares the whole history of the list with what was expected so far."""
    expected: list[dict[str, int]] = []
    texts = {"AddSubscribers": "Add Subscriber", "RemoveSubscribers": "Remove Subscriber"}
    kinds: list[str] = []

    def check(kind: str, addresses: list[str], **counts: int) -> None:
        lines = ["'Straße; Name';Mail", *(f"'Zoë; {n}\n日本';{address}" for n, address in enumerate(addresses))]
        file = "\r\n".join(lines).encode()
        process = call(
            "BulkLoadContacts",
            ListID=list_id,
            WSImportDirectives={
                "ImportTypeEnum": kind,
                "ImportProfileTypeEnum": "NotDefined",
                "FileName": f"Größe {mark}.csv",
                "HasColumnNames": True,
                "FileDelimiter": ";",
                "TextQualifier": "'",
            },
            fileMappings={"WSFileMappings": [{"AttributeID": 0, "FileColumn": 1, "IsEmailAddressColumn": True}]},
            ImportFileStream=base64.b64encode(file).decode(),
        )
        status = wait(lambda: call("GetProcessStatus", ProcessID=process), "ProcessCompleteTime")
        assert (status["ProcessID"], status["ListID"], status["ProcessName"]) == (process, list_id, "BulkLoadContacts")
        assert status["Status"] == "ProcessingCompleted"
        kinds.append(texts[kind])
        # Those names of counters that end in Email have one more word than the others.
        named = {name.removesuffix("Count").removesuffix("Email"): name for name in COUNTERS}
        expected.append(dict.fromkeys(COUNTERS, 0) | {named[name]: count for name, count in counts.items()})
        report = call("ReportListImportHistory", ListID=list_id, Page=1, StartDate=None, EndDate=None, WSException=None)
        assert report["WSException"] is None
        history = report["ReportListImportHistoryResult"]
        assert [{name: run[name] for name in COUNTERS} for run in history] == expected
        assert [run["ImportType"] for run in history] == kinds
        last = history[-1]
        assert (last["ImportFileID"], last["ImportSource"], last["FileSize"]) == (process, "API", len(file))
        assert last["FileName"] == f"Größe {mark}.csv"

    return check


def wait(ask: Callable[[], Any], end_date: str) -> Any:
    """Poll a process until it has an end (lk-26, lk-81, lk-84)."""
    end = time.monotonic() + POLL_SECONDS
    while (status := ask())[end_date] == NEVER:
        assert time.monotonic() < end
        time.sleep(0.05)
    return status


def subscribed(call: Callable[..., Any], list_id: int, expected: list[str]) -> None:
    """lk-15, lk-30, lk-34: one page of contacts by their numbers, then an empty one, and no exception."""
    rows, empty = (call("ReportSubscribedContacts", ListID=list_id, Page=page, WSException=None) for page in (1, 2))
    assert rows["WSException"] is empty["WSException"] is None
    assert not empty["ReportSubscribedContactsResult"]
    rows = rows["ReportSubscribedContactsResult"]
    assert sorted(row["EmailAddress"] for row in rows) == expected
    numbers = [int(row["ContactID"]) for row in rows]
    assert numbers == sorted(set(numbers))
    assert {row["AdditionMethod"] for row in rows} == {"Import"}
    here = datetime.now(ZoneInfo("America/New_York")).replace(tzinfo=None)
    assert all(abs(here - datetime.fromisoformat(row["AdditionDate"])) < timedelta(minutes=5) for row in rows)


def sends(client: Any, list_id: int) -> tuple[int, int]:
    """Both sends over XML over HTTP, polled to the end; every answer tells the newest first (lk-84). Their numbers."""

    def rows() -> Any:
        return client.listrak("GetLegacyProcessStatus", ListID=list_id)

    first = submit(client.base, "SendToList", SEND_TO_LIST.format(list_id=list_id))
    # An array of one item.
    assert [row["StatusID"] for row in rows()] == [first]
    file = base64.b64encode("EmailAddress,Name\nzoe@example.org,Zoë\nann@example.org,Ann\n".encode()).decode()
    second = submit(client.base, "SendToFile", SEND_TO_FILE.format(list_id=list_id, file=file))
    seen: dict[int, list[int]] = {first: [], second: []}
    for place, process in ((0, second), (1, first)):

        def ask(place: int = place) -> Any:
            found = rows()
            assert [row["StatusID"] for row in found] == [second, first]
            for row in found:
                seen[row["StatusID"]].append(row["CurrentStep"])
            return found[place]

        done = wait(ask, "ProcessCompleteTime")
        kind, steps = {first: ("Send to List", 3), second: ("Send to File", 4)}[process]
        assert (done["ProcessType"], done["CurrentStep"], done["MaxStep"]) == (kind, steps, steps)
        assert done["ListID"] == list_id
        assert NEVER < done["ProcessStartTime"] <= done["ProcessCompleteTime"]
    # lk-90: steps never go back.
    assert all(steps == sorted(steps) for steps in seen.values())
    return first, second


def submit(base: str, name: str, document: str) -> int:
    """Post a document to the XML over HTTP interface; the number of the process (lk-88)."""
    request = urllib.request.Request(f"{base}/xml/{name}", document.encode(), {"Content-Type": "application/xml"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.read().decode().partition("<StatusID>")[2].partition("<")[0])


def test_wrong_credentials(client: Any, login: str, refused: Any) -> None:
    """lk-10, lk-11: also in a call that has an exception among its members."""
    calls: dict[str, dict[str, Any]] = {
        "GetLegacyProcessStatus": {"ListID": 1},
        "ReportSubscribedContacts": {"ListID": 1, "Page": 1, "WSException": None},
    }
    for operation, arguments in calls.items():
        with pytest.raises(refused) as fault:
            client.listrak(operation, login, "wrong", **arguments)
        assert fault.value.code == {"1.1": "soap:Server", "1.2": "soap:Receiver"}[client.version]
        assert fault.value.text == (
            "Server was unable to process request. ---> [InvalidLogonAttempt] The user name or password is not valid."
        )
    assert client.listrak("GetProcessStatus", login, "right", ProcessID=1)["Status"] == "ProcessingCompleted"


def test_an_unknown_list(client: Any) -> None:
    """lk-16, lk-19: nothing, an exception inside the answer, or a fault."""
    assert client.listrak("GetProcessStatus", ProcessID=987654) is None
    report = client.listrak("ReportSubscribedContacts", ListID=987654, Page=1, WSException=None)
    assert not report["ReportSubscribedContactsResult"]
    assert report["WSException"]["SoapMethod"] == "ReportSubscribedContacts"
    assert report["WSException"]["Description"] == "[NotFound] List 987654 does not exist or is not accessible."
