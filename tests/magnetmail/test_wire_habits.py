"""Habits of the contract as a stock client meets them: spellings, types of one notion, errors, dates, groups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
import zeep.xsd
from lxml import etree  # type: ignore[import-untyped]
from sqlalchemy import insert, select, update
from tests.magnetmail.mailing import create, details, listed, whole_send

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database
from soapstone.store.tables import contacts, lists

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
NO_ERROR = {
    "errorCode": None,
    "errorDetails": None,
    "errorMessage": None,
    "errorNumber": 0,
    "errorType": None,
}


@pytest.fixture(scope="module")
def records(served: Any) -> Iterator[Database]:
    """The server's own records, for what no operation of the contract can do."""
    opened = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    yield opened
    opened.close()


def address() -> str:
    return f"{uuid4().hex}@example.com"


def group(magnetmail: Any, name: str = "") -> int:
    return int(magnetmail.addGroup(group_name=name or str(uuid4()), categoryId=0)["id"])


def add(magnetmail: Any, email: str | None, *groups: int, **members: Any) -> Any:
    return magnetmail.addRecipient(email=email, text_only=False, Groups={"int": list(groups)}, **members)


def search(magnetmail: Any, **criteria: Any) -> list[Any]:
    return list(magnetmail.searchForRecipients(criteria={"pageNo": 1, "pageSize": 9, **criteria})["Recipient"])


def sign_up(magnetmail: Any, **members: Any) -> Any:
    flags = {"IsMultipleRegistration": False, "IsSignupModeLive": False, "LoginId": 0}
    return magnetmail.CreateEventSignUp(SignUp={"EventId": 987_654, **flags, **members})


def test_odd_spellings(magnetmail: Any) -> None:
    """mm-4: the client knows members by the names of the service description, and each of them works."""
    email, custom = address(), uuid4().hex
    made = add(magnetmail, email, 1, address_1="1 Main Street", address_2="Floor 2", custom_id=custom)
    person = magnetmail.getRecipientDetails(recipient_id=int(made["id"]))
    assert (person["address"], person["address_2"], person["Custom_Id"]) == ("1 Main Street", "Floor 2", custom)
    assert not {"address_1", "custom_id"} & person.keys()
    (found,) = search(magnetmail, Custom_Id=custom, address="1 main street")
    assert found["email"] == email
    assert [each["Id"] for each in magnetmail.getRecipientGroups(recipient={"Custom_Id": custom})] == [1]
    assert "fieldNamevalue" in magnetmail.getRecipientFields()[0]
    create(magnetmail)
    assert listed(magnetmail, "getMessageListUtc").keys() == listed(magnetmail, "getMessagesUTC").keys() != set()
    magnetmail.unsubscribeRecipients(
        unsubscribes={"Unsubscribe": [{"Id": 0, "RecipientId": int(made["id"]), "MessageId": 0, "GroupId": 0}]}
    )
    rows = magnetmail.getUnsubscribes(fromDate=datetime(1, 1, 1), toDate=datetime(1, 1, 1))
    assert "message_CategoryId" in rows[0]
    # Card data is refused (mm-127), under the name that it has.
    card = {"CardIndentificationNumber": "123"}
    answer = sign_up(magnetmail, PaymentInfo={"CreditCardInfo": card})
    assert answer["ResultFailureReasonCode"] == "PAYMENT_NOT_SUPPORTED"


def test_one_notion_with_several_types(magnetmail: Any, records: Database) -> None:
    """mm-5: numbers of jobs and people are ints, doubles, longs and strings, and go on above 2^31."""
    job = magnetmail.uploadListQueue(
        groupid=0, csvData=address(), replace_group=False, update_dups=True, header_line=False, MM_1="Email"
    )
    assert isinstance(job["jobid"], float)
    assert magnetmail.wait(int(job["jobid"]))["jobid"] == job["jobid"]
    with records.read() as connection:
        known = connection.execute(select(contacts).where(contacts.c.id == 1)).mappings().one()
    email, custom, big = address(), uuid4().hex, 2**40 + int(uuid4()) % 2**30
    values = {**known, "id": big, "email": email, "email_key": email, "unique_email": email, "custom_id": custom}
    with records.write() as connection:
        connection.execute(insert(contacts).values(**values))
    one = group(magnetmail)
    assert magnetmail.editRecipientGroups(recipient_id=big, message_id=0, new_groups={"int": [one]}) is True
    person = magnetmail.getRecipientDetails(recipient_id=big)
    assert (person["id"], person["email"]) == (str(big), email)
    assert [each["Id"] for each in magnetmail.getRecipientGroups(recipient={"id": str(big)})] == [one]
    assert [each["RecipientId"] for each in magnetmail.page(one)] == [str(big)]
    (found,) = search(magnetmail, Custom_Id=custom)
    assert found["id"] == str(big)
    links = {"html_web_version_link": False, "text_web_version_link": False}
    message = create(magnetmail)
    sent = magnetmail.sendEmailToIndividual(
        message_id=message, recipients={"string": [str(big)]}, recp_type="recipient_id", **links
    )
    assert sent["emails_sent"] == 1
    history = magnetmail.getRecipientHistory(recipient_id=big)
    assert [each["message_id"] for each in history["emailHistory"]["email_history"]] == [message]
    row = {"Id": 0, "RecipientId": big, "MessageId": message, "GroupId": one}
    assert magnetmail.unsubscribeRecipients(unsubscribes={"Unsubscribe": [row]})[0]["RecipientId"] == big
    criteria = {"PageNo": 1, "PageSize": 1, "MessageId": message, "GroupId": 0, "GroupCategoryId": 0}
    dates = {"SearchStartDate": datetime(1, 1, 1), "SearchEndDate": datetime(9999, 1, 1)}
    tracked = magnetmail.GetUnsubscribeTracking(criteria={**criteria, **dates})
    assert [each["RecipientId"] for each in tracked["data"]["UnsubscribeTrackingData"]] == [big]
    # Somebody who is there already is named by a double.
    assert add(magnetmail, email)["id"] == float(big)


def test_members_that_are_left_out(magnetmail: Any, served: Any, records: Database) -> None:
    """mm-6: an enumeration counts as its first name, whatever the order of the other members."""
    message, email = create(magnetmail), address()
    add(magnetmail, email)
    skip = zeep.xsd.SkipValue
    answer = magnetmail.sendEmailToIndividual(
        message_id=message,
        html_web_version_link=skip,
        text_web_version_link=skip,
        recp_type=skip,
        recipients={"string": [email]},
    )
    assert (answer["error"], answer["emails_sent"]) == (0, 1)
    left_out = dict.fromkeys(("createStartDate", "createEndDate", "sentStartDate", "sentEndDate", "archived"), skip)
    rows = magnetmail.getMessageList(**left_out, hidden=skip, hasFax=skip, hasEmail="yes")
    assert message in {each["message_id"] for each in rows}
    # hasEmail counts as "no".
    rows = magnetmail.getMessageList(**left_out, hidden=skip, hasFax=skip, hasEmail=skip) or []
    assert message not in {each["message_id"] for each in rows}
    made = magnetmail.createMagnetMailMessage(message={**details(), "characterSet": skip})
    assert magnetmail.GetMessageDetails(MessageId=int(made["message_id"]))["characterSet"] == "Western"
    namespace = "http://www.magnetmail.net/"
    header = f'<mmAuthHeader xmlns="{namespace}"><sessionId>{magnetmail.session.sessionId}</sessionId></mmAuthHeader>'
    content = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>{header}</s:Header><s:Body>'
        f'<getMessageList xmlns="{namespace}"><hasEmail>yes</hasEmail><hidden>no</hidden>'
        "<createStartDate>0001-01-01T00:00:00</createStartDate><user_id>DEMO</user_id></getMessageList></s:Body>"
        "</s:Envelope>"
    )
    answer = httpx.post(f"{served.base}/mmapi.asmx", content=content, headers={"Content-Type": "text/xml"}).text
    assert f"<message_id>{message}</message_id>" in answer


def test_answers_that_tell_of_failures(magnetmail: Any) -> None:
    """mm-18: six types of answers have error, errorObj and msg; others have members of their own, or none."""
    message, name = create(magnetmail), f"group {uuid4()}"
    upload = {"csvData": "x", "replace_group": False, "update_dups": False, "header_line": False}
    one = {"html_web_version_link": False, "text_web_version_link": False, "recp_type": "fax"}
    group(magnetmail, name)
    number, unknown = 987_654, datetime(1, 1, 1)
    for answer, expected in (
        (magnetmail.sendEmailToIndividual(message_id=message, recipients={"string": ["1"]}, **one), 9005),
        (
            magnetmail.sendMessageToGroup(
                **whole_send(message_id=message, group_ids={"int": [number]}, scheduledDateTime=unknown)
            ),
            9002,
        ),
        (magnetmail.addGroup(group_name=name, categoryId=0), 9004),
        (add(magnetmail, None), 1003),
        (magnetmail.editRecipient(recipient_id=number, email=address(), text_only=False), 9002),
        (magnetmail.uploadListQueue(groupid=number, MM_1="Email", **upload), 9002),
        (magnetmail.uploadListQueueTest(groupid=0, MM_1="Nonsense", **upload), 9001),
        (magnetmail.getUploadJobStatus(jobid=number), 9002),
        (magnetmail.createMagnetMailMessage(message=details(message_name=None)), 9001),
        (magnetmail.editMagnetMailMessage(message=details(message_id=number)), 9002),
    ):
        assert {"error", "errorObj", "msg"} <= answer.keys()
        assert (answer["error"], answer["errorObj"]["errorNumber"]) == (2, expected)
    job = {"InitialQueueId": 0, "LoginId": 0, "CsvData": "x"}
    entry = magnetmail.UploadListInitialQueue(Job=job)["InitialQueueId"]
    assert magnetmail.GetUploadInitialQueueJobStatus(initialQueueId=entry)["errorMessage"] == "Settings are missing."
    assert sign_up(magnetmail)["ResultFailureReasonCode"] == "NOT_FOUND"
    assert magnetmail.editRecipientGroups(recipient_id=number, message_id=0) is False
    assert magnetmail.service.Authenticate(username="nobody", password="x").authenticated is False


def test_two_styles_of_errors(magnetmail: Any) -> None:
    """mm-19, mm-21: a business code straight in error, or 2 with the particulars in errorObj."""
    email = address()
    number = add(magnetmail, email)["id"]
    there = add(magnetmail, email.upper())
    assert (there["error"], there["id"], there["msg"]) == (1005, number, "RECIPIENT_EXISTS")
    assert there["errorObj"] == NO_ERROR
    missing = add(magnetmail, "")
    assert (missing["error"], missing["id"], missing["msg"]) == (2, 0, None)
    assert missing["errorObj"]["errorNumber"] == 1003
    assert magnetmail.service.getErrorDetails(error_nbr=1005).errorCode == there["msg"]
    assert magnetmail.service.getErrorDetails(error_nbr=1003).errorCode == missing["errorObj"]["errorCode"]


def test_local_dates_are_eastern(magnetmail: Any, records: Database) -> None:
    """mm-29, mm-30: with daylight saving, to the second; an account may have another zone."""
    numbers = [group(magnetmail) for _ in range(4)]
    moments = [
        datetime(2026, 1, 15, 17, 0, 1, tzinfo=UTC),
        datetime(2026, 7, 15, 16, 0, 1, tzinfo=UTC),
        # The hour that comes twice.
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
    ]
    with records.write() as connection:
        for number, moment in zip(numbers, moments, strict=True):
            connection.execute(update(lists).where(lists.c.id == number).values(created_at=moment))
    filters = {"display_status": 2, "subscription_groups": 2}
    local = {each["group_id"]: each["group_created"] for each in magnetmail.getGroups(**filters)}
    utc = {each["group_id"]: each["group_created"] for each in magnetmail.getGroupsUTC(**filters)}
    assert [local[number] for number in numbers] == [
        datetime(2026, 1, 15, 12, 0, 1),
        datetime(2026, 7, 15, 12, 0, 1),
        datetime(2026, 11, 1, 1, 30),
        datetime(2026, 11, 1, 1, 30),
    ]
    assert [utc[number] for number in numbers] == moments
    account = Accounts(records).named("DEMO")
    assert account is not None
    assert account.zone == ZoneInfo("America/New_York")


def test_deprecated_groups(magnetmail: Any, served: Any) -> None:
    """mm-89: the service description and the help page say so, and it works."""
    tree = etree.fromstring(httpx.get(f"{served.base}/mmapi.asmx?WSDL").content)
    told = {
        operation.get("name"): "".join(operation.find(f"{WSDL}documentation").itertext())
        for operation in tree.find(f"{WSDL}portType").iter(f"{WSDL}operation")
    }
    deprecated = [name for name, text in told.items() if "deprecated" in text.lower()]
    assert deprecated == ["getGroups"]
    assert "successor is not part of this contract" in told["getGroups"]
    assert "successor is not part of this contract" in httpx.get(f"{served.base}/mmapi.asmx?op=getGroups").text
    filters = {"display_status": 2, "subscription_groups": 2}
    assert magnetmail.getGroups(**filters)[0]["group_id"] == 1


def test_names_of_groups(magnetmail: Any, client_class: Any, served: Any, records: Database) -> None:
    """mm-90: names of 50 characters and of more come back whole; a category is asked for in no account."""
    for length in (50, 51, 200):
        name = uuid4().hex.ljust(length, "ü")
        assert magnetmail.getGroupDetails(groupId=group(magnetmail, name))["group_name"] == name
    accounts, login = Accounts(records), f"C{uuid4().hex[:8]}".upper()
    account = accounts.change(accounts.create(login, time_zone="UTC"), unsubscribe_type="list_categories")
    accounts.add_login(account, login, login)
    client = client_class(served.base, "1.1", login, login)
    made = client.addGroup(group_name="Clubs", categoryId=0)
    assert (made["error"], client.getUserDetails()["unsubscribe_type"]) == (0, 4)


def test_totals_of_a_group(magnetmail: Any) -> None:
    """mm-92: members, those who are shut by channel, and those who unsubscribed."""
    one = group(magnetmail)
    emails = [address() for _ in range(6)]
    numbers = [int(add(magnetmail, email, one)["id"]) for email in emails]

    def shut(kind: str, *people: str) -> None:
        given = {"Recipient": [{"email": email} for email in people]}
        magnetmail.uploadSuppressionList(suppressionlist={"suppressby": "Email", "type": kind, "recipients": given})

    shut("Email", emails[0], emails[1])
    shut("Fax", emails[1], emails[2], emails[3])
    row = {"Id": 0, "RecipientId": numbers[4], "MessageId": 0, "GroupId": one}
    magnetmail.unsubscribeRecipients(unsubscribes={"Unsubscribe": [row]})
    found = magnetmail.getGroupDetails(groupId=one)
    assert {name: value for name, value in found.items() if name.startswith("Total")} == {
        "TotalInGroup": 6,
        "TotalEmailSuppressed": 2,
        "TotalFaxSuppressed": 3,
        "TotalEmailAndFaxSuppressed": 1,
        "TotalUnsubscribed": 1,
    }
