#!/bin/sh
# xml-toolkit 1.0.59, a library for Node.js, writes xsi:nil="true" for a null member of a SOAP request without declaring the
# prefix xsi, so that the request is no XML with namespaces (Namespaces in XML 1.0, 5): a server refuses it, mostly by 400.
# A null within an array ends in an exception, and a Buffer for base64Binary goes out as its text.
# Leave a nillable member out where the service allows that, else add xmlns:xsi to the body; encode files yourself.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts xml-toolkit@1.0.59 >/dev/null
cat >t.wsdl <<'XML'
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
<types><x:schema targetNamespace="urn:t" elementFormDefault="qualified">
  <x:element name="Ask"><x:complexType><x:sequence><x:element name="When" type="x:dateTime" nillable="true"/>
    <x:element name="File" type="x:base64Binary" minOccurs="0"/>
    <x:element name="Name" type="x:string" nillable="true" minOccurs="0" maxOccurs="unbounded"/>
  </x:sequence></x:complexType></x:element></x:schema></types>
<message name="In"><part name="parameters" element="t:Ask"/></message>
<portType name="P"><operation name="Ask"><input message="t:In"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="Ask"><soap:operation soapAction="urn:t:Ask"/><input><soap:body use="literal"/></input></operation></binding>
<service name="S"><port name="S" binding="t:B"><soap:address location="http://127.0.0.1:9/"/></port></service></definitions>
XML
cat >ask.js <<'JS'
const assert = require("node:assert");
const fs = require("node:fs");
const { SOAP11 } = require("xml-toolkit");

console.error("xml-toolkit", require("xml-toolkit/package.json").version, "Node.js", process.version);
const soap = new SOAP11("t.wsdl");
const write = (name, members) => fs.writeFileSync(name, soap.http({ Ask: members }).body);
write("nil.xml", { When: null });
write("file.xml", { When: "2024-02-29T13:05:07", File: Buffer.from("zoë") });
assert.throws(() => write("items.xml", { When: "2024-02-29T13:05:07", Name: ["one", null, "three"] }));
JS
node ask.js
python3 - <<'PYTHON'
from xml.etree import ElementTree

text = open("nil.xml").read()
print(text)
assert 'When xsi:nil="true"' in text
try:
    ElementTree.fromstring(text)
except ElementTree.ParseError as error:
    print("Python:", error)
    assert "unbound prefix" in str(error)
else:
    raise SystemExit("the prefix is declared")
assert ElementTree.parse("file.xml").findtext(".//{urn:t}File") == "zoë"
PYTHON
