#!/bin/sh
# node-soap 1.13.0 leaves out the nil items of an array that it reads, so later items move up: of two arrays that belong
# together, such as names and values, the pairs are wrong. Its option handleNilAsNull does not change that. It removes
# white space around texts, unless the option preserveWhitespace is set, and rounds an xs:long or xs:decimal to a number
# of JavaScript. So a server gives an empty text in place of a nil item.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts soap@1.13.0 >/dev/null
cat >wsdl <<'XML'
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:t" targetNamespace="urn:t">
<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t" elementFormDefault="qualified">
  <element name="Ask"><complexType/></element>
  <element name="AskResponse"><complexType><sequence><element name="Number" type="long"/>
  <element name="Name" type="string" nillable="true" maxOccurs="unbounded"/></sequence></complexType></element></schema></types>
<message name="In"><part name="parameters" element="t:Ask"/></message>
<message name="Out"><part name="parameters" element="t:AskResponse"/></message>
<portType name="P"><operation name="Ask"><input message="t:In"/><output message="t:Out"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="Ask"><soap:operation soapAction="urn:t:Ask"/><input><soap:body use="literal"/></input>
  <output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://127.0.0.1:9/"/></port></service></definitions>
XML
node - <<'JS'
const assert = require("node:assert");
const soap = require("soap");

const answer = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
<s:Body><AskResponse xmlns="urn:t"><Number>9007199254740993</Number><Name>one</Name><Name i:nil="true"/><Name/><Name> four </Name>
</AskResponse></s:Body></s:Envelope>`;
// Takes the place of the HTTP client.
const httpClient = {request: (url, data, callback) => callback(null, {statusCode: 200, headers: {}, data: answer}, answer)};
async function ask(options) {
    const client = await soap.createClientAsync("wsdl", options);
    client.httpClient = httpClient;
    const [found] = await client.AskAsync({});
    console.log(JSON.stringify(options), JSON.stringify(found));
    return found;
}
(async () => {
    console.log("soap", require("soap/package.json").version, "Node.js", process.version);
    assert.deepEqual((await ask({})).Name, ["one", "", "four"]);
    assert.deepEqual((await ask({preserveWhitespace: true})).Name, ["one", "", " four "]);
    assert.deepEqual((await ask({handleNilAsNull: true})).Name, ["one", "", "four"]);
    assert.equal((await ask({})).Number, 9007199254740992);
})();
JS
