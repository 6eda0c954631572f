"""The service description of a contract (asmx-24 to asmx-28)."""

from xml.sax.saxutils import escape, quoteattr

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.schema import ArrayType, EnumType, Member, ScalarType, StructType, WireType

_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
_DISCO = "http://schemas.xmlsoap.org/disco/"
_PREFIXES = {
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "tm": "http://microsoft.com/wsdl/mime/textMatching/",
    "soapenc": "http://schemas.xmlsoap.org/soap/encoding/",
    "mime": "http://schemas.xmlsoap.org/wsdl/mime/",
    "tns": "",
    "s": "http://www.w3.org/2001/XMLSchema",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "http": "http://schemas.xmlsoap.org/wsdl/http/",
    "wsdl": _WSDL,
}
_BINDINGS = (("soap", "Soap"), ("soap12", "Soap12"))


class Lines:
    """XML lines with their indentation."""

    def __init__(self) -> None:
        self._lines: list[str] = ['<?xml version="1.0" encoding="utf-8"?>']
        self._open: list[str] = []

    def empty(self, tag: str, **attributes: str) -> None:
        self._add(f"<{tag}{_attributes(attributes)} />")

    def text(self, tag: str, text: str, **attributes: str) -> None:
        self._add(f"<{tag}{_attributes(attributes)}>{escape(text)}</{tag}>")

    def open(self, tag: str, **attributes: str) -> None:
        self._add(f"<{tag}{_attributes(attributes)}>")
        self._open.append(tag)

    def close(self) -> None:
        tag = self._open.pop()
        self._add(f"</{tag}>")

    def _add(self, line: str) -> None:
        self._lines.append("  " * len(self._open) + line)

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"


def _attributes(attributes: dict[str, str]) -> str:
    """Convert Python names to XML: drop a trailing underscore, turn two in the middle into a colon."""
    return "".join(f" {name.rstrip('_').replace('__', ':')}={quoteattr(value)}" for name, value in attributes.items())


def service_description(contract: Contract, url: str) -> str:
    """Return the WSDL, with both ports at `url`."""
    lines = Lines()
    prefixes = {f"xmlns__{prefix}": uri or contract.namespace for prefix, uri in _PREFIXES.items()}
    lines.open("wsdl:definitions", **prefixes, targetNamespace=contract.namespace)
    _types(lines, contract)
    for operation in contract.operations:
        _messages(lines, contract, operation)
    _port_type(lines, contract)
    for prefix, suffix in _BINDINGS:
        _binding(lines, contract, prefix, suffix)
    lines.open("wsdl:service", name=contract.service_name)
    for prefix, suffix in _BINDINGS:
        name = contract.service_name + suffix
        lines.open("wsdl:port", name=name, binding=f"tns:{name}")
        lines.empty(f"{prefix}:address", location=url)
        lines.close()
    lines.close()
    lines.close()
    return str(lines)


def _types(lines: Lines, contract: Contract) -> None:
    lines.open("wsdl:types")
    lines.open("s:schema", elementFormDefault="qualified", targetNamespace=contract.namespace)
    for element, kinds in contract.elements:
        if element is contract.header_type:
            lines.empty("s:element", name=element.name, type=f"tns:{element.name}")
        elif element.all_members:
            lines.open("s:element", name=element.name)
            _complex_type(lines, element, {})
            lines.close()
        else:
            lines.open("s:element", name=element.name)
            lines.empty("s:complexType")
            lines.close()
        for kind in kinds:
            _type(lines, kind)
    lines.close()
    lines.close()


def _type(lines: Lines, kind: WireType) -> None:
    if isinstance(kind, StructType):
        _complex_type(lines, kind, {"name": kind.name})
    elif isinstance(kind, ArrayType):
        lines.open("s:complexType", name=kind.name)
        lines.open("s:sequence")
        _element(lines, kind.item, "unbounded")
        lines.close()
        lines.close()
    elif isinstance(kind, EnumType):
        lines.open("s:simpleType", name=kind.name)
        lines.open("s:restriction", base="s:string")
        for value in kind.cls:
            lines.empty("s:enumeration", value=str(value.value))
        lines.close()
        lines.close()


def _complex_type(lines: Lines, kind: StructType, attributes: dict[str, str]) -> None:
    if kind.abstract:
        attributes = {**attributes, "abstract": "true"}
    if not kind.members and kind.base is None and not kind.any_attribute:
        lines.empty("s:complexType", **attributes)
        return
    lines.open("s:complexType", **attributes)
    if kind.base is not None:
        lines.open("s:complexContent", mixed="false")
        if kind.members:
            lines.open("s:extension", base=f"tns:{kind.base.name}")
            _sequence(lines, kind)
            lines.close()
        else:
            lines.empty("s:extension", base=f"tns:{kind.base.name}")
        lines.close()
    else:
        _sequence(lines, kind)
    if kind.any_attribute:
        lines.empty("s:anyAttribute")
    lines.close()


def _sequence(lines: Lines, kind: StructType) -> None:
    if not kind.members:
        return
    lines.open("s:sequence")
    for member in kind.members:
        _element(lines, member, "unbounded" if member.flat else "1")
    lines.close()


def _element(lines: Lines, member: Member, most: str) -> None:
    attributes = {"minOccurs": "1" if member.required else "0", "maxOccurs": most, "name": member.name}
    if member.nillable:
        attributes["nillable"] = "true"
    if not (isinstance(member.type, ScalarType) and member.type.name == "anyType"):
        prefix = "s" if isinstance(member.type, ScalarType) else "tns"
        attributes["type"] = f"{prefix}:{member.type.name}"
    lines.empty("s:element", **attributes)


def _messages(lines: Lines, contract: Contract, operation: Operation) -> None:
    for suffix, element in (("SoapIn", operation.name), ("SoapOut", operation.response.__name__)):
        lines.open("wsdl:message", name=operation.name + suffix)
        lines.empty("wsdl:part", name="parameters", element=f"tns:{element}")
        lines.close()
    if operation.header and contract.header_type is not None:
        header = contract.header_type.name
        lines.open("wsdl:message", name=operation.name + header)
        lines.empty("wsdl:part", name=header, element=f"tns:{header}")
        lines.close()


def _port_type(lines: Lines, contract: Contract) -> None:
    lines.open("wsdl:portType", name=f"{contract.service_name}Soap")
    for operation in contract.operations:
        lines.open("wsdl:operation", name=operation.name)
        lines.text("wsdl:documentation", operation.description, xmlns__wsdl=_WSDL)
        lines.empty("wsdl:input", message=f"tns:{operation.name}SoapIn")
        lines.empty("wsdl:output", message=f"tns:{operation.name}SoapOut")
        lines.close()
    lines.close()


def _binding(lines: Lines, contract: Contract, prefix: str, suffix: str) -> None:
    lines.open("wsdl:binding", name=contract.service_name + suffix, type=f"tns:{contract.service_name}Soap")
    lines.empty(f"{prefix}:binding", transport=_TRANSPORT)
    for operation in contract.operations:
        lines.open("wsdl:operation", name=operation.name)
        lines.empty(f"{prefix}:operation", soapAction=contract.namespace + operation.name, style="document")
        lines.open("wsdl:input")
        lines.empty(f"{prefix}:body", use="literal")
        if operation.header and contract.header_type is not None:
            header = contract.header_type.name
            lines.empty(f"{prefix}:header", message=f"tns:{operation.name}{header}", part=header, use="literal")
        lines.close()
        lines.open("wsdl:output")
        lines.empty(f"{prefix}:body", use="literal")
        lines.close()
        lines.close()
    lines.close()


def discovery(contract: Contract, url: str) -> str:
    """Return the discovery document: the address of the description, and one entry per port (asmx-28)."""
    lines = Lines()
    lines.open(
        "discovery",
        xmlns__xsd="http://www.w3.org/2001/XMLSchema",
        xmlns__xsi="http://www.w3.org/2001/XMLSchema-instance",
        xmlns=_DISCO,
    )
    lines.empty("contractRef", ref=f"{url}?wsdl", docRef=url, xmlns=f"{_DISCO}scl/")
    for at, (_, suffix) in enumerate(_BINDINGS, start=1):
        attributes = {
            "address": url,
            f"xmlns__q{at}": contract.namespace,
            "binding": f"q{at}:{contract.service_name}{suffix}",
            "xmlns": f"{_DISCO}soap/",
        }
        lines.empty("soap", **attributes)
    lines.close()
    return str(lines)
