#!/bin/sh
# zeep 4.3.3 and suds-community 1.2.0 leave out a None within an array whose items are nillable, so later items move up:
# of two arrays that belong together, such as names and values, the pairs are wrong. None as a single nillable member
# goes out as xsi:nil. Send zeep.xsd.Nil, or an empty text.
# An infinite float goes out as "inf", where XML Schema has INF: a strict server refuses it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check zeep==4.3.3 suds-community==1.2.0
cat >wsdl <<'XML'
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:t" targetNamespace="urn:t">
<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t" elementFormDefault="qualified">
  <complexType name="Names"><sequence>
    <element name="string" type="string" nillable="true" minOccurs="0" maxOccurs="unbounded"/></sequence></complexType>
  <element name="Ask"><complexType><sequence><element name="Rate" type="double"/>
    <element name="When" type="dateTime" nillable="true"/><element name="Names" type="t:Names"/></sequence></complexType></element>
</schema></types>
<message name="In"><part name="parameters" element="t:Ask"/></message>
<portType name="P"><operation name="Ask"><input message="t:In"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="Ask"><soap:operation soapAction="urn:t:Ask"/><input><soap:body use="literal"/></input></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://127.0.0.1:9/"/></port></service></definitions>
XML
venv/bin/python - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

import suds.client
import zeep
from lxml import etree

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def described(name, envelope):
    """Return the rate, whether the date is nil, and the names, None for nil."""
    rate, when, names = etree.fromstring(envelope).find(".//{urn:t}Ask")
    found = rate.text, when.get(NIL), [None if each.get(NIL) else each.text or "" for each in names]
    print(name, version(name), *found)
    return found


values = {"Rate": float("inf"), "When": None, "Names": {"string": ["one", None, "", "four"]}}
client = zeep.Client("wsdl")
sent = etree.tostring(client.create_message(client.service, "Ask", **values))
assert described("zeep", sent) == ("inf", "true", ["one", "", "four"])
values["Names"]["string"][1] = zeep.xsd.Nil
sent = etree.tostring(client.create_message(client.service, "Ask", **values))
assert described("zeep", sent) == ("inf", "true", ["one", None, "", "four"])
values["Names"]["string"][1] = None
client = suds.client.Client(Path("wsdl").absolute().as_uri(), cache=None, nosend=True)
assert described("suds-community", client.service.Ask(**values).envelope) == ("inf", "true", ["one", "", "four"])
PYTHON
