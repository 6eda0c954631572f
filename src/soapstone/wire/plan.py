"""How elements become values: which element fills which member of a struct, compiled once per contract."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import XSI
from soapstone.wire.schema import ArrayType, EnumType, Member, StructType, struct_type
from soapstone.wire.types import Spool, Struct
from soapstone.wire.values import READERS, enum_reader
from soapstone.wire.writer import struct_writer

SEPARATOR = "\f"
"""Between namespace and local name in the parser's element names. No XML document can hold it."""
NIL = f"{XSI}{SEPARATOR}nil"
TYPE = f"{XSI}{SEPARATOR}type"

Convert = Callable[[str], Any]


class MemberPlan:
    """The plan of one member: the kind of its value, and how to read it.

    Exactly one of `convert`, `struct`, `item`, `spool` and `any` says how: a text, a struct, a wrapped array of such
    items, an upload, or a value that names its own type. `flat`: the element repeats and the values are collected.
    """

    def __init__(self, plans: "Plans", member: Member) -> None:
        kind = member.type
        self.name = member.name
        self.plans = plans
        self.flat = member.flat
        self.nillable = member.nillable
        self.may_be_null = member.nillable or (kind.reference and not member.required)
        self.spool: Spool | None = member.spool
        self.any = False
        self.convert: Convert | None = None
        self.item: MemberPlan | None = None
        self._struct: StructType | None = None
        if isinstance(kind, StructType):
            self._struct = kind
        elif isinstance(kind, ArrayType):
            self.item = MemberPlan(plans, kind.item)
            self.item_key = plans.key(kind.item.name)
        elif isinstance(kind, EnumType):
            self.convert = enum_reader(kind.cls)
        elif kind.name == "anyType":
            self.any = True
        elif self.spool is None:
            self.convert = READERS[kind.name]

    @cached_property
    def struct(self) -> "StructPlan | None":
        """Looked up when first read: types may contain themselves."""
        return None if self._struct is None else self.plans.struct(self._struct)


class StructPlan:
    """The plan of one struct: its members by element name, and the values of absent ones."""

    def __init__(self, plans: "Plans", kind: StructType) -> None:
        self.cls = kind.cls
        self.plans = plans
        self.kind = kind
        self.members = {
            plans.key(member.name): MemberPlan(plans, member) for member in kind.all_members if not member.ignored
        }
        for other, name in kind.cls.__wire_also__.items():
            self.members[plans.key(other)] = self.members[plans.key(name)]
        self._constants: dict[str, Any] = {}
        self._makers: list[tuple[str, Callable[[], Any]]] = []
        for member in kind.all_members:
            value = member.absent()
            if isinstance(value, list | Struct):
                self._makers.append((member.name, member.absent))
            else:
                self._constants[member.name] = value

    @cached_property
    def derived(self) -> "dict[str, StructPlan]":
        """The types allowed as xsi:type, by name."""
        return {other.name: self.plans.struct(other) for other in self.plans.contract.derived(self.kind)}

    def build(self, values: dict[str, Any]) -> Struct:
        """Return the struct of the values read; it shares the dictionary `values`."""
        made = self.cls.__new__(self.cls)
        for name, value in self._constants.items():
            if name not in values:
                values[name] = value
        for name, make in self._makers:
            if name not in values:
                values[name] = make()
        made.__dict__ = values
        return made


@dataclass(frozen=True, eq=False)
class Plans:
    """All plans of a contract."""

    contract: Contract

    def key(self, name: str) -> str:
        """Return the parser's name for an element of the contract's namespace."""
        return f"{self.contract.namespace}{SEPARATOR}{name}"

    @cached_property
    def _structs(self) -> dict[StructType, StructPlan]:
        return {}

    def struct(self, kind: StructType) -> StructPlan:
        return self._structs.get(kind) or self._structs.setdefault(kind, StructPlan(self, kind))

    @classmethod
    @cache
    def of(cls, contract: Contract) -> "Plans":
        """Return the prepared plans of a contract, cached. Raises TypeError for a wrong declaration."""
        plans = cls(contract)
        plans.prepare()
        return plans

    def prepare(self) -> None:
        """Compile everything now, so that a wrong declaration shows at start. Raises TypeError."""
        for kind in self.contract.types:
            if isinstance(kind, StructType):
                _ = self.struct(kind).derived
        for operation in self.contract.operations:
            self.struct(operation.request_type)
            struct_writer(operation.response)

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """By the parser's name of the body element."""
        return {self.key(operation.name): operation for operation in self.contract.operations}

    @cached_property
    def header_key(self) -> str | None:
        return None if self.contract.header is None else self.key(self.contract.header.__name__)

    @cached_property
    def header(self) -> StructPlan | None:
        return None if self.contract.header is None else self.struct(struct_type(self.contract.header))

    @cached_property
    def types_of_any(self) -> dict[str, StructPlan]:
        """The contract's structs by name, as `xsi:type` may name them in a member of any type."""
        return {kind.name: self.struct(kind) for kind in self.contract.types if isinstance(kind, StructType)}
