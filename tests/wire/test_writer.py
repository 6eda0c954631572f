"""Answers as bytes (asmx-14, asmx-18)."""

from __future__ import annotations

import datetime
import decimal
from datetime import UTC
from typing import TYPE_CHECKING

import pytest

from soapstone.wire.envelope import SOAP_11, SOAP_12
from soapstone.wire.writer import write_answer, write_struct

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit


def test_asmx_14_shape_of_an_answer(driver: Driver, kit: Kit) -> None:
    reply = driver.call("Add", "<a>1</a><b>2</b>")
    assert reply.text == (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><soap:Body>'
        '<AddResponse xmlns="http://depot.example/api/"><AddResult>3</AddResult></AddResponse></soap:Body></soap:Envelope>'
    )
    assert reply.headers == {
        "content-type": "text/xml; charset=utf-8",
        "cache-control": "private, max-age=0",
        "content-length": str(len(reply.content)),
    }
    reply = driver.call("Add", "<a>1</a><b>2</b>", version="1.2")
    assert '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" ' in reply.text
    assert reply.headers["content-type"] == "application/soap+xml; charset=utf-8"


def test_answers_of_every_kind(driver: Driver, kit: Kit) -> None:
    """asmx-27: a result, an object in its place, a result and by-reference members, none."""
    head = f'xmlns="{kit.namespace}"'
    assert driver.call("Ping", "").result == f"<PingResponse {head} />"
    assert driver.call("Ping", "<word/>").result == f"<PingResponse {head}><PingResult /></PingResponse>"
    assert driver.call("Fetch", "").result == f'<FetchResponse {head}><Box xsi:nil="true" /></FetchResponse>'
    assert driver.call("Fetch", "<id>5</id>").result == (
        f"<FetchResponse {head}><Box><id>5</id><label /></Box></FetchResponse>"
    )
    assert driver.call("Swap").result == (
        f'<SwapResponse {head}><SwapResult><Box xsi:type="Crate"><id>1</id><label>a</label><weight>2.5</weight>'
        '<label2>none</label2></Box></SwapResult><Trouble xsi:nil="true" /></SwapResponse>'
    )
    assert driver.call("Nothing").result == f"<NothingResponse {head} />"


def test_asmx_18_every_member_in_schema_order(kit: Kit) -> None:
    value = kit.Everything(
        i=-1,
        l=2**40,
        b=255,
        d=2.0,
        m=decimal.Decimal("1.50"),
        t=True,
        when=datetime.datetime(2013, 5, 6, 7, 8, 9),
        s="a & b",
        raw=b"\x00\xff",
        ni=None,
        nd=0.5,
        nt=False,
        nw=datetime.datetime(2013, 5, 6, tzinfo=UTC),
        colour=kit.Colour.dark_blue,
        upper=kit.Error(code=None, number=None),
        ints=[1, 2],
        words=["x", None, ""],
        boxes=[],
        any=[1, 2**33, True, "s", None, 1.5, kit.Colour.red, datetime.datetime(2013, 1, 1), b"a"],
        flat_words=["p", "q"],
        flat_boxes=[kit.Box()],
    )
    assert write_struct(value, "urn:n") == (
        '<Everything xmlns="urn:n"><i>-1</i><l>1099511627776</l><b>255</b><d>2</d><m>1.50</m><t>true</t>'
        "<when>2013-05-06T07:08:09</when><s>a &amp; b</s><raw>AP8=</raw>"
        '<ni xsi:nil="true" /><nd>0.5</nd><nt>false</nt><nw>2013-05-06T00:00:00Z</nw><colour>dark: blue</colour>'
        '<upper><number xsi:nil="true" /></upper><must><number xsi:nil="true" /></must>'
        '<nil_box xsi:nil="true" /><ints><int>1</int><int>2</int></ints>'
        '<words><string>x</string><string xsi:nil="true" /><string /></words><boxes />'
        '<any><anyType xsi:type="xsd:int">1</anyType><anyType xsi:type="xsd:long">8589934592</anyType>'
        '<anyType xsi:type="xsd:boolean">true</anyType><anyType xsi:type="xsd:string">s</anyType>'
        '<anyType xsi:nil="true" /><anyType xsi:type="xsd:double">1.5</anyType>'
        '<anyType xsi:type="Colour">red</anyType><anyType xsi:type="xsd:dateTime">2013-01-01T00:00:00</anyType>'
        '<anyType xsi:type="xsd:base64Binary">YQ==</anyType></any>'
        "<flat_words>p</flat_words><flat_words>q</flat_words><flat_boxes><id>0</id></flat_boxes></Everything>"
    )


def test_defaults_are_written_where_the_schema_requires_them(kit: Kit) -> None:
    assert write_struct(kit.Everything(), "urn:n").startswith(
        '<Everything xmlns="urn:n"><i>0</i><l>0</l><b>0</b><d>0</d><m>0</m><t>false</t><when>0001-01-01T00:00:00</when>'
        '<ni xsi:nil="true" />'
    )


def test_values_of_the_wrong_class_are_errors_of_ours(kit: Kit) -> None:
    operations = kit.contract.operations_by_name
    for name, value in [("Fetch", 5), ("Fetch", None), ("Echo", kit.Box()), ("Add", None), ("Nothing", kit.Box())]:
        with pytest.raises(TypeError):
            write_answer(operations[name], kit.namespace, SOAP_11, value)
    assert write_answer(operations["Echo"], kit.namespace, SOAP_12, None).endswith(
        b'<EchoResponse xmlns="http://depot.example/api/" /></soap:Body></soap:Envelope>'
    )
