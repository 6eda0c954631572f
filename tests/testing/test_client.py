"""The client of the control API, against a test server in this process that zeep and httpx call."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import zeep

from soapstone.testing.client import ControlError, Soapstone
from soapstone.testing.server import local_test_server

if TYPE_CHECKING:
    from tests.conftest import LocalServed

BASIC = ("demo", "demo")
USER = {"WSUser": {"UserName": "demo", "Password": "demo"}}


@pytest.fixture(scope="module")
def running() -> Iterator[Soapstone]:
    with local_test_server() as server:
        yield Soapstone(f"{server.base}/")


@pytest.fixture
def server(running: Soapstone) -> Soapstone:
    running.reset()
    return running


@pytest.fixture(scope="module")
def magnetmail(running: Soapstone) -> Any:
    return zeep.Client(running.magnetmail_url).service


@pytest.fixture(scope="module")
def listrak(running: Soapstone) -> Any:
    return zeep.Client(running.listrak_url).service


def logged_on(magnetmail: Any) -> dict[str, Any]:
    session = magnetmail.Authenticate(username="demo", password="demo")
    return {"mmAuthHeader": {"sessionId": session.sessionId, "user_id": session.user_id}}


def upload(magnetmail: Any, header: dict[str, Any], data: str = "Email\nann@example.org\n") -> int:
    job = magnetmail.uploadListQueue(
        groupid=1, csvData=data, replace_group=False, update_dups=True, header_line=True, _soapheaders=header
    )
    return int(job.jobid)


def test_calls_of_every_interface_have_their_members(server: Soapstone, magnetmail: Any, listrak: Any) -> None:
    logged_on(magnetmail)
    listrak.SubscribeContact(1, "ann@example.org", OverrideUnsubscribe=True, _soapheaders=USER)
    httpx.post(f"{server.url}/api/v1/lists", auth=BASIC, json={"name": "Another"})
    xml = "<SendToList><UserName>demo</UserName><Password>wrong</Password></SendToList>"
    httpx.post(f"{server.url}/xml/SendToList", content=xml, headers={"Content-Type": "application/xml"})
    httpx.get(f"{server.url}/api/v1/lists", auth=BASIC)
    calls = server.calls
    assert [call.interface for call in calls] == ["magnetmail", "listrak", "rest", "xml", "rest"]
    assert calls[0].members == {"username": "demo", "password": "demo"}
    assert (calls[1].members["ListID"], calls[1].members["ContactEmailAddress"]) == ("1", "ann@example.org")
    assert calls[2].members == {"name": "Another"}
    assert calls[3].members == {"UserName": "demo", "Password": "wrong"}
    assert calls[4].members == {}
    assert calls[0].response.status == 200
    assert b"<authenticated>true</authenticated>" in calls[0].response.body
    assert calls[3].fault
    assert [call.number for call in server.calls_of(interface="rest")] == [calls[2].number, calls[4].number]
    assert [call.operation for call in server.calls_of("Authenticate")] == ["Authenticate"]
    server.clear_calls()
    assert server.calls == []


def test_members_of_packed_requests_and_of_forms(server: Soapstone) -> None:
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        '<Authenticate xmlns="http://www.magnetmail.net/"><username>dämo</username></Authenticate></s:Body></s:Envelope>\n'
    )
    headers = {"Content-Type": "text/xml", "SOAPAction": '"http://www.magnetmail.net/Authenticate"'}
    for body, more in (
        (gzip.compress(envelope.encode()), {"Content-Encoding": "gzip"}),
        (b"\xfe\xff" + envelope.encode("utf-16-be"), {"Content-Type": "text/xml; charset=utf-16"}),
        (envelope.encode("latin-1"), {"Content-Type": "text/xml; charset=ISO-8859-1"}),
    ):
        httpx.post(f"{server.url}/mmapi.asmx", content=body, headers=headers | more)
    server.assert_called("Authenticate", times=3, username="dämo")
    document = "<SendToFile><UserName>demo</UserName><ListID>1</ListID></SendToFile>"
    files = {"request": ("request.xml", document), "file": ("people.csv", "EmailAddress\nann@example.org\n")}
    httpx.post(f"{server.url}/xml/SendToFile", files=files)
    server.assert_called("SendToFile", times=1, ListID=1)
    # What is damaged has no members.
    httpx.post(f"{server.url}/mmapi.asmx", content=b"\x1f\x8b", headers=headers | {"Content-Encoding": "gzip"})
    assert server.calls[-1].members == {}


def test_a_large_request_is_there_as_a_whole(server: Soapstone, magnetmail: Any) -> None:
    data = "Email\n" + "".join(f"person{number}@example.org\n" for number in range(100_000))
    upload(magnetmail, logged_on(magnetmail), data)
    (call,) = server.assert_called("uploadListQueue", csvData=data)
    assert len(call.request.body) > 2_000_000


def test_members_are_compared_as_they_are_written(server: Soapstone, magnetmail: Any, listrak: Any) -> None:
    upload(magnetmail, logged_on(magnetmail))
    server.assert_called("uploadListQueue", times=1, groupid=1, replace_group=False, update_dups=True)
    server.assert_called("uploadListQueue", groupid="1", header_line="true")
    directives = {"ImportTypeEnum": "AddSubscribers", "ImportProfileTypeEnum": "NotDefined", "HasColumnNames": False}
    columns = [{"AttributeID": 0, "FileColumn": column, "IsEmailAddressColumn": column == 0} for column in (0, 1)]
    listrak.BulkLoadContacts(1, directives, {"WSFileMappings": columns}, b"bob@example.org,1\n", _soapheaders=USER)
    server.assert_called("BulkLoadContacts", WSImportDirectives={"HasColumnNames": False})
    server.assert_called("BulkLoadContacts", fileMappings={"WSFileMappings": columns})
    for wrong in (
        {"groupid": 2},
        {"update_dups": False},
        {"groupid": None},
        {"groupid": {"number": 1}},
        {"groupid": [1]},
        {"missing": ""},
    ):
        server.assert_called("uploadListQueue", times=0, **wrong)
    with pytest.raises(AssertionError, match="missing"):
        server.assert_called("uploadListQueue", missing="")
    with pytest.raises(AssertionError, match=r"(?s)to be called 2 times; it was called 1 times\..*groupid='1'"):
        server.assert_called("uploadListQueue", times=2)
    with pytest.raises(AssertionError, match=r"Other calls: Authenticate 1x, uploadListQueue 1x, BulkLoadContacts 1x"):
        server.assert_called("getGroups")


def test_a_name_that_no_operation_has_is_refused(server: Soapstone, magnetmail: Any) -> None:
    """Otherwise a misspelt name passes wherever nothing is to be called."""
    logged_on(magnetmail)
    for wrong in ("authenticate", "Nonsense"):
        with pytest.raises(ControlError, match=f"422 No operation of any interface is named {wrong}"):
            server.assert_called(wrong, times=0)
        with pytest.raises(ControlError, match=f"422 No operation of any interface is named {wrong}"):
            server.calls_of(wrong)
    with pytest.raises(ControlError, match=r"422 No operation of listrak is named Authenticate\."):
        server.calls_of("Authenticate", "listrak")
    server.assert_called("list_lists", times=0)


def test_long_texts_are_told_apart(server: Soapstone, magnetmail: Any) -> None:
    data = "Email\n" + "".join(f"a{number}@example.org\n" for number in range(20))
    upload(magnetmail, logged_on(magnetmail), data)
    with pytest.raises(AssertionError, match=r"csvData differs at ….*b9@example\.org.*, which was ….*a9@example\.org"):
        server.assert_called("uploadListQueue", csvData=data.replace("a9", "b9"))


def test_calls_that_name_no_operation(server: Soapstone) -> None:
    httpx.post(f"{server.url}/mmapi.asmx", content=b"<x/>", headers={"Content-Type": "text/xml"})
    with pytest.raises(AssertionError, match=r"Other calls: no operation 1x"):
        server.assert_called("getGroups")


def test_mails(server: Soapstone, magnetmail: Any) -> None:
    before = len(server.mails)
    header = logged_on(magnetmail)
    message = {
        "message_name": "Welcome",
        "SubjectLine": "News for {{ First_Name }}",
        "FromAddress": "News <news@example.com>",
        "html_version_block1": '<p>Read <a href="https://example.com/more">more</a>.</p>',
        "text_version": "Read more.",
        "createDate": datetime(2026, 1, 1),
        "lastSent": datetime(2026, 1, 1),
        "characterSet": "Western",
    }
    number = magnetmail.createMagnetMailMessage(message=message, _soapheaders=header).message_id
    magnetmail.sendEmailToIndividual(
        message_id=int(number),
        html_web_version_link=False,
        text_web_version_link=False,
        recipients={"string": ["ada@example.com", "alan@example.com"]},
        recp_type="email",
        _soapheaders=header,
    )
    assert len(server.mails) == before + 2
    (mail,) = server.mails_of("ada@example.com", "News for Ada")
    assert (mail.recipient, mail.subject, mail.account) == ("ada@example.com", "News for Ada", "DEMO")
    assert "news@example.com" in mail.sender
    assert ("https://example.com/more", "more") in [(link.target, link.text) for link in mail.links]
    assert "Read more." in mail.text
    assert ("Subject", "News for Ada") in mail.headers
    assert b"Subject: News for Ada" in server.mail_source(mail.number)
    server.reset()
    assert len(server.mails) == before


def test_the_clock(server: Soapstone) -> None:
    assert abs(server.now - datetime.now(UTC)) < timedelta(minutes=1)
    at = server.set_clock(datetime(2030, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))))
    assert timedelta(0) <= at - datetime(2030, 1, 31, 10, tzinfo=UTC) < timedelta(minutes=1)
    assert server.advance(3600) - at >= timedelta(hours=1)
    assert server.advance(timedelta(days=1)) - at >= timedelta(days=1, hours=1)
    with pytest.raises(ValueError, match="time zone"):
        server.set_clock(datetime(2030, 1, 31))
    with pytest.raises(ControlError, match="The clock goes from"):
        server.set_clock(datetime(1950, 1, 1, tzinfo=UTC))
    server.reset()
    assert abs(server.now - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_job_that_is_told(server: Soapstone, magnetmail: Any) -> None:
    server.transition(start="told", end="told", reject_rows=[{"row": 2}])
    header = logged_on(magnetmail)
    job = upload(magnetmail, header, "Email\nann@example.org\nbob@example.org\n")

    def poll() -> tuple[int, int]:
        status = magnetmail.getUploadJobStatus(jobid=job, _soapheaders=header)
        return int(status.status), int(status.good_records)

    assert [poll(), poll()] == [(0, 0), (0, 0)]
    assert server.advance_job(job) == "running"
    assert poll()[0] == 1
    assert server.advance_job(job) == "completed"
    assert poll() == (2, 1)
    server.transition("all", start="never")
    server.clear_transitions()
    upload(magnetmail, header)


def test_faults(server: Soapstone, magnetmail: Any) -> None:
    number = server.fault("soap_fault", "Authenticate", interface="magnetmail", times=None, every=2, message="Busy")
    assert number == server.fault("delay", seconds=0.0) - 1
    results = []
    for _ in range(4):
        try:
            results.append(magnetmail.Authenticate(username="demo", password="demo").authenticated)
        except zeep.exceptions.Fault as fault:
            results.append("Busy" in fault.message)
    assert results == [True, True, True, True]
    assert sum(bool(call.fault) for call in server.calls) == 2
    server.clear_faults()
    assert all(magnetmail.Authenticate(username="demo", password="demo").authenticated for _ in range(2))


def test_a_seed(server: Soapstone, listrak: Any, tmp_path: Path) -> None:
    """From a document or from a file; a reset takes it away, or keeps it when it is told to."""
    path = tmp_path / "seed.yaml"
    path.write_text("accounts: [{name: ACME, logins: [{name: ann, password: secret}]}]")

    def may_log_on() -> bool:
        return httpx.get(f"{server.url}/api/v1/lists", auth=("ann", "secret")).status_code == 200

    for given in (path, str(path)):
        server.seed(given)
        assert may_log_on()
        server.reset()
        assert not may_log_on()
    with local_test_server() as other:
        kept = Soapstone(other.base)
        kept.seed({"accounts": [{"name": "ACME", "logins": [{"name": "ann", "password": "secret"}]}]}, keep=True)
        kept.reset()
        assert httpx.get(f"{kept.url}/api/v1/lists", auth=("ann", "secret")).status_code == 200


def test_a_lost_answer_of_work_that_is_done(server: Soapstone, magnetmail: Any) -> None:
    header = logged_on(magnetmail)
    for done in (False, True):
        server.fault("disconnect", "uploadListQueue", work_done=done)
        with pytest.raises(requests.ConnectionError):
            upload(magnetmail, header, "Email\nann@example.org\n")
        jobs = httpx.get(f"{server.url}/api/v1/jobs", auth=BASIC).json()["items"]
        assert len(jobs) == 1 + done


def test_refusals_say_why(server: Soapstone) -> None:
    with pytest.raises(ControlError, match=r"POST /_test/faults: .*kind"):
        server.fault("no such kind")
    with pytest.raises(ControlError, match=r"POST /_test/transitions: .*a job that fails needs a reason"):
        server.transition(outcome="failed")
    with pytest.raises(ControlError, match=r"POST /_test/jobs/987654/advance: "):
        server.advance_job(987654)


def test_what_is_no_test_server(served: LocalServed) -> None:
    with pytest.raises(ControlError, match="POST /_test/reset: 40"):
        Soapstone(served.base).reset()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ControlError, match="does not answer"):
            Soapstone(f"http://127.0.0.1:{free.getsockname()[1]}").reset()
