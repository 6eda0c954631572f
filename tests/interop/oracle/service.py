"""Our side of the comparison: a service that answers as Oracle.cs does, value by value."""

from __future__ import annotations

import datetime
import decimal
import struct
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.endpoint import Caller
from soapstone.wire.faults import ClientFault, Fault
from soapstone.wire.schema import ArrayType, EnumType, Member, StructType, WireType, struct_type
from soapstone.wire.types import Enumeration, Struct

MODES = ("filled", "edges", "hollow", "bare", "fails", "told")
"""What the request header X-Answer may say: four kinds of samples, an exception, or what the method was given.

Besides these, `value=` and a value, URL-encoded, which is then filled in wherever it can be.
"""

_PLAIN: dict[str, Callable[[bool], Any]] = {
    "string": lambda edges: "é <&> \"'\t\n]]>€ " if edges else "text",
    "int": lambda edges: -(2**31) if edges else 42,
    "long": lambda edges: -(2**63) if edges else 42,
    "unsignedByte": lambda edges: 255 if edges else 42,
    "double": lambda edges: 0.1 if edges else 42.0,
    "decimal": lambda edges: decimal.Decimal("-0.10" if edges else "42.5"),
    "boolean": lambda edges: not edges,
    "dateTime": lambda edges: (
        datetime.datetime(2021, 12, 31, 23, 59, 58, 120000, datetime.UTC)
        if edges
        else datetime.datetime(2021, 3, 4, 5, 6, 7)
    ),
    "base64Binary": lambda edges: b"" if edges else b"\x01\x02\xff",
    "anyType": lambda edges: 7 if edges else "text",
}


class Kept:
    """An upload that stays in memory."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        pass

    def discard(self) -> None:
        pass


class Samples:
    """Sample values of a contract in one mode."""

    def __init__(self, contract: Contract, mode: str) -> None:
        self._contract = contract
        self._mode = mode
        self._edges = mode == "edges"

    def of(self, member: Member, open_types: tuple[WireType, ...] = ()) -> Any:
        """The value of a member; `open_types` are the types around it, which do not come again inside themselves."""
        kind = member.type
        if self._mode == "bare" or (self._mode == "hollow" and open_types):
            may_be_null = member.nillable or (kind.reference and not member.flat and not member.required)
            return None if may_be_null else member.absent()
        if member.flat and kind in open_types:
            return []
        if member.flat:
            return [self._value(kind, open_types) for _ in range(self._count)]
        return self._value(kind, open_types)

    @property
    def _count(self) -> int:
        """Of the items of an array."""
        return {"edges": 0, "hollow": 1}.get(self._mode, 2)

    def _value(self, kind: WireType, open_types: tuple[WireType, ...]) -> Any:
        if isinstance(kind, EnumType):
            return list(kind.cls)[0 if self._edges else -1]
        if isinstance(kind, ArrayType):
            if kind.item.type in open_types:
                return None
            return [self.of(kind.item, (*open_types, kind)) for _ in range(self._count)]
        if isinstance(kind, StructType):
            if kind in open_types:
                return None
            concrete = self._concrete(kind)
            inside = (*open_types, kind)
            return concrete.cls(**{inner.name: self.of(inner, inside) for inner in concrete.all_members})
        if self._mode.startswith("value="):
            given = _given(kind.name, unquote(self._mode.removeprefix("value=")))
            if given is not None:
                return given
        return _PLAIN[kind.name](self._edges)

    def _concrete(self, kind: StructType) -> StructType:
        if not kind.abstract and not self._edges:
            return kind
        others = [other for other in self._contract.derived(kind) if not other.abstract]
        return min(others, key=lambda other: other.name) if others else kind


class SampleService:
    """A service that answers all operations of a contract in one mode."""

    def __init__(self, contract: Contract, mode: str) -> None:
        self._samples = Samples(contract, mode)
        self._mode = mode

    def authorise(self, operation: Operation, header: Struct | None, caller: Caller) -> Struct | None:
        return header

    def handle(self, operation: Operation, context: Struct | None, request: Struct, caller: Caller) -> Any:
        if self._mode == "fails":
            raise Fault('It went wrong: <a> & "b" é.')
        if self._mode == "told":
            members = [member for member in operation.request_type.all_members if not member.ignored]
            raise ClientFault(" ".join([told(context), *(_told_member(request, member) for member in members)]))
        answer = {member.name: self._samples.of(member) for member in operation.response_type.all_members}
        return next(iter(answer.values())) if operation.wraps_result else operation.response(**answer)

    def tells(self, value: Any) -> bool:
        return True

    def internal_error(self, error: Exception) -> str:
        return "internal error"

    def caller_name(self, context: Any) -> str:
        return ""

    def account_id(self, context: Any) -> None:
        return None


def _given(kind: str, text: str) -> Any:
    """The value that a text stands for in a type; None when it is none."""
    try:
        if kind == "double":
            return float(text)
        if kind == "decimal":
            value = decimal.Decimal(text)
            return value if value.is_finite() and value.copy_abs() < 2**96 else None
        if kind == "dateTime":
            return datetime.datetime.fromisoformat(text)
    except (ValueError, decimal.InvalidOperation):
        return None
    return text if kind == "string" else None


def told(value: Any) -> str:
    """A value as Oracle.cs tells it."""
    if value is None:
        return "null"
    if isinstance(value, Enumeration):
        return f"#{list(type(value)).index(value)}"
    if isinstance(value, Kept):
        return "0x" + value.data.hex().upper()
    if isinstance(value, str):
        units = struct.iter_unpack("<H", value.encode("utf-16-le"))
        return '"' + "".join(_quoted(unit) for (unit,) in units) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "NaN" if value != value else struct.pack(">d", value).hex()
    if isinstance(value, bytes):
        return "0x" + value.hex().upper()
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + ("Z" if value.tzinfo else "")
    if isinstance(value, list):
        return "[" + "".join(told(item) + " " for item in value) + "]"
    if isinstance(value, Struct):
        members = struct_type(type(value)).all_members
        return f"{type(value).__name__}({''.join(_told_member(value, member) + ' ' for member in members)})"
    return format(value, "f") if isinstance(value, decimal.Decimal) else str(value)


def _told_member(owner: Struct, member: Member) -> str:
    value = getattr(owner, member.name)
    if isinstance(value, Kept) and member.spool and not member.spool.base64:
        return told(value.data.decode())
    # An element that repeats without a wrapper and is not there is an empty list here, and null there.
    return told(None if member.flat and not value else value)


def _quoted(unit: int) -> str:
    return chr(unit) if 32 <= unit < 127 and unit not in b'"\\' else f"\\u{unit:04x}"
