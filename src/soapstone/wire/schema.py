"""The schema of declared classes: types and members, derived once per class from the annotations.

`struct_type(cls)` is the entry. The result is immutable and shared by the reader, the writer, the WSDL and the help
pages.
"""

import copy
import datetime
import decimal
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Union, get_args, get_origin

from soapstone.wire import types as declared

_ZEROS: dict[str, Any] = {
    "int": 0,
    "long": 0,
    "unsignedByte": 0,
    "double": 0.0,
    "decimal": decimal.Decimal(0),
    "boolean": False,
    "dateTime": datetime.datetime(1, 1, 1),  # noqa: DTZ001  a wire dateTime without zone is naive
}


@dataclass(frozen=True)
class ScalarType:
    """A built-in type, by its XML Schema local name."""

    name: str
    reference: bool

    def zero(self) -> Any:
        """Return the value of an absent member."""
        return _ZEROS.get(self.name)


@dataclass(frozen=True)
class EnumType:
    """An enumeration; `cls` holds the values in schema order."""

    cls: type[declared.Enumeration]
    reference = False

    @property
    def name(self) -> str:
        return self.cls.__name__

    def zero(self) -> Any:
        """Return the first value, which stands for a missing member (mm-6)."""
        return next(iter(self.cls))


@dataclass(frozen=True)
class ArrayType:
    """A wrapped array `ArrayOfX` of items named after their type (asmx-26)."""

    item: "Member"
    reference = True

    @property
    def name(self) -> str:
        first, rest = self.item.name[:1], self.item.name[1:]
        return f"ArrayOf{first.upper()}{rest}"

    def zero(self) -> Any:
        return None


class StructType:
    """A struct: the members of its base, then its own."""

    reference = True

    def __init__(self, cls: type[declared.Struct]) -> None:
        self.cls = cls

    @property
    def name(self) -> str:
        return self.cls.__name__

    @property
    def any_attribute(self) -> bool:
        return self.cls.__wire_any_attribute__

    @property
    def abstract(self) -> bool:
        return self.cls.__wire_abstract__

    @cached_property
    def base(self) -> "StructType | None":
        bases = (base for base in self.cls.__bases__ if not getattr(base, "__wire_mixin__", False))
        base = next(bases, declared.Struct)
        return None if base is declared.Struct else struct_type(base)

    @cached_property
    def members(self) -> "tuple[Member, ...]":
        """The members that this class declares itself."""
        hints = typing.get_type_hints(self.cls, include_extras=True)
        return tuple(
            _member(self.cls, name, hints[name])
            for name in inspect.get_annotations(self.cls)
            if get_origin(hints[name]) is not typing.ClassVar
        )

    @cached_property
    def all_members(self) -> "tuple[Member, ...]":
        """All members in wire order, those of the base first."""
        return (self.base.all_members if self.base else ()) + self.members

    @cached_property
    def all_members_by_name(self) -> "dict[str, Member]":
        return {member.name: member for member in self.all_members}

    def zero(self) -> Any:
        return None

    def __repr__(self) -> str:
        return f"StructType({self.name})"


WireType = ScalarType | EnumType | ArrayType | StructType


@dataclass(frozen=True)
class Member:
    """One element of a struct, or the item of an array."""

    name: str
    type: WireType
    required: bool
    """minOccurs is 1."""
    nillable: bool
    flat: bool = False
    """maxOccurs is unbounded: the element itself repeats."""
    spool: declared.Spool | None = None
    ignored: bool = False
    """The reader skips it."""
    absent: Callable[[], Any] = lambda: None
    """The value of a member that the wire leaves out (asmx-15)."""
    written_default: Callable[[], Any] | None = None
    """The default declared by the class, for code that creates a struct; not used on the wire."""

    def default(self) -> Any:
        """Return the value of a member that is not given to the constructor."""
        return (self.written_default or self.absent)()


_struct_types: dict[type[declared.Struct], StructType] = {}


def struct_type(cls: type[declared.Struct]) -> StructType:
    """Return the one `StructType` of a class."""
    return _struct_types.get(cls) or _struct_types.setdefault(cls, StructType(cls))


def _member(cls: type[declared.Struct], name: str, annotation: Any) -> Member:
    """Return the member that an annotation declares. Raises TypeError for an annotation that has no wire form."""
    try:
        member = member_of(name, annotation)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}.{name}: {error}") from None
    if name not in cls.__dict__:
        return member
    written = cls.__dict__[name]
    return replace(member, written_default=lambda: copy.copy(written))


def member_of(name: str, annotation: Any) -> Member:
    """Return the member `name` of a type annotation. Raises TypeError for one that has no wire form."""
    marks, core, optional = _unfold(annotation)
    nillable = any(isinstance(mark, declared.NillableMark) for mark in marks)
    primitive = next((mark for mark in marks if isinstance(mark, declared.Primitive)), None)
    spool = next((mark for mark in marks if isinstance(mark, declared.Spool)), None)
    if primitive is not None:
        scalar = ScalarType(primitive.name, primitive.reference)
        if optional and not nillable and not primitive.reference:
            raise TypeError("a value type that may be None is written Nillable[...]")
        zero = None if nillable or primitive.reference else scalar.zero()
        return Member(name, scalar, nillable or not primitive.reference, nillable, spool=spool, absent=lambda: zero)
    if get_origin(core) is list:
        (item,) = get_args(core)
        if any(isinstance(mark, declared.FlatMark) for mark in marks):
            inner = member_of(name, item)
            return Member(name, inner.type, False, False, flat=True, absent=list)
        if not optional:
            raise TypeError("a wrapped array is a reference: write list[...] | None")
        return Member(name, ArrayType(_item(item)), nillable, nillable)
    if isinstance(core, type) and issubclass(core, declared.Enumeration):
        if optional and not nillable:
            raise TypeError("an enumeration that may be None is written Nillable[...]")
        kind = EnumType(core)
        return Member(name, kind, True, nillable, absent=lambda: None if nillable else kind.zero())
    if isinstance(core, type) and issubclass(core, declared.Struct):
        if optional:
            ignored = any(isinstance(mark, declared.IgnoredMark) for mark in marks)
            return Member(name, struct_type(core), nillable, nillable, ignored=ignored)
        return Member(name, struct_type(core), True, False, absent=core)
    raise TypeError(f"{annotation!r} is not a wire type")


def _item(annotation: Any) -> Member:
    """Return the item of an array: named after its type, nillable unless it is a value type (asmx-26)."""
    inner = member_of("", annotation)
    return Member(inner.type.name, inner.type, False, inner.nillable or inner.type.reference, absent=inner.absent)


def _unfold(annotation: Any) -> tuple[list[Any], Any, bool]:
    """Take `Annotated` and `| None` off: (marks, bare type, whether None is allowed)."""
    marks: list[Any] = []
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            marks.extend(annotation.__metadata__)
            annotation = annotation.__origin__
        elif origin is Union or origin is types.UnionType:
            rest = [part for part in get_args(annotation) if part is not type(None)]
            if len(rest) != 1:
                return marks, annotation, optional
            optional = optional or len(rest) < len(get_args(annotation))
            annotation = rest[0]
        else:
            return marks, annotation, optional


def walk(start: WireType) -> Iterator[WireType]:
    """Yield the types that a type needs, itself first, in the order in which the original schema lists them.

    A derived type comes before its base, a type before those of its members. Built-in types are left out.
    """
    seen: set[int] = set()
    yield from _walk(start, seen)


def _walk(kind: WireType, seen: set[int]) -> Iterator[WireType]:
    if isinstance(kind, ScalarType) or id(kind) in seen:
        return
    seen.add(id(kind))
    yield kind
    if isinstance(kind, ArrayType):
        yield from _walk(kind.item.type, seen)
    elif isinstance(kind, StructType):
        if kind.base is not None:
            yield from _walk(kind.base, seen)
        for member in kind.members:
            yield from _walk(member.type, seen)
