"""The MagnetMail contract through foreign clients: from the logon to the members of the group that an upload made."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

pytestmark = pytest.mark.interop

POLL_SECONDS = 60
FLAGS = {"replace_group": False, "update_dups": True, "header_line": True}
COLUMNS = {"MM_1": "Custom_Member_Id", "MM_2": "Email", "MM_3": "Company", "MM_5": "City"}
# Values that have to come through XML and CSV unharmed.
IDS = ["Zoë", "Łukasz", "日本", "Ольга", "😀", "O'Hara", 'Ann "Nan"', "R&D <x> ]]>", "one\r\ntwo\nthree"]


def table(*groups: list[str], city: str) -> str:
    """CSV rows of these addresses, with a heading, an unused column and line breaks in some rows."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["Number", "Mail", "Company, Inc.", "unused", "City"])
    for group in groups:
        for number, address in enumerate(group):
            writer.writerow([IDS[number % len(IDS)], address, "Ünïcode GmbH", "x", city])
    return out.getvalue()


def addresses(count: int, word: str, mark: str) -> list[str]:
    return [f"{word}{number:03}@{mark}.example" for number in range(count)]


@pytest.fixture
def call(client: Any) -> Callable[..., Any]:
    """Calls with a session of the demo account."""
    session = client.magnetmail("Authenticate", username="demo", password="demo")
    assert session["authenticated"] is True
    assert (session["user_id"], session["partition_id"]) == ("DEMO", 1)
    header = {"sessionId": session["sessionId"], "user_id": session["user_id"]}
    return lambda operation, **arguments: client.magnetmail(operation, header, **arguments)


def wait(call: Callable[..., Any], queued: Any) -> Any:
    """Poll an upload to its end; until then its status only rises and it has no end date (mm-47)."""
    assert queued["error"] == 0
    job, last, end = int(queued["jobid"]), 0, time.monotonic() + POLL_SECONDS
    while True:
        status = call("getUploadJobStatus", user_id="DEMO", jobid=job)
        assert (status["jobid"], status["error"]) == (job, 0)
        assert status["status"] >= last
        if status["status"] >= 2:
            return status
        assert status["complete_date"] is None
        assert time.monotonic() < end
        last = status["status"]
        time.sleep(0.05)


def figures(status: Any) -> dict[str, int]:
    names = ("status", "total_records", "good_records", "new_added", "old_updated", "group_count")
    return {name: status[name] for name in names}


def test_from_the_logon_to_the_members(call: Callable[..., Any]) -> None:
    """mm-8, mm-19, mm-30, mm-36 to mm-38, mm-41 to mm-50, mm-53 to mm-55"""
    mark = uuid4().hex
    new, changed, same = (addresses(*each, mark) for each in ((250, "new"), (40, "changed"), (20, "same")))
    repeated = [address.upper() for address in new[:25]]
    bad = [*addresses(10, "", mark), "no address", "", "a b@example.org", "@example.org", "dot@.example"]
    bad[:10] = [address.replace("@", "") for address in bad[:10]]
    roles = [f"{word}@{mark}.example" for word in ("info", "sales", "support", "admin", "webmaster")]

    group = call("addGroup", user_id="DEMO", group_name=f"Grüße {mark}", categoryId=0)
    assert (group["error"], group["msg"]) == (0, "The group has successfully been added!")
    assert not any(group["errorObj"].values())
    group = int(group["id"])
    # Without a group, so that they are known but not members (mm-61).
    before = call("uploadListQueue", groupid=0, csvData=table(changed, city="Oslo"), **FLAGS, **COLUMNS)
    wait(call, before)
    before = call("uploadListQueue", groupid=0, csvData=table(same, city="Rome"), **FLAGS, **COLUMNS)
    assert figures(wait(call, before)) == {
        "status": 2,
        "total_records": 20,
        "good_records": 20,
        "new_added": 20,
        "old_updated": 0,
        "group_count": 0,
    }

    queued = call(
        "uploadListQueue",
        user_id="DEMO",
        groupid=group,
        csvData=table(new, bad, changed, roles, same, repeated, city="Rome"),
        mapping_name="Größe",
        **FLAGS,
        **COLUMNS,
    )
    status = wait(call, queued)
    assert figures(status) == {
        "status": 2,
        "total_records": 250 + 15 + 40 + 5 + 20 + 25,
        "good_records": 250 + 40 + 20,
        "new_added": 250,
        "old_updated": 40,
        "group_count": 310,
    }
    assert (status["groupid"], status["user_id"], status["user_filename"]) == (group, "DEMO", "Größe")
    assert (status["header"], status["replace_group"], status["update_dups"]) == (1, 0, 1)
    assert status["mm_filename"] == f"upload_{int(status['jobid'])}.csv"
    assert not any(status["errorObj"].values())

    utc = call("getUploadJobStatusUTC", jobid=int(status["jobid"]))
    assert figures(utc) == figures(status)
    for name in ("upload_date", "complete_date"):
        there, here = datetime.fromisoformat(utc[name]), datetime.fromisoformat(status[name])
        assert there.utcoffset() == timedelta(0)
        assert here.tzinfo is None
        assert here == there.astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None)
        assert timedelta(0) <= datetime.now(UTC) - there < timedelta(minutes=5)

    assert call("getGroupRecipientsCount", groupId=group) == 310
    pages = [
        call("getGroupRecipients", groupId=group, pageNumber=number, pageCount=200)["recipients"] or []
        for number in (1, 2, 3)
    ]
    assert [len(page) for page in pages] == [200, 110, 0]
    members = pages[0] + pages[1]
    given = {address: value for group in (new, changed, same) for address, value in zip(group, IDS * 30, strict=False)}
    # asmx-13: some clients keep a carriage return, for others XML makes a line feed of it.
    taken = {member["EmailId"].lower(): member["CustomMemberId"].replace("\r\n", "\n") for member in members}
    assert taken == {address: value.replace("\r\n", "\n") for address, value in given.items()}
    ids = [int(member["RecipientId"]) for member in members]
    assert ids == sorted(set(ids))
    # An array of one item.
    (first,) = call("getGroupRecipients", groupId=group, pageNumber=1, pageCount=1)["recipients"]
    assert first == members[0]


def test_an_upload_with_mappings_of_its_own(call: Callable[..., Any]) -> None:
    """mm-62 to mm-65: an object with a file inside, what it became, and why another one became nothing."""
    mark = uuid4().hex
    people = addresses(30, "ada", mark)
    group = int(call("addGroup", group_name=f"Queue {mark}", categoryId=0)["id"])
    columns = [(2, "Email"), (1, "Custom_Member_Id"), (5, "city")]
    settings = {
        "HasHeaderRow": True,
        "GroupId": group,
        "ContainsNonWesternCharacters": True,
        "AddReplace": "REPLACE",
        "UpdateExistingRecipients": True,
        "ColumnMappings": {
            "UploadColumnMapping": [{"CsvColumnOrder": number, "RMColumnName": name} for number, name in columns]
        },
        "MappingName": "Größe",
    }
    job = {"InitialQueueId": 0, "UserId": "DEMO", "LoginId": 7, "CsvData": table(people, city="Bern")}
    taken = call("UploadListInitialQueue", Job={**job, "Settings": settings})
    assert taken["InitialQueueId"] > 0
    assert (taken["UserId"], taken["LoginId"], taken["CsvData"]) == ("DEMO", 7, None)
    assert taken["Settings"]["AddReplace"] == "REPLACE"
    entry = call("GetUploadInitialQueueJobStatus", initialQueueId=taken["InitialQueueId"])
    assert (entry["UploadId"], entry["MailUserId"]) == (taken["InitialQueueId"], "DEMO")
    assert not entry["errorMessage"]
    status = wait(call, call("getUploadJobStatus", jobid=entry["JobId"]))
    assert (status["jobid"], status["replace_group"], status["user_filename"]) == (entry["JobId"], 1, "Größe")
    assert (status["total_records"], status["good_records"], status["group_count"]) == (30, 30, 30)

    refused = call("UploadListInitialQueue", Job={**job, "Settings": {**settings, "GroupId": 987654}})
    entry = call("GetUploadInitialQueueJobStatus", initialQueueId=refused["InitialQueueId"])
    assert (entry["JobId"], entry["errorMessage"]) == (0, "Group 987654 does not exist.")
    assert not call("GetUploadInitialQueueJobStatus", initialQueueId=987654)


def test_wrong_credentials(client: Any, login: str, refused: Any) -> None:
    """mm-11, mm-14: a wrong password is a normal answer, an unknown session is a fault."""
    answer = client.magnetmail("Authenticate", username=login, password="wrong")
    assert (answer["authenticated"], answer["loginid"]) == (False, 0)
    assert answer["sessionId"] is answer["user_id"] is None
    with pytest.raises(refused) as fault:
        client.magnetmail("getUploadJobStatus", {"sessionId": str(uuid4()), "user_id": "DEMO"}, jobid=1)
    assert fault.value.code == {"1.1": "soap:Server", "1.2": "soap:Receiver"}[client.version]
    assert fault.value.text == (
        "Server was unable to process request. ---> "
        "[InvalidSession] The session is unknown or has expired. Call Authenticate again."
    )
    assert client.magnetmail("Authenticate", username=login, password="right")["authenticated"] is True
