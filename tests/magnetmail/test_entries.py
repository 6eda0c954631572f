"""The queue in front of the uploads: what is taken in, what becomes of it, and what is refused afterwards."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from tests.conftest import Served

from soapstone.clock import now
from soapstone.jobs.queue import Jobs
from soapstone.lists.profiles import Profiles
from soapstone.magnetmail.types import UploadColumnMapping, UploadGroupOption, UploadInitialJob, UploadJobSettings
from soapstone.store.database import Database
from soapstone.vocabulary.jobs import JobKind
from soapstone.wire.faults import Fault

ANN, BOB, CID = "ann@example.org", "bob@example.org", "cid@example.org"
NAMED = {1: "Email", 2: "First_Name"}


def status(desk: Any, number: float) -> Any:
    return desk.GetUploadInitialQueueJobStatus(initialQueueId=number)


def done(desk: Any, number: float) -> Any:
    """The import's own status, when it is done."""
    entry = status(desk, number)
    assert entry.errorMessage is None
    assert entry.JobId > number
    desk.work()
    return desk.getUploadJobStatus(jobid=entry.JobId)


def figures(job: Any) -> tuple[int, ...]:
    """Total, good, new, updated, members."""
    names = ("total_records", "good_records", "new_added", "old_updated", "group_count")
    return tuple(int(job[name] if isinstance(job, dict) else getattr(job, name)) for name in names)


# ---- through a stock client


def settings(**given: Any) -> dict[str, Any]:
    """Settings as a client fills them in."""
    return {
        "HasHeaderRow": False,
        "GroupId": 0,
        "ContainsNonWesternCharacters": False,
        "AddReplace": "ADD",
        "UpdateExistingRecipients": True,
        "MappingName": "mapping",
        **given,
    }


def columns(**names: str) -> dict[str, Any]:
    """Mappings from c1="Email" and so on."""
    mappings = [{"CsvColumnOrder": int(key[1:]), "RMColumnName": name} for key, name in names.items()]
    return {"ColumnMappings": {"UploadColumnMapping": mappings}}


def follow(magnetmail: Any, number: float) -> Any:
    """Poll an entry until it is a job, and the job to its end; the last status of both."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        entry = magnetmail.GetUploadInitialQueueJobStatus(initialQueueId=number)
        assert not entry["errorMessage"]
        if entry["JobId"]:
            return entry, magnetmail.wait(entry["JobId"])
        time.sleep(0.02)
    raise AssertionError(f"entry {number} becomes no job")


def test_an_upload_with_mappings(magnetmail: Any) -> None:
    """mm-41, mm-62 to mm-65, mm-68"""
    mark = uuid4().hex
    ann, bob = f"ann@{mark}.example", f"bob@{mark}.example"
    group = int(magnetmail.addGroup(group_name=mark, categoryId=0)["id"])
    job = {
        "InitialQueueId": 0,
        "UserId": "DEMO",
        "LoginId": 17,
        "CsvData": f'First,unused,Mail\r\nZoë,x,{ann}\r\n"Bo\nb",y,{bob}\r\nX,z,bad\r\n',
        "Settings": settings(HasHeaderRow=True, GroupId=group, **columns(c3="email", c1="First_Name")),
    }
    answer = magnetmail.UploadListInitialQueue(Job=job)
    number = answer["InitialQueueId"]
    assert number > 0
    assert answer == {**job, "InitialQueueId": number, "CsvData": None}
    entry, upload = follow(magnetmail, number)
    assert entry["UploadId"] == number
    assert entry["MailUserId"] == "DEMO"
    assert entry["errorMessage"] is None
    # mm-30: wall time of the account without zone, whole seconds.
    eastern = datetime.now(ZoneInfo("America/New_York")).replace(tzinfo=None)
    assert abs(eastern - entry["UploadDate"]) < timedelta(minutes=1)
    assert (entry["UploadDate"].tzinfo, entry["UploadDate"].microsecond) == (None, 0)
    assert entry["JobId"] > number
    assert figures(upload) == (3, 2, 2, 0, 2)
    assert (upload["groupid"], upload["header"], upload["replace_group"], upload["update_dups"]) == (group, 1, 0, 1)
    assert (upload["user_filename"], upload["loginid"]) == ("mapping", magnetmail.session.loginid)
    assert [member["EmailId"] for member in magnetmail.page(group)] == [ann, bob]
    # The entry's number is no upload job (mm-67).
    assert magnetmail.getUploadJobStatus(jobid=int(number))["errorObj"]["errorNumber"] == 9002


def test_replace_and_enhanced_fields_through_a_client(magnetmail: Any, served: Any) -> None:
    """mm-43, mm-62"""
    mark = uuid4().hex
    ann, bob = f"ann@{mark}.example", f"bob@{mark}.example"
    group = int(magnetmail.addGroup(group_name=mark, categoryId=0)["id"])
    database = Database(f"sqlite:///{served.data}/soapstone.sqlite")
    profiles = Profiles(database)
    account = int(magnetmail.session.user_nbr)
    colour = profiles.add_attribute(account, group, profiles.add_header(account, group, "About"), "Colour")
    database.close()
    mapped = columns(c1="Email", c2=f"EP_{colour}")
    for action, data, members in (("ADD", f"{ann},red\n", [ann]), ("REPLACE", f"{bob},blue\n", [bob])):
        given = settings(GroupId=group, AddReplace=action, ContainsNonWesternCharacters=True, **mapped)
        answer = magnetmail.UploadListInitialQueue(
            Job={"InitialQueueId": 0, "LoginId": 0, "CsvData": data, "Settings": given}
        )
        _, upload = follow(magnetmail, answer["InitialQueueId"])
        assert (upload["replace_group"], upload["status"]) == (action == "REPLACE", 2)
        assert [member["EmailId"] for member in magnetmail.page(group)] == members
    listed = magnetmail.upload(f"{ann},red\n", groupid=group, MM_1="Email", MM_2=f"EP_{colour}")
    assert figures(listed) == (1, 1, 0, 0, 2)


def test_a_refused_upload_through_a_client(magnetmail: Any) -> None:
    """mm-24, mm-65: it is accepted, and its status says why it became no job."""
    given = settings(GroupId=987654, **columns(c1="Email"))
    job = {"InitialQueueId": 0, "LoginId": 0, "CsvData": f"{ANN}\n", "Settings": given}
    number = magnetmail.UploadListInitialQueue(Job=job)["InitialQueueId"]
    entry = magnetmail.GetUploadInitialQueueJobStatus(initialQueueId=number)
    assert (entry["UploadId"], entry["JobId"], entry["errorMessage"]) == (number, 0, "Group 987654 does not exist.")
    assert magnetmail.GetUploadInitialQueueJobStatus(initialQueueId=987654) is None


# ---- on both databases


def test_the_answer_is_the_job_as_sent(desk: Any) -> None:
    """mm-64"""
    given = UploadJobSettings(
        HasHeaderRow=True,
        GroupId=5,
        ContainsNonWesternCharacters=True,
        AddReplace=UploadGroupOption.REPLACE,
        UpdateExistingRecipients=True,
        ColumnMappings=None,
        MappingName="mine",
    )
    job = UploadInitialJob(InitialQueueId=4711, UserId=" acme ", LoginId=17, CsvData=desk.file(ANN), Settings=given)
    answer = desk.UploadListInitialQueue(Job=job)
    assert (answer.UserId, answer.LoginId, answer.CsvData, answer.Settings) == (" acme ", 17, None, given)
    assert answer.InitialQueueId not in (0, 4711)


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("action", ["ADD", "REPLACE"])
def test_modes(desk: Any, action: str, update: bool) -> None:
    """mm-42, mm-58, mm-60, mm-62"""
    group = desk.group("Readers")
    done(desk, desk.enter(f"{ANN},Ann\n{BOB},Bob\n", NAMED, GroupId=group.id))
    data = f"{BOB},Bobby\n{CID},Cid\ninfo@example.org,x\n{CID},Cid\n"
    number = desk.enter(data, NAMED, GroupId=group.id, AddReplace=action, UpdateExistingRecipients=update)
    job = done(desk, number)
    replaced = action == "REPLACE"
    assert figures(job) == (4, 2, 1, int(update), 2 if replaced else 3)
    assert (job.replace_group, job.update_dups) == (replaced, update)
    assert [(row.line, row.reason) for row in desk.product.imports.rejected(int(job.jobid))] == [
        (2, "duplicate"),
        (3, "role_address"),
    ]
    assert desk.members(group).keys() == ({BOB, CID} if replaced else {ANN, BOB, CID})
    assert desk.records()[1]["first_name"] == ("Bobby" if update else "Bob")


def test_without_a_group(desk: Any) -> None:
    """mm-61"""
    assert figures(done(desk, desk.enter(f"{ANN}\n", {1: "Email"}))) == (1, 1, 1, 0, 0)
    assert desk.records() == [{"email": ANN}]


def test_header_row(desk: Any) -> None:
    """mm-45, mm-62: it names the columns when no mapping does, and is no data in any case."""
    assert figures(done(desk, desk.enter(f"First_Name,EMAIL\nAnn,{ANN}\n", HasHeaderRow=True))) == (1, 1, 1, 0, 0)
    assert figures(done(desk, desk.enter(f"x,y\nBob,{BOB}\n", {2: "Email"}, HasHeaderRow=True))) == (1, 1, 1, 0, 0)
    # A mapping without a name is none.
    assert figures(done(desk, desk.enter(f"Email\n{CID}\n", {1: "", 2: " "}, HasHeaderRow=True))) == (1, 1, 1, 0, 0)
    assert desk.records() == [{"email": ANN, "first_name": "Ann"}, {"email": BOB}, {"email": CID}]


def test_text_is_unicode(desk: Any) -> None:
    """mm-64: whatever the flag says."""
    for number, flag in enumerate((False, True)):
        data = f"\ufeffann{number}@example.org,Зоя Müller 日本 😀\n"
        assert figures(done(desk, desk.enter(data, NAMED, ContainsNonWesternCharacters=flag)))[:3] == (1, 1, 1)
    assert {record["first_name"] for record in desk.records()} == {"Зоя Müller 日本 😀"}


def test_custom_ids(id_desk: Any) -> None:
    """mm-53"""
    names = {1: "Custom_Member_Id", 2: "Email"}
    assert figures(done(id_desk, id_desk.enter(f"1,{ANN}\n2,{ANN}\n,{BOB}\n", names))) == (3, 2, 2, 0, 0)
    refused = status(id_desk, id_desk.enter(f"{ANN}\n", {1: "Email"}))
    assert "custom member id" in refused.errorMessage


def test_enhanced_fields(desk: Any, id_desk: Any) -> None:
    """mm-43, mm-44, mm-62: attributes of the group; any other is unknown."""
    profiles = desk.product.profiles

    def attribute(owner: Any, group: Any) -> int:
        header = profiles.add_header(owner.account.id, group.id, "About")
        return int(profiles.add_attribute(owner.account.id, group.id, header, "Colour"))

    group, other, foreign = desk.group("Readers"), desk.group("Others"), id_desk.group("Foreign")
    own = attribute(desk, group)
    assert done(desk, desk.enter(f"{ANN},red\n", {1: "Email", 2: f"ep_{own}"}, GroupId=group.id)).status == 2
    assert desk.members(group) == {ANN: ("subscribed", {str(own): "red"})}
    tries = [(group, attribute(desk, other)), (group, attribute(id_desk, foreign)), (None, own), (other, own)]
    for into, number in tries:
        names = {1: "Email", 2: f"EP_{number}"}
        entry = status(desk, desk.enter(f"{ANN},x\n", names, GroupId=into.id if into else 0))
        assert (entry.JobId, entry.errorMessage) == (0, f"There is no recipient field EP_{number}.")


REFUSED: list[tuple[str | None, dict[int, str], dict[str, Any], str]] = [
    (None, {1: "Email"}, {}, "CsvData is missing."),
    (f"{ANN}\n", {1: "Email"}, {"GroupId": 987654}, "Group 987654 does not exist."),
    (f"{ANN}\n", {1: "Email"}, {"GroupId": -1}, "Group -1 does not exist."),
    (f"{ANN}\n", {1: "Email"}, {"AddReplace": "REPLACE"}, "REPLACE needs a group."),
    (f"{ANN}\n", {}, {}, "Without a header row ColumnMappings must say what the columns are."),
    (f"{ANN}\n", {1: "Mail"}, {}, "There is no recipient field Mail."),
    (f"Colour\n{ANN}\n", {}, {"HasHeaderRow": True}, "There is no recipient field Colour."),
    (f"{ANN}\n", {0: "Email"}, {}, "CsvColumnOrder counts the columns of the file from 1."),
    (f"{ANN}\n", {-(2**31): "Email"}, {}, "CsvColumnOrder counts the columns of the file from 1."),
    (f"{ANN}\n", {1: "Email", 2: "email"}, {}, "Two columns of the file go to email."),
    (f"{ANN}\n", {1: "City"}, {}, "One column of the file must hold the e-mail address: it tells people apart."),
]


def test_what_is_refused(desk: Any) -> None:
    """mm-65: accepted with a number, then refused with a reason; no file is kept, nothing waits or can be retried."""
    numbers = {}
    for data, names, given, sentence in REFUSED:
        numbers[desk.enter(data, names, **given)] = sentence
    for number, sentence in numbers.items():
        entry = status(desk, number)
        assert (entry.UploadId, entry.MailUserId, entry.JobId) == (number, "ACME", 0)
        assert entry.errorMessage == sentence
        assert not desk.product.jobs.retry([desk.account.id], number)
        assert not desk.product.jobs.cancel([desk.account.id], number)
    assert list(desk.product.blobs.folder.iterdir()) == []
    desk.work()
    assert {job.kind for job in desk.product.jobs.find()} == {JobKind.UPLOAD_ENTRY}
    assert desk.records() == []


def test_odd_mappings(desk: Any) -> None:
    """mm-27, mm-63, mm-65: a column mapped twice, settings left out, no job at all."""
    twice: list[Any] = [UploadColumnMapping(CsvColumnOrder=1, RMColumnName=name) for name in ("Email", "custom1")]
    assert status(desk, desk.enter(ANN, ColumnMappings=twice)).errorMessage == "Column 1 of the file is mapped twice."
    holes = [None, *twice[:1], None]
    assert status(desk, desk.enter(ANN, ColumnMappings=holes)).JobId > 0
    bare = UploadInitialJob(InitialQueueId=0, UserId=None, LoginId=0, CsvData=desk.file(ANN), Settings=None)
    number = desk.UploadListInitialQueue(Job=bare).InitialQueueId
    assert status(desk, number).errorMessage == "Settings are missing."
    assert status(desk, desk.enter(ANN, ColumnMappings=None)).errorMessage.startswith("Without a header row")
    with pytest.raises(Fault, match=r"\[InvalidRequest\] Job is missing\."):
        desk.UploadListInitialQueue(Job=None)


def test_unknown_entries(desk: Any, id_desk: Any) -> None:
    """mm-24, mm-26, mm-65: of nothing, of another account, of another kind; numbers that are none."""
    own, foreign = desk.enter(f"{ANN}\n", {1: "Email"}), id_desk.enter(f"1,{ANN}\n", {1: "Custom_Member_Id"})
    assert status(desk, own) is not None
    upload = float(desk.queue(f"{ANN}\n", MM_1="Email").jobid)
    odd = [0, -1, own + 0.5, 1e300, 2.0**63, math.inf, -math.inf, math.nan]
    for number in (foreign, upload, 987654, *map(float, odd)):
        assert status(desk, float(number)) is None, number


def test_a_login_sees_entries_of_its_own_groups(desk: Any) -> None:
    """mm-26: what it may not see is unknown, and it cannot upload there."""
    mine, other = desk.group("Mine"), desk.group("Other")
    restricted = desk.product.accounts.add_login(desk.account, "bea", "secret", lists=[mine.id])
    bea = type(desk)(desk.product, desk.account, restricted)
    numbers = [desk.enter(f"{ANN}\n", {1: "Email"}, GroupId=group.id) for group in (mine, other)]
    assert [status(bea, number) is None for number in numbers] == [False, True]
    refused = status(bea, bea.enter(f"{ANN}\n", {1: "Email"}, GroupId=other.id))
    assert refused.errorMessage == f"Group {other.id} does not exist."


def test_the_account_stands_inside_the_job(desk: Any) -> None:
    """mm-9, mm-15, mm-16: a parent's session may name a child there; the status goes by the header."""
    child = desk.product.accounts.create("CHILD", time_zone="UTC", parent="ACME")
    desk.product.accounts.create("OTHER", time_zone="UTC")
    number = desk.enter(f"{ANN}\n", {1: "Email"}, user="child")
    assert status(desk, number) is None
    entry = desk.GetUploadInitialQueueJobStatus(account="CHILD", initialQueueId=number)
    assert (entry.MailUserId, entry.errorMessage) == ("CHILD", None)
    assert abs(datetime.now(UTC).replace(tzinfo=None) - entry.UploadDate) < timedelta(minutes=1)
    assert desk.product.jobs.get([child.id], entry.JobId) is not None
    with pytest.raises(Fault, match=r"\[AccessDenied\] This session may not use account OTHER\."):
        desk.enter(f"{ANN}\n", {1: "Email"}, user="OTHER")


def test_an_entry_keeps_its_place(desk: Any) -> None:
    """mm-65, mm-68: what is uploaded into the group afterwards comes after it."""
    group = desk.group("Readers")
    number = desk.enter(f"{ANN}\n", {1: "Email"}, GroupId=group.id, AddReplace="REPLACE")
    later = desk.queue(f"{BOB}\n", groupid=group.id, MM_1="Email")
    assert number < status(desk, number).JobId < later.jobid
    desk.work()
    assert desk.members(group).keys() == {ANN, BOB}


def test_the_file_belongs_to_the_import(desk: Any) -> None:
    """mm-65, mm-69: nothing takes it away while the import waits, and the entry outlives it."""
    number = desk.enter(f"{ANN}\n", {1: "Email"})
    product = desk.product
    entry = status(desk, number)
    (name,) = product.jobs.blobs_in_use()
    hour_ago = time.time() - 7200
    os.utime(product.blobs.path(name), (hour_ago, hour_ago))
    product.jobs.forget_inputs(now() + timedelta(days=1))
    product.blobs.sweep(product.jobs.blobs_in_use())
    assert figures(done(desk, number)) == (1, 1, 1, 0, 0)
    product.jobs.forget_inputs(now() + timedelta(days=1))
    assert product.jobs.blobs_in_use() == []
    assert status(desk, number) == entry


def test_entry_and_import_are_one_transaction(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """mm-65, mm-70: when it does not come to its end there is neither, and no file."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(Jobs, "note", fail)
        with pytest.raises(RuntimeError):
            desk.enter(f"{ANN}\n", {1: "Email"})
    assert desk.product.jobs.find() == []
    assert list(desk.product.blobs.folder.iterdir()) == []


# ---- a server that dies


@pytest.fixture
def dying(tmp_path: Path, client_class: type[Any]) -> Iterator[Callable[[], tuple[Served, Any]]]:
    """Starts servers on one folder; all of them are cleared away at the end, dead ones too."""
    started: list[Served] = []

    def start() -> tuple[Served, Any]:
        started.append(Served(tmp_path / "data"))
        return started[-1], client_class(started[-1].base, "1.1")

    yield start
    for server in started:
        server.stop()


def test_an_answered_entry_outlives_a_kill(dying: Callable[[], tuple[Served, Any]], tmp_path: Path) -> None:
    """mm-65, mm-70: web and worker die by SIGKILL right after the answers; each entry becomes one import, once."""
    server, client = dying()
    group = int(client.addGroup(group_name="Killed", categoryId=0)["id"])
    numbers = []
    for part in range(5):
        data = "".join(f"person{row}.{part}@kill.example\n" for row in range(2000))
        given = settings(GroupId=group, **columns(c1="Email"))
        job = {"InitialQueueId": 0, "LoginId": 0, "CsvData": data, "Settings": given}
        numbers.append(client.UploadListInitialQueue(Job=job)["InitialQueueId"])
    worker = server.worker()
    os.kill(server.process.pid, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    server.process.wait()

    server, client = dying()
    followed = [follow(client, number) for number in numbers]
    assert len({entry["JobId"] for entry, _ in followed}) == len(numbers)
    assert [figures(upload)[:4] for _, upload in followed] == [(2000, 2000, 2000, 0)] * len(numbers)
    assert client.getGroupRecipientsCount(groupId=group) == 2000 * len(numbers)
    database = Database(f"sqlite:///{tmp_path}/data/soapstone.sqlite")
    assert len(Jobs(database).find(kinds=(JobKind.IMPORT,), list_id=group)) == len(numbers)
    database.close()
