"""A contract: its operations with their request and answer types, and everything derived from them.

An operation is declared by its request class: its name is the operation's, its docstring is the summary on pages::

    @operation(result=WSProcessStatus, place="WSProcessStatus")
    class GetProcessStatus(Struct):
        "Tells how far a process is."

        ProcessID: Int
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from soapstone.wire.schema import ArrayType, EnumType, Member, StructType, WireType, struct_type, walk
from soapstone.wire.types import NillableMark, Struct

SampleLabels = Literal["shared", "separate"]
"""Headings of the samples on help pages: one per SOAP version over both blocks, or one per block (asmx-29)."""

_UNSET: Any = object()
_Handler = TypeVar("_Handler")
Request = TypeVar("Request", bound=type[Struct])


class Operation:
    """One operation.

    `result` is the annotation of the answer member `{name}Result`, and `by_reference` those of the members behind it
    (asmx-27). `place` names a nillable answer member that holds the result, an object, instead. `response` is a
    declared answer class. With none of them, the answer is empty. `header` tells whether the contract's header belongs
    to the call. `deprecated` is a note for the help pages ("use GetProcessStatus").
    """

    def __init__(
        self,
        request: type[Struct],
        summary: str,
        *,
        result: Any = _UNSET,
        by_reference: Mapping[str, Any] | None = None,
        place: str = "",
        response: type[Struct] | None = None,
        header: bool = True,
        deprecated: str = "",
    ) -> None:
        self.name = request.__name__
        self.request = request
        self.summary = summary
        self.header = header
        self.deprecated = deprecated
        annotations = {} if result is _UNSET or result is None else {f"{self.name}Result": result}
        if place:
            annotations = {place: Annotated[result | None, NillableMark()]}
        annotations |= by_reference or {}
        self.wraps_result = bool(annotations) and not by_reference
        """The service answers the bare result value; otherwise an instance of `response`."""
        if response is not None and annotations:
            raise TypeError(f"{self.name}: give either result or response")
        if response is None:
            namespace = {"__annotations__": annotations, "__module__": request.__module__}
            response = types.new_class(f"{self.name}Response", (Struct,), exec_body=lambda body: body.update(namespace))
        self.response = response

    @property
    def description(self) -> str:
        """The summary as pages and WSDL show it, with the note of a deprecated operation before it."""
        return f"[Deprecated: {self.deprecated}] {self.summary}" if self.deprecated else self.summary

    @cached_property
    def request_type(self) -> StructType:
        return struct_type(self.request)

    @cached_property
    def response_type(self) -> StructType:
        return struct_type(self.response)

    @cached_property
    def result_member(self) -> Member | None:
        """The member that holds the bare result of an operation declared with `result`."""
        return self.response_type.members[0] if self.wraps_result else None

    def __repr__(self) -> str:
        return f"Operation({self.name})"


def operation(**options: Any) -> Callable[[Request], Request]:
    """Declare a request class as an operation. The options are those of `Operation`."""

    def declare(request: Request) -> Request:
        summary = " ".join((request.__doc__ or "").split())
        request.__wire_operation__ = Operation(request, summary, **options)
        return request

    return declare


def declared(*modules: types.ModuleType) -> dict[str, Operation]:
    """Return the operations that the modules declare, by name."""
    classes = (each for module in modules for each in vars(module).values() if isinstance(each, type))
    operations = (vars(each).get("__wire_operation__") for each in classes)
    return {each.name: each for each in operations if each is not None}


@dataclass(frozen=True, eq=False)
class Contract:
    """A service: name, target namespace, URL path, input header, operations in the order of the original port type.

    Raises TypeError for two operations of one name, or two different types of one name.
    """

    name: str
    namespace: str
    path: str
    header: type[Struct] | None
    operations: Sequence[Operation]
    soap_heading: SampleLabels = "shared"

    def __post_init__(self) -> None:
        if len(self.operations_by_name) != len(self.operations):
            raise TypeError(f"{self.name}: an operation is declared twice")

    @cached_property
    def operations_by_name(self) -> dict[str, Operation]:
        return {operation.name: operation for operation in self.operations}

    @cached_property
    def operations_by_action(self) -> dict[str, Operation]:
        """By the value of SOAPAction: namespace and name run together (asmx-25)."""
        return {self.namespace + operation.name: operation for operation in self.operations}

    @cached_property
    def header_type(self) -> StructType | None:
        return None if self.header is None else struct_type(self.header)

    @cached_property
    def service_name(self) -> str:
        """The name as an XML name: spaces are written `_x0020_` (asmx-25)."""
        return encode_name(self.name)

    @cached_property
    def types(self) -> tuple[WireType, ...]:
        """All types, each once, in the order in which the original schema first needs them."""
        return tuple(kind for _, kinds in self.elements for kind in kinds)

    @cached_property
    def elements(self) -> tuple[tuple[StructType, tuple[WireType, ...]], ...]:
        """The global elements in schema order, each with the types that it is the first to need.

        The header element, whose own type is among those types, stands where it is first needed: after the answer of
        the first operation that takes it.
        """
        listed: dict[str, WireType] = {}
        found: list[tuple[StructType, tuple[WireType, ...]]] = []

        def add(element: StructType, *, named: bool) -> None:
            new: list[WireType] = []
            for kind in walk(element):
                if kind is element and not named:
                    continue
                known = listed.get(kind.name)
                if known is None:
                    listed[kind.name] = kind
                    new.append(kind)
                elif not _same(known, kind):
                    raise TypeError(f"{self.name}: two different types are named {kind.name}")
            found.append((element, tuple(new)))

        header_pending = self.header_type is not None
        for operation in self.operations:
            add(operation.request_type, named=False)
            add(operation.response_type, named=False)
            if operation.header and header_pending and self.header_type is not None:
                add(self.header_type, named=True)
                header_pending = False
        return tuple(found)

    def handlers(self, *tables: Mapping[str, _Handler]) -> dict[str, _Handler]:
        """Merge tables of handlers by operation. Raises TypeError for a duplicate or undeclared name."""
        merged: dict[str, _Handler] = {}
        for table in tables:
            if wrong := table.keys() - (self.operations_by_name.keys() - merged.keys()):
                raise TypeError(f"{self.name}: handlers of no operation, or of one that has one: {sorted(wrong)}")
            merged |= table
        return merged

    def derived(self, kind: StructType) -> tuple[StructType, ...]:
        """Return the types of this contract that extend `kind`, at any depth."""
        return tuple(
            other
            for other in self.types
            if isinstance(other, StructType) and other is not kind and issubclass(other.cls, kind.cls)
        )


def _same(one: WireType, other: WireType) -> bool:
    if isinstance(one, ArrayType) and isinstance(other, ArrayType):
        return _same(one.item.type, other.item.type) or one.item.type == other.item.type
    if isinstance(one, EnumType) and isinstance(other, EnumType):
        return one.cls is other.cls
    return one is other


def encode_name(name: str) -> str:
    """Return an XML name for any text: characters that a name may not hold become `_xHHHH_`."""
    return "".join(
        char if char.isalnum() or char == "_" or (char in "-." and at > 0) else f"_x{ord(char):04X}_"
        for at, char in enumerate(name)
    )
