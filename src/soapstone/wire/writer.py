"""Values to XML: one writer per struct, compiled once, building plain strings (asmx-18).

Members come in schema order: value types always, None left out or nil as declared, never an unknown element.
"""

from collections.abc import Callable
from typing import Any

from soapstone.wire.contract import Operation
from soapstone.wire.envelope import SoapVersion, envelope
from soapstone.wire.schema import ArrayType, EnumType, Member, ScalarType, StructType, struct_type
from soapstone.wire.types import Enumeration, Struct
from soapstone.wire.values import WRITERS, escape, escape_attribute, type_of_any

Write = Callable[[Any, list[str]], None]
"""Append the XML of a value to a list of pieces."""

_struct_writers: dict[type[Struct], Write] = {}
_answer_writers: dict[Operation, Write] = {}


def write_answer(operation: Operation, namespace: str, version: SoapVersion, value: Any) -> bytes:
    """Return the answer of a call: `value` is the bare result or the answer struct, as the operation declares."""
    write = _answer_writers.get(operation) or _answer_writers.setdefault(operation, _compile_answer(operation))
    out: list[str] = []
    write(value, out)
    return envelope(version, element(operation.response.__name__, namespace, "".join(out)))


def _compile_answer(operation: Operation) -> Write:
    member = operation.result_member
    if member is not None:
        return _compile_member(member)
    response = operation.response
    write_response = struct_writer(response)

    def write(value: Any, out: list[str]) -> None:
        if value is None and not operation.response_type.all_members:
            return
        if type(value) is not response:
            raise TypeError(f"{operation.name} answers {response.__name__}, not {type(value).__name__}")
        write_response(value, out)

    return write


def write_struct(value: Struct, namespace: str) -> str:
    """Return a struct as an element of its own name in its namespace: a request payload or a header block."""
    out: list[str] = []
    struct_writer(type(value))(value, out)
    return element(type(value).__name__, namespace, "".join(out))


def element(name: str, namespace: str, content: str) -> str:
    """Return a global element around its content."""
    head = f'<{name} xmlns="{escape_attribute(namespace)}"'
    return f"{head}>{content}</{name}>" if content else f"{head} />"


def struct_writer(cls: type[Struct]) -> Write:
    return _struct_writers.get(cls) or _struct_writers.setdefault(cls, _compile_struct(struct_type(cls)))


def _compile_struct(kind: StructType) -> Write:
    parts = [(member.name, _compile_member(member)) for member in kind.all_members]

    def write(value: Any, out: list[str]) -> None:
        values = value.__dict__
        for name, write_member in parts:
            write_member(values[name], out)

    return write


def _compile_member(member: Member) -> Write:
    name = member.name
    write_value = _compile_element(member)
    if member.flat:

        def write_all(value: Any, out: list[str]) -> None:
            for item in value or ():
                if item is not None:
                    write_value(item, out)

        return write_all
    if member.nillable:
        nil = f'<{name} xsi:nil="true" />'

        def write_nillable(value: Any, out: list[str]) -> None:
            if value is None:
                out.append(nil)
            else:
                write_value(value, out)

        return write_nillable
    if member.required:
        return write_value

    def write_optional(value: Any, out: list[str]) -> None:
        if value is not None:
            write_value(value, out)

    return write_optional


def _compile_element(member: Member) -> Write:
    """Return the writer of an element with a value."""
    kind = member.type
    if isinstance(kind, StructType):
        return _compile_struct_element(member.name, kind)
    if isinstance(kind, ArrayType):
        return _compile_array_element(member.name, kind)
    if isinstance(kind, EnumType):
        return _compile_enum_element(member.name, kind)
    if kind.name == "anyType":
        return _compile_any_element(member.name)
    return _compile_scalar_element(member.name, kind)


def _compile_scalar_element(name: str, kind: ScalarType) -> Write:
    to_text = WRITERS[kind.name]
    head, tail, empty = f"<{name}>", f"</{name}>", f"<{name} />"

    def write(value: Any, out: list[str]) -> None:
        text = to_text(value)
        out.append(f"{head}{text}{tail}" if text else empty)

    return write


def _compile_enum_element(name: str, kind: EnumType) -> Write:
    texts = {value: f"<{name}>{escape(str(value.value))}</{name}>" for value in kind.cls}

    def write(value: Any, out: list[str]) -> None:
        out.append(texts[kind.cls(value)])

    return write


def _compile_struct_element(name: str, kind: StructType) -> Write:
    cls, head, tail, empty = kind.cls, f"<{name}", f"</{name}>", " />"

    def write(value: Any, out: list[str]) -> None:
        actual = type(value)
        opening = head
        if actual is not cls:
            # A derived type stands in for its base under xsi:type; anything else is an error of ours.
            if not isinstance(value, cls):
                raise TypeError(f"<{name}> holds {cls.__name__}, not {actual.__name__}")
            opening = f'{head} xsi:type="{actual.__name__}"'
        _enclose(opening, tail, empty, struct_writer(actual), value, out)

    return write


def _compile_array_element(name: str, kind: ArrayType) -> Write:
    head, tail, empty = f"<{name}", f"</{name}>", " />"
    write_item = _compile_member(kind.item)

    def write_items(value: Any, out: list[str]) -> None:
        for item in value:
            write_item(item, out)

    def write(value: Any, out: list[str]) -> None:
        _enclose(head, tail, empty, write_items, value, out)

    return write


def _compile_any_element(name: str) -> Write:
    head, tail, empty = f"<{name}", f"</{name}>", " />"

    def write_content(value: Any, out: list[str]) -> None:
        if isinstance(value, Struct):
            struct_writer(type(value))(value, out)
        elif isinstance(value, Enumeration):
            out.append(escape(str(value.value)))
        else:
            text = WRITERS[type_of_any(value).removeprefix("xsd:")](value)
            if text:
                out.append(text)

    def write(value: Any, out: list[str]) -> None:
        _enclose(f'{head} xsi:type="{type_of_any(value)}"', tail, empty, write_content, value, out)

    return write


def _enclose(head: str, tail: str, empty: str, write: Write, value: Any, out: list[str]) -> None:
    """Write content in its element, or `<x />` without content."""
    at = len(out)
    out.append(head + ">")
    write(value, out)
    if len(out) == at + 1:
        out[at] = head + empty
    else:
        out.append(tail)
