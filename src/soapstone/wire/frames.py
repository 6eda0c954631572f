"""The reader's stack: one frame per open element that the declaration knows (asmx-15 to asmx-17, mm-7).

A frame puts its value into a `Place`: a dictionary under a key, or a list. The reader skips elements that no frame
wants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from soapstone.wire.faults import MalformedXml, ValueFault
from soapstone.wire.plan import NIL, TYPE, Convert, MemberPlan, StructPlan
from soapstone.wire.values import READERS, READERS_OF_ANY, Base64Decoder, ValueRefused

Attributes = dict[str, str]
Place = Callable[[Any], None]

ELEMENT_COST = 100
"""Bytes that a kept element counts against the limit of kept data, besides its text."""


MAX_DEPTH = 100
MAX_ATTRIBUTES = 64


class Source(Protocol):
    """The interface of the reader for frames."""

    def position(self) -> tuple[int, int]:
        """Return line and column in the raw request, counted from 1 (asmx-22)."""
        ...

    def keep(self, size: int) -> None:
        """Count bytes that stay in memory. Raises ReadFault if the request keeps too many."""
        ...

    def keep_text(self, text: str) -> None:
        """Count text that stays in memory, by its largest possible size there."""
        ...

    def join_text(self, joined: bool) -> None:
        """Deliver text in large pieces (`joined`), or at once with its exact position."""
        ...

    def spool(self, place: Place) -> SpooledContent:
        """Return a place for the content of a spooled member."""
        ...


class Frame:
    """An open element. `child` gives the frame of a child element, or None to skip it."""

    __slots__ = ("parent",)
    parent: Frame

    def child(self, reader: Source, name: str, attributes: Attributes) -> Frame | None:
        return None

    def text(self, reader: Source, data: str) -> None:
        """Take a piece of the element's text."""

    def aside(self) -> None:
        """Take a comment or a processing instruction in the element."""

    def done(self, reader: Source) -> None:
        """End the element."""


class FrameStack(Source):
    """The frames of the open elements. A parser's events open and close them; depth and attributes are bounded."""

    def __init__(self, root: Frame) -> None:
        self._frame = root
        # Open elements, and those among them that lie in one that no frame wants.
        self._depth = 0
        self._skip = 0

    def _start(self, name: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise MalformedXml("the markup is nested too deeply or has too many attributes")
        if self._skip:
            self._skip += 1
            return
        frame = self._frame
        child = frame.child(self, name, attributes)
        if child is None:
            self._skip = 1
        else:
            child.parent = frame
            self._frame = child

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._skip:
            self._skip -= 1
            return
        frame = self._frame
        self._frame = frame.parent
        frame.done(self)

    def _text(self, data: str) -> None:
        if not self._skip:
            self._frame.text(self, data)


class TextFrame(Frame):
    """An element that holds text. Any other markup in it made the runtime give up as for malformed XML (asmx-20)."""

    __slots__ = ()

    def child(self, reader: Source, name: str, attributes: Attributes) -> Frame | None:
        raise MalformedXml("an element stands where a text is expected")

    def aside(self) -> None:
        raise MalformedXml("a comment or an instruction stands where a text is expected")


class StructFrame(Frame):
    """Collects the members of a struct in any order; the first of a repeated member counts (asmx-15)."""

    __slots__ = ("place", "plan", "values")

    def __init__(self, plan: StructPlan, place: Place) -> None:
        self.plan = plan
        self.place = place
        self.values: dict[str, Any] = {}

    def child(self, reader: Source, name: str, attributes: Attributes) -> Frame | None:
        member = self.plan.members.get(name)
        if member is None:
            return None
        values = self.values
        if member.flat:
            if member.struct is not None and attributes and is_nil(attributes):
                return None  # a list of structs holds no None
            return open_value(member, reader, values.setdefault(member.name, []).append, attributes)
        if member.item is not None:
            return _open_array(member, reader, values, attributes)
        if member.name in values:
            return None

        def place(value: Any, key: str = member.name) -> None:
            values[key] = value

        return open_value(member, reader, place, attributes)

    def done(self, reader: Source) -> None:
        self.place(self.plan.build(self.values))


class ScalarFrame(TextFrame):
    """Collects the text of one value and converts it at the end."""

    __slots__ = ("column", "convert", "line", "parts", "place")

    def __init__(self, convert: Convert, place: Place) -> None:
        self.convert = convert
        self.place = place
        self.parts: list[str] = []
        self.line = 0
        self.column = 0

    def text(self, reader: Source, data: str) -> None:
        parts = self.parts
        if not parts:
            if self.convert is not str:
                self.line, self.column = reader.position()
        elif len(parts) == 1:
            # Every line end is a piece of its own: many small ones take far more memory than their text.
            reader.join_text(True)
        parts.append(data)
        reader.keep_text(data)

    def done(self, reader: Source) -> None:
        parts = self.parts
        if len(parts) > 1:
            reader.join_text(False)
        text = parts[0] if len(parts) == 1 else "".join(parts)
        if self.convert is str:
            self.place(text)
            return
        try:
            value = self.convert(text)
        except ValueRefused as refused:
            if not parts:
                self.line, self.column = reader.position()
            raise ValueFault(str(refused), self.line, self.column) from None
        self.place(value)


class NilFrame(TextFrame):
    """A value type that is nil: text is ignored, and an empty text is no value (asmx-16)."""

    __slots__ = ("convert", "place")

    def __init__(self, convert: Convert, place: Place) -> None:
        self.convert = convert
        self.place = place

    def done(self, reader: Source) -> None:
        try:
            self.place(self.convert(""))
        except ValueRefused as refused:
            raise ValueFault(str(refused), *reader.position()) from None


class ArrayFrame(Frame):
    """Collects the items of a wrapped array, or the loose form: the value itself as text of a repeated element."""

    __slots__ = ("column", "item", "item_key", "items", "line", "loose", "wrapped")

    def __init__(self, item: MemberPlan, item_key: str, items: list[Any]) -> None:
        self.item = item
        self.item_key = item_key
        self.items = items
        self.loose: list[str] = []
        self.wrapped = False
        self.line = 0
        self.column = 0

    def child(self, reader: Source, name: str, attributes: Attributes) -> Frame | None:
        if name != self.item_key:
            return None
        self.wrapped = True
        self._end_loose(reader)
        return open_value(self.item, reader, self.items.append, attributes)

    def text(self, reader: Source, data: str) -> None:
        if self.wrapped or self.item.convert is None:
            return
        if not self.loose:
            self.line, self.column = reader.position()
        elif len(self.loose) == 1:
            reader.join_text(True)  # as in a scalar
        self.loose.append(data)
        reader.keep_text(data)

    def _end_loose(self, reader: Source) -> str:
        """Return the text so far, and stop counting it as kept."""
        if len(self.loose) > 1:
            reader.join_text(False)
        text = "".join(self.loose)
        self.loose = []
        return text

    def done(self, reader: Source) -> None:
        text = self._end_loose(reader)
        if text.strip() and self.item.convert is not None:
            reader.keep(ELEMENT_COST)
            try:
                self.items.append(self.item.convert(text))
            except ValueRefused as refused:
                raise ValueFault(str(refused), self.line, self.column) from None


class SpoolFrame(TextFrame):
    """Passes the content of a spooled member on, decoded."""

    __slots__ = ("content", "decoder", "name")

    def __init__(self, reader: Source, member: MemberPlan, content: SpooledContent) -> None:
        self.name = member.name
        self.content = content
        self.decoder = Base64Decoder() if member.spool is not None and member.spool.base64 else None
        reader.join_text(True)

    def aside(self) -> None:
        if self.decoder is None:
            super().aside()

    def text(self, reader: Source, data: str) -> None:
        if self.decoder is None:
            self.content.append(data.encode())
            return
        self._take(self.decoder.feed, data)

    def done(self, reader: Source) -> None:
        reader.join_text(False)
        if self.decoder is not None:
            self._take(self.decoder.finish)
        self.content.complete = True

    def _take(self, decode: Callable[..., bytes], *data: str) -> None:
        """Pass decoded data on. The runtime treated invalid base64 as malformed XML."""
        try:
            self.content.append(decode(*data))
        except ValueRefused as refused:
            raise MalformedXml(str(refused)) from None


class SpooledContent:
    """Received content of a spooled member that has not been written yet, and where the upload belongs."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.blocks: list[bytes] = []
        self.size = 0
        self.complete = False

    def append(self, data: bytes) -> None:
        if data:
            self.blocks.append(data)
            self.size += len(data)

    def take(self) -> bytes:
        """Return all waiting content, as one block."""
        data = b"".join(self.blocks)
        self.blocks = []
        self.size = 0
        return data


def open_value(member: MemberPlan, reader: Source, place: Place, attributes: Attributes) -> Frame | None:
    """Return the frame of a value; None if it is nil, which is then already placed."""
    reader.keep(ELEMENT_COST)
    nil = bool(attributes) and (is_nil(attributes) if not member.nillable else _nil(reader, attributes))
    if nil and member.may_be_null:
        place(None)
        return None
    if member.convert is not None:
        return NilFrame(member.convert, place) if nil else ScalarFrame(member.convert, place)
    if member.struct is not None:
        plan = member.struct
        if nil:
            place(plan.build({}))
            return None
        if attributes and TYPE in attributes and plan.derived:
            plan = plan.derived.get(_local(attributes[TYPE]), plan)
        return StructFrame(plan, place)
    if member.spool is not None:
        place(None)
        return SpoolFrame(reader, member, reader.spool(place))
    if member.any:
        name = _local(attributes.get(TYPE, ""))
        struct = member.plans.types_of_any.get(name)
        return StructFrame(struct, place) if struct else ScalarFrame(READERS_OF_ANY.get(name, str), place)
    if member.item is not None:
        items: list[Any] = []
        place(items)
        return ArrayFrame(member.item, member.item_key, items)
    raise AssertionError(f"{member.name} has no way to be read")


def _open_array(member: MemberPlan, reader: Source, values: dict[str, Any], attributes: Attributes) -> Frame | None:
    """Return the frame of a wrapped array; if its element repeats, the items of all are collected (mm-7)."""
    reader.keep(ELEMENT_COST)
    if attributes and is_nil(attributes):
        values.setdefault(member.name, None)
        return None
    items = values.get(member.name)
    if items is None:
        items = values[member.name] = []
    assert member.item is not None  # noqa: S101  told apart by the caller
    return ArrayFrame(member.item, member.item_key, items)


def is_nil(attributes: Attributes) -> bool:
    return attributes.get(NIL, "").strip() in ("true", "1")


def _nil(reader: Source, attributes: Attributes) -> bool:
    """Return as `is_nil`, where null is declared: text other than a boolean is refused. Raises ValueFault."""
    text = attributes.get(NIL, "")
    try:
        return bool(text) and bool(READERS["boolean"](text))
    except ValueRefused as refused:
        raise ValueFault(str(refused), *reader.position()) from None


def _local(qualified: str) -> str:
    """Return the local part of a prefixed name; prefixes vary by client, and our types differ in local parts."""
    return qualified.strip().rpartition(":")[2]
