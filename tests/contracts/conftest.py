"""Both contracts, the facts they are compared with, and a way to call an endpoint in-process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.wire.contract import Contract
from soapstone.wire.endpoint import Endpoint

CONTRACTS = {"magnetmail": MAGNETMAIL, "listrak": LISTRAK}
ENVELOPES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
HOST = "localhost:8080"


class Upload:
    """Content of a spooled member, in memory. It equals the bytes that it holds."""

    def __init__(self) -> None:
        self.content = b""
        self.discarded = False

    def __eq__(self, other: object) -> bool:
        return self.content == other

    __hash__ = None  # type: ignore[assignment]

    def write(self, data: bytes) -> None:
        self.content += data

    def close(self) -> None:
        pass

    def discard(self) -> None:
        self.discarded = True


@dataclass
class Reply:
    """What an endpoint answered."""

    status: int
    headers: dict[str, str]
    content: bytes


class Driver:
    """Calls one endpoint without a socket."""

    def __init__(self, runner: asyncio.Runner, contract: Contract, service: Any, new_upload: Callable[[], Any]) -> None:
        self._runner = runner
        self.contract = contract
        self.url = f"http://{HOST}{contract.path}"
        self._endpoint = Endpoint(contract, service, new_upload, max_body=1 << 24, threads=1)

    def get(self, query: str) -> Reply:
        return self._request("GET", b"", [], query)

    def post(self, body: bytes, operation: str, version: str = "1.1") -> Reply:
        """Post an envelope; `operation` names the action."""
        action = self.contract.namespace + operation
        if version == "1.1":
            headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", f'"{action}"')]
        else:
            headers = [("content-type", f'application/soap+xml; charset=utf-8; action="{action}"')]
        return self._request("POST", body, headers, "")

    def call(self, operation: str, content: str = "", header: str = "", version: str = "1.1") -> Reply:
        """Call an operation with the XML of its members, and of the header's block."""
        uri, namespace = ENVELOPES[version], self.contract.namespace
        block = f"<s:Header>{header}</s:Header>" if header else ""
        body = f'<s:Body><{operation} xmlns="{namespace}">{content}</{operation}></s:Body>'
        return self.post(f'<s:Envelope xmlns:s="{uri}">{block}{body}</s:Envelope>'.encode(), operation, version)

    def _request(self, method: str, body: bytes, headers: list[tuple[str, str]], query: str) -> Reply:
        sent: list[Any] = []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": self.contract.path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in [("host", HOST), *headers]],
            "client": ("127.0.0.1", 4711),
            "server": ("127.0.0.1", 8080),
        }
        self._runner.run(self._endpoint(scope, receive, send))
        head, answer = sent
        named = {name.decode(): value.decode() for name, value in head["headers"]}
        return Reply(head["status"], named, answer["body"])


class Recorder:
    """A service that lets everybody in, remembers the request and gives the answer that it was told."""

    def __init__(self) -> None:
        self.header: Any = None
        self.request: Any = None
        self.answer: Any = None

    def authorise(self, operation: Any, header: Any, caller: Any) -> None:
        self.header = header

    def handle(self, operation: Any, context: Any, request: Any, caller: Any) -> Any:
        self.request = request
        return self.answer

    def tells(self, value: Any) -> bool:
        return True

    def internal_error(self, error: Exception) -> str:
        return "broken"

    def caller_name(self, context: Any) -> str:
        return ""

    def account_id(self, context: Any) -> None:
        return None


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module", params=CONTRACTS)
def name(request: pytest.FixtureRequest) -> str:
    """Which contract."""
    return str(request.param)


# Not kept for the module: with tests spread over processes a kept one can outlive the name that it was made for.
@pytest.fixture
def contract(name: str) -> Contract:
    return CONTRACTS[name]


@pytest.fixture
def facts(name: str) -> str:
    """What the contract consists of."""
    return (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def driver(runner: asyncio.Runner, contract: Contract, recorder: Recorder) -> Driver:
    """The contract with a service that records."""
    return Driver(runner, contract, recorder, Upload)


@pytest.fixture
def make_driver(runner: asyncio.Runner) -> Callable[..., Driver]:
    """A driver for any contract and service."""

    def make(contract: Contract | str, service: Any, new_upload: Callable[[], Any] = Upload) -> Driver:
        found = CONTRACTS[contract] if isinstance(contract, str) else contract
        return Driver(runner, found, service, new_upload)

    return make
