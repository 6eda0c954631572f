"""Processes, through a stock client against a started server: how far imports and sends are."""

from __future__ import annotations

import base64
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests import zeep_services

from soapstone.accounts.account import Accounts
from soapstone.clock import now
from soapstone.jobs.queue import Jobs
from soapstone.store.database import Database
from soapstone.store.tables import jobs

NEVER = datetime.min

SEND_TO_LIST = """<SendToList>
  <UserName>demo</UserName><Password>demo</Password><ListID>{list_id}</ListID>
  <Message><Subject>News</Subject><TextBody>Hello {{{{ Email }}}}</TextBody></Message>
</SendToList>"""

SEND_TO_FILE = """<SendToFile>
  <UserName>demo</UserName><Password>demo</Password><ListID>{list_id}</ListID>
  <Message>
    <Subject>{{{{ Greeting }}}}</Subject><FromName>Ann</FromName><FromEmailAddress>ann@example</FromEmailAddress>
    <HTMLBody>&lt;p&gt;Hello&lt;/p&gt;</HTMLBody><TextBody>Hello</TextBody>
  </Message>
  <File Name="people.csv" Delimiter="," TextQualifier="&quot;" HasColumnNames="true">{file}</File>
</SendToFile>"""


def status_id(answer: tuple[int, str]) -> int:
    status, text = answer
    assert status == 200, text
    return int(text.partition("<StatusID>")[2].partition("<")[0])


def rows(listrak: Any, list_id: int) -> list[Any]:
    return listrak.GetLegacyProcessStatus(list_id) or []


def row(listrak: Any, list_id: int, process: int) -> Any:
    return next(each for each in rows(listrak, list_id) if each["StatusID"] == process)


def wait(listrak: Any, list_id: int, process: int) -> Any:
    """Poll until the process is done or has failed (lk-84)."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = row(listrak, list_id, process)
        if found["ProcessCompleteTime"] != NEVER:
            return found
        time.sleep(0.02)
    raise AssertionError(f"process {process} does not end")


def test_both_sends(listrak: Any, served: Any) -> None:
    """lk-83, lk-84, lk-88, lk-90, lk-91"""
    list_id = listrak.create()
    listrak.load(list_id, b"ann@example.org\nbob@example.org\n")
    listrak.load(list_id, b"bob@example.org\n", "RemoveSubscribers")
    assert rows(listrak, list_id) == []
    first = status_id(listrak.post("SendToList", SEND_TO_LIST.format(list_id=list_id)))
    file = base64.b64encode(
        b"EmailAddress,Greeting\nbob@example.org,x\ncid@example.org,Hi\ncid@example.org,Hi\nno,no\n"
    )
    second = status_id(listrak.post("SendToFile", SEND_TO_FILE.format(list_id=list_id, file=file.decode())))
    done = wait(listrak, list_id, second)
    assert (done["ProcessType"], done["CurrentStep"], done["MaxStep"]) == ("Send to File", 4, 4)
    assert (done["StatusID"], done["ListID"]) == (second, list_id)
    assert done["ProcessCompleteTime"] >= done["ProcessStartTime"]
    done = wait(listrak, list_id, first)
    assert (done["ProcessType"], done["CurrentStep"], done["MaxStep"]) == ("Send to List", 3, 3)
    assert [each["StatusID"] for each in rows(listrak, list_id)] == [second, first]
    recipients = {
        process: sorted(
            line.removeprefix("To: ")
            for path in served.data.joinpath("mail").glob(f"{process:08}-*.eml")
            for line in path.read_text().splitlines()
            if line.startswith("To: ")
        )
        for process in (first, second)
    }
    assert recipients == {first: ["ann@example.org"], second: ["cid@example.org"]}
    # The deprecated call points to GetProcessStatus, so that tells of sends as well.
    assert listrak.GetProcessStatus(second)["Status"] == "ProcessingCompleted"
    assert listrak.GetProcessStatus(second)["ProcessName"] == "Send to File"


def test_a_failed_send(listrak: Any) -> None:
    """lk-84: failed when ProcessCompleteTime is set while CurrentStep is smaller than MaxStep."""
    list_id = listrak.create()
    file = base64.b64encode(b"EmailAddress,Name\nann@example.org,Ann\n").decode()
    process = status_id(listrak.post("SendToFile", SEND_TO_FILE.format(list_id=list_id, file=file)))
    failed = wait(listrak, list_id, process)
    assert failed["CurrentStep"] < failed["MaxStep"] == 4
    assert listrak.GetProcessStatus(process)["Status"] == "ProcessingFailed"


def test_a_slow_send_shows_every_step(listrak: Any) -> None:
    """lk-90: 0, 1, 2 and then MaxStep, never going back."""
    list_id = listrak.create()
    listrak.load(list_id, "\n".join(f"{number}@slow.example" for number in range(2000)).encode())
    process = status_id(listrak.post("SendToList", SEND_TO_LIST.format(list_id=list_id)))
    seen = []
    while True:
        found = row(listrak, list_id, process)
        seen.append(found["CurrentStep"])
        if found["ProcessCompleteTime"] != NEVER:
            break
        time.sleep(0.005)
    assert seen == sorted(seen)
    assert set(seen) == {0, 1, 2, 3}


def test_states(listrak: Any, served: Any) -> None:
    """lk-26, lk-79 to lk-81: what a process looks like from its queueing to its end."""
    list_id = listrak.create()
    database = Database(served.product.settings.database)
    account = Accounts(database).named("DEMO")
    assert account is not None
    later = now() + timedelta(days=30)
    with database.write(durable=True) as connection:
        job = Jobs(database).add(connection, account_id=account.id, kind="import", list_id=list_id, due_at=later)

    def status(**values: Any) -> tuple[str, bool, bool]:
        if values:
            with database.write() as connection:
                connection.execute(update(jobs).where(jobs.c.id == job).values(**values))
        found = listrak.GetProcessStatus(job)
        assert (found["ProcessID"], found["ListID"], found["ProcessName"]) == (job, list_id, "BulkLoadContacts")
        return found["Status"], found["ProcessStartTime"] != NEVER, found["ProcessCompleteTime"] != NEVER

    assert status() == ("DataReadyForProcessing", True, False)
    assert status(state="running", attempt=1, lease_until=later, started_at=now()) == ("ProcessingData", True, False)
    assert status(state="failed", finished_at=now()) == ("ProcessingFailed", True, True)
    # Tried again, the end is open again.
    assert status(state="queued", finished_at=None, due_at=later) == ("DataReadyForProcessing", True, False)
    assert Jobs(database).cancel([account.id], job)
    assert status() == ("ProcessingFailed", True, True)
    database.close()


def test_an_unknown_list_and_an_unknown_process(listrak: Any) -> None:
    """lk-19, lk-84"""
    assert rows(listrak, 987654) == []
    assert listrak.GetProcessStatus(987654) is None


def test_a_job_of_one_contract_is_known_to_the_other(listrak: Any, served: Any) -> None:
    """One number everywhere: an upload is a process, an import is an upload job."""
    service = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    header = {"mmAuthHeader": {"sessionId": service.Authenticate("demo", "demo").sessionId}}
    list_id = listrak.create()
    ann, bob = f"ann@{list_id}.example", f"bob@{list_id}.example"
    flags = {"replace_group": False, "update_dups": True, "header_line": False}
    job = service.uploadListQueue(groupid=list_id, csvData=f"{ann}\nx\n", MM_1="Email", **flags, _soapheaders=header)
    process = listrak.wait(int(job.jobid))
    assert (process["ListID"], process["ProcessName"], process["Status"]) == (
        list_id,
        "BulkLoadContacts",
        "ProcessingCompleted",
    )
    run = listrak.history(list_id)[0]
    assert (run["ImportFileID"], run["SubscribedCount"], run["InvalidEmailCount"]) == (int(job.jobid), 1, 1)
    number = listrak.load(list_id, f"{ann}\n{bob}\ny\n".encode(), FileName="both.csv")
    status = service.getUploadJobStatus(jobid=number, _soapheaders=header)
    assert (status.status, status.groupid, status.user_filename) == (2, list_id, "both.csv")
    assert (status.total_records, status.good_records, status.new_added, status.group_count) == (3, 2, 1, 2)


def test_a_dry_run_is_not_in_the_history(listrak: Any, served: Any) -> None:
    service = zeep_services.service(served.base, zeep_services.MAGNETMAIL)
    header = {"mmAuthHeader": {"sessionId": service.Authenticate("demo", "demo").sessionId}}
    list_id = listrak.create()
    flags = {"replace_group": False, "update_dups": True, "header_line": False}
    job = service.uploadListQueueTest(
        groupid=list_id, csvData="ann@dry.example\n", MM_1="Email", **flags, _soapheaders=header
    )
    assert listrak.wait(int(job.jobid))["Status"] == "ProcessingCompleted"
    assert listrak.history(list_id) == []


@pytest.mark.parametrize("call", ["SendToList", "SendToFile"])
def test_refused_sends(listrak: Any, call: str) -> None:
    """lk-89"""
    status, text = listrak.post(call, f"<{call}><UserName>demo</UserName><Password>wrong</Password></{call}>")
    assert status == 401
    assert "<Code>InvalidLogonAttempt</Code>" in text
    assert "[InvalidLogonAttempt] The user name or password is not valid." in text
