"""Imports, through a stock client against a started server."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import zeep

ADDRESS = {"AttributeID": 0, "FileColumn": 0, "IsEmailAddressColumn": True}


def figures(run: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in run.items() if name.endswith("Count") and value}


def test_add_and_remove(listrak: Any) -> None:
    """lk-66 to lk-75, lk-93, lk-94"""
    list_id = listrak.create()
    data = b"ann@example.org\r\nbob@example.org\r\nno address\r\nANN@example.org\r\n"
    added = listrak.load(list_id, data, FileName="people.csv")
    run = listrak.history(list_id)[0]
    assert figures(run) == {"ProcessedCount": 4, "InvalidEmailCount": 1, "SubscribedCount": 2, "SkippedCount": 1}
    assert (run["ImportFileID"], run["ImportSource"], run["ImportType"]) == (added, "API", "Add Subscriber")
    assert (run["FileName"], run["FileSize"], run["ProfileImportType"]) == ("people.csv", len(data), None)
    assert run["EndDate"] >= run["StartDate"]
    # lk-64: an address is given back as it was first stored; demo data of other tests may know it already.
    assert sorted(row["EmailAddress"].lower() for row in listrak.subscribed(list_id)) == [
        "ann@example.org",
        "bob@example.org",
    ]

    listrak.load(list_id, b"bob@example.org\ncid@example.org\n")
    assert figures(listrak.history(list_id)[1]) == {
        "ProcessedCount": 2,
        "SubscribedCount": 1,
        "AlreadySubscribedCount": 1,
    }
    listrak.load(list_id, b"ann@example.org\nnobody@example.org\n", "RemoveSubscribers")
    run = listrak.history(list_id)[2]
    assert run["ImportType"] == "Remove Subscriber"
    assert (run["ProcessedCount"], run["UnSubscribedCount"]) == (2, 1)
    listrak.load(list_id, b"ann@example.org\n", "RemoveSubscribers")
    assert figures(listrak.history(list_id)[3]) == {"ProcessedCount": 1, "AlreadyUnsubscribedCount": 1}
    # lk-75: an import never resubscribes.
    listrak.load(list_id, b"ann@example.org\n")
    assert figures(listrak.history(list_id)[4]) == {"ProcessedCount": 1, "PreviouslyUnsubscribedCount": 1}
    assert sorted(row["EmailAddress"] for row in listrak.subscribed(list_id)) == ["bob@example.org", "cid@example.org"]


def test_delimiter_qualifier_and_headings(listrak: Any) -> None:
    """lk-67, lk-68"""
    list_id = listrak.create()
    directives = {"ImportTypeEnum": "AddSubscribers", "ImportProfileTypeEnum": "NotDefined", "HasColumnNames": True}
    process = listrak.BulkLoadContacts(
        list_id,
        {**directives, "FileDelimiter": r"\t", "TextQualifier": "'"},
        {"WSFileMappings": [{**ADDRESS, "FileColumn": 1}]},
        b"Name\tMail\n'Ann\tA'\t'ann@tab.example'\n",
    )
    listrak.wait(process)
    assert [row["EmailAddress"] for row in listrak.subscribed(list_id)] == ["ann@tab.example"]


def test_a_file_encoded_twice(listrak: Any) -> None:
    """lk-72"""
    import base64

    list_id = listrak.create()
    listrak.load(list_id, base64.b64encode(b"ann@twice.example\nbob@twice.example\n"))
    assert [row["EmailAddress"] for row in listrak.subscribed(list_id)] == ["ann@twice.example", "bob@twice.example"]


def test_profile_data(listrak: Any, served: Any) -> None:
    """lk-69, lk-73: the demo list has two profile attributes."""
    directives = {
        "ImportTypeEnum": "AddSubscribersAndProfileData",
        "ImportProfileTypeEnum": "Overwrite",
        "HasColumnNames": False,
    }
    colour = {"AttributeID": 1, "FileColumn": 1, "IsEmailAddressColumn": False, "DefaultValue": "grey"}
    process = listrak.BulkLoadContacts(
        1, directives, {"WSFileMappings": [ADDRESS, colour]}, b"ann@profile.example,pink\nbob@profile.example,\n"
    )
    assert listrak.wait(process)["Status"] == "ProcessingCompleted"
    run = next(run for run in listrak.history(1) if run["ImportFileID"] == process)
    assert (run["ImportType"], run["ProfileImportType"]) == ("Add Subscriber and Segment Data", "Overwrite")
    body = """
      <SendToList><UserName>demo</UserName><Password>demo</Password><ListID>1</ListID><Message>
        <Subject>{{ Email }} likes {{ field['Favourite colour'] }}</Subject><TextBody>.</TextBody>
        </Message></SendToList>"""
    status, answer = listrak.post("SendToList", body)
    assert status == 200, answer
    send = int(answer.partition("<StatusID>")[2].partition("<")[0])
    listrak.wait(send)
    mails = [path.read_text() for path in served.data.joinpath("mail").glob(f"{send:08}-*.eml")]
    assert any("Subject: ann@profile.example likes pink" in mail for mail in mails)
    assert any("Subject: bob@profile.example likes grey" in mail for mail in mails)


@pytest.mark.parametrize(
    ("mappings", "code"),
    [
        ([], "InvalidArgument"),
        ([{"AttributeID": 1, "FileColumn": 0, "IsEmailAddressColumn": False}], "InvalidArgument"),
        ([{"AttributeID": 0, "FileColumn": -1, "IsEmailAddressColumn": True}], "InvalidArgument"),
        ([{"AttributeID": 0, "FileColumn": 16_384, "IsEmailAddressColumn": True}], "InvalidArgument"),
        ([{"AttributeID": 0, "FileColumn": 2**31 - 1, "IsEmailAddressColumn": True}], "InvalidArgument"),
        ([ADDRESS, {"AttributeID": 4711, "FileColumn": 1, "IsEmailAddressColumn": False}], "NotFound"),
    ],
)
def test_refused_imports(listrak: Any, mappings: list[dict[str, Any]], code: str) -> None:
    """lk-17, lk-70"""
    directives = {"ImportTypeEnum": "AddSubscribers", "ImportProfileTypeEnum": "NotDefined", "HasColumnNames": False}
    before = len(listrak.history(1))
    with pytest.raises(zeep.exceptions.Fault, match=rf"\[{code}\] "):
        listrak.BulkLoadContacts(1, directives, {"WSFileMappings": mappings}, b"ann@example.org\n")
    with pytest.raises(zeep.exceptions.Fault, match=r"\[NotFound\] List 987654 does not exist or is not accessible\."):
        listrak.BulkLoadContacts(987654, directives, {"WSFileMappings": [ADDRESS]}, b"ann@example.org\n")
    with pytest.raises(zeep.exceptions.Fault, match=r"\[InvalidArgument\] "):
        listrak.BulkLoadContacts(1, None, {"WSFileMappings": [ADDRESS]}, b"ann@example.org\n")
    assert len(listrak.history(1)) == before


def test_pages_of_the_history(listrak: Any) -> None:
    """lk-30, lk-34: rows by number; pages count from 1, 0 and less are the first, and behind the end there is none."""
    list_id = listrak.create()
    numbers = [listrak.load(list_id, b"ann@example.org\n") for _ in range(3)]

    def page(number: int) -> list[int]:
        answer = listrak.ReportListImportHistory(
            ListID=list_id, Page=number, StartDate=None, EndDate=None, WSException=None
        )
        rows = answer and answer["ReportListImportHistoryResult"]
        return [row["ImportFileID"] for row in rows["WSImportHistory"]] if rows else []

    assert [page(number) for number in (-2147483648, 0, 1, 2, 2147483647)] == [numbers, numbers, numbers, [], []]


def test_history_ranges(listrak: Any) -> None:
    """lk-24, lk-25, lk-33"""
    list_id = listrak.create()
    listrak.load(list_id, b"ann@example.org\n")
    now = datetime.now(ZoneInfo("America/New_York")).replace(tzinfo=None)
    day = timedelta(days=1)

    def ask(start: Any, end: Any) -> int:
        answer = listrak.ReportListImportHistory(ListID=list_id, Page=1, StartDate=start, EndDate=end, WSException=None)
        rows = answer and answer["ReportListImportHistoryResult"]
        return len(rows["WSImportHistory"]) if rows else 0

    assert ask(now - day, now + day) == 1
    # The date that a row shows is the one that is asked for, and it is part of a range that begins with it.
    shown = listrak.history(list_id)[0]["StartDate"]
    assert ask(shown, shown + timedelta(seconds=1)) == ask(shown, None) == 1
    assert ask(None, shown) == ask(shown + timedelta(seconds=1), None) == 0
    assert ask(now - day, now - day / 2) == 0
    assert ask(now + day, now - day) == 0
    assert ask(datetime.min, None) == 1
    assert ask(datetime.now(ZoneInfo("UTC")) - timedelta(minutes=5), None) == 1
    answer = listrak.ReportListImportHistory(
        ListID=987654, Page=1, StartDate=None, EndDate=None, WSException={"Description": "ignored", "DateTime": None}
    )
    assert answer["ReportListImportHistoryResult"] is None
    assert answer["WSException"]["Description"].startswith("[NotFound] ")


def test_addresses_are_taken_as_they_are(listrak: Any) -> None:
    """lk-93: a name or a mark around an address makes it invalid here."""
    list_id = listrak.create()
    listrak.load(list_id, b"Ann <ann@dressed.example>\nbob@dressed.example;\nmailto:cid@dressed.example\n")
    assert figures(listrak.history(list_id)[0]) == {"ProcessedCount": 3, "InvalidEmailCount": 3}
