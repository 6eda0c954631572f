#!/bin/sh
# xsdata 26.10 for Python writes an envelope's parts in the order of soap:body and soap:header in the binding of a WSDL. .NET
# and others name the body first, and WSDL 1.1 (3.7) gives them no order. The requests then have Header behind Body, which
# SOAP 1.1 (4.2) forbids: a server that reads a header where it belongs finds none, and answers that the session is missing.
# Put each soap:header in front of soap:body in a copy of the description.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check 'xsdata[cli,lxml,soap]==26.10' ruff==0.14.6
cat >make.py <<'PYTHON'
import sys

parts = {
    "body": '<soap:body use="literal"/>',
    "header": '<soap:header message="t:AskHeader" part="Session" use="literal"/>',
}
print(f"""<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:t="http://example.com/"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" targetNamespace="http://example.com/">
<wsdl:types><s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"
 targetNamespace="http://example.com/">
<s:element name="Ask" type="s:string"/><s:element name="Answer" type="s:string"/><s:element name="Session" type="s:string"/>
</s:schema></wsdl:types>
<wsdl:message name="AskIn"><wsdl:part name="parameters" element="t:Ask"/></wsdl:message>
<wsdl:message name="AskOut"><wsdl:part name="parameters" element="t:Answer"/></wsdl:message>
<wsdl:message name="AskHeader"><wsdl:part name="Session" element="t:Session"/></wsdl:message>
<wsdl:portType name="P"><wsdl:operation name="Ask"><wsdl:input message="t:AskIn"/><wsdl:output message="t:AskOut"/>
</wsdl:operation></wsdl:portType>
<wsdl:binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<wsdl:operation name="Ask"><soap:operation soapAction="http://example.com/Ask" style="document"/>
<wsdl:input>{"".join(parts[name] for name in sys.argv[1:])}</wsdl:input>
<wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>
<wsdl:service name="S"><wsdl:port name="B" binding="t:B"><soap:address location="http://127.0.0.1:9/"/></wsdl:port>
</wsdl:service></wsdl:definitions>""")
PYTHON
cat >write.py <<'PYTHON'
import sys
from importlib import import_module
from importlib.metadata import version

from lxml import etree
from xsdata.formats.dataclass.client import Client

package = import_module(sys.argv[1])
service = package.PAsk
envelope = service.input
request = envelope(body=envelope.Body(ask=package.Ask(value="how")), header=envelope.Header(session=package.Session(value="7")))
written = etree.fromstring(Client.from_service(service).prepare_payload(request).encode())
order = " ".join(etree.QName(child).localname for child in written)
print("xsdata", version("xsdata"), "described as", sys.argv[1].replace("_", ", "), "writes", order)
assert order == sys.argv[2], order
PYTHON
for parts in "body header" "header body"; do
    name=$(echo "$parts" | tr ' ' _)
    # shellcheck disable=SC2086
    python3 make.py $parts >"$name.wsdl"
    PATH="$PWD/venv/bin:$PATH" venv/bin/xsdata generate "$name.wsdl" --package "$name" >log 2>&1 || { cat log; exit 1; }
done
venv/bin/python write.py body_header "Body Header"
venv/bin/python write.py header_body "Header Body"
