"""Stock clients load both service descriptions, send a request of every operation and read an answer of every one.

Requests are filled whole by the client; the server has to read them as they were meant. Answers are filled whole by
the server's own writer; the client has to read them the same way.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import suds.client
import suds.transport
import zeep
import zeep.transports
from lxml import etree  # type: ignore[import-untyped]
from zeep.helpers import serialize_object

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.schema import ArrayType, EnumType, Member, StructType, WireType
from soapstone.wire.types import Struct

if TYPE_CHECKING:
    from tests.contracts.conftest import Driver, Recorder

SCALARS: dict[str, Any] = {
    "int": -7,
    "long": 2**40,
    "unsignedByte": 200,
    "double": 2.5,
    "decimal": decimal.Decimal("12.50"),
    "boolean": True,
    "dateTime": datetime.datetime(2013, 5, 6, 7, 8, 9),
    "base64Binary": b"\x00\x01abc",
    "anyType": 5,
}


def sample(kind: WireType, name: str = "", *, read: bool = False) -> Any:
    """A value of a type with every member filled; nothing in it is a default.

    `read` gives it as the server has to read it: files as bytes, without what counts for nothing in a request.
    """
    if isinstance(kind, StructType):
        return kind.cls(**{member.name: filled(member, read) for member in kind.all_members})
    if isinstance(kind, ArrayType):
        return [filled(kind.item, read), filled(kind.item, read)]
    if isinstance(kind, EnumType):
        return list(kind.cls)[-1]
    return SCALARS.get(kind.name, f"{name} <ü> & more")


def filled(member: Member, read: bool) -> Any:
    if read and member.ignored:
        return None
    value = sample(member.type, member.name, read=read)
    if read and member.spool:
        return value.encode() if isinstance(value, str) else value
    return [value, value] if member.flat else value


def plain(value: Any, kind: WireType) -> Any:
    """The same value as dictionaries and lists, the way clients see it: arrays are objects with a list inside."""
    if isinstance(kind, StructType):
        return {member.name: plain_member(getattr(value, member.name), member) for member in kind.all_members}
    if isinstance(kind, ArrayType):
        return {kind.item.name: [plain(item, kind.item.type) for item in value]}
    return str(value) if isinstance(kind, EnumType) else value


def plain_member(value: Any, member: Member) -> Any:
    return [plain(item, member.type) for item in value] if member.flat else plain(value, member.type)


def prepare(recorder: Recorder, operation: Operation) -> dict[str, Any]:
    """Have the service answer an operation with everything; how the client should see that."""
    answer = sample(operation.response_type)
    result = operation.result_member
    recorder.answer = answer if result is None else getattr(answer, result.name)
    found: dict[str, Any] = plain(answer, operation.response_type)
    return found


@pytest.fixture
def header(contract: Contract) -> Struct:
    """The contract's header."""
    kind = contract.header_type
    assert kind is not None
    header: Struct = sample(kind)
    return header


class ZeepTransport(zeep.transports.Transport):
    """Takes zeep's requests to the endpoint in this process."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.driver = driver

    def load(self, url: str) -> bytes:
        return self.driver.get(url.partition("?")[2]).content


@pytest.fixture
def zeep_client(driver: Driver) -> Iterator[zeep.Client]:
    transport = ZeepTransport(driver)
    with transport.session:
        yield zeep.Client(f"{driver.url}?WSDL", transport=transport)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_zeep_calls_every_operation(
    driver: Driver, recorder: Recorder, header: Struct, zeep_client: zeep.Client, version: str
) -> None:
    contract = driver.contract
    port = f"{contract.service_name}Soap{'12' if version == '1.2' else ''}"
    service = zeep_client.bind(contract.service_name, port)
    blocks = {"_soapheaders": {type(header).__name__: dict(header.__dict__)}}
    wrong = []
    for operation in contract.operations:
        members = plain(sample(operation.request_type), operation.request_type)
        message = zeep_client.create_message(service, operation.name, **members, **(blocks if operation.header else {}))
        wanted = prepare(recorder, operation)
        reply = driver.post(etree.tostring(message), operation.name, version)
        if reply.status != 200:
            wrong.append((operation.name, reply.content))
            continue
        if recorder.request != sample(operation.request_type, read=True):
            wrong.append((operation.name, recorder.request))
        if recorder.header != (header if operation.header else None):
            wrong.append((operation.name, recorder.header))
        element = zeep_client.get_element(f"{{{contract.namespace}}}{operation.name}Response")
        found = serialize_object(element.parse(etree.fromstring(reply.content)[0][0], zeep_client.wsdl.types), dict)
        if found != wanted:
            wrong.append((operation.name, found))
    assert wrong == []


class SudsTransport(suds.transport.Transport):  # type: ignore[misc]
    """Takes suds' requests to the endpoint in this process."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self.driver = driver
        self.operation = ""

    def open(self, request: Any) -> Any:
        return io.BytesIO(self.driver.get(request.url.partition("?")[2]).content)

    def send(self, request: Any) -> Any:
        reply = self.driver.post(request.message, self.operation)
        assert reply.status == 200, reply.content
        return suds.transport.Reply(reply.status, reply.headers, reply.content)


def test_suds_calls_every_operation(driver: Driver, recorder: Recorder, header: Struct) -> None:
    transport = SudsTransport(driver)
    client = suds.client.Client(f"{driver.url}?wsdl", transport=transport, cache=None)
    client.set_options(soapheaders={type(header).__name__: dict(header.__dict__)})
    wrong = []
    for operation in driver.contract.operations:
        members = plain(sample(operation.request_type), operation.request_type)
        for name, value in members.items():
            # suds leaves base64 to its user.
            members[name] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
        wanted = prepare(recorder, operation)
        transport.operation = operation.name
        answer = getattr(client.service, operation.name)(**members)
        if recorder.request != sample(operation.request_type, read=True):
            wrong.append((operation.name, recorder.request))
        if recorder.header != (header if operation.header else None):
            wrong.append((operation.name, recorder.header))
        if [*leaves(answer)] != [*leaves(wanted)]:
            wrong.append((operation.name, answer))
    assert wrong == []


def leaves(value: Any) -> Iterator[str]:
    """The texts of all values, in order."""
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    elif hasattr(value, "__keylist__"):
        for name in value.__keylist__:
            yield from leaves(getattr(value, name))
    else:
        yield str(value)


@pytest.mark.parametrize("name", ["magnetmail"], scope="module")
def test_mm_3_case_only_pairs_stay_apart_in_zeep(contract: Contract, zeep_client: zeep.Client) -> None:
    for upper, lower in (("Error", "error"), ("SaveResult", "saveResult")):
        one, other = (zeep_client.get_type(f"{{{contract.namespace}}}{each}") for each in (upper, lower))
        assert (one.name, other.name) == (upper, lower)
    holders = {"addGroup": "Error", "addRecipient": "error"}
    for operation, wanted in holders.items():
        element = zeep_client.get_element(f"{{{contract.namespace}}}{operation}Response")
        ((_, result),) = element.type.elements
        assert dict(result.type.elements)["errorObj"].type.name == wanted
