"""Uploads, through a stock client against a started server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest


@pytest.fixture
def group(magnetmail: Any) -> int:
    return int(magnetmail.addGroup(group_name=str(uuid4()), categoryId=0)["id"])


def unique(*names: str) -> list[str]:
    mark = uuid4().hex
    return [f"{name}.{mark}@example.org" for name in names]


def figures(status: dict[str, Any]) -> tuple[int, ...]:
    names = ("total_records", "good_records", "new_added", "old_updated", "group_count")
    return tuple(int(status[name]) for name in names)


def test_the_answer_is_the_job_record(magnetmail: Any, group: int) -> None:
    """mm-41, mm-47 to mm-50"""
    ann, bob = unique("ann", "bob")
    job = magnetmail.uploadListQueue(
        user_id="DEMO",
        groupid=group,
        csvData=f"{ann},Ann\r\n{bob},Bob\r\n",
        replace_group=False,
        update_dups=True,
        header_line=False,
        mapping_name="my mapping",
        MM_1="email",
        MM_2="FIRST_name",
    )
    assert job["error"] == 0
    assert job["status"] == 0
    assert (job["groupid"], job["user_id"], job["user_filename"]) == (group, "DEMO", "my mapping")
    assert (job["header"], job["replace_group"], job["update_dups"]) == (0, 0, 1)
    assert job["mm_filename"] == f"upload_{int(job['jobid'])}.csv"
    assert job["loginid"] == magnetmail.session.loginid
    done = magnetmail.wait(int(job["jobid"]))
    assert done["status"] == 2
    assert figures(done) == (2, 2, 2, 0, 2)
    assert done["complete_date"] >= done["upload_date"]
    # mm-30: Eastern wall time without zone, whole seconds.
    eastern = datetime.now(ZoneInfo("America/New_York")).replace(tzinfo=None)
    assert done["upload_date"].tzinfo is None
    assert abs(eastern - done["upload_date"]) < timedelta(minutes=1)
    assert done["upload_date"].microsecond == 0
    assert [member["EmailId"] for member in magnetmail.page(group)] == [ann, bob]


def test_utc_dates(magnetmail: Any) -> None:
    """mm-28, mm-30"""
    local, utc = magnetmail.getUploadJobStatus(jobid=1), magnetmail.getUploadJobStatusUTC(jobid=1)
    assert utc["upload_date"].utcoffset() == timedelta(0)
    eastern = utc["upload_date"].astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None)
    assert eastern == local["upload_date"]
    assert utc["complete_date"] <= datetime.now(UTC)
    assert {name: value for name, value in utc.items() if not name.endswith("_date")} == {
        name: value for name, value in local.items() if not name.endswith("_date")
    }


def test_the_demo_upload(magnetmail: Any) -> None:
    """The demo account's past holds one finished upload with two rejected rows."""
    status = magnetmail.getUploadJobStatus(jobid=1)
    assert status["status"] == 2
    assert figures(status)[:4] == (12, 10, 10, 0)


def test_rejected_rows(magnetmail: Any, group: int) -> None:
    """mm-53, mm-54, mm-55: bad addresses, earlier duplicates and role addresses are not taken."""
    ann, bob = unique("ann", "bob")
    role = f"info@{uuid4().hex}.example"
    done = magnetmail.upload(
        f"{ann},first\nnot an address,x\n{bob},Bob\n{role},Role\n,empty\n\n{ann.upper()},last\n",
        groupid=group,
        MM_1="Email",
        MM_2="First_Name",
    )
    assert figures(done) == (6, 2, 2, 0, 2)


def test_known_recipients(magnetmail: Any, group: int) -> None:
    """mm-42, mm-48, mm-58"""
    ann, bob = unique("ann", "bob")
    mapping = {"MM_1": "Email", "MM_2": "First_Name"}
    magnetmail.upload(f"{ann},Ann\n", **mapping)
    kept = magnetmail.upload(f"{ann},Anna\n{bob},Bob\n", groupid=group, update_dups=False, **mapping)
    assert figures(kept) == (2, 2, 1, 0, 2)
    changed = magnetmail.upload(f"{ann},Anna\n{bob},Bob\n", groupid=group, **mapping)
    # Bob's record says the same already: only Ann's was changed.
    assert figures(changed) == (2, 2, 0, 1, 2)


def test_header_names_serve_when_nothing_is_mapped(magnetmail: Any, group: int) -> None:
    """mm-45"""
    (ann,) = unique("ann")
    done = magnetmail.upload(f'"Last_Name",EMAIL\n"O""Hara\nsmith",{ann}\n', groupid=group, header_line=True)
    assert figures(done) == (1, 1, 1, 0, 1)


def test_replace(magnetmail: Any, group: int) -> None:
    """mm-42, mm-60"""
    ann, bob, cid = unique("ann", "bob", "cid")
    magnetmail.upload(f"{ann}\n{bob}\n", groupid=group, MM_1="Email")
    done = magnetmail.upload(f"{bob}\n{cid}\n", groupid=group, replace_group=True, MM_1="Email")
    assert figures(done) == (2, 2, 1, 0, 2)
    assert [member["EmailId"] for member in magnetmail.page(group)] == [bob, cid]
    failed = magnetmail.upload("nobody\n", groupid=group, replace_group=True, MM_1="Email")
    assert (failed["status"], failed["error"], failed["errorObj"]["errorNumber"]) == (3, 2, 9007)
    assert failed["errorObj"]["errorCode"] == "IMPORT_FAILED"
    assert failed["complete_date"] is not None
    assert magnetmail.getGroupRecipientsCount(groupId=group) == 2


def test_a_dry_run_stores_nothing(magnetmail: Any, group: int) -> None:
    """mm-52"""
    ann, bob = unique("ann", "bob")
    dry = magnetmail.upload(f"{ann}\n{bob}\nx\n", groupid=group, operation="uploadListQueueTest", MM_1="Email")
    assert figures(dry)[:4] == (3, 2, 2, 0)
    assert magnetmail.getGroupRecipientsCount(groupId=group) == 0
    real = magnetmail.upload(f"{ann}\n{bob}\nx\n", groupid=group, MM_1="Email")
    assert figures(real)[:4] == figures(dry)[:4]
    assert real["jobid"] > dry["jobid"]


def test_refused_uploads(magnetmail: Any, group: int) -> None:
    """mm-22, mm-44, mm-45, mm-61"""

    def refused(**members: Any) -> int:
        flags = {"replace_group": False, "update_dups": True, "header_line": False, "csvData": "a@example.org\n"}
        answer = magnetmail.uploadListQueue(**{"groupid": group, **flags, **members})
        assert answer["error"] == 2
        assert answer["jobid"] is None
        assert answer["status"] is None
        assert answer["msg"] == answer["errorObj"]["errorMessage"]
        return int(answer["errorObj"]["errorNumber"])

    assert refused(MM_1="No_Such_Field") == 9001
    assert refused(MM_1="EP_99") == 9001
    assert refused() == 9001
    assert refused(MM_1="First_Name") == 9001
    assert refused(MM_1="Email", MM_2="Email") == 9001
    assert refused(MM_1="Email", groupid=987654) == 9002
    assert refused(MM_1="Email", csvData=None) == 9001


def test_an_unknown_job(magnetmail: Any) -> None:
    """mm-26, mm-51"""
    answer = magnetmail.getUploadJobStatus(jobid=987654)
    assert (answer["error"], answer["errorObj"]["errorNumber"], answer["jobid"]) == (2, 9002, 987654)
    empty = {name for name, value in answer.items() if value is None}
    assert {"status", "total_records", "good_records", "complete_date", "upload_date", "groupid", "loginid"} <= empty


def test_a_send_is_no_upload(magnetmail: Any) -> None:
    """mm-67: the demo's second job is a send."""
    assert magnetmail.getUploadJobStatus(jobid=2)["errorObj"]["errorNumber"] == 9002
