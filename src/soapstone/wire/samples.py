"""Sample requests and responses as the help pages show them: type names in place of values (asmx-29)."""

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import DECLARATION, SOAP_11, XSD, XSI, SoapVersion
from soapstone.wire.schema import ArrayType, EnumType, Member, ScalarType, StructType

_PREFIXES = {"1.1": "soap", "1.2": "soap12"}


def sample_request(contract: Contract, operation: Operation, version: SoapVersion, host: str) -> str:
    """Return the request with its HTTP head, one element a line, indented."""
    head = [
        f"POST {contract.path} HTTP/1.1",
        f"Host: {host}",
        f"Content-Type: {version.media_type}; charset=utf-8",
        "Content-Length: length",
    ]
    if version is SOAP_11:
        head.append(f'SOAPAction: "{contract.namespace}{operation.name}"')
    header = contract.header_type if operation.header else None
    return "\n".join([*head, "", *_envelope(contract, version, header, operation.request_type)])


def sample_response(contract: Contract, operation: Operation, version: SoapVersion) -> str:
    """Return the answer with its HTTP head."""
    head = ["HTTP/1.1 200 OK", f"Content-Type: {version.media_type}; charset=utf-8", "Content-Length: length"]
    return "\n".join([*head, "", *_envelope(contract, version, None, operation.response_type)])


def _envelope(contract: Contract, version: SoapVersion, header: StructType | None, body: StructType) -> list[str]:
    prefix = _PREFIXES[version.name]
    blocks = [("Header", header)] if header is not None else []
    lines = [
        DECLARATION,
        f'<{prefix}:Envelope xmlns:xsi="{XSI}" xmlns:xsd="{XSD}" xmlns:{prefix}="{version.namespace}">',
    ]
    for name, kind in [*blocks, ("Body", body)]:
        lines.append(f"  <{prefix}:{name}>")
        lines.extend(_struct(kind.name, kind, 2, (), f' xmlns="{contract.namespace}"'))
        lines.append(f"  </{prefix}:{name}>")
    return [*lines, f"</{prefix}:Envelope>"]


def _struct(name: str, kind: StructType, depth: int, within: tuple[StructType, ...], attributes: str = "") -> list[str]:
    pad = "  " * depth
    if kind in within:
        return [f'{pad}<{name} xsi:nil="true" />']
    inner = [line for member in kind.all_members for line in _member(member, depth + 1, (*within, kind))]
    if not inner:
        return [f"{pad}<{name}{attributes} />"]
    return [f"{pad}<{name}{attributes}>", *inner, f"{pad}</{name}>"]


def _member(member: Member, depth: int, within: tuple[StructType, ...]) -> list[str]:
    pad, name, kind = "  " * depth, member.name, member.type
    if isinstance(kind, StructType):
        lines = _struct(name, kind, depth, within)
    elif isinstance(kind, ArrayType):
        items = _member(kind.item, depth + 1, within)
        lines = [f"{pad}<{name}>", *items, *items, f"{pad}</{name}>"]
    elif isinstance(kind, EnumType):
        lines = [f"{pad}<{name}>{' or '.join(str(value.value) for value in kind.cls)}</{name}>"]
    elif isinstance(kind, ScalarType) and kind.name == "anyType":
        lines = [f"{pad}<{name} />"]
    else:
        lines = [f"{pad}<{name}>{kind.name}</{name}>"]
    return lines * 2 if member.flat else lines
