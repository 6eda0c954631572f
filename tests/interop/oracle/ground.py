"""Where in a contract each kind of member stands, and how a request is written around one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tests.interop.oracle.exchange import Request

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import SOAP_11, XSD, XSI, SoapVersion
from soapstone.wire.schema import ArrayType, EnumType, Member, ScalarType, StructType


@dataclass(frozen=True)
class Spot:
    """A member of a request, found by going down `path` from the operation's own element."""

    contract: Contract
    operation: Operation
    path: tuple[Member, ...]

    @property
    def member(self) -> Member:
        return self.path[-1]

    def around(self, inner: str) -> str:
        """The payload with `inner` where the member stands, in the default namespace."""
        for outer in reversed(self.path[:-1]):
            inner = f"<{outer.name}>{inner}</{outer.name}>"
        name = self.operation.name
        return f'<{name} xmlns="{self.contract.namespace}">{inner}</{name}>'

    def holding(self, content: str, attributes: str = "") -> str:
        """The payload with the member once, around `content`."""
        return self.around(f"<{self.member.name}{attributes}>{content}</{self.member.name}>")


class Ground:
    """A contract seen as places for values: the first spot of each kind that its requests have."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def find(self, fits: Callable[[Member], bool]) -> Spot | None:
        """The spot with the shortest path; of those, the first in the order of the port type."""
        ways: deque[tuple[Operation, tuple[Member, ...]]] = deque(
            (operation, (member,))
            for operation in self.contract.operations
            for member in operation.request_type.all_members
        )
        while ways:
            operation, path = ways.popleft()
            member = path[-1]
            if member.ignored:
                continue
            if fits(member):
                return Spot(self.contract, operation, path)
            kind = member.type
            if (
                isinstance(kind, StructType)
                and not kind.abstract
                and not member.flat
                and kind not in [m.type for m in path[:-1]]
            ):
                ways.extend((operation, (*path, inner)) for inner in kind.all_members)
        return None

    def scalar(self, name: str, *, nillable: bool = False, spooled: bool = False) -> Spot | None:
        """A built-in type by its XML Schema name."""

        def fits(member: Member) -> bool:
            kind = member.type
            plain = isinstance(kind, ScalarType) and kind.name == name and not member.flat
            return plain and member.nillable == nillable and (member.spool is not None) == spooled

        return self.find(fits)

    def enum(self) -> Spot | None:
        return self.find(lambda member: isinstance(member.type, EnumType) and not member.nillable)

    def array(self, item: str) -> Spot | None:
        """A wrapped array of `int`, `string` or `struct`."""

        def fits(member: Member) -> bool:
            kind = member.type
            return isinstance(kind, ArrayType) and (
                kind.item.type.name == item or (item == "struct" and isinstance(kind.item.type, StructType))
            )

        return self.find(fits)

    def struct(self, *, nillable: bool) -> Spot | None:
        """An object; one that may be nil, or one that may only be left out."""
        return self.find(
            lambda member: isinstance(member.type, StructType) and not member.flat and member.nillable == nillable
        )

    def flat(self) -> Spot | None:
        """An element that repeats without a wrapper."""
        return self.find(lambda member: member.flat)

    def answering(self, kind: str) -> Operation | None:
        """The first operation whose answer holds a built-in type."""

        def holds(struct: StructType, above: tuple[StructType, ...] = ()) -> bool:
            for member in struct.all_members:
                inner = member.type.item.type if isinstance(member.type, ArrayType) else member.type
                if isinstance(inner, StructType):
                    if not inner.abstract and inner not in above and holds(inner, (*above, inner)):
                        return True
                elif isinstance(inner, ScalarType) and inner.name == kind:
                    return True
            return False

        return next((op for op in self.contract.operations if holds(op.response_type)), None)

    @cached_property
    def call(self) -> Spot:
        """A plain call that takes the header: an int of an operation that has a string too."""
        for operation in self.contract.operations:
            members = operation.request_type.all_members
            kinds = [member.type.name for member in members]
            if operation.header and len(kinds) == 2 and set(kinds) == {"int", "string"}:
                return Spot(self.contract, operation, (members[kinds.index("int")],))
        raise AssertionError(f"{self.contract.name} has no call with an int and a string")

    @property
    def text(self) -> Member:
        """The string member of `call`."""
        members = self.call.operation.request_type.all_members
        return next(member for member in members if member.type.name == "string")

    @cached_property
    def header(self) -> str:
        """The contract's header block, filled in."""
        kind = self.contract.header_type
        assert kind is not None
        inner = "".join(f"<{member.name}>{member.name}</{member.name}>" for member in kind.all_members)
        return f'<{kind.name} xmlns="{self.contract.namespace}">{inner}</{kind.name}>'

    def action(self, operation: Operation) -> str:
        return self.contract.namespace + operation.name

    def head(self, version: SoapVersion, operation: Operation) -> tuple[tuple[str, str], ...]:
        """The HTTP headers of an ordinary call."""
        if version is SOAP_11:
            return (("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", f'"{self.action(operation)}"'))
        media = f'application/soap+xml; charset=utf-8; action="{self.action(operation)}"'
        return (("Content-Type", media),)

    def post(self, name: str, version: SoapVersion, operation: Operation, payload: str) -> Request:
        """An ordinary call with a payload that may be anything."""
        body = envelope(version, payload).encode()
        full_name = f"{version.name} {name}"
        return Request(full_name, body, self.head(version, operation), target=self.contract.path)


def envelope(version: SoapVersion, payload: str, header: str = "") -> str:
    """A request document. With `header`, that is what its Header holds."""
    block = f"<soap:Header>{header}</soap:Header>" if header else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{version.namespace}" xmlns:xsi="{XSI}" '
        f'xmlns:xsd="{XSD}">{block}<soap:Body>{payload}</soap:Body></soap:Envelope>'
    )
