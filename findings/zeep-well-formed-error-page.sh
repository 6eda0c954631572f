#!/bin/sh
# zeep 4.3.3 tells an error page of a proxy by its markup: status 503 with a page that is no well-formed XML is a
# TransportError with that status, the same with a well-formed page a Fault without code, whose message is "Unknown
# fault occured" and which does not know the status. A client that tries again on one of them alone misses the other.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check zeep==4.3.3
"$work/venv/bin/python" - <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO

import zeep

page = b""


class Proxy(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=server.serve_forever, daemon=True).start()
wsdl = f"""<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:t="urn:t" targetNamespace="urn:t">
<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t">
  <element name="Ask"><complexType/></element><element name="AskResponse"><complexType/></element></schema></types>
<message name="In"><part name="parameters" element="t:Ask"/></message>
<message name="Out"><part name="parameters" element="t:AskResponse"/></message>
<portType name="P"><operation name="Ask"><input message="t:In"/><output message="t:Out"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="Ask"><soap:operation soapAction="urn:t:Ask"/><input><soap:body use="literal"/></input>
  <output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://127.0.0.1:{server.server_port}/"/></port>
</service></definitions>"""
service = zeep.Client(BytesIO(wsdl.encode())).service


def error(content):
    global page
    page = content
    try:
        service.Ask()
    except Exception as raised:
        return raised


unclosed = error(b"<html><body><hr><center>Unavailable</center></body></html>")
closed = error(b"<html><body><hr/><center>Unavailable</center></body></html>")
print("zeep", zeep.__version__)
print("<hr>: ", type(unclosed).__name__, getattr(unclosed, "status_code", None))
print("<hr/>:", type(closed).__name__, repr(closed.message), closed.code, getattr(closed, "status_code", None))
assert isinstance(unclosed, zeep.exceptions.TransportError) and unclosed.status_code == 503, "the behaviour has changed"
assert isinstance(closed, zeep.exceptions.Fault) and closed.code is None, "the behaviour has changed"
assert closed.message == "Unknown fault occured", "the behaviour has changed"
PYTHON
