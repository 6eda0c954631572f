"""Uploads in every mode, on both databases: what is stored, what is counted, what is said."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from soapstone.clock import now
from soapstone.contacts import fields
from soapstone.imports.spec import Column, ImportSpec
from soapstone.imports.surplus import Surplus, surplus_of
from soapstone.jobs.run import Run
from soapstone.lists.lists import ContactList
from soapstone.magnetmail.recipient import FIELD_NAMES
from soapstone.vocabulary.jobs import JobKind

NAMED = {"MM_1": "Email", "MM_2": "First_Name"}
NUMBERED = {"MM_1": "Custom_Member_Id", "MM_2": "Email", "MM_3": "First_Name"}
OPERATIONS = pytest.mark.parametrize("operation", ["uploadListQueue", "uploadListQueueTest"])

ANN, BOB, CID = "ann@example.org", "bob@example.org", "cid@example.org"


def figures(status: Any) -> tuple[int, ...]:
    """Total, good, new, updated, members."""
    names = ("total_records", "good_records", "new_added", "old_updated", "group_count")
    return tuple(int(getattr(status, name)) for name in names)


def reasons(desk: Any, status: Any) -> list[tuple[int, str]]:
    """Line and reason of the rejected rows."""
    return [(row.line, row.reason) for row in desk.product.imports.rejected(int(status.jobid))]


def unsubscribe(desk: Any, group: ContactList, address: str) -> None:
    """Take somebody off a group's mail."""
    spec = ImportSpec(columns=(Column(index=0, target="email"),), action="remove")
    desk.product.imports.submit(
        account=desk.account, login=None, contact_list=group, upload=desk.file(address), spec=spec, label=""
    )
    desk.work()


# ---- the job record


@OPERATIONS
def test_a_queued_upload_has_counted_nothing(desk: Any, operation: str) -> None:
    """mm-41, mm-47 to mm-50, mm-52: queued means 0 everywhere, never nil, and no end."""
    group = desk.group("Readers")
    job = desk.queue(f"{ANN}\n", operation=operation, groupid=group.id, mapping_name="mine", **NAMED)
    assert (job.status, job.error, job.msg, job.complete_date) == (0, 0, "", None)
    assert figures(job) == (0, 0, 0, 0, 0)
    assert (job.header, job.replace_group, job.update_dups) == (0, 0, 1)
    assert (job.mm_filename, job.user_filename) == (f"upload_{int(job.jobid)}.csv", "mine")
    assert (job.groupid, job.loginid, job.user_id) == (group.id, desk.login.id, "ACME")
    assert job.upload_date is not None
    assert job.upload_date.tzinfo is None
    assert desk.getUploadJobStatus(jobid=int(job.jobid)) == job
    assert desk.getUploadJobStatusUTC(jobid=int(job.jobid)).upload_date.utcoffset() == timedelta(0)


def test_flags_come_back(desk: Any) -> None:
    """mm-49"""
    group = desk.group("Readers")
    for flags in product([False, True], repeat=3):
        names = dict(zip(("header_line", "replace_group", "update_dups"), flags, strict=True))
        job = desk.queue(f"Email\n{ANN}\n", groupid=group.id, MM_1="Email", **names)
        assert (job.header, job.replace_group, job.update_dups) == flags


def test_a_running_upload(desk: Any) -> None:
    """mm-47, mm-48: while it runs it has figures and no end."""
    job = desk.queue(f"{ANN}\n", **NAMED)
    claimed = desk.product.jobs.claim("test", [JobKind.IMPORT], timedelta(minutes=1))
    rooms = desk.product.database, desk.product.blobs
    run = Run(*rooms, claimed, lease=timedelta(minutes=1), stopping=lambda: False)
    status = desk.getUploadJobStatus(jobid=int(job.jobid))
    assert (status.status, status.error, status.complete_date) == (1, 0, None)
    assert figures(status) == (0, 0, 0, 0, 0)
    run.release()
    desk.work()
    assert desk.getUploadJobStatus(jobid=int(job.jobid)).status == 2


def test_a_cancelled_upload(desk: Any) -> None:
    """mm-47: it is over, and no error."""
    job = desk.queue(f"{ANN}\n", **NAMED)
    assert desk.product.jobs.cancel([desk.account.id], int(job.jobid))
    status = desk.getUploadJobStatus(jobid=int(job.jobid))
    assert (status.status, status.error, status.errorObj.errorNumber, status.msg) == (4, 0, 0, "")
    assert status.complete_date is not None
    assert figures(status) == (0, 0, 0, 0, 0)
    desk.work()
    assert desk.records() == []


def test_a_failed_upload_says_why_and_can_be_retried(desk: Any) -> None:
    """mm-47, mm-60"""
    group = desk.group("Readers")
    failed = desk.upload("nobody\n", groupid=group.id, replace_group=True, **NAMED)
    assert (failed.status, failed.error) == (3, 2)
    error = failed.errorObj
    assert (error.errorNumber, error.errorCode, error.errorType) == (9007, "IMPORT_FAILED", "CUSTOM")
    assert error.errorMessage == failed.msg == "The file has no good row; the list keeps its members."
    assert error.errorDetails.endswith("Component:Upload\nFunction:getUploadJobStatus")
    assert failed.complete_date is not None
    assert figures(failed)[:4] == (1, 0, 0, 0)
    assert desk.product.jobs.retry([desk.account.id], int(failed.jobid))
    again = desk.getUploadJobStatus(jobid=int(failed.jobid))
    assert (again.status, again.complete_date, again.errorObj.errorNumber) == (0, None, 0)
    desk.work()
    assert desk.getUploadJobStatus(jobid=int(failed.jobid)).status == 3


def test_what_is_no_upload(desk: Any, id_desk: Any) -> None:
    """mm-26, mm-51, mm-67: a number of nothing, of another account, and of a job of another kind."""
    entry = desk.enter(f"{ANN}\n", {1: "Email"})
    foreign = int(id_desk.queue("1,x\n", **NUMBERED).jobid)
    for operation in ("getUploadJobStatus", "getUploadJobStatusUTC"):
        for number in (entry, foreign, 987654, 0, -1, 2**31 - 1):
            answer = getattr(desk, operation)(jobid=number)
            assert (answer.error, answer.errorObj.errorNumber, answer.jobid) == (2, 9002, number)
            assert answer.errorObj.errorDetails.endswith(f"Function:{operation}")
            assert answer.msg == f"There is no upload job {number}."
            assert (answer.status, answer.total_records, answer.upload_date, answer.groupid) == (None,) * 4


def test_a_login_sees_uploads_of_its_own_groups(desk: Any) -> None:
    """mm-26"""
    mine, other = desk.group("Mine"), desk.group("Other")
    restricted = desk.product.accounts.add_login(desk.account, "bea", "secret", lists=[mine.id])
    bea = type(desk)(desk.product, desk.account, restricted)
    numbers = {group.id: int(desk.queue(f"{ANN}\n", groupid=group.id, **NAMED).jobid) for group in (mine, other)}
    assert bea.getUploadJobStatus(jobid=numbers[mine.id]).error == 0
    assert bea.getUploadJobStatus(jobid=numbers[other.id]).errorObj.errorNumber == 9002
    assert bea.queue(f"{ANN}\n", groupid=other.id, **NAMED).errorObj.errorNumber == 9002


def test_numbers_come_from_one_sequence(desk: Any) -> None:
    """mm-68"""
    numbers = [int(desk.queue(f"{ANN}\n", **NAMED).jobid)]
    numbers += [int(desk.queue(f"{ANN}\n", operation="uploadListQueueTest", **NAMED).jobid)]
    numbers += [desk.enter(f"{ANN}\n", {1: "Email"})]
    numbers += [int(desk.queue(f"{ANN}\n", **NAMED).jobid)]
    assert numbers == sorted(set(numbers))


def test_a_job_stays_when_its_file_goes(desk: Any) -> None:
    """mm-69"""
    status = desk.upload(f"{ANN}\n", **NAMED)
    desk.product.jobs.forget_inputs(now() + timedelta(days=1))
    assert desk.product.jobs.blobs_in_use() == []
    assert desk.getUploadJobStatus(jobid=int(status.jobid)) == status


# ---- what is refused at once


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"MM_1": "No_Such_Field"}, 9001, "There is no recipient field No_Such_Field."),
    ({"MM_1": "Email", "MM_42": "custom31"}, 9001, "There is no recipient field custom31."),
    ({}, 9001, "Without a header line the members MM_1 to MM_42 must say what the columns are."),
    ({"MM_1": "First_Name"}, 9001, "One column of the file must hold the e-mail address: it tells people apart."),
    ({"MM_1": "Email", "MM_2": "EMAIL"}, 9001, "Two columns of the file go to email."),
    ({"header_line": True}, 9001, f"There is no recipient field {ANN}."),
    ({"MM_1": "Email", "groupid": 987654}, 9002, "Group 987654 does not exist."),
    ({"MM_1": "Email", "groupid": -1}, 9002, "Group -1 does not exist."),
    ({"MM_1": "Email", "replace_group": True}, 9001, "replace_group needs a group."),
    ({"MM_1": "Email", "csvData": None}, 9001, "csvData is missing."),
]


@OPERATIONS
def test_refusals(desk: Any, operation: str) -> None:
    """mm-22, mm-44, mm-45, mm-60, mm-61: in-band, without a job and without its file."""
    for members, number, sentence in REFUSALS:
        answer = desk.queue(f"{ANN}\n", operation=operation, **members)
        assert (answer.error, answer.errorObj.errorNumber, answer.msg) == (2, number, sentence)
        assert answer.errorObj.errorMessage == sentence
        assert answer.errorObj.errorDetails.endswith(f"Function:{operation}")
        assert (answer.jobid, answer.status, answer.total_records) == (None, None, None)
        assert answer.groupid == members.get("groupid", 0)
    assert desk.product.jobs.find() == []
    # The wire throws away what was not kept.
    assert {path.suffix for path in desk.product.blobs.folder.iterdir()} <= {".partial"}


# ---- columns and header lines


def test_all_fields(desk: Any) -> None:
    """mm-42, mm-43: every field in a slot of its own, 42 of them."""
    values = {name: f"{name} of Ann" for name in FIELD_NAMES.values()} | {"Email": ANN}
    slots = {f"MM_{slot}": name for slot, name in enumerate(values, 1)}
    assert list(slots)[-1] == "MM_42"
    status = desk.upload(",".join(values.values()) + "\n", **slots)
    assert figures(status) == (1, 1, 1, 0, 0)
    assert desk.records() == [{column: values[name] for column, name in FIELD_NAMES.items()}]


@pytest.mark.parametrize(
    ("data", "members"),
    [
        (f"{ANN},x\n", {"MM_1": "Email", "MM_2": "Nickname"}),
        (f"Email,Nickname\n{ANN},x\n", {"header_line": True}),
    ],
)
def test_mm_43_a_field_that_the_contract_lacks_has_no_name(
    desk: Any, monkeypatch: pytest.MonkeyPatch, data: str, members: dict[str, Any]
) -> None:
    """Contacts may get fields that are newer than the contract."""
    monkeypatch.setitem(fields._BY_LOWER, "nickname", "nickname")
    assert fields.field_column("Nickname") == "nickname"
    answer = desk.queue(data, **members)
    assert (answer.error, answer.msg) == (2, "There is no recipient field Nickname.")


COLUMNS: list[tuple[str, dict[str, Any]]] = [
    # Letter case and spaces aside.
    (f"{ANN},Ann\n", {"MM_1": "email", "MM_2": "FIRST_NAME"}),
    (f"{ANN},Ann\n", {"MM_1": " Email ", "MM_2": "first_name"}),
    # Columns that are not used.
    (f"x,Ann,y,{ANN}\n", {"MM_2": "First_Name", "MM_3": "", "MM_4": "Email"}),
    # A header line that the mapping overrules.
    (f"Last_Name,ever\n{ANN},Ann\n", {"MM_1": "Email", "MM_2": "First_Name", "header_line": True}),
    # Header lines that serve: plain, quoted with a blank name, behind a byte order mark, behind blank lines.
    (f"first_name,EMAIL\nAnn,{ANN}\n", {"header_line": True}),
    (f'" Email "," ","First_Name"\r\n{ANN},x,Ann\r\n', {"header_line": True}),
    (f"\ufeffEmail,First_Name\n{ANN},Ann\n", {"header_line": True}),
    (f"\n\nEmail,First_Name\n{ANN},Ann\n", {"header_line": True}),
]


def test_names_of_columns(desk: Any) -> None:
    """mm-44, mm-45"""
    for number, (data, members) in enumerate(COLUMNS):
        address = f"ann@{number}.example.org"
        assert figures(desk.upload(data.replace(ANN, address), **members)) == (1, 1, 1, 0, 0), data
        assert desk.records()[number:] == [{"email": address, "first_name": "Ann"}], data


def test_files_without_rows(desk: Any) -> None:
    """mm-48: nothing to count; only a replacement needs a good row (mm-60)."""
    group = desk.group("Readers")
    flags = {"header_line": True, "groupid": group.id, "MM_1": "Email"}
    for data in ("", "Email\n", "\n\n", "\ufeffEmail"):
        status = desk.upload(data, **flags)
        assert (status.status, *figures(status)) == (2, 0, 0, 0, 0, 0), data
        assert desk.upload(data, replace_group=True, **flags).status == 3, data


# ---- the file


FILES = {
    "LF": f"{ANN},Ann,\n{BOB},Bob,Rome\n",
    "CRLF": f"{ANN},Ann,\r\n{BOB},Bob,Rome\r\n",
    "CR": f"{ANN},Ann,\r{BOB},Bob,Rome\r",
    "mixed, no end": f"{ANN},Ann,\r\n{BOB},Bob,Rome",
    "mark, padded": f"\ufeff{ANN},Ann\n{BOB},Bob,Rome\n",
    "surplus": f"{ANN},Ann\n{BOB},Bob,Rome,Italy,Europe\n",
    "quoted, blank lines": f'\n"{ANN}","Ann",""\n\r\n\n"{BOB}",Bob,"Rome"\n\n',
}


def test_lines_and_ragged_rows(desk: Any) -> None:
    """mm-46"""
    for number, (name, data) in enumerate(FILES.items()):
        data = data.replace("@", f"@{number}.")
        status = desk.upload(data, MM_1="Email", MM_2="First_Name", MM_3="City")
        assert figures(status) == (2, 2, 2, 0, 0), name
        assert desk.records()[2 * number :] == [
            {"email": f"ann@{number}.example.org", "first_name": "Ann"},
            {"email": f"bob@{number}.example.org", "first_name": "Bob", "city": "Rome"},
        ], name


def test_values_beyond_the_header_are_told_elsewhere(desk: Any) -> None:
    """mm-46: the answer is as without them, and the job tells them."""
    data = f"Email,Name,City\n{ANN},Lee, Ann,Rome\n{BOB},Bob,Rome,,\n"
    status = desk.upload(data, header_line=True, MM_1="Email", MM_2="First_Name", MM_3="City")
    assert (status.status, *figures(status)) == (2, 2, 2, 2, 0, 0)
    assert surplus_of(desk.product.jobs.get(None, int(status.jobid))) == Surplus(rows=1, line=2)


def test_quotes(desk: Any) -> None:
    """mm-46: doubled quotes, separators and line breaks inside; a rejected row is known by its physical line."""
    data = f'{ANN},"Ann ""Nan"", R&D"\r\n{BOB},"one\r\ntwo\nthree"\r\nbad,"x\n"\r\n{CID},Зоя\r\n'
    status = desk.upload(data, **NAMED)
    assert figures(status) == (4, 3, 3, 0, 0)
    assert [record["first_name"] for record in desk.records()] == ['Ann "Nan", R&D', "one\r\ntwo\nthree", "Зоя"]
    assert reasons(desk, status) == [(5, "invalid_address")]


def test_reject_file(desk: Any) -> None:
    """mm-48, mm-53 to mm-56: every rejected row with its line, a reason in words and its fields."""
    data = f"{ANN},1\nno address,2\n,3\ninfo@example.org,4\nSALES@example.org,5\n{BOB},6\n{ANN.upper()},7\n"
    status = desk.upload(data, **NAMED)
    assert figures(status) == (7, 2, 2, 0, 0)
    rows = desk.product.imports.rejected(int(status.jobid))
    assert [(row.line, row.reason, row.fields[1]) for row in rows] == [
        (1, "duplicate", "1"),
        (2, "invalid_address", "2"),
        (3, "missing_key", "3"),
        (4, "role_address", "4"),
        (5, "role_address", "5"),
    ]
    assert all(row.words.endswith(".") for row in rows)
    assert len(rows) == status.total_records - status.good_records


# ---- known and unknown people


@pytest.mark.parametrize("groups", [True, False], ids=["group", "no group"])
@OPERATIONS
def test_update_or_keep(desk: Any, operation: str, groups: bool) -> None:
    """mm-42, mm-48, mm-52, mm-58, mm-61"""
    group = desk.group("Readers") if groups else None
    there = {"groupid": group.id if group else 0}
    desk.upload(f"{ANN},Ann\n{CID},Cid\n", **NAMED)
    before = desk.records()
    members = {CID, ANN, BOB} if group else set()
    data = f"{ANN},Anna\n{BOB},Bob\n{CID},Cid\n"

    kept = desk.upload(data, operation=operation, update_dups=False, **there, **NAMED)
    assert figures(kept) == (3, 3, 1, 0, len(members))
    if operation == "uploadListQueueTest":
        assert desk.records() == before
        assert group is None or desk.members(group) == {}
        desk.upload(data, update_dups=False, **there, **NAMED)
    assert [record["first_name"] for record in desk.records()] == ["Ann", "Cid", "Bob"]
    assert group is None or desk.members(group).keys() == members

    changed = desk.upload(data, operation=operation, **there, **NAMED)
    # Bob's and Cid's records say the same already.
    assert figures(changed) == (3, 3, 0, 1, len(members))
    assert desk.records()[0]["first_name"] == ("Ann" if operation == "uploadListQueueTest" else "Anna")

    # An update takes the row as it is, blanks too; columns that the file lacks stay.
    cleared = desk.upload(f"{ANN}\n", operation=operation, **there, **NAMED)
    assert figures(cleared) == (1, 1, 0, 1, len(members))
    untouched = desk.upload(f"{ANN}\n", operation=operation, MM_1="Email", **there)
    assert figures(untouched) == (1, 1, 0, 0, len(members))
    if operation == "uploadListQueue":
        assert desk.records()[0] == {"email": ANN}


@pytest.mark.parametrize("update_dups", [False, True])
@OPERATIONS
def test_replace(desk: Any, operation: str, update_dups: bool) -> None:
    """mm-42, mm-52, mm-60: who is not in the file leaves, and is not unsubscribed anywhere."""
    group, other = desk.group("Readers"), desk.group("Others")
    desk.upload(f"{ANN},Ann\n{BOB},Bob\n", groupid=group.id, **NAMED)
    desk.upload(f"{ANN},Ann\n", groupid=other.id, **NAMED)
    flags = {"replace_group": True, "update_dups": update_dups, "groupid": group.id}
    status = desk.upload(f"{BOB},Bobby\nbad,x\n{CID},Cid\n", operation=operation, **flags, **NAMED)
    assert (status.status, *figures(status)) == (2, 3, 2, 1, int(update_dups), 2)
    stays = operation == "uploadListQueueTest"
    assert desk.members(group).keys() == ({ANN, BOB} if stays else {BOB, CID})
    assert desk.getGroupRecipientsCount(groupId=group.id) == 2
    assert desk.members(other) == {ANN: ("subscribed", {})}
    # Whoever left comes back by the next upload, subscribed as before.
    desk.upload(f"{ANN},Ann\n", groupid=group.id, **NAMED)
    assert desk.members(group)[ANN] == ("subscribed", {})


@OPERATIONS
def test_replace_without_a_good_row(desk: Any, operation: str) -> None:
    """mm-60: the dry run says so too."""
    group = desk.group("Readers")
    desk.upload(f"{ANN}\n{BOB}\n", groupid=group.id, MM_1="Email")
    for data in ("", "bad\n", "info@example.org\n,x\n"):
        failed = desk.upload(data, operation=operation, groupid=group.id, replace_group=True, MM_1="Email")
        assert (failed.status, failed.errorObj.errorNumber) == (3, 9007)
        assert desk.members(group).keys() == {ANN, BOB}


@OPERATIONS
def test_blocked_people(desk: Any, operation: str) -> None:
    """mm-59: stored and put into the group, and still unsubscribed or suppressed."""
    group, gone = desk.group("Readers"), "gone@example.org"
    desk.upload(f"{gone},Gone\n", groupid=group.id, **NAMED)
    unsubscribe(desk, group, gone)
    desk.product.suppressions.add(desk.account.id, ANN)
    desk.product.suppressions.add(desk.account.id, BOB, kind="banned")
    desk.product.suppressions.add(desk.account.id, CID, list_id=group.id)
    data = f"{ANN},Ann\n{BOB},Bob\n{CID},Cid\n{gone},Back\n"
    status = desk.upload(data, operation=operation, groupid=group.id, **NAMED)
    assert figures(status) == (4, 4, 3, 1, 4)
    assert reasons(desk, status) == []
    if operation == "uploadListQueueTest":
        assert desk.members(group) == {gone: ("unsubscribed", {})}
        return
    assert {email: state for email, (state, _) in desk.members(group).items()} == {
        ANN: "subscribed",
        BOB: "subscribed",
        CID: "subscribed",
        gone: "unsubscribed",
    }
    # Of the group: unsubscribed is one, and blocked addresses count as suppressed.
    totals = desk.product.lists.totals(desk.product.lists.get(desk.account.id, group.id))
    assert (totals.members, totals.email_shut, totals.unsubscribed) == (4, 3, 1)
    assert {record["email"]: record["first_name"] for record in desk.records()}[gone] == "Back"


def test_replace_keeps_who_unsubscribed(desk: Any) -> None:
    """mm-59, mm-60: a member that the file names stays as it was, unsubscribed."""
    group = desk.group("Readers")
    desk.upload(f"{ANN}\n{BOB}\n", groupid=group.id, MM_1="Email")
    unsubscribe(desk, group, ANN)
    status = desk.upload(f"{ANN}\n{CID}\n", groupid=group.id, replace_group=True, MM_1="Email")
    assert figures(status) == (2, 2, 1, 0, 2)
    assert desk.members(group) == {ANN: ("unsubscribed", {}), CID: ("subscribed", {})}


def test_fax_numbers_are_data(desk: Any) -> None:
    """mm-57"""
    status = desk.upload(f"{ANN},555\n{BOB},555\n", MM_1="Email", MM_2="Fax")
    assert figures(status) == (2, 2, 2, 0, 0)
    assert [record["fax"] for record in desk.records()] == ["555", "555"]


# ---- accounts identified by custom id


@OPERATIONS
def test_custom_ids(id_desk: Any, operation: str) -> None:
    """mm-53, mm-54, mm-55: the id tells people apart, the address is data, and the last row of an id counts."""
    desk, group = id_desk, id_desk.group("Readers")
    flags = {"groupid": group.id, "operation": operation, **NUMBERED}
    data = f"1,{ANN},first\n2,{ANN},Bob\n,{CID},no id\n3,bad,x\n4,,Dan\n5,info@example.org,x\n1,{ANN.upper()},Ann\n"
    status = desk.upload(data, **flags)
    assert figures(status) == (7, 3, 3, 0, 3)
    assert reasons(desk, status) == [
        (1, "duplicate"),
        (3, "missing_key"),
        (4, "invalid_address"),
        (6, "role_address"),
    ]
    if operation == "uploadListQueueTest":
        assert desk.records() == []
        return
    assert {record["custom_id"]: record for record in desk.records()} == {
        "1": {"custom_id": "1", "email": ANN.upper(), "first_name": "Ann"},
        "2": {"custom_id": "2", "email": ANN, "first_name": "Bob"},
        "4": {"custom_id": "4", "first_name": "Dan"},
    }
    assert len(desk.records()) == 3
    changed = desk.upload(f"2,{BOB},Bob\n6,{CID},Cid\n", replace_group=True, **flags)
    assert figures(changed) == (2, 2, 1, 1, 2)
    assert desk.members(group).keys() == {BOB, CID}
    kept = desk.upload(f"2,{ANN},x\n", update_dups=False, **flags)
    assert figures(kept) == (1, 1, 0, 0, 2)
    refused = desk.queue(f"{ANN}\n", MM_1="Email")
    assert (refused.errorObj.errorNumber, "custom member id" in refused.msg) == (9001, True)


# ---- enhanced fields


def attribute(desk: Any, group: Any, name: str, **options: Any) -> int:
    """A profile attribute of a group; its number."""
    profiles = desk.product.profiles
    header = profiles.add_header(desk.account.id, group.id, f"About {name}")
    return int(profiles.add_attribute(desk.account.id, group.id, header, name, **options))


@OPERATIONS
@pytest.mark.parametrize("header", [False, True])
def test_enhanced_fields(desk: Any, operation: str, header: bool) -> None:
    """mm-43, mm-44, mm-45: profile attributes of the group by their numbers, mapped or in the header line."""
    group = desk.group("Readers")
    colour, since = attribute(desk, group, "Colour"), attribute(desk, group, "Since", kind="date")
    names = {"MM_1": "Email", "MM_2": f"EP_{colour}", "MM_3": f"ep_{since}"}
    flags = {"operation": operation, "groupid": group.id, "header_line": header} | ({} if header else names)
    heading = ",".join(names.values()) + "\n" if header else ""
    status = desk.upload(f"{heading}{ANN},red,2026-03-01\n{BOB},,never\n", **flags)
    assert figures(status) == (2, 2, 2, 0, 2)
    if operation == "uploadListQueueTest":
        assert desk.members(group) == {}
        return
    profile = {str(colour): "red", str(since): "03/01/2026"}
    # A value that is none of its kind is left out (lk-46).
    assert desk.members(group) == {ANN: ("subscribed", profile), BOB: ("subscribed", {})}
    kept = desk.upload(f"{heading}{ANN},blue,\n", update_dups=False, **flags)
    assert figures(kept) == (1, 1, 0, 0, 2)
    assert desk.members(group)[ANN][1] == profile
    changed = desk.upload(f"{heading}{ANN},blue,\n", **flags)
    assert figures(changed) == (1, 1, 0, 1, 2)
    assert desk.members(group)[ANN][1] == {str(colour): "blue"}


@OPERATIONS
def test_unknown_enhanced_fields(desk: Any, id_desk: Any, operation: str) -> None:
    """mm-43, mm-44: of no group, of another group or account, or of nothing at all."""
    group, other = desk.group("Readers"), desk.group("Others")
    foreign = id_desk.group("Foreign")
    own = attribute(desk, group, "Colour")
    numbers = [attribute(desk, other, "Size"), attribute(id_desk, foreign, "Shape"), 987654, "0", "x", "", "1" * 30]
    names = [f"EP_{number}" for number in numbers] + [f"EP_0{own}", f"EP_{own}.", f"EP{own}", f"xEP_{own}"]
    tries = [(group.id, name) for name in names] + [(0, f"EP_{own}"), (other.id, f"EP_{own}")]
    for groupid, name in tries:
        members = {"MM_1": "Email", "MM_2": name}
        mapped = desk.queue(f"{ANN}\n", operation=operation, groupid=groupid, **members)
        headed = desk.queue(f"Email,{name}\n{ANN}\n", operation=operation, groupid=groupid, header_line=True)
        for answer in (mapped, headed):
            assert (answer.error, answer.errorObj.errorNumber) == (2, 9001), name
            assert answer.msg == f"There is no recipient field {name}."
    # The same list of names is fine without it.
    assert desk.queue(f"{ANN}\n", operation=operation, groupid=group.id, MM_1="Email", MM_2=f"EP_{own}").error == 0


def test_an_enhanced_field_goes_to_the_group_of_the_file_only(desk: Any) -> None:
    """mm-43: the same person has values of its own in each group."""
    groups = [desk.group(name) for name in ("Readers", "Others")]
    numbers = [attribute(desk, group, "Colour") for group in groups]
    for group, number, colour in zip(groups, numbers, ("red", "blue"), strict=True):
        desk.upload(f"{ANN},{colour}\n", groupid=group.id, MM_1="Email", MM_2=f"EP_{number}")
    assert [desk.members(group)[ANN][1] for group in groups] == [
        {str(numbers[0]): "red"},
        {str(numbers[1]): "blue"},
    ]


def test_a_group_that_was_replaced_keeps_profiles_of_who_stays(desk: Any) -> None:
    """mm-42, mm-43"""
    group = desk.group("Readers")
    colour = attribute(desk, group, "Colour")
    desk.upload(f"{ANN},red\n{BOB},blue\n", groupid=group.id, MM_1="Email", MM_2=f"EP_{colour}")
    desk.upload(f"{BOB}\n", groupid=group.id, replace_group=True, MM_1="Email")
    assert desk.members(group) == {BOB: ("subscribed", {str(colour): "blue"})}


def test_child_accounts(desk: Any) -> None:
    """mm-15, mm-16: a parent's session uploads into the account that it names."""
    desk.product.accounts.create("CHILD", time_zone="UTC", parent="ACME")
    job = desk.queue(f"{ANN}\n", user_id="CHILD", MM_1="Email")
    assert (job.error, job.user_id) == (0, "CHILD")
    desk.work()
    assert desk.records() == []
    assert desk.getUploadJobStatus(jobid=int(job.jobid)).errorObj.errorNumber == 9002
    status = desk.getUploadJobStatus(user_id="CHILD", jobid=int(job.jobid))
    assert (status.user_id, *figures(status)) == ("CHILD", 1, 1, 1, 0, 0)
    assert desk.getUploadJobStatus(account="CHILD", jobid=int(job.jobid)) == status
