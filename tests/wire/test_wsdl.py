"""The service description, and clients that are made from it (asmx-24 to asmx-28)."""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import suds.client
import suds.transport
import zeep
import zeep.exceptions
import zeep.transports

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit

URL = "http://depot.example:8080/depot.asmx"


class ZeepTransport(zeep.transports.Transport):
    """Takes zeep's requests to the endpoint in this process."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.driver = driver

    def load(self, url: str) -> bytes:
        assert url.lower() == f"{URL}?wsdl"
        return self.driver.get("wsdl").content

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> Any:
        assert address == URL
        self.sent = message
        found = {name.lower(): value for name, value in headers.items()}
        reply = self.driver.post(message, action=found.get("soapaction"), content_type=found["content-type"])

        class Response:
            status_code = reply.status
            content = reply.content
            headers = reply.headers
            encoding = "utf-8"

        return Response()


class SudsTransport(suds.transport.Transport):  # type: ignore[misc]
    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self.driver = driver

    def open(self, request: Any) -> Any:
        assert request.url == f"{URL}?WSDL"
        return io.BytesIO(self.driver.get("WSDL").content)

    def send(self, request: Any) -> Any:
        found = {name.lower(): _text(value) for name, value in request.headers.items()}
        reply = self.driver.post(request.message, action=found["soapaction"], content_type=found["content-type"])
        if reply.status != 200:
            raise suds.transport.TransportError("refused", reply.status, io.BytesIO(reply.content))
        return suds.transport.Reply(reply.status, reply.headers, reply.content)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("port", ["Soap", "Soap12"])
def test_zeep_calls_both_ports(driver: Driver, kit: Kit, port: str) -> None:
    transport = ZeepTransport(driver)
    with transport.session:
        client = zeep.Client(f"{URL}?wsdl", transport=transport)
        api = client.bind("Depot_x0020_Service", f"Depot_x0020_Service{port}")
        ticket = {"Ticket": {"Token": "good", "Account": "ACME"}}
        assert api.Add(a=2, b=3, _soapheaders=ticket) == 5
        assert driver.service.callers[-1].soap_version == ("1.2" if port == "Soap12" else "1.1")
        assert api.Ping(word="ü") == "ü"
        stored = api.Store(name="n", text="a\nb", file=b"\x00\x01", replace=True, _soapheaders=ticket)
        assert stored == "n:3:2:True"
        assert [upload.content for upload in driver.uploads] == [b"a\nb", b"\x00\x01"]
        assert api.Fetch(id=0, _soapheaders=ticket).id is None
        assert api.Fetch(id=7, _soapheaders=ticket).id == 7
        swapped = api.Swap(id=1, Trouble=zeep.xsd.Nil, _soapheaders=ticket)
        assert swapped.SwapResult.Box[0].weight == 2.5
        assert swapped.Trouble.code is None
        with pytest.raises(zeep.exceptions.Fault, match=r"Server was unable to process request\. ---> \[Refused\]"):
            api.Fail(how="fault", _soapheaders=ticket)
        with pytest.raises(zeep.exceptions.Fault, match="No such ticket"):
            api.Add(a=1, b=1)


def test_zeep_reads_every_type_back(driver: Driver, kit: Kit) -> None:
    transport = ZeepTransport(driver)
    with transport.session:
        client = zeep.Client(f"{URL}?wsdl", transport=transport)
        sent: dict[str, Any] = {
            "i": 1,
            "l": 2**40,
            "b": 7,
            "d": 2.5,
            "m": "1.5",
            "t": True,
            "when": datetime(2013, 1, 2, 3, 4, 5),
            "s": "x",
            "raw": b"abc",
            "ni": None,
            "nd": 1.5,
            "nt": False,
            "nw": None,
            "colour": "dark: blue",
            "upper": {"code": "c", "number": None},
            "lower": {"text": "t"},
            "must": {"code": "m", "number": 3},
            "crate": {"id": 5, "weight": 1, "inner": {"id": 6}},
            "nil_box": None,
            "ints": {"int": [1, 2]},
            "words": {"string": ["a", "b"]},
            "boxes": {"Box": [{"id": 1}]},
            "colours": {"Colour": ["green"]},
            "flat_words": ["p", "q"],
            "flat_ints": [],
            "flat_boxes": [{"id": 9}],
        }
        got = client.service.Echo(value=sent, _soapheaders={"Ticket": {"Token": "good"}})
    assert (got.i, got.l, got.b, got.d, str(got.m), got.t, got.when) == (1, 2**40, 7, 2.5, "1.5", True, sent["when"])
    assert (got.s, got.raw, got.ni, got.nd, got.nt, got.colour) == ("x", b"abc", None, 1.5, False, "dark: blue")
    assert (got.upper.code, got.lower.text, got.must.number) == ("c", "t", 3)
    assert (got.crate.inner.id, got.ints.int, got.words.string) == (6, [1, 2], ["a", "b"])
    assert (got.colours.Colour, got.flat_words, got.flat_boxes[0].id) == (["green"], ["p", "q"], 9)


def test_suds_calls(driver: Driver) -> None:
    client = suds.client.Client(f"{URL}?WSDL", transport=SudsTransport(driver), cache=None)
    ticket = client.factory.create("Ticket")
    ticket.Token = "good"
    client.set_options(soapheaders=ticket)
    assert client.service.Add(2, 3) == 5
    assert client.service.Ping("ü") == "ü"
    box = client.service.Fetch(4)
    assert (box.id, box.label or "") == (4, "")
    value = client.factory.create("Everything")
    value.i, value.s, value.colour = 4, "s", client.factory.create("Colour").green
    value.when = datetime(2013, 1, 2)
    value.nil_box = None
    for name in ("l", "b", "d", "m", "t"):
        setattr(value, name, 0)
    value.words = client.factory.create("ArrayOfString")
    value.words.string = ["a", "b"]
    got = client.service.Echo(value)
    assert (got.i, got.s, got.colour, got.words.string) == (4, "s", "green", ["a", "b"])
    with pytest.raises(suds.WebFault, match="Refused"):
        client.service.Fail("fault")


S = "{http://www.w3.org/2001/XMLSchema}"
W = "{http://schemas.xmlsoap.org/wsdl/}"


def test_asmx_24_to_27_shape(driver: Driver) -> None:
    text = driver.get("wsdl").text
    prefixes = re.findall(r"xmlns:(\w+)=", text.split("targetNamespace", 1)[0])
    assert prefixes == ["soap", "tm", "soapenc", "mime", "tns", "s", "soap12", "http", "wsdl"]
    root = ElementTree.fromstring(text)
    schema = root.find(f"{W}types/{S}schema")
    assert schema is not None
    assert schema.attrib == {"elementFormDefault": "qualified", "targetNamespace": driver.contract.namespace}
    elements = [element.get("name") for element in schema.findall(f"{S}element")]
    assert elements[:6] == ["Echo", "EchoResponse", "Ticket", "Add", "AddResponse", "Store"]
    types = [kind.get("name") for kind in schema if kind.tag != f"{S}element"]
    assert types[:7] == ["Everything", "Colour", "Error", "error", "Crate", "Box", "Thing"]
    assert len(types) == len(set(types))
    assert '<s:element minOccurs="1" maxOccurs="1" name="ni" nillable="true" type="s:int" />' in text
    assert '<s:element minOccurs="0" maxOccurs="unbounded" name="int" type="s:int" />' in text
    assert '<s:element minOccurs="0" maxOccurs="unbounded" name="string" nillable="true" type="s:string" />' in text
    assert '<s:element minOccurs="0" maxOccurs="unbounded" name="flat_words" type="s:string" />' in text
    assert '<s:element minOccurs="0" maxOccurs="unbounded" name="anyType" nillable="true" />' in text
    assert '<s:element minOccurs="1" maxOccurs="1" name="must" type="tns:Error" />' in text
    assert '<s:complexType name="Thing" abstract="true">' in text
    assert '<s:extension base="tns:Box">' in text
    assert "<s:anyAttribute />" in text
    messages = [message.get("name") for message in root.findall(f"{W}message")]
    assert messages[:3] == ["EchoSoapIn", "EchoSoapOut", "EchoTicket"]
    assert "PingTicket" not in messages
    assert [b.get("name") for b in root.findall(f"{W}binding")] == [
        "Depot_x0020_ServiceSoap",
        "Depot_x0020_ServiceSoap12",
    ]
    assert [p.get("name") for p in root.findall(f"{W}portType")] == ["Depot_x0020_ServiceSoap"]
    assert '<soap:operation soapAction="http://depot.example/api/Add" style="document" />' in text
    assert '<soap12:header message="tns:AddTicket" part="Ticket" use="literal" />' in text
    assert 'Adds &lt;two&gt; "numbers" &amp; more.</wsdl:documentation>' in text


def test_asmx_28_discovery(driver: Driver) -> None:
    root = ElementTree.fromstring(driver.get("disco").text)
    assert [child.tag.rpartition("}")[2] for child in root] == ["contractRef", "soap", "soap"]
    assert root[0].attrib == {"ref": f"{URL}?wsdl", "docRef": URL}
    assert [child.get("binding") for child in root[1:]] == [
        "q1:Depot_x0020_ServiceSoap",
        "q2:Depot_x0020_ServiceSoap12",
    ]
