"""Groups and their members, through a stock client against a started server."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4


def test_add_group(magnetmail: Any) -> None:
    """mm-19, mm-20, mm-91"""
    name = f"group {uuid4()}"
    made = magnetmail.addGroup(group_name=name, categoryId=0)
    assert (made["error"], made["msg"]) == (0, "The group has successfully been added!")
    assert made["errorObj"] == {
        "errorCode": None,
        "errorDetails": None,
        "errorMessage": None,
        "errorNumber": 0,
        "errorType": None,
    }
    details = magnetmail.getGroupDetails(groupId=int(made["id"]))
    assert (details["group_name"], details["display_status"], details["subscription_group"]) == (name, True, False)
    assert details["TotalInGroup"] == 0
    # mm-32: a group that was never updated.
    assert details["last_updated_date"] == datetime.min
    assert details["group_created"].tzinfo is None


def test_a_taken_name(magnetmail: Any) -> None:
    """mm-22, mm-91"""
    name = f"group {uuid4()}"
    magnetmail.addGroup(group_name=name, categoryId=0)
    refused = magnetmail.addGroup(group_name=name.upper(), categoryId=0)
    assert refused["error"] == 2
    assert (refused["errorObj"]["errorNumber"], refused["errorObj"]["errorCode"]) == (9004, "NAME_EXISTS")
    assert refused["errorObj"]["errorType"] == "CUSTOM"
    assert refused["errorObj"]["errorDetails"] == "Error Details:\nError Category:1Component:Group\nFunction:addGroup"
    assert refused["errorObj"]["errorMessage"] == refused["msg"] != ""


def test_names_that_are_no_names(magnetmail: Any) -> None:
    """mm-91"""
    for name in ("", None, "   ", "x" * 256):
        assert magnetmail.addGroup(group_name=name, categoryId=0)["errorObj"]["errorNumber"] == 9001
    assert magnetmail.addGroup(group_name=str(uuid4()).ljust(255, "x"), categoryId=0)["error"] == 0


def test_get_groups(magnetmail: Any) -> None:
    """mm-87, mm-88"""
    everything = magnetmail.getGroups(display_status=2, subscription_groups=2)
    assert everything[0]["group_name"] == "Newsletter"
    assert [each["group_id"] for each in everything] == sorted(each["group_id"] for each in everything)
    ids = {each["group_id"] for each in everything}
    pick = {
        (display, subscription): {
            each["group_id"]
            for each in magnetmail.getGroups(display_status=display, subscription_groups=subscription) or []
        }
        for display in (0, 1, 7)
        for subscription in (0, 1, -1)
    }
    assert pick[1, 0] == pick[7, -1] == ids
    assert pick[0, 0] == pick[1, 1] == set()


def test_get_group_recipients(magnetmail: Any) -> None:
    """mm-36, mm-37, mm-38, mm-40"""
    everybody = magnetmail.page(1, number=0, size=0)
    count = magnetmail.getGroupRecipientsCount(groupId=1)
    assert len(everybody) == count == 10
    assert everybody[0]["EmailId"] == "ada@example.com"
    ids = [int(each["RecipientId"]) for each in everybody]
    assert ids == sorted(ids)
    pages = [magnetmail.page(1, number=number, size=4) for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [4, 4, 2, 0]
    assert [each for page in pages for each in page] == everybody


def test_unknown_groups(magnetmail: Any) -> None:
    """mm-24, mm-25"""
    assert magnetmail.getGroupDetails(groupId=987654) is None
    assert magnetmail.getGroupRecipientsCount(groupId=987654) == 0
    assert magnetmail.page(987654) == []


def test_get_recipient_fields(magnetmail: Any) -> None:
    """mm-43"""
    fields = [each["fieldNamevalue"] for each in magnetmail.getRecipientFields()]
    assert fields[:12] == [
        "Email",
        "First_Name",
        "Last_Name",
        "Phone",
        "Fax",
        "Address",
        "Address2",
        "City",
        "State",
        "Zip",
        "Company",
        "Custom_Member_Id",
    ]
    assert fields[12:] == [f"custom{n}" for n in range(1, 31)]


def test_get_error_details(magnetmail: Any) -> None:
    """mm-23"""
    ask = magnetmail.service.getErrorDetails
    assert (ask(9002).errorCode, ask(9002).errorNumber) == ("NOT_FOUND", 9002)
    assert ask(1005).errorCode == "RECIPIENT_EXISTS"
    assert ask(1003).errorCode == "NO_EMAIL"
    nothing = ask(0)
    assert (nothing.errorCode, nothing.errorMessage, nothing.errorNumber) == (None, None, 0)
    unknown = ask(4711)
    assert (unknown.errorCode, unknown.errorNumber) == ("UNKNOWN_ERROR", 4711)
