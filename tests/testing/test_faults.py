"""Calls that fail on purpose."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from soapstone.testing.control_faults import FaultIn
from soapstone.testing.faults import Fault, FaultKind

INTERNAL = "The server met an internal error."


# --- what callers see -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interface", ["magnetmail", "listrak"])
def test_a_soap_fault_has_the_form_of_the_contract(client: Any, interface: str) -> None:
    """It is what the contract's own faults are, in the version of SOAP of the caller."""
    operation = {"magnetmail": "getGroups", "listrak": "GetContactListCollection"}[interface]
    text = "[InternalError] The server met an internal error."
    for version in ("1.1", "1.2"):
        for named in (True, False):
            real = client.soap(interface, operation, header="<x />", version=version)
            client.fault("soap_fault", operation=operation, message="")
            answer = client.soap(interface, operation, header="<x />", version=version, named=named)
            assert answer.status_code == real.status_code == 500
            assert answer.headers["content-type"] == real.headers["content-type"]
            told = r"---&gt; [^<]*<"
            assert re.sub(told, "", answer.text) == re.sub(told, "", real.text)
            assert f"Server was unable to process request. ---&gt; {text}<" in answer.text
    client.fault("soap_fault", operation=operation, message="[Odd] A < B & C.")
    assert "---&gt; [Odd] A &lt; B &amp; C.<" in client.soap(interface, operation).text


def test_faults_of_the_other_interfaces(client: Any) -> None:
    client.fault("soap_fault", interface="rest")
    answer = client.rest("GET", "/lists")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json() == {"title": "Internal Server Error", "status": 500, "detail": INTERNAL}
    client.fault("soap_fault", operation="SendToList", message="Not today.")
    answer = client.xml()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/xml; charset=utf-8")
    assert answer.text.endswith(
        "<Error><Code>InternalError</Code><Description>[InternalError] Not today.</Description></Error>"
    )


def every_interface(client: Any) -> list[httpx.Response]:
    """An answer of each of them."""
    return [
        client.authenticate(),
        client.authenticate(version="1.2", named=False),
        client.soap("listrak", "GetContactListCollection"),
        client.xml(),
        client.rest("GET", "/lists"),
    ]


def test_a_server_that_fails_answers_as_proxies_do(client: Any) -> None:
    client.fault("status_500", times=5)
    for answer in every_interface(client):
        assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
        assert "retry-after" not in answer.headers
        assert "500 Internal Server Error" in answer.text
    client.fault("status_503", times=None, seconds=7)
    for answer in every_interface(client):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert {call["fault"] for call in client.calls()} == {"status 500", "status 503"}


@pytest.mark.parametrize("work_done", [False, True])
def test_a_broken_connection(client: Any, work_done: bool) -> None:
    fault = client.fault("disconnect", work_done=work_done)
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending"):
        client.authenticate()
    other = client.fault("reset", work_done=work_done)
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        client.authenticate()
    closed, reset = client.calls()
    assert closed["fault"] == f"The connection was closed by fault {fault['number']}."
    assert reset["fault"] == f"The connection was reset by fault {other['number']}."
    assert (closed["response"]["status"], reset["response"]["status"]) == (0, 0)
    assert (closed["fault_number"], reset["fault_number"]) == (fault["number"], other["number"])
    assert "demo" in closed["request"]["body"]
    assert client.authenticate().status_code == 200
    assert "ERROR" not in client.server_log()


@pytest.mark.parametrize("work_done", [False, True])
def test_a_truncated_answer_has_the_length_of_the_whole(client: Any, work_done: bool) -> None:
    client.fault("truncate", work_done=work_done)
    body = client.envelope("magnetmail", "Authenticate", "<username>demo</username><password>demo</password>")
    with socket.create_connection(("127.0.0.1", int(client.base.rpartition(":")[2]))) as connection:
        action = 'SOAPAction: "http://www.magnetmail.net/Authenticate"'
        head = f"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n{action}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    start, _, half = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", start)
    assert length
    assert len(half) == int(length[1]) // 2
    assert start.startswith(b"HTTP/1.1 200" if work_done else b"HTTP/1.1 500")
    (call,) = client.calls()
    assert call["response"]["body"].encode() == half
    assert "closed by fault" in call["fault"]
    assert "ERROR" not in client.server_log()


def test_answers_without_a_length_are_truncated_as_well(client: Any) -> None:
    whole = client.rest("GET", "/lists/1/export").text
    client.fault("truncate", operation="export_list")
    with client.http.stream("GET", "/api/v1/lists/1/export", auth=("demo", "demo")) as answer:
        pieces = answer.iter_text()
        got = next(pieces)
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            next(pieces)
    assert whole.startswith(got)
    assert 0 < len(got) < len(whole)
    # No answer without a body has a half.
    client.fault("truncate", operation="delete_list")
    number = client.rest("POST", "/lists", json={"name": "Gone"}).json()["id"]
    with pytest.raises(httpx.RemoteProtocolError):
        client.rest("DELETE", f"/lists/{number}")
    assert "Gone" not in client.lists()
    assert "ERROR" not in client.server_log()


def test_a_delay(client: Any) -> None:
    def seconds() -> float:
        began = time.monotonic()
        assert client.authenticate().status_code == 200
        return time.monotonic() - began

    client.fault("delay", operation="Authenticate", seconds=0.3)
    assert seconds() >= 0.3
    # On a busy machine some of these take as long.
    assert min(seconds() for _ in range(5)) < 0.3


def test_what_an_expired_session_gets_is_what_the_contract_answers(client: Any) -> None:
    header = client.header("magnetmail")
    for version in ("1.1", "1.2"):
        real = client.add_group("x", client.session("none"), version=version)
        client.fault("expired_session")
        # It is none of calls without a session, which go on to work.
        assert client.authenticate().status_code == 200
        assert client.soap("listrak", "GetContactListCollection").status_code == 200
        answer = client.add_group("x", header, version=version)
        assert same(answer, real)
    assert "x" not in client.lists()
    client.fault("expired_session", operation="get_list")
    assert same(client.rest("GET", "/lists/1"), client.http.get("/api/v1/lists/1"))


def test_what_a_locked_login_gets_is_what_the_contracts_answer(client: Any) -> None:
    faulty = []
    for version in ("1.1", "1.2"):
        client.fault("locked_login", operation="Authenticate")
        faulty.append(client.authenticate(version=version))
        client.fault("locked_login", interface="listrak")
        faulty.append(client.soap("listrak", "GetContactListCollection", version=version))
    client.fault("locked_login", interface="xml")
    faulty.append(client.xml())
    client.fault("locked_login", interface="rest")
    faulty.append(client.rest("GET", "/lists"))
    for _ in range(10):
        header = client.header("listrak").replace("<Password>demo", "<Password>wrong").replace(">demo<", ">nobody<")
        client.soap("listrak", "GetContactListCollection", header=header)

    def locked(operation: str, *arguments: Any, **options: Any) -> Any:
        return client.soap(operation, *arguments, **options)

    real = []
    for version in ("1.1", "1.2"):
        members = "<username>nobody</username><password>wrong</password>"
        real.append(locked("magnetmail", "Authenticate", members, version=version))
        real.append(locked("listrak", "GetContactListCollection", header=header, version=version))
    content = "<SendToList><UserName>nobody</UserName><Password>wrong</Password></SendToList>"
    real.append(client.http.post("/xml/SendToList", content=content, headers={"content-type": "text/xml"}))
    real.append(client.http.get("/api/v1/lists", auth=("nobody", "wrong")))
    assert "[LoginAttemptsExceeded]" in real[1].text
    for one, other in zip(faulty, real, strict=True):
        assert same(one, other), (one.text, other.text)
        # MagnetMail answers a locked login late.
        late = "<authenticated>false</authenticated>" in other.text
        assert (one.elapsed.total_seconds() >= 1, other.elapsed.total_seconds() >= 1) == (late, late)


def same(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two answers are the same, but for what is different in each."""
    own = {"date", "x-request-id"}
    heads = [{name: value for name, value in each.headers.items() if name not in own} for each in (one, other)]
    return (one.status_code, one.content, heads[0]) == (other.status_code, other.content, heads[1])


# --- the work behind the call -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "usual"),
    [
        ("soap_fault", False),
        ("status_500", False),
        ("status_503", False),
        ("disconnect", False),
        ("reset", False),
        ("truncate", True),
        ("delay", True),
    ],
)
def test_the_work_is_done_or_not_as_wanted(client: Any, kind: str, usual: bool) -> None:
    header = client.header("magnetmail")

    def call(name: str) -> None:
        with suppress(httpx.TransportError):
            client.add_group(name, header)

    assert client.fault(kind, seconds=0)["work_done"] is usual
    call("as usual")
    client.fault(kind, work_done=True, seconds=0)
    call("done")
    client.fault(kind, work_done=False, seconds=0)
    call("not done")
    done = {"as usual"} if usual else set()
    # A delay without the work before it does the work behind it.
    late = {"not done"} if kind == "delay" else set()
    assert client.lists() - {"Newsletter", "Mail simulator"} == {"done"} | done | late


@pytest.mark.parametrize("work_done", [False, True])
def test_a_client_that_does_not_wait(client: Any, work_done: bool) -> None:
    """The work of a delayed call is done before the delay, or behind it and then not for a client that has gone."""
    header = client.header("magnetmail")
    client.fault("delay", operation="addGroup", seconds=30, work_done=work_done)
    with pytest.raises(httpx.ReadTimeout):
        client.add_group("given up", header, timeout=0.5)
    while not (calls := client.calls(operation="addGroup")):
        pass
    assert calls[0]["fault"] == "The client has gone."
    assert calls[0]["seconds"] < 20
    assert ("given up" in client.lists()) is work_done


def test_a_large_body_is_taken_before_the_answer(client: Any) -> None:
    """A client that sends all first would see a reset instead of the answer."""
    header = client.header("magnetmail")
    members = f"<groupid>1</groupid><csvData>{'ann@example.com,' * 500_000}</csvData>"
    jobs = len(client.server.product.jobs.find(limit=100))
    client.fault("status_503", operation="uploadListQueue")
    answer = client.soap("magnetmail", "uploadListQueue", members, header=header)
    assert answer.status_code == 503
    assert len(client.server.product.jobs.find(limit=100)) == jobs
    (call,) = client.calls(operation="uploadListQueue")
    assert call["request"]["size"] == len(answer.request.content)
    # The connection goes on.
    assert client.authenticate().status_code == 200


def test_a_client_that_goes_away_from_a_fault(client: Any) -> None:
    client.fault("status_500", operation="Authenticate")
    connection = socket.create_connection(("127.0.0.1", int(client.base.rpartition(":")[2])))
    action = 'SOAPAction: "http://www.magnetmail.net/Authenticate"'
    head = f"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n{action}\r\nContent-Length: 9\r\n\r\n<x"
    connection.sendall(head.encode())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    while not (calls := client.calls()):
        pass
    assert calls[0]["fault"] == "The client has gone."
    assert "ERROR" not in client.server_log()


# --- which calls fail -------------------------------------------------------------------------------------------------


def test_every_third_call_and_no_more_than_wanted(client: Any) -> None:
    client.fault("status_500", operation="Authenticate", every=3, times=2)
    got = []
    for _ in range(12):
        got.append(client.authenticate().status_code)
        client.soap("listrak", "GetContactListCollection")
    assert got == [200, 200, 500, 200, 200, 500, *[200] * 6]
    (fault,) = client.http.get("/_test/faults").json()["faults"]
    # What comes when it is used up counts no more.
    assert (fault["calls"], fault["applied"], fault["times"], fault["every"]) == (6, 2, 2, 3)


def test_the_oldest_of_several_faults_comes_first(client: Any) -> None:
    client.fault("status_500", operation="Authenticate", every=2, times=None)
    client.fault("status_503", interface="magnetmail", times=None)
    got = [client.authenticate().status_code for _ in range(4)]
    assert got == [503, 500, 503, 500]
    assert [each["calls"] for each in client.http.get("/_test/faults").json()["faults"]] == [4, 4]


def test_faults_go_when_they_are_removed_and_by_a_reset(client: Any) -> None:
    number = client.fault("status_500", times=None)["number"]
    client.fault("status_503", operation="Authenticate", times=None)
    assert client.http.delete(f"/_test/faults/{number}").status_code == 204
    assert client.http.delete(f"/_test/faults/{number}").status_code == 404
    assert client.authenticate().status_code == 503
    assert client.rest("GET", "/lists").status_code == 200
    client.http.delete("/_test/faults")
    assert client.authenticate().status_code == 200
    client.fault("status_503", times=None)
    client.server.reset()
    assert client.http.get("/_test/faults").json() == {"faults": []}
    assert client.authenticate().status_code == 200


def test_only_calls_fail(client: Any) -> None:
    client.fault("disconnect", times=None)
    for path in ("/mmapi.asmx?WSDL", "/healthz", "/_test/faults", "/_test/openapi.json"):
        assert client.http.get(path).status_code == 200


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            {"kind": "soap_fault", "operation": "getGroup"},
            "No operation of any interface is named getGroup. Did you mean",
        ),
        (
            {"kind": "delay", "operation": "GetContactListCollection", "interface": "magnetmail"},
            "No operation of magnetmail is named GetContactListCollection.",
        ),
        (
            {"kind": "delay", "operation": "getGroup", "interface": "magnetmail"},
            "No operation of magnetmail is named getGroup. Did you mean getGroups",
        ),
        ({"kind": "expired_session", "operation": "Authenticate"}, "expired_session is nothing that Authenticate"),
        ({"kind": "expired_session", "interface": "listrak"}, "expired_session is nothing that listrak"),
        ({"kind": "locked_login", "operation": "getGroups"}, "locked_login is nothing that getGroups"),
        ({"kind": "locked_login", "work_done": True}, "The work of a call is never done with locked_login."),
        ({"kind": "explode"}, "The request is malformed."),
        ({"kind": "delay", "second": 3}, "The request is malformed."),
        ({"kind": "delay", "every": 0}, "The request is malformed."),
        ({"kind": "delay", "times": "2"}, "The request is malformed."),
        ({"kind": "delay", "seconds": 1e9}, "The request is malformed."),
    ],
)
def test_a_fault_that_no_call_could_meet_is_refused(client: Any, members: dict[str, Any], told: str) -> None:
    answer = client.http.post("/_test/faults", json=members)
    assert answer.status_code == 422
    told_all = answer.json()["detail"]
    assert told_all.startswith(told)
    # What it proposes in place of a name is another one, of the interface that was named.
    assert members.get("operation") not in told_all.partition("Did you mean ")[2].rstrip("?").split(" or ")
    assert client.http.get("/_test/faults").json() == {"faults": []}


def test_a_body_without_the_media_type_of_json_is_told_so(client: Any) -> None:
    """As `curl -d` sends it."""
    hint = "The request is malformed. Send JSON with Content-Type: application/json."
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.http.post("/_test/faults", content='{"kind": "reset"}', headers=form)
    assert (answer.status_code, answer.json()["detail"]) == (422, hint)
    answer = client.rest("POST", "/lists", content='{"name": "News"}', headers=form)
    assert (answer.status_code, answer.json()["detail"]) == (422, hint)
    answer = client.rest("POST", "/lists", json=[])
    assert (answer.status_code, answer.json()["detail"]) == (422, "The request is malformed.")


# Operation that fails → what the script that calls it says.
REFUSED = {
    "Authenticate": ("poll_upload.sh", "The logon was refused: "),
    "uploadListQueue": ("poll_upload.sh", "The upload was refused: "),
    "getUploadJobStatus": ("poll_upload.sh", "The poll was refused: "),
    "GetLegacyProcessStatus": ("poll_legacy.sh", "The poll was refused: "),
}


@pytest.mark.parametrize("operation", REFUSED)
def test_an_example_script_says_what_was_refused(client: Any, operation: str) -> None:
    script, told = REFUSED[operation]
    client.fault("soap_fault", operation=operation, message="[Odd] Not now.")
    command = ["sh", str(Path(__file__).parents[2] / "examples" / script), client.base]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(told)
    assert "[Odd] Not now." in done.stderr
    client.http.delete("/_test/faults")


def test_there_are_bounds_on_faults(client: Any) -> None:
    for _ in range(1000):
        client.server.faults.add(FaultIn(kind=FaultKind.DELAY, operation="getGroups"))
    assert (
        client.http.post("/_test/faults", json={"kind": "delay"}).json()["detail"]
        == "The limit of 1000 faults is reached. Remove some."
    )


def test_the_manual_tells_of_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "test-server.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| .* \| (no|yes|never) \|$", page, re.MULTILINE))
    usual = {kind: Fault(1, FaultIn(kind=kind)).work_done for kind in FaultKind}
    never = {FaultKind.EXPIRED_SESSION, FaultKind.LOCKED_LOGIN}
    assert told == {kind: "never" if kind in never else "yes" if usual[kind] else "no" for kind in FaultKind}
