"""One test server for all tests of this folder, at its seed for each of them, and calls of every interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from soapstone.testing.server import TestServer, local_test_server

ENVELOPES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
NAMESPACES = {
    "magnetmail": ("/mmapi.asmx", "http://www.magnetmail.net/"),
    "listrak": ("/v31/IntegrationService.asmx", "http://webservices.listrak.com/v31/"),
}


class Client:
    """Calls a test server by HTTP, over one connection that is kept open."""

    def __init__(self, server: TestServer, log: pytest.LogCaptureFixture) -> None:
        self.server = server
        self._log = log
        self.base = server.base
        self.http = httpx.Client(base_url=server.base, timeout=30)

    def envelope(self, interface: str, operation: str, members: str, header: str = "", version: str = "1.1") -> str:
        """The envelope of a call."""
        namespace = NAMESPACES[interface][1]
        body = f'<{operation} xmlns="{namespace}">{members}</{operation}>'
        head = f"<s:Header>{header}</s:Header>" if header else ""
        return f'<s:Envelope xmlns:s="{ENVELOPES[version]}">{head}<s:Body>{body}</s:Body></s:Envelope>'

    def soap(
        self,
        interface: str,
        operation: str,
        members: str = "",
        *,
        header: str | None = None,
        version: str = "1.1",
        named: bool = True,
        **options: Any,
    ) -> httpx.Response:
        """Call an operation of a contract, as the demo login; without `named` the HTTP header names no action."""
        path, namespace = NAMESPACES[interface]
        if header is None:
            header = "" if operation == "Authenticate" else self.header(interface)
        content = options.pop("content", None) or self.envelope(interface, operation, members, header, version)
        action = namespace + operation
        if version == "1.1":
            headers = {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{action}"'}
        else:
            headers = {"content-type": "application/soap+xml" + (f'; action="{action}"' if named else "")}
        headers |= options.pop("headers", {})
        return self.http.post(path, content=content, headers=headers, **options)

    def header(self, interface: str) -> str:
        """The header of a call with the demo login."""
        if interface == "listrak":
            namespace = NAMESPACES[interface][1]
            return f'<WSUser xmlns="{namespace}"><UserName>demo</UserName><Password>demo</Password></WSUser>'
        answer = self.authenticate()
        found = re.search("<sessionId>(.*)</sessionId>", answer.text)
        assert found, answer.text
        return self.session(found[1])

    def session(self, number: str) -> str:
        """The header of a call in a session."""
        return f'<mmAuthHeader xmlns="{NAMESPACES["magnetmail"][1]}"><sessionId>{number}</sessionId></mmAuthHeader>'

    def authenticate(self, **options: Any) -> httpx.Response:
        """Open a session."""
        members = "<username>demo</username><password>demo</password>"
        return self.soap("magnetmail", "Authenticate", members, **options)

    def add_group(self, name: str, header: str, **options: Any) -> httpx.Response:
        """Make a list by MagnetMail."""
        return self.soap("magnetmail", "addGroup", f"<group_name>{name}</group_name>", header=header, **options)

    def xml(self, call: str = "SendToList", members: str = "", **options: Any) -> httpx.Response:
        """Call XML over HTTP."""
        content = f"<{call}><UserName>demo</UserName><Password>demo</Password>{members}</{call}>"
        return self.http.post(f"/xml/{call}", content=content, headers={"content-type": "text/xml"}, **options)

    def rest(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the REST API."""
        return self.http.request(method, f"/api/v1{path}", auth=("demo", "demo"), **options)

    def calls(self, **query: Any) -> list[dict[str, Any]]:
        """The calls that the server recorded."""
        answer = self.http.get("/_test/calls", params=query)
        assert answer.status_code == 200, answer.text
        calls: list[dict[str, Any]] = answer.json()["calls"]
        return calls

    def fault(self, kind: str, **members: Any) -> dict[str, Any]:
        """Put in a fault."""
        answer = self.http.post("/_test/faults", json={"kind": kind, **members})
        assert answer.status_code == 201, answer.text
        fault: dict[str, Any] = answer.json()
        return fault

    def server_log(self) -> str:
        """What the server wrote to its log in this test."""
        return "\n".join(f"{record.levelname} {record.getMessage()}" for record in self._log.records)

    def lists(self) -> set[str]:
        """The names of the lists that there are."""
        account = self.server.product.accounts.named("DEMO")
        assert account is not None
        return {each.name for each in self.server.product.lists.all(account.id)}


@pytest.fixture(scope="session")
def started() -> Iterator[TestServer]:
    """A test server."""
    with local_test_server() as running:
        yield running


@pytest.fixture
def server(started: TestServer) -> TestServer:
    """A test server that is as it began."""
    started.reset()
    return started


@pytest.fixture
def client(started: TestServer, caplog: pytest.LogCaptureFixture) -> Iterator[Client]:
    """A client of a test server that is as it began."""
    started.reset()
    made = Client(started, caplog)
    with made.http:
        yield made
