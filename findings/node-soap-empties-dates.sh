#!/bin/sh
# node-soap 1.13.0 writes an empty element for a Date, and for a Buffer one with an element for each byte, <0>0</0>, which
# is no XML: names do not begin with a digit. It raises no error. Give it date.toISOString() and
# buffer.toString("base64"). A null within an array goes out as an empty text, not as xsi:nil.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts soap@1.13.0 >/dev/null
cat >wsdl <<'XML'
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:t" targetNamespace="urn:t">
<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><element name="Ask"><complexType><sequence>
  <element name="When" type="dateTime"/><element name="Data" type="base64Binary"/>
  <element name="Name" type="string" nillable="true" maxOccurs="unbounded"/></sequence></complexType></element></schema></types>
<message name="In"><part name="parameters" element="t:Ask"/></message>
<portType name="P"><operation name="Ask"><input message="t:In"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="Ask"><soap:operation soapAction="urn:t:Ask"/><input><soap:body use="literal"/></input></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://127.0.0.1:9/"/></port></service></definitions>
XML
node - <<'JS'
const assert = require("node:assert");
const soap = require("soap");

// Takes the place of the HTTP client, and keeps what would be sent.
let sent = "";
const httpClient = {request: (url, data, callback) => { sent = data; callback(new Error("not sent")); }};
async function ask(values) {
    const client = await soap.createClientAsync("wsdl");
    client.httpClient = httpClient;
    await client.AskAsync(values).catch(() => {});
    console.log(sent = sent.replace(/.*<t:Ask[^>]*>|<\/t:Ask>.*/g, ""));
    return sent;
}
(async () => {
    console.log("soap", require("soap/package.json").version, "Node.js", process.version);
    const date = new Date(Date.UTC(2024, 1, 29, 13, 5, 7)), data = Buffer.from([0, 255]);
    assert.equal(
        await ask({When: date, Data: data, Name: ["a", null]}),
        "<When></When><Data><0>0</0><1>255</1></Data><Name>a</Name><Name></Name>"
    );
    assert.equal(
        await ask({When: date.toISOString(), Data: data.toString("base64"), Name: []}),
        "<When>2024-02-29T13:05:07.000Z</When><Data>AP8=</Data>"
    );
})();
JS
