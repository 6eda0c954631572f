"""A contract with every kind of type, a service that answers it, and a driver that calls the endpoint in-process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.endpoint import Caller, CallRecord, Endpoint
from soapstone.wire.faults import Fault
from soapstone.wire.types import (
    AnyType,
    Base64,
    Boolean,
    DateTime,
    Decimal,
    Double,
    Enumeration,
    Flat,
    Int,
    Long,
    Nillable,
    SpooledBase64,
    SpooledText,
    String,
    Struct,
    UnsignedByte,
)

NAMESPACE = "http://depot.example/api/"
SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Ticket(Struct, any_attribute=True):
    Token: String
    Account: String


class Colour(Enumeration):
    red = "red"
    green = "green"
    dark_blue = "dark: blue"


class Error(Struct):
    code: String
    number: Nillable[Double]


class error(Struct):
    text: String


class Thing(Struct, abstract=True):
    id: Int


class Box(Thing):
    label: String
    inner: Box | None


class Crate(Box):
    weight: Double
    label2: String = "none"


class Everything(Struct):
    i: Int
    l: Long  # noqa: E741
    b: UnsignedByte
    d: Double
    m: Decimal
    t: Boolean
    when: DateTime
    s: String
    raw: Base64
    ni: Nillable[Int]
    nd: Nillable[Double]
    nt: Nillable[Boolean]
    nw: Nillable[DateTime]
    colour: Colour
    upper: Error | None
    lower: error | None
    must: Error
    crate: Crate | None
    nil_box: Nillable[Box]
    ints: list[Int] | None
    words: list[String] | None
    boxes: list[Box] | None
    colours: list[Colour] | None
    any: list[AnyType] | None
    flat_words: Flat[String]
    flat_ints: Flat[Int]
    flat_boxes: Flat[Box]


class Echo(Struct):
    value: Everything | None


class Add(Struct):
    a: Int
    b: Int
    note: String


class Store(Struct):
    name: String
    text: SpooledText
    file: SpooledBase64
    replace: Boolean


class Ping(Struct):
    word: String


class Fetch(Struct):
    id: Int


class FetchResponse(Struct):
    Box: Nillable[Box]


class Swap(Struct):
    id: Int
    Trouble: Nillable[Error]


class SwapResponse(Struct):
    SwapResult: list[Box] | None
    Trouble: Nillable[Error]


class Nothing(Struct):
    pass


class Fail(Struct):
    how: String


CONTRACT = Contract(
    "Depot Service",
    NAMESPACE,
    "/depot.asmx",
    Ticket,
    [
        Operation(Echo, "Answers what it was given.", result=Everything | None),
        Operation(Add, 'Adds <two> "numbers" & more.', result=Int),
        Operation(Store, "Takes files.", result=String),
        Operation(Ping, "Needs no ticket.", result=String, header=False),
        Operation(Fetch, "One box.", response=FetchResponse),
        Operation(Swap, "Boxes, and what went wrong.", response=SwapResponse),
        Operation(Nothing, "Does nothing.", deprecated="use Ping."),
        Operation(Fail, "Goes wrong.", result=String),
    ],
)


class MemoryUpload:
    """An upload that remembers what was done to it."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.closed = False
        self.discarded = False
        self.kept = False

    @property
    def content(self) -> bytes:
        return b"".join(self.blocks)

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.blocks.append(data)

    def close(self) -> None:
        self.closed = True

    def discard(self) -> None:
        self.discarded = not self.kept


class Rows:
    """Records of a few rows: the accounts of callers, what is added to each sum. Every change moves the token."""

    exact = True

    def __init__(self) -> None:
        self.version: int | None = 1
        self.rows: dict[str, int] = {"caller": 0, "sum": 0}
        self.comparable = True
        self.compared = 0
        self._reads: list[str] | None = None

    def change(self, row: str = "another") -> None:
        """Commit a change of one row."""
        assert self.version is not None
        self.version += 1
        self.rows[row] = self.rows.get(row, 0) + 1

    def read(self, row: str) -> int:
        if self._reads is not None:
            self._reads.append(row)
        return self.rows[row]

    async def renewed(self) -> int | None:
        return self.token()

    def token(self) -> int | None:
        return self.version

    @contextmanager
    def recorded(self) -> Iterator[Sequence[Any]]:
        self._reads = []
        yield self._reads
        self._reads = None

    def digest(self, reads: Sequence[Any]) -> bytes | None:
        self.compared += 1
        return repr([self.rows[row] for row in reads]).encode() if self.comparable else None


class Depot:
    """The service. `log` holds what it was asked, in order."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Any]] = []
        self.requests: list[Struct] = []
        self.callers: list[Caller] = []
        self.rows = Rows()

    def authorise(self, operation: Operation, header: Struct | None, caller: Caller) -> Any:
        self.log.append(("authorise", operation.name))
        self.callers.append(caller)
        if not operation.header:
            assert header is None
            return "anyone"
        if not isinstance(header, Ticket) or header.Token != "good":
            raise Fault("[Denied] No such ticket.")
        self.rows.read("caller")
        return header.Account or "somebody"

    def handle(self, operation: Operation, context: Any, request: Struct, caller: Caller) -> Any:
        self.log.append(("handle", operation.name))
        self.requests.append(request)
        answer: Callable[[Any], Any] = getattr(self, f"_{operation.name}")
        return answer(request)

    def tells(self, value: Any) -> bool:
        return bool(value != 0)

    def internal_error(self, error: Exception) -> str:
        return "Something broke here."

    def caller_name(self, context: Any) -> str:
        return str(context)

    def account_id(self, context: Any) -> int | None:
        return 5 if context == "ACME" else None

    def _Echo(self, request: Echo) -> Any:
        return request.value

    def _Add(self, request: Add) -> Any:
        return request.a + request.b + self.rows.read("sum")

    def _Store(self, request: Store) -> Any:
        parts = []
        for upload in (request.text, request.file):
            if isinstance(upload, MemoryUpload):
                assert upload.closed
                assert not upload.discarded
                upload.kept = True
                parts.append(str(len(upload.content)))
            else:
                assert upload is None
                parts.append("none")
        return f"{request.name}:{':'.join(parts)}:{request.replace}"

    def _Ping(self, request: Ping) -> Any:
        return request.word

    def _Fetch(self, request: Fetch) -> Any:
        if request.id == 0:
            return FetchResponse(Box=None)
        return FetchResponse(Box=Box(id=request.id, label="", inner=None))

    def _Swap(self, request: Swap) -> Any:
        return SwapResponse(SwapResult=[Crate(id=1, label="a", inner=None, weight=2.5)], Trouble=None)

    def _Nothing(self, request: Nothing) -> Any:
        return None

    def _Fail(self, request: Fail) -> Any:
        if request.how == "fault":
            raise Fault("[Refused] Not <today>.")
        if request.how == "type":
            return 5
        raise RuntimeError("secret detail")


@dataclass
class Reply:
    """What the endpoint answered; `status` 0 when nothing was sent."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8")

    @property
    def result(self) -> str:
        """The content of the SOAP body."""
        match = re.search("<soap:Body>(.*)</soap:Body>", self.text, re.DOTALL)
        assert match, self.text
        return match[1]

    @property
    def fault(self) -> tuple[str, str]:
        """(code, text) of a fault of either version."""
        code = re.search("<faultcode>soap:(.*?)</faultcode>|<soap:Value>soap:(.*?)</soap:Value>", self.text)
        text = re.search('<faultstring>(.*?)</faultstring>|<soap:Text xml:lang="en">(.*?)</soap:Text>', self.text, 16)
        assert code, self.text
        assert text, self.text
        plain = (text[1] or text[2] or "").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
        return code[1] or code[2], plain


class Driver:
    """Calls one endpoint."""

    def __init__(self, runner: asyncio.Runner, contract: Contract = CONTRACT, **options: Any) -> None:
        self._runner = runner
        self.contract = contract
        self.service: Any = options.pop("service", None) or Depot()
        if "records" in options:
            self.service.rows = options["records"]
        self.uploads: list[Any] = []
        self.records: list[CallRecord] = []
        self._make_upload = options.pop("make_upload", MemoryUpload)
        options.setdefault("max_body", 64 * 1024 * 1024)
        options.setdefault("on_call", self.records.append)
        self.app = Endpoint(contract, self.service, self._new_upload, **options)

    def _new_upload(self) -> Any:
        upload = self._make_upload()
        self.uploads.append(upload)
        return upload

    def request(
        self,
        method: str,
        path: str | None = None,
        query: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        messages: Sequence[dict[str, Any]] = (),
        peer: str = "192.0.2.7",
    ) -> Reply:
        sent: list[Any] = []
        waiting = list(messages)

        async def receive() -> dict[str, Any]:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        names = {name.lower() for name, _ in headers}
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": self.contract.path if path is None else path,
            "query_string": query,
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in [*headers, *([] if "host" in names else [("host", "depot.example:8080")])]
            ],
            "client": (peer, 4711),
            "server": ("127.0.0.1", 8080),
        }
        self._runner.run(self.app(scope, receive, send))
        self.unread = waiting
        if not sent:
            return Reply(0, {}, b"")
        head, body = sent
        return Reply(head["status"], {n.decode(): v.decode() for n, v in head["headers"]}, body["body"])

    def get(self, query: str = "", **options: Any) -> Reply:
        return self.request("GET", query=query.encode(), **options)

    def post(
        self,
        body: str | bytes,
        *,
        action: str | None = None,
        content_type: str | None = "text/xml; charset=utf-8",
        cuts: Sequence[int] = (),
        headers: Sequence[tuple[str, str]] = (),
        broken_off: bool = False,
        **options: Any,
    ) -> Reply:
        """`action` is the whole SOAPAction header; the body is cut at the given offsets."""
        data = body.encode() if isinstance(body, str) else body
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        pieces = [data[low:high] for low, high in pairwise(edges)]
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        if not broken_off:
            messages[-1]["more_body"] = False
        named = [*headers]
        if content_type is not None:
            named.append(("Content-Type", content_type))
        if action is not None:
            named.append(("SOAPAction", action))
        return self.request("POST", headers=named, messages=messages, **options)

    def call(self, name: str, inner: str = "", *, version: str = "1.1", token: str = "good", **options: Any) -> Reply:
        """Call an operation with its parameters as XML, as a usual client does."""
        body = envelope(f'<{name} xmlns="{NAMESPACE}">{inner}</{name}>', version=version, token=token)
        if version == "1.1":
            options.setdefault("action", f'"{NAMESPACE}{name}"')
        else:
            options.setdefault("content_type", f'application/soap+xml; charset=utf-8; action="{NAMESPACE}{name}"')
        return self.post(body, **options)


def envelope(body: str, *, version: str = "1.1", token: str | None = "good", header: str = "") -> str:
    """A request around the content of its body, with the ticket unless `token` is None."""
    ticket = (
        "" if token is None else f'<Ticket xmlns="{NAMESPACE}"><Token>{token}</Token><Account>ACME</Account></Ticket>'
    )
    soap = SOAP_11 if version == "1.1" else SOAP_12
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{soap}" xmlns:xsi="{XSI}">'
        f"<s:Header>{header}{ticket}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )


@dataclass(eq=False)
class Kit:
    """All of the above, for tests that cannot import this file."""

    runner: asyncio.Runner
    contract: Contract = CONTRACT
    namespace: str = NAMESPACE
    soap_11: str = SOAP_11
    soap_12: str = SOAP_12
    types: dict[str, Any] = field(default_factory=lambda: dict(globals()), repr=False)

    def driver(self, contract: Contract = CONTRACT, **options: Any) -> Driver:
        return Driver(self.runner, contract, **options)

    def envelope(self, body: str, **options: Any) -> str:
        return envelope(body, **options)

    def rows(self) -> Rows:
        return Rows()

    def __getattr__(self, name: str) -> Any:
        """A declared class by its name."""
        try:
            return self.__dict__["types"][name]
        except KeyError:
            raise AttributeError(name) from None


@pytest.fixture(scope="session")
def kit() -> Iterator[Kit]:
    with asyncio.Runner() as runner:
        yield Kit(runner)


@pytest.fixture
def driver(kit: Kit) -> Driver:
    return kit.driver()
