"""The vocabulary of a contract declaration: value types, arrays, structs, enumerations and uploads.

A wire type is an ordinary class whose annotations are the wire members, in wire order and with wire names::

    class WSFileMappings(Struct):
        AttributeID: Int
        DefaultValue: String
        FileColumn: Int
        IsEmailAddressColumn: Boolean

For a type checker the aliases are plain Python types; the schema, the reader and the writer read the marks behind
them (`soapstone.wire.schema`). Nothing is ever looked up by a lower-cased name: a contract may hold both `Error` and
`error` (mm-3).
"""

import datetime
import decimal
import enum
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from soapstone.wire.schema import Member

T = TypeVar("T")


class Upload(Protocol):
    """The destination of a spooled member's content. All methods are called in worker threads."""

    def write(self, data: bytes) -> None:
        """Take the next block, at most about 1 MiB."""

    def close(self) -> None:
        """End the content, which is complete."""

    def discard(self) -> None:
        """Discard the content. Idempotent; does nothing once the product has kept the upload."""


class Primitive:
    """Mark of a built-in XML Schema type: its local name, and whether it is a reference type (may be absent)."""

    __slots__ = ("name", "reference")

    def __init__(self, name: str, *, reference: bool = False) -> None:
        self.name = name
        self.reference = reference

    def __repr__(self) -> str:
        return f"Primitive({self.name!r})"


class Spool:
    """Mark of a member whose content goes straight to an upload; `base64` content is decoded on the way."""

    __slots__ = ("base64",)

    def __init__(self, *, base64: bool) -> None:
        self.base64 = base64


class NillableMark:
    """Mark of a member that is always there and may be `xsi:nil` (asmx-26)."""


class IgnoredMark:
    """Mark of a request member whose content is ignored."""


class FlatMark:
    """Mark of a flattened array: the member's own element repeats, without a wrapper."""


Int = Annotated[int, Primitive("int")]
"""xsd:int, 32 bits."""
Long = Annotated[int, Primitive("long")]
"""xsd:long, 64 bits."""
UnsignedByte = Annotated[int, Primitive("unsignedByte")]
"""xsd:unsignedByte, 0 to 255."""
Double = Annotated[float, Primitive("double")]
"""xsd:double; written without point and exponent when whole (mm-35)."""
Decimal = Annotated[decimal.Decimal, Primitive("decimal")]
"""xsd:decimal."""
Boolean = Annotated[bool, Primitive("boolean")]
"""xsd:boolean."""
DateTime = Annotated[datetime.datetime, Primitive("dateTime")]
"""xsd:dateTime. Naive: no zone is written or was given. Aware: UTC, written with `Z` (asmx-18)."""
String = Annotated[str | None, Primitive("string", reference=True)]
"""xsd:string; None is left out."""
Base64 = Annotated[bytes | None, Primitive("base64Binary", reference=True)]
"""xsd:base64Binary held in memory; None is left out."""
AnyType = Annotated[Any, Primitive("anyType", reference=True)]
"""xsd:anyType: a plain Python value, written with the `xsi:type` of its own type."""

SpooledText = Annotated[Upload | None, Primitive("string", reference=True), Spool(base64=False)]
"""xsd:string whose text goes to an upload as UTF-8. None when the member is absent or nil."""
SpooledBase64 = Annotated[Upload | None, Primitive("base64Binary", reference=True), Spool(base64=True)]
"""xsd:base64Binary whose decoded bytes go to an upload. None when the member is absent or nil."""

Nillable = Annotated[T | None, NillableMark()]
"""`Nillable[Int]`, `Nillable[WSException]`: minOccurs 1, nillable; None is written as `xsi:nil="true"`."""
Ignored = Annotated[T | None, NillableMark(), IgnoredMark()]
"""`Ignored[WSException]`: declared as nillable, and skipped by the reader: the value is always None (lk-15)."""
Flat = Annotated[list[T], FlatMark()]
"""`Flat[String]`: the element itself repeats; an empty list when there is none."""


class Enumeration(enum.StrEnum):
    """A wire enumeration. The class name is the type name, the values are the wire values in schema order (asmx-17).

    A member that the request leaves out counts as the first value (mm-6).
    """


_SECRET = ("password", "sessionid", "card")


_members: "dict[type[Struct], dict[str, Member]]" = {}


def _members_of(cls: "type[Struct]") -> "dict[str, Member]":
    """Return the members of a class by name. Imports the schema late, since it imports this module."""
    from soapstone.wire.schema import struct_type

    return _members.setdefault(cls, struct_type(cls).all_members_by_name)


@dataclass_transform(kw_only_default=True)
class Struct:
    """A wire structure. Annotations are the members; subclassing is an XML Schema extension (base members first).

    Members are given by keyword. What is left out takes the default of its type: 0, False, the year 1, None, the
    first value of an enumeration, an empty list for `Flat`, an empty struct for a struct that may not be None. A type
    checker knows only defaults that are written down, so declare `msg: String = None` where callers leave `msg` out.

    Class arguments: `any_attribute=True` lets the schema allow any attribute (header types), `abstract=True` makes an
    abstract type, `also={"ListID": "listID"}` lets requests call a member by another name than the declared one.
    `mixin=True` makes a class that is no type of the contract: its members are the first ones of each subclass.
    `numbered={"custom": 30}` declares the texts custom1 to custom30 behind the other members.
    """

    __wire_any_attribute__: ClassVar[bool] = False
    __wire_abstract__: ClassVar[bool] = False
    __wire_also__: ClassVar[Mapping[str, str]] = {}
    __wire_mixin__: ClassVar[bool] = False
    __wire_operation__: ClassVar[Any] = None

    def __init_subclass__(
        cls,
        *,
        any_attribute: bool = False,
        abstract: bool = False,
        also: Mapping[str, str] | None = None,
        mixin: bool = False,
        numbered: Mapping[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.__wire_any_attribute__ = any_attribute
        cls.__wire_abstract__ = abstract
        cls.__wire_also__ = also or {}
        cls.__wire_mixin__ = mixin
        mixed_in: dict[str, Any] = {}
        for base in cls.__bases__:
            if getattr(base, "__wire_mixin__", False):
                mixed_in |= inspect.get_annotations(base)
        texts = {f"{name}{n}": String for name, most in (numbered or {}).items() for n in range(1, most + 1)}
        cls.__annotations__ = mixed_in | inspect.get_annotations(cls) | texts

    def __init__(self, **members: Any) -> None:
        known = _members.get(type(self)) or _members_of(type(self))
        for name in members:
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no member {name!r}")
        values = self.__dict__
        for name, member in known.items():
            values[name] = members[name] if name in members else member.default()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __repr__(self) -> str:
        # Requests and headers may be logged; secrets must not.
        shown = ", ".join(
            f"{name}={'…' if any(part in name.lower() for part in _SECRET) else repr(value)}"
            for name, value in self.__dict__.items()
        )
        return f"{type(self).__name__}({shown})"
