"""The declarations and the service description agree with the facts of each contract, whole.

A fact file lists every operation and type with members, types, order, occurrence and nillability. Both sides are
written in that form and compared as text, so that a difference shows as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from soapstone.wire.contract import Contract
from soapstone.wire.schema import ArrayType, EnumType, Member, StructType, WireType

if TYPE_CHECKING:
    from tests.contracts.conftest import Driver

XSD = "{http://www.w3.org/2001/XMLSchema}"
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
BINDINGS = {"Soap": "{http://schemas.xmlsoap.org/wsdl/soap/}", "Soap12": "{http://schemas.xmlsoap.org/wsdl/soap12/}"}

Block = tuple[str, list[str]]


def lines(facts: str) -> list[str]:
    """The facts without the remarks above them."""
    return [line for line in facts.splitlines() if not line.startswith("#")]


def page(head: list[str], operations: list[Block], types: list[Block]) -> list[str]:
    """The form of a fact file: operations in their order, types by name."""
    found = head
    for title, members in operations + sorted(types, key=lambda block: block[0].split()[1]):
        found = [*found, "", title, *(f"  {member}" for member in members)]
    return found


def kind_of(operation: str, answer: list[str]) -> str:
    """What an answer consists of: its result, an object of its own, or a result with by-reference members after it."""
    if answer[0] != f"{operation}Result":
        return "object"
    return "result" if len(answer) == 1 else "result-and-references"


# --- the declarations ------------------------------------------------------------------------------------------------


def declared_member(member: Member) -> str:
    mark = "*" if member.flat else "" if member.required else "?"
    return f"{member.name} {member.type.name}{mark}{'~' if member.nillable else ''}"


def declared_type(kind: WireType) -> Block:
    if isinstance(kind, EnumType):
        return f"enum {kind.name}", [str(value.value) for value in kind.cls]
    if isinstance(kind, ArrayType):
        nil = "~" if kind.item.nillable else ""
        return f"array {kind.name}", [f"{kind.item.name} {kind.item.type.name}*{nil}"]
    assert isinstance(kind, StructType)
    words = ["struct", kind.name]
    words += ["extends", kind.base.name] if kind.base else []
    words += ["abstract"] * kind.abstract + ["any-attribute"] * kind.any_attribute
    return " ".join(words), [declared_member(member) for member in kind.members]


def declared(contract: Contract) -> list[str]:
    assert contract.header is not None
    head = [f"service {contract.name}", f"namespace {contract.namespace}", f"path {contract.path}"]
    head.append(f"header {contract.header.__name__}")
    operations = []
    for operation in contract.operations:
        answer = operation.response_type.all_members
        kind = kind_of(operation.name, [member.name for member in answer])
        assert operation.wraps_result == (kind in ("result", "object"))
        words = ["operation", operation.name, kind]
        words += ["no-header"] * (not operation.header) + ["deprecated"] * bool(operation.deprecated)
        members = [f"> {declared_member(member)}" for member in operation.request_type.all_members]
        operations.append((" ".join(words), members + [f"< {declared_member(member)}" for member in answer]))
    return page(head, operations, [declared_type(kind) for kind in contract.types])


# --- the service description -----------------------------------------------------------------------------------------


def served_member(element: Element) -> str:
    """An element declaration; no type means any type."""
    occurrence = f"{element.get('minOccurs')}..{element.get('maxOccurs')}"
    mark = {"0..1": "?", "1..1": "", "0..unbounded": "*"}[occurrence]
    kind = (element.get("type") or "s:anyType").partition(":")[2]
    return f"{element.get('name')} {kind}{mark}{'~' if element.get('nillable') == 'true' else ''}"


def served_type(kind: Element) -> Block:
    name = kind.get("name")
    if kind.tag == f"{XSD}simpleType":
        return f"enum {name}", [str(each.get("value")) for each in kind.iter(f"{XSD}enumeration")]
    members = [served_member(element) for element in kind.iter(f"{XSD}element")]
    if str(name).startswith("ArrayOf"):
        return f"array {name}", members
    words = ["struct", str(name)]
    for extension in kind.iter(f"{XSD}extension"):
        words += ["extends", str(extension.get("base")).removeprefix("tns:")]
    words += ["abstract"] * (kind.get("abstract") == "true")
    words += ["any-attribute"] * (kind.find(f"{XSD}anyAttribute") is not None)
    return " ".join(words), members


def served(root: Element, service_name: str, url: str) -> list[str]:
    """The facts of a service description, whose parts must fit together (asmx-25)."""
    namespace = root.get("targetNamespace")
    schema = root.find(f"{WSDL}types/{XSD}schema")
    assert schema is not None
    elements = {element.get("name"): element for element in schema.findall(f"{XSD}element")}
    messages = {message.get("name"): message.find(f"{WSDL}part") for message in root.findall(f"{WSDL}message")}
    (port_type,) = root.findall(f"{WSDL}portType")
    (service,) = root.findall(f"{WSDL}service")
    base = service.get("name")
    for port in service.findall(f"{WSDL}port"):
        assert [address.get("location") for address in port] == [url]
    (header,) = {name for name, element in elements.items() if element.get("type") is not None}
    assert elements[header].get("type") == f"tns:{header}"

    def members(message: str) -> list[Element]:
        part = messages.pop(message)
        assert part is not None
        assert part.get("name") == "parameters"
        return list(elements.pop(str(part.get("element")).removeprefix("tns:")).iter(f"{XSD}element"))[1:]

    with_header = set(bound(root, "Soap", str(namespace), str(header)))
    assert with_header == set(bound(root, "Soap12", str(namespace), str(header)))
    operations = []
    for each in port_type.findall(f"{WSDL}operation"):
        name = str(each.get("name"))
        assert [side.get("message") for side in each[1:]] == [f"tns:{name}SoapIn", f"tns:{name}SoapOut"]
        request, answer = members(f"{name}SoapIn"), members(f"{name}SoapOut")
        words = ["operation", name, kind_of(name, [str(element.get("name")) for element in answer])]
        if name in with_header:
            part = messages.pop(f"{name}{header}")
            assert part is not None
            assert dict(part.attrib) == {"name": header, "element": f"tns:{header}"}
        else:
            words.append("no-header")
        words += ["deprecated"] * str(each[0].text).startswith("[Deprecated: ")
        shown = [f"> {served_member(element)}" for element in request]
        operations.append((" ".join(words), shown + [f"< {served_member(element)}" for element in answer]))
    assert list(messages) == []
    assert list(elements) == [header]
    types = [served_type(kind) for kind in schema if kind.tag != f"{XSD}element"]
    head = [f"service {service_name}", f"namespace {namespace}", f"path /{url.split('/', 3)[3]}", f"header {header}"]
    assert base == service_name.replace(" ", "_x0020_")
    assert port_type.get("name") == f"{base}Soap"
    return page(head, operations, types)


def bound(root: Element, suffix: str, namespace: str, header: str) -> Iterator[str]:
    """The operations of a binding that take the header; every one of them is bound alike."""
    soap = BINDINGS[suffix]
    (binding,) = (each for each in root.findall(f"{WSDL}binding") if str(each.get("name")).endswith(f"Service{suffix}"))
    for operation in binding.findall(f"{WSDL}operation"):
        name = operation.get("name")
        attributes = {"soapAction": f"{namespace}{name}", "style": "document"}
        assert [dict(each.attrib) for each in operation.findall(f"{soap}operation")] == [attributes]
        given, taken = operation.find(f"{WSDL}input"), operation.find(f"{WSDL}output")
        assert given is not None
        assert taken is not None
        assert [dict(each.attrib) for each in (*given.findall(f"{soap}body"), *taken)] == [{"use": "literal"}] * 2
        for block in given.findall(f"{soap}header"):
            assert dict(block.attrib) == {"message": f"tns:{name}{header}", "part": header, "use": "literal"}
            yield str(name)


# --- the comparisons -------------------------------------------------------------------------------------------------


def test_the_declarations_agree_with_the_facts(contract: Contract, facts: str) -> None:
    assert declared(contract) == lines(facts)


def test_the_service_description_agrees_with_the_facts(driver: Driver, facts: str) -> None:
    root = ElementTree.fromstring(driver.get("WSDL").content)
    assert served(root, driver.contract.name, driver.url) == lines(facts)


def test_every_operation_is_there(name: str, contract: Contract) -> None:
    assert len(contract.operations) == {"magnetmail": 55, "listrak": 97}[name]


def test_every_operation_says_in_one_line_what_it_does(contract: Contract) -> None:
    for operation in contract.operations:
        assert 15 < len(operation.summary) < 120, operation.name
        assert operation.summary.endswith("."), operation.name
        assert operation.summary[0].isupper(), operation.name
    summaries = [operation.summary for operation in contract.operations]
    assert [each for each in summaries if summaries.count(each) > 1] == []


@pytest.mark.parametrize("name", ["magnetmail"], scope="module")
def test_mm_3_types_that_differ_by_letter_case(driver: Driver) -> None:
    """Also as complex types of their own in the description."""
    text = driver.get("wsdl").content.decode()
    for pair in (("Error", "error"), ("SaveResult", "saveResult")):
        for each in pair:
            assert text.count(f'<s:complexType name="{each}">') == 1
    kinds = {kind.name: kind for kind in driver.contract.types}
    for upper, lower in (("SaveResult", "Error"), ("saveResult", "error")):
        holder = kinds[upper]
        assert isinstance(holder, StructType)
        assert holder.all_members_by_name["errorObj"].type.name == lower


@pytest.mark.parametrize("name", ["listrak"], scope="module")
def test_lk_124_odd_spellings_stay(contract: Contract, facts: str) -> None:
    assert "enum ProfileFitlerCompareTypes" in lines(facts)
    options = "WSUpdateSubcribedContactAttributeOptions"
    request = contract.operations_by_name["UpdateSubscribedContactAttributeWithOptions"].request_type
    assert request.all_members_by_name[options].type.name == options
    assert [
        member.name for member in contract.operations_by_name["ConductorGetConversations"].request_type.members
    ] == ["listID"]


@pytest.mark.parametrize("name", ["listrak"], scope="module")
def test_lk_15_a_by_reference_exception_of_a_request_counts_for_nothing(contract: Contract) -> None:
    """45 operations have one (lk-14), and every other by-reference member is read."""
    ignored = [
        (operation.name, member.name)
        for operation in contract.operations
        for member in operation.request_type.all_members
        if member.ignored
    ]
    assert len(ignored) == 45
    assert {member for _, member in ignored} == {"WSException"}
    answering = {each.name for each in contract.operations if "WSException" in each.response_type.all_members_by_name}
    assert answering == {operation for operation, _ in ignored}


def test_the_members_that_take_files_are_spooled(name: str, contract: Contract) -> None:
    places = {
        f"{holder.name}.{member.name}"
        for holder in [*(operation.request_type for operation in contract.operations), *contract.types]
        if isinstance(holder, StructType)
        for member in holder.all_members
        if member.spool
    }
    assert (
        places
        == {
            "magnetmail": {"uploadListQueue.csvData", "uploadListQueueTest.csvData", "UploadInitialJob.CsvData"},
            "listrak": {
                "BulkLoadContacts.ImportFileStream",
                "BulkLoadContactsWithOptions.ImportFileStream",
                "ConductorBulkLoadAndTriggerContacts.ImportFileStream",
                "ConductorBulkLoadAndTriggerContactsWithOptions.ImportFileStream",
            },
        }[name]
    )
