"""One value for everybody subscribed to a list, through a stock client against a started server."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import zeep
from tests import zeep_services

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database

OPTIONS = "WSUpdateSubcribedContactAttributeOptions"


def update(listrak: Any, attribute: int, value: Any, **options: Any) -> Any:
    """Start an update by the plain operation, or by its twin when there are options, and wait for its end."""
    if options:
        process = listrak.UpdateSubscribedContactAttributeWithOptions(attribute, value, **{OPTIONS: options["options"]})
    else:
        process = listrak.UpdateSubscribedContactAttribute(attribute, value)
    return listrak.wait(process)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"options": {"SuppressEmailNotifications": True}},
        {"options": {"SuppressEmailNotifications": False}},
        {"options": None},
    ],
)
def test_everybody_subscribed(listrak: Any, profiles: Any, options: dict[str, Any]) -> None:
    """lk-66, lk-77, lk-79 to lk-81, lk-94"""
    list_id = listrak.create()
    listrak.load(list_id, f"ann@{list_id}.example\nbob@{list_id}.example\n".encode())
    listrak.load(list_id, f"bob@{list_id}.example\n".encode(), "RemoveSubscribers")
    colour = listrak.attribute(list_id, "Colour")
    status = update(listrak, colour, "grün & <bunt> ☃", **options)
    assert (status["ListID"], status["ProcessName"]) == (list_id, "UpdateSubscribedContactAttribute")
    assert status["Status"] == "ProcessingCompleted"
    assert datetime.min < status["ProcessStartTime"] <= status["ProcessCompleteTime"]
    assert profiles(list_id) == {
        f"ann@{list_id}.example": ("subscribed", {str(colour): "grün & <bunt> ☃"}),
        f"bob@{list_id}.example": ("unsubscribed", {}),
    }
    # It is no import, and no send.
    assert len(listrak.history(list_id)) == 2
    assert listrak.GetLegacyProcessStatus(list_id) is None
    magnetmail = zeep_services.service(listrak.base, zeep_services.MAGNETMAIL)
    header = {"mmAuthHeader": {"sessionId": magnetmail.Authenticate("demo", "demo").sessionId}}
    answer = magnetmail.getUploadJobStatus(jobid=status["ProcessID"], _soapheaders=header)
    assert answer.errorObj.errorNumber == 9002


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_blank_value(listrak: Any, profiles: Any, blank: Any) -> None:
    list_id = listrak.create()
    listrak.load(list_id, f"ann@{list_id}.example\n".encode())
    colour, size = listrak.attribute(list_id, "Colour"), listrak.attribute(list_id, "Size", "Numeric")
    update(listrak, colour, "red")
    update(listrak, size, "42.5")
    assert profiles(list_id)[f"ann@{list_id}.example"][1] == {str(colour): "red", str(size): "42.5"}
    update(listrak, colour, blank)
    assert profiles(list_id)[f"ann@{list_id}.example"][1] == {str(size): "42.5"}


@pytest.mark.parametrize(
    ("kind", "good", "stored", "bad"),
    [
        ("RadioButton", "0", "off", "none"),
        ("Numeric", "-1.25", "-1.25", "1.255"),
        ("Date", "2024-02-29", "02/29/2024", "2023-02-29"),
    ],
)
def test_kinds(listrak: Any, profiles: Any, kind: str, good: str, stored: str, bad: str) -> None:
    """lk-46, lk-47: a value that does not fit is refused at once."""
    list_id = listrak.create()
    listrak.load(list_id, f"ann@{list_id}.example\n".encode())
    attribute = listrak.attribute(list_id, "Attribute", kind)
    update(listrak, attribute, good)
    for call in (listrak.UpdateSubscribedContactAttribute, listrak.UpdateSubscribedContactAttributeWithOptions):
        with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] The value does not fit the attribute"):
            call(AttributeID=attribute, Value=bad)
    assert profiles(list_id)[f"ann@{list_id}.example"] == ("subscribed", {str(attribute): stored})


@pytest.mark.parametrize(("value", "stored"), [("yes", "on"), ("4711", "on"), ("No", "off"), ("0", "off"), ("", "off")])
def test_lk_47_every_value_fits_a_check_box(listrak: Any, profiles: Any, value: str, stored: str) -> None:
    list_id = listrak.create()
    listrak.load(list_id, f"ann@{list_id}.example\n".encode())
    attribute = listrak.attribute(list_id, "Box", "CheckBox")
    update(listrak, attribute, value)
    assert profiles(list_id)[f"ann@{list_id}.example"] == ("subscribed", {str(attribute): stored})


def test_text_that_is_too_long_is_cut(listrak: Any, profiles: Any) -> None:
    """lk-47"""
    list_id = listrak.create()
    listrak.load(list_id, f"ann@{list_id}.example\n".encode())
    attribute = listrak.attribute(list_id, "Attribute", MaxLength=3)
    update(listrak, attribute, "☃☃☃☃")
    assert profiles(list_id)[f"ann@{list_id}.example"][1] == {str(attribute): "☃☃☃"}


def test_it_waits_its_turn(listrak: Any, profiles: Any) -> None:
    """Jobs of one list run in the order of their calls."""
    list_id = listrak.create()
    attribute = listrak.attribute(list_id, "Attribute")
    address = {"AttributeID": 0, "FileColumn": 0, "IsEmailAddressColumn": True}
    value = {"AttributeID": attribute, "FileColumn": 1, "IsEmailAddressColumn": False}
    directives = {
        "ImportTypeEnum": "AddSubscribersAndProfileData",
        "ImportProfileTypeEnum": "Overwrite",
        "HasColumnNames": False,
    }
    first, later = (
        "\n".join(f"{number}@{list_id}.example,{word}" for number in numbers).encode()
        for word, numbers in (("first", range(3000)), ("later", range(2999, 3001)))
    )
    mappings = {"WSFileMappings": [address, value]}
    processes = [
        listrak.BulkLoadContacts(list_id, directives, mappings, first),
        listrak.UpdateSubscribedContactAttribute(attribute, "second"),
        listrak.BulkLoadContacts(list_id, directives, mappings, later),
    ]
    ends = [listrak.wait(process) for process in reversed(processes)]
    assert {end["Status"] for end in ends} == {"ProcessingCompleted"}
    found = profiles(list_id)
    assert found.pop(f"2999@{list_id}.example") == ("subscribed", {str(attribute): "later"})
    assert found.pop(f"3000@{list_id}.example") == ("subscribed", {str(attribute): "later"})
    assert set(map(repr, found.values())) == {repr(("subscribed", {str(attribute): "second"}))}


def test_unknown_and_not_granted(listrak: Any, served: Any, client_class: Any, profiles: Any) -> None:
    """lk-9, lk-19: both look alike; the process of somebody else's list is unknown too."""
    list_id = listrak.create()
    listrak.load(list_id, f"ann@{list_id}.example\n".encode())
    attribute = listrak.attribute(list_id, "Attribute")
    database = Database(served.product.settings.database)
    accounts, name = Accounts(database), f"other-{list_id}"
    demo = accounts.named("DEMO")
    assert demo is not None
    accounts.add_login(demo, name, "secret", lists=[1])
    database.close()
    other = client_class(served.base, listrak.version, name, "secret")
    for client, number in ((listrak, 987654), (other, attribute)):
        sentence = rf"\[NotFound\] Attribute {number} does not exist or is not accessible\."
        for call in (client.UpdateSubscribedContactAttribute, client.UpdateSubscribedContactAttributeWithOptions):
            with pytest.raises(zeep.exceptions.Fault, match=sentence):
                call(AttributeID=number, Value="x")
    assert profiles(list_id)[f"ann@{list_id}.example"] == ("subscribed", {})
    process = listrak.UpdateSubscribedContactAttribute(attribute, "x")
    assert other.GetProcessStatus(process) is None
    assert listrak.wait(process)["Status"] == "ProcessingCompleted"
