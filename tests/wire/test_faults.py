"""Every row of the fault table, in both versions (asmx-19 to asmx-22)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from soapstone.wire.envelope import SOAP_11, SOAP_12
from soapstone.wire.faults import Fault, MustUnderstandFault, render

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit

READ = "Server was unable to read request. ---> "
CODES = {"1.1": {}, "1.2": {"Client": "Sender", "Server": "Receiver"}}


def test_asmx_19_shape_of_a_fault_in_soap_11() -> None:
    assert render(Fault("a<b"), SOAP_11).decode() == (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>'
        "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>Server was unable to process request. "
        "---&gt; a&lt;b</faultstring><detail /></soap:Fault></soap:Body></soap:Envelope>"
    )
    assert b"detail" not in render(MustUnderstandFault("x"), SOAP_11)


def test_asmx_19_shape_of_a_fault_in_soap_12() -> None:
    assert (
        "<soap:Body><soap:Fault><soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code><soap:Reason>"
        '<soap:Text xml:lang="en">Server was unable to process request. ---&gt; a</soap:Text></soap:Reason>'
        "<soap:Detail /></soap:Fault></soap:Body>"
    ) in render(Fault("a"), SOAP_12).decode()
    assert b"Detail" not in render(MustUnderstandFault("x"), SOAP_12)


@pytest.mark.parametrize(
    ("sent", "quoted"),
    [
        ('""', ""),
        ("", ""),
        ('"urn:x"', "urn:x"),
        ('"urn:x', '"urn:x'),
        ("urn:a%20b", "urn:a b"),
        ('"http://depot.example/api/add"', "http://depot.example/api/add"),
        ('"Add"', "Add"),
    ],
)
def test_asmx_7_unknown_soap_action(driver: Driver, kit: Kit, sent: str, quoted: str) -> None:
    reply = driver.post(kit.envelope(f'<Add xmlns="{kit.namespace}"/>'), action=sent)
    assert reply.status == 500
    assert reply.headers["content-type"] == "text/xml; charset=utf-8"
    assert reply.fault == ("Client", f"Server did not recognize the value of HTTP Header SOAPAction: {quoted}.")
    assert driver.service.log == []


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_no_action_and_unknown_body_element(driver: Driver, kit: Kit, version: str) -> None:
    media = "text/xml" if version == "1.1" else "application/soap+xml"
    for body in ('<Foo xmlns="urn:x"/>', "<Add/>", ""):
        reply = driver.post(kit.envelope(body, version=version), content_type=media)
        text = "Unable to handle request without a valid action parameter. Please supply a valid soap action."
        assert (reply.status, reply.fault) == (500, (CODES[version].get("Client", "Client"), text))


def test_soap_12_with_unknown_action_and_element(driver: Driver, kit: Kit) -> None:
    reply = driver.post(
        kit.envelope("<Foo/>", version="1.2"), content_type='application/soap+xml; action="urn:Foo%20x"'
    )
    assert reply.fault == ("Sender", "Unable to handle request. The action 'urn:Foo x' was not recognized.")
    assert reply.headers["content-type"] == "application/soap+xml; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "namespace"), [('<Envelope xmlns="urn:other"/>', "urn:other"), ("<html></html>", ""), ("<Envelope/>", "")]
)
def test_version_mismatch(driver: Driver, kit: Kit, body: str, namespace: str) -> None:
    """Of no known version, so it is answered in the older one."""
    choices: list[dict[str, Any]] = [{"action": f"{kit.namespace}Add"}, {"content_type": "application/soap+xml"}]
    for options in choices:
        reply = driver.post(body, **options)
        assert (reply.status, reply.headers["content-type"]) == (500, "text/xml; charset=utf-8")
        assert reply.fault == (
            "VersionMismatch",
            f"Possible SOAP version mismatch: Envelope namespace {namespace} was unexpected. "
            "Expecting http://schemas.xmlsoap.org/soap/envelope/.",
        )
        assert f'<soap12:SupportedEnvelope qname="soap12:Envelope" xmlns:soap12="{kit.soap_12}" />' in reply.text
        assert "<soap:Header><soap12:Upgrade " in reply.text


@pytest.mark.parametrize("before", ["text", '<x xmlns="urn:x"/>', "<s:Header/><s:Header/>"])
def test_nothing_but_one_header_stands_before_the_body(driver: Driver, kit: Kit, before: str) -> None:
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"/>', token=None).replace("<s:Body>", f"{before}<s:Body>")
    reply = driver.post(body, action=f"{kit.namespace}Ping")
    assert reply.fault == (
        "Client",
        "Server was unable to read request. ---> Request format is invalid: Missing required soap:Body element.",
    )


def test_text_before_the_payload_names_no_operation(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'text<Ping xmlns="{kit.namespace}"/>', token=None)
    assert driver.post(body, action=f"{kit.namespace}Ping").status == 200
    assert driver.post(body).fault[1].startswith("Unable to handle request without a valid action parameter.")


@pytest.mark.parametrize("inside", ["a<b/>", "<b/>", "a<!-- c -->", "<?p i?>a"])
@pytest.mark.parametrize("member", ["s", "i", "raw"])
def test_markup_inside_a_text_counts_as_malformed(driver: Driver, member: str, inside: str) -> None:
    """As the runtime answered it (asmx-20): 400, empty."""
    reply = driver.call("Echo", f"<value><{member}>{inside}</{member}></value>")
    assert (reply.status, reply.content) == (400, b"")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<a",
        "no xml",
        "{E}<s:Header><a></b>",
        "{E}<s:Header><a>&#0;</a>",
        "{E}<s:Header><a>\x0b</a>",
        "{E}<s:Header><a>&#xFFFE;",
        "<!DOCTYPE a>{E}",
        "{E}",
        "<?xml version='1.1'?>{E}<s:Body/></s:Envelope>",
    ],
)
def test_malformed_xml_with_a_known_action(driver: Driver, kit: Kit, body: str) -> None:
    """asmx-20, asmx-13: 400 with an empty body."""
    body = body.replace("{E}", f'<s:Envelope xmlns:s="{kit.soap_11}">')
    choices: list[dict[str, Any]] = [
        {"action": f"{kit.namespace}Add"},
        {"content_type": f'text/xml; action="{kit.namespace}Add"'},
    ]
    for options in choices:
        reply = driver.post(body, **options)
        assert (reply.status, reply.content) == (400, b"")
        assert reply.headers["content-type"].endswith("; charset=utf-8")
    assert driver.service.log == []


def test_malformed_xml_within_a_call_that_is_known_by_its_element(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>1</b></Add>')
    reply = driver.post(body)
    assert (reply.status, reply.content) == (400, b"")
    assert driver.service.log == [("authorise", "Add")]


@pytest.mark.parametrize(("media", "code"), [("text/xml", "Receiver"), ("application/soap+xml", "Receiver")])
def test_malformed_xml_without_action(driver: Driver, media: str, code: str) -> None:
    """The version is the assumed one: without SOAPAction it is 1.2 (asmx-6)."""
    reply = driver.post("", content_type=media)
    assert reply.status == 500
    assert reply.fault == (code, "Server was unable to process request. ---> no element found: line 1, column 0")


def test_malformed_xml_without_action_in_a_soap_11_envelope(driver: Driver, kit: Kit) -> None:
    reply = driver.post(f'<s:Envelope xmlns:s="{kit.soap_11}"><s:Header></s:Body>')
    code, text = reply.fault
    assert (reply.status, code) == (500, "Server")
    assert text.startswith("Server was unable to process request. ---> mismatched tag")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_soap_root_that_is_no_envelope_and_envelope_without_body(driver: Driver, kit: Kit, version: str) -> None:
    soap = kit.soap_11 if version == "1.1" else kit.soap_12
    code = CODES[version].get("Client", "Client")
    reply = driver.post(f'<s:Body xmlns:s="{soap}"/>')
    assert reply.fault == (code, READ + "Request format is invalid: Missing required soap:Envelope element.")
    reply = driver.post(f'<s:Envelope xmlns:s="{soap}"><s:Header/></s:Envelope>')
    assert reply.status == 500
    assert reply.fault == (code, READ + "Request format is invalid: Missing required soap:Body element.")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("i", "x", "Input string was not in a correct format."),
        ("i", "", "Input string was not in a correct format."),
        ("i", "2147483648", "Value was either too large or too small for an Int32."),
        ("l", "9223372036854775808", "Value was either too large or too small for an Int64."),
        ("t", "TRUE", "The string 'TRUE' is not a valid Boolean value."),
        ("when", "soon", "The string 'soon' is not a valid AllXsd value."),
        ("colour", "Red", "Instance validation error: 'Red' is not a valid value for Colour."),
        ("colour", "", "Instance validation error: '' is not a valid value for Colour."),
        ("ni", "", "Input string was not in a correct format."),
        ("raw", "***", "Input string was not in a correct format."),
    ],
)
def test_values_that_are_refused(driver: Driver, kit: Kit, version: str, member: str, value: str, message: str) -> None:
    """The position is line and column of the text, counted from 1 in the raw request (asmx-22)."""
    body = kit.envelope(
        f'<Echo xmlns="{kit.namespace}">\r\n <value>\n  <{member}>{value}</{member}></value></Echo>', version=version
    )
    reply = driver.post(body, content_type="text/xml; charset=utf-8")
    assert reply.status == 500
    position = f"(3, {len(member) + 5})"
    assert reply.fault == (
        CODES[version].get("Client", "Client"),
        f"{READ}There is an error in XML document {position}. ---> {message}",
    )
    assert ("handle", "Echo") not in driver.service.log


@pytest.mark.parametrize("member", ["i", "d", "m", "t", "when", "colour"])
def test_asmx_16_a_value_type_cannot_be_nil(driver: Driver, kit: Kit, member: str) -> None:
    reply = driver.call("Echo", f'<value><{member} xsi:nil="true"/></value>')
    assert reply.status == 500
    assert reply.fault[1].startswith(READ + "There is an error in XML document (1, ")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("flag", ["1", "true"])
def test_unknown_header_that_must_be_understood(driver: Driver, kit: Kit, version: str, flag: str) -> None:
    header = f'<w:Security xmlns:w="urn:w" s:mustUnderstand="{flag}"><w:x/></w:Security>'
    reply = driver.post(kit.envelope(f'<Add xmlns="{kit.namespace}"/>', version=version, header=header))
    assert reply.status == 500
    assert reply.fault == ("MustUnderstand", "SOAP header Security was not understood.")
    assert "etail" not in reply.text
    assert driver.service.log == []


def test_a_header_for_someone_else_must_be_understood_all_the_same(driver: Driver, kit: Kit) -> None:
    """The runtime did not look at whom a header is aimed at."""
    header = '<c:Hop xmlns:c="urn:c" s:mustUnderstand="1" s:actor="urn:someone-else"/>'
    reply = driver.post(kit.envelope(f'<Add xmlns="{kit.namespace}"/>', header=header))
    assert reply.fault == ("MustUnderstand", "SOAP header Hop was not understood.")


def test_other_headers_are_ignored(driver: Driver, kit: Kit) -> None:
    header = (
        '<a:Action xmlns:a="urn:a">x</a:Action><b:To xmlns:b="urn:b" s:mustUnderstand="0"/>'
        '<c:Hop xmlns:c="urn:c" mustUnderstand="1"/>'
    )
    reply = driver.post(kit.envelope(f'<Add xmlns="{kit.namespace}"/>', header=header))
    assert reply.result == f'<AddResponse xmlns="{kit.namespace}"><AddResult>0</AddResult></AddResponse>'


def test_our_header_on_an_operation_without_it(driver: Driver, kit: Kit) -> None:
    """It is an unknown header there: harmless, unless it must be understood."""
    assert driver.call("Ping", "<word>a</word>", token="bad").status == 200
    must = f'<Ticket xmlns="{kit.namespace}" s:mustUnderstand="1"/>'
    choices: list[dict[str, Any]] = [{"action": f"{kit.namespace}Ping"}, {}]
    for options in choices:
        reply = driver.post(kit.envelope(f'<Ping xmlns="{kit.namespace}"/>', header=must, token=None), **options)
        assert reply.fault == ("MustUnderstand", "SOAP header Ticket was not understood.")
    reply = driver.post(kit.envelope(f'<Fetch xmlns="{kit.namespace}"/>', header=must, token=None))
    assert reply.fault[0] == "Server"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_exception_in_a_method(driver: Driver, version: str) -> None:
    reply = driver.call("Fail", "<how>fault</how>", version=version)
    code = CODES[version].get("Server", "Server")
    assert reply.status == 500
    assert reply.fault == (code, "Server was unable to process request. ---> [Refused] Not <today>.")
    reply = driver.call("Add", token="bad", version=version)
    assert reply.fault == (code, "Server was unable to process request. ---> [Denied] No such ticket.")


@pytest.mark.parametrize("how", ["error", "type"])
def test_asmx_21_an_unexpected_exception_goes_to_the_log_only(
    driver: Driver, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    reply = driver.call("Fail", f"<how>{how}</how>")
    assert reply.fault == ("Server", "Server was unable to process request. ---> Something broke here.")
    assert "Depot Service Fail failed" in caplog.text
    assert ("secret detail" in caplog.text) == (how == "error")


def test_credentials_are_checked_before_the_body_is_judged(driver: Driver, kit: Kit) -> None:
    """mm-14: the refusal comes first, whatever else is wrong."""
    for inner in ("<a>x</a>", "<a>1</b>"):
        reply = driver.call("Add", inner, token="bad")
        assert reply.fault[1].endswith("[Denied] No such ticket.")
