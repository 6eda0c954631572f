"""The calls that a test server records."""

from __future__ import annotations

import asyncio
import base64
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from soapstone.testing.calls import CallRecorder, RecordedCalls


def said(document: dict[str, Any]) -> bytes:
    """The bytes of a body."""
    text: str = document["body"]
    return base64.b64decode(text) if document["encoding"] == "base64" else text.encode()


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("named", [True, False])
def test_a_soap_call_is_recorded_whole(client: Any, version: str, named: bool) -> None:
    answer = client.authenticate(version=version, named=named)
    (call,) = client.calls()
    assert (call["interface"], call["operation"], call["fault"]) == ("magnetmail", "Authenticate", "")
    assert call["fault_number"] is None
    assert call["at"].endswith("Z")
    assert 0 < call["seconds"] < 30
    request, response = call["request"], call["response"]
    assert (request["method"], request["path"], request["query"]) == ("POST", "/mmapi.asmx", "")
    assert said(request) == answer.request.content
    # Credentials and all.
    assert "<password>demo</password>" in request["body"]
    assert request["size"] == len(answer.request.content)
    assert ["content-type", answer.request.headers["content-type"]] in request["headers"]
    assert response["status"] == 200
    assert said(response) == answer.content
    assert ["content-type", answer.headers["content-type"]] in response["headers"]
    assert request["whole"]
    assert response["whole"]


def test_calls_of_every_interface_are_told_apart(client: Any) -> None:
    client.soap("listrak", "GetContactListCollection")
    client.xml(members="<ListID>77</ListID>")
    client.rest("GET", "/jobs/1", params={"a": "b"})
    client.rest("GET", "/nothing/there")
    client.authenticate()
    found = [(call["interface"], call["operation"]) for call in client.calls()]
    assert found == [
        ("listrak", "GetContactListCollection"),
        ("xml", "SendToList"),
        ("rest", "get_job"),
        ("rest", ""),
        ("magnetmail", "Authenticate"),
    ]
    assert [call["operation"] for call in client.calls(interface="rest")] == ["get_job", ""]
    assert [call["request"]["query"] for call in client.calls(operation="get_job")] == ["a=b"]
    # The newest, the oldest of them first.
    assert [call["interface"] for call in client.calls(limit=2)] == ["rest", "magnetmail"]
    numbers = [call["number"] for call in client.calls()]
    assert numbers == sorted(set(numbers))
    assert client.http.get(f"/_test/calls/{numbers[0]}").json() == client.calls()[0]
    assert client.http.delete("/_test/calls").status_code == 204
    assert client.calls() == []
    assert client.http.get(f"/_test/calls/{numbers[0]}").status_code == 404


def test_pages_and_descriptions_are_no_calls(client: Any) -> None:
    for path in ("/", "/mmapi.asmx?WSDL", "/mmapi.asmx", "/healthz", "/_test/calls", "/api/v1/openapi.json"):
        assert client.http.get(path).status_code in (200, 303)
    client.http.options("/xml/SendToList")
    assert client.calls() == []


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_refusal_is_told_by_its_sentence(client: Any, version: str) -> None:
    client.soap("magnetmail", "getGroups", header=client.session("none"), version=version)
    (call,) = client.calls()
    assert call["fault"].startswith("Server was unable to process request. ---> [InvalidSession] ")
    assert call["response"]["status"] == 500


def test_refusals_of_other_interfaces(client: Any) -> None:
    client.http.get("/api/v1/lists")
    client.xml(members="<ListID>77</ListID><Message />")
    client.http.post("/mmapi.asmx", content="text", headers={"content-type": "text/plain"})
    client.http.post("/mmapi.asmx", content="<no", headers={"content-type": "text/xml", "soapaction": "none"})
    rest, xml, media, action = client.calls()
    assert rest["fault"] == "A valid token, or login and password, is needed."
    assert xml["fault"] == "[NotFound] List 77 does not exist or is not accessible."
    assert (media["operation"], media["fault"]) == ("", "status 415")
    assert action["operation"] == ""
    assert "SOAPAction" in action["fault"]


def test_bodies_are_shown_as_they_were_sent(client: Any) -> None:
    """gzip is not decoded, and still the operation is known; what is no UTF-8 is base64."""
    text = client.envelope("magnetmail", "Authenticate", "<username>x</username>", version="1.2")
    packed = gzip.compress(text.encode())
    client.authenticate(content=packed, headers={"content-encoding": "gzip"}, version="1.2", named=False)
    wide = f'<?xml version="1.0" encoding="utf-16"?>{text}'.encode("utf-16")
    client.authenticate(content=wide, version="1.2", named=False, headers={"content-type": "application/soap+xml"})
    first, second = client.calls()
    assert first["operation"] == second["operation"] == "Authenticate"
    assert (first["request"]["encoding"], said(first["request"])) == ("base64", packed)
    assert (second["request"]["encoding"], said(second["request"])) == ("base64", wide)
    assert first["response"]["status"] == second["response"]["status"] == 200


def test_a_large_upload_is_kept_whole_and_shown_in_part(client: Any) -> None:
    header = client.header("magnetmail")
    client.http.delete("/_test/calls")
    rows = "email\n" + "".join(f"person{number}@example.com\n" for number in range(120_000))
    members = f"<groupid>1</groupid><csvData>{rows}</csvData><MM_1>Email</MM_1>"
    content = client.envelope("magnetmail", "uploadListQueue", members, header).encode()

    def pieces() -> Any:
        for at in range(0, len(content), 100_000):
            yield content[at : at + 100_000]

    assert client.soap("magnetmail", "uploadListQueue", content=pieces()).status_code == 200
    (call,) = client.calls(operation="uploadListQueue")
    request = call["request"]
    assert (request["size"], request["whole"], len(request["body"])) == (len(content), False, 1 << 20)
    assert content.startswith(said(request))
    whole = client.http.get(f"/_test/calls/{call['number']}/request")
    assert whole.content == content
    assert client.http.get(f"/_test/calls/{call['number']}/response").text == call["response"]["body"]
    folder = client.server.calls._folder
    assert [path.stat().st_size for path in folder.iterdir()] == [len(content)]
    client.http.delete("/_test/calls")
    assert list(folder.iterdir()) == []


def test_a_client_that_goes_away_is_seen(client: Any) -> None:
    with half_a_call(client):
        pass
    (call,) = client_calls(client, 1)
    assert (call["operation"], call["response"]["status"]) == ("Authenticate", 0)
    assert call["fault"] == "The client has gone."
    assert call["request"]["body"].startswith("<s:Envelope")
    assert call["response"]["body"] == ""


def test_a_call_that_began_before_a_reset_is_none_of_the_next_test(client: Any) -> None:
    with half_a_call(client):
        client.server.reset()
        client.authenticate()
    client.authenticate()
    assert [call["response"]["status"] for call in client_calls(client, 2)] == [200, 200]


def half_a_call(client: Any) -> socket.socket:
    """A connection by which the head and the beginning of a call were sent; the server has them."""
    body = client.envelope("magnetmail", "Authenticate", "<username>demo</username>").encode()
    connection = socket.create_connection(("127.0.0.1", int(client.base.rpartition(":")[2])))
    action = 'SOAPAction: "http://www.magnetmail.net/Authenticate"'
    head = f"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n{action}\r\nExpect: 100-continue\r\n"
    connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body))
    # The server asks for the body when it reads it.
    assert connection.recv(100).startswith(b"HTTP/1.1 100")
    connection.sendall(body[:150])
    return connection


def client_calls(client: Any, least: int) -> list[dict[str, Any]]:
    """The recorded calls, once there are so many: what a client that went away left is recorded behind its back."""
    for _ in range(1000):
        calls: list[dict[str, Any]] = client.calls()
        if len(calls) >= least:
            return calls
    raise AssertionError(calls)


# --- the recorder by itself, around an app that a test holds ---------------------------------------------------------


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send back what comes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


def post(recorder: CallRecorder, content: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(recorder)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/xml/SendToList", content=content)

    return asyncio.run(run())


def test_the_newest_calls_stay(tmp_path: Path) -> None:
    calls = RecordedCalls(tmp_path / "calls", most=3, most_bytes=200_000)
    recorder = CallRecorder(echo, calls)
    for number in range(5):
        post(recorder, f"body {number}")
    assert [call.number for call in calls.find()] == [3, 4, 5]
    # Both bodies of each call of 30,000 bytes lie in files: three such calls fit, of larger ones the last stays.
    for _ in range(4):
        post(recorder, bytes(30_000))
    assert [call.number for call in calls.find()] == [7, 8, 9]
    assert len(list((tmp_path / "calls").iterdir())) == 6
    post(recorder, bytes(900_000))
    assert [call.number for call in calls.find()] == [10]
    (call,) = calls.find()
    assert b"".join(call.request.pieces()) == b"".join(call.response.pieces()) == bytes(900_000)
    assert len(list((tmp_path / "calls").iterdir())) == 2
    calls.clear()
    assert list((tmp_path / "calls").iterdir()) == []


def test_nothing_is_held_up(tmp_path: Path) -> None:
    """Each piece reaches the app before the next one is sent, and each piece of the answer the client."""
    passed: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message: Message = await receive()
            more = message.get("more_body", False)
            passed.append(len(message.get("body", b"")))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(1, 20):
            assert sum(passed) == sum(range(1, number)) * 50_000
            yield bytes(number * 50_000)

    calls = RecordedCalls(tmp_path / "calls")
    assert post(CallRecorder(app, calls), pieces()).status_code == 200
    (call,) = calls.find()
    assert call.request.size == call.request.kept == sum(passed)
