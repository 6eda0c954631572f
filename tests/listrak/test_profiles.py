"""Profile headers and attributes, through a stock client against a started server."""

from __future__ import annotations

from typing import Any

import pytest

from soapstone.accounts.account import Accounts
from soapstone.store.database import Database

KINDS = ["RadioButton", "CheckBox", "TextArea", "Numeric", "Text", "Date", "ContentBlock"]


def header(listrak: Any, list_id: int, name: str, position: int = 0, **members: Any) -> Any:
    """The answer to a call for a new header."""
    given = {"HeaderID": 0, "ListID": list_id, "Name": name, "Position": position, **members}
    return listrak.CreateProfileHeader(WSProfileHeader=given, WSException=None)


def attribute(listrak: Any, header_id: int, name: str, kind: str = "Text", **members: Any) -> Any:
    """The answer to a call for a new attribute."""
    given = {"AttributeID": 0, "HeaderID": header_id, "Name": name, "DataType": kind, "MaxLength": 0, "Position": 0}
    return listrak.CreateProfileAttribute(WSProfileAttribute={**given, **members}, WSException=None)


def collection(listrak: Any, list_id: int) -> list[Any]:
    answer = listrak.GetProfileHeaderCollection(ListID=list_id, WSException=None)
    assert answer is None or answer["WSException"] is None
    rows = answer and answer["GetProfileHeaderCollectionResult"]
    return list(rows["WSProfileHeader"]) if rows else []


def refused(answer: Any, operation: str, code: str) -> str:
    """Check that the answer is a business error inside the answer (lk-16); its description."""
    assert answer[f"{operation}Result"] is False
    assert answer["WSException"]["SoapMethod"] == operation
    assert answer["WSException"]["DateTime"].year > 2000
    description = str(answer["WSException"]["Description"])
    assert description.startswith(f"[{code}] ")
    return description


def test_headers_and_attributes(listrak: Any) -> None:
    """lk-32, lk-45, lk-48: made one by one, read together, in order."""
    list_id = listrak.create()
    assert collection(listrak, list_id) == []
    made = header(listrak, list_id, " Vorlieben ☃ ")
    assert (made["CreateProfileHeaderResult"], made["WSException"]) == (True, None)
    first = made["WSProfileHeader"]
    assert (first["ListID"], first["Name"], first["Position"]) == (list_id, "Vorlieben ☃", 1)
    assert first["WSProfileAttributes"] == []
    attributes = []
    for place, kind in enumerate(KINDS, 1):
        made = attribute(listrak, first["HeaderID"], f"a {kind}", kind, MaxLength=place, AttributeID=4711)
        assert (made["CreateProfileAttributeResult"], made["WSException"]) == (True, None)
        found = made["WSProfileAttribute"]
        assert found == {
            "AttributeID": found["AttributeID"],
            "HeaderID": first["HeaderID"],
            "Name": f"a {kind}",
            "DataType": kind,
            "MaxLength": place,
            "Position": place,
        }
        attributes.append(found)
    assert len({found["AttributeID"] for found in attributes} - {0, 4711}) == len(KINDS)
    second = header(listrak, list_id, "Before", position=1)["WSProfileHeader"]
    between = attribute(listrak, first["HeaderID"], "between", "Text", Position=3)["WSProfileAttribute"]
    assert (second["Position"], between["Position"]) == (1, 3)
    found = collection(listrak, list_id)
    assert [(each["HeaderID"], each["Name"], each["Position"]) for each in found] == [
        (second["HeaderID"], "Before", 1),
        (first["HeaderID"], "Vorlieben ☃", 2),
    ]
    names = [each["Name"] for each in found[1]["WSProfileAttributes"]]
    assert names == ["a RadioButton", "a CheckBox", "between", *(f"a {kind}" for kind in KINDS[2:])]
    assert [each["Position"] for each in found[1]["WSProfileAttributes"]] == [*range(1, 9)]


def test_a_header_brings_its_attributes(listrak: Any) -> None:
    """lk-45: all or nothing, and the numbers come back."""
    list_id = listrak.create()
    common = {"AttributeID": 1, "HeaderID": 1, "MaxLength": 0}
    given = [
        {**common, "Name": "Size", "DataType": "Numeric", "Position": 0},
        {**common, "Name": "Colour", "DataType": "Text", "Position": 1},
    ]
    made = header(listrak, list_id, "Shoes", HeaderID=1, WSProfileAttributes=given)["WSProfileHeader"]
    assert [(each["Name"], each["Position"]) for each in made["WSProfileAttributes"]] == [("Colour", 1), ("Size", 2)]
    assert {each["HeaderID"] for each in made["WSProfileAttributes"]} == {made["HeaderID"]}
    assert made["HeaderID"] != 1
    assert collection(listrak, list_id) == [made]
    answer = header(listrak, list_id, "Hats", WSProfileAttributes=given)
    assert refused(answer, "CreateProfileHeader", "InvalidArgument").endswith(
        "The list has the attribute Size already."
    )
    assert collection(listrak, list_id) == [made]


@pytest.mark.parametrize(
    ("name", "members", "complaint"),
    [
        ("", {}, "The name of the {} is missing."),
        (None, {}, "The name of the {} is missing."),
        (" \t ", {}, "The name of the {} is missing."),
        ("x" * 256, {}, "The name of the {} is longer than 255 characters."),
        ("TAKEN", {}, "The list has the {} TAKEN already."),
        ("free", {"Position": -1}, "Positions count from 1; 0 is the last one."),
        ("free", {"MaxLength": -1}, "The longest length of an attribute cannot be negative; 0 means no limit."),
    ],
)
def test_refused_headers_and_attributes(listrak: Any, name: Any, members: dict[str, Any], complaint: str) -> None:
    """lk-16: what was sent comes back, with the reason."""
    list_id = listrak.create()
    kept = header(listrak, list_id, "Taken")["WSProfileHeader"]
    attribute(listrak, kept["HeaderID"], "Taken")
    before = collection(listrak, list_id)
    answer = attribute(listrak, kept["HeaderID"], name, **members)
    description = refused(answer, "CreateProfileAttribute", "InvalidArgument")
    assert description == f"[InvalidArgument] {complaint.format('attribute')}"
    assert answer["WSProfileAttribute"]["HeaderID"] == kept["HeaderID"]
    assert answer["WSProfileAttribute"]["AttributeID"] == 0
    if "MaxLength" not in members:
        answer = header(listrak, list_id, name, **members)
        description = refused(answer, "CreateProfileHeader", "InvalidArgument")
        assert description == f"[InvalidArgument] {complaint.format('header')}"
        assert answer["WSProfileHeader"]["ListID"] == list_id
    assert collection(listrak, list_id) == before


def test_nothing_given(listrak: Any) -> None:
    """lk-16, lk-45: a nil object is an error inside the answer."""
    for operation, member in (
        ("CreateProfileHeader", "WSProfileHeader"),
        ("CreateProfileAttribute", "WSProfileAttribute"),
    ):
        answer = getattr(listrak, operation)(**{member: None}, WSException=None)
        assert refused(answer, operation, "InvalidArgument") == f"[InvalidArgument] {member} is missing."
        assert answer[member] is None


def test_unknown_and_not_granted(listrak: Any, served: Any, client_class: Any) -> None:
    """lk-9, lk-19: both look alike."""
    database = Database(served.product.settings.database)
    accounts = Accounts(database)
    list_id = listrak.create()
    kept = header(listrak, list_id, "Header")["WSProfileHeader"]["HeaderID"]
    name = f"other-{list_id}"
    accounts.add_login(accounts.named("DEMO"), name, "secret", lists=[1])  # type: ignore[arg-type]
    database.close()
    other = client_class(served.base, listrak.version, name, "secret")
    for client, lists, headers in ((listrak, 987654, 987654), (other, list_id, kept)):
        missing = f"[NotFound] List {lists} does not exist or is not accessible."
        answer = client.GetProfileHeaderCollection(ListID=lists, WSException=None)
        assert answer["GetProfileHeaderCollectionResult"] is None
        assert answer["WSException"]["Description"] == missing
        assert refused(header(client, lists, "New"), "CreateProfileHeader", "NotFound") == missing
        assert refused(attribute(client, headers, "New"), "CreateProfileAttribute", "NotFound") == (
            f"[NotFound] Header {headers} does not exist or is not accessible."
        )
    assert [each["Name"] for each in collection(listrak, list_id)] == ["Header"]
    assert collection(other, 1)[0]["Name"] == "Preferences"
