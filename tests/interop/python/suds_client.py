"""suds-community, driven by tests/interop/conftest.py: suds_client.py 1.1|1.2 ITEM,…

Arguments, lines in and lines out are those of ../php/client.php. suds reads answers and faults of SOAP 1.2, but sends
only SOAP 1.1; its users turn a request into SOAP 1.2 by a plugin and a header, as it is done here.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import suds
import suds.client
import suds.plugin
import suds.sudsobject

ITEMS = sys.argv[2].split(",")
SOAP11 = b"http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = b"http://www.w3.org/2003/05/soap-envelope"


class Sent(suds.plugin.MessagePlugin):  # type: ignore[misc]
    """Keeps what is sent; for SOAP 1.2 it changes the namespace of the envelope first."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.envelope = b""

    def sending(self, context: Any) -> None:
        if self.version == "1.2":
            context.envelope = context.envelope.replace(SOAP11, SOAP12)
        self.envelope = context.envelope


def plain(value: Any) -> Any:
    """An answer as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, suds.sudsobject.Object):
        members = suds.sudsobject.asdict(value)
        if len(members) == 1 and (name := next(iter(members))) in ITEMS:
            return plain(members[name])
        return {name: plain(member) for name, member in members.items()}
    # Strings are of a class of its own; an empty element is an empty string, whatever its type.
    return str(value) or None if isinstance(value, str) else value


def main(version: str) -> None:
    clients: dict[str, Any] = {}
    sent = Sent(version)
    headers = {"Content-Type": "application/soap+xml; charset=utf-8"} if version == "1.2" else {}
    for line in sys.stdin:
        call = json.loads(line)
        if call["wsdl"] not in clients:
            clients[call["wsdl"]] = suds.client.Client(call["wsdl"], cache=None, plugins=[sent], headers=headers)
            ports = [port.name for port in clients[call["wsdl"]].sd[0].service.ports]
            clients[call["wsdl"]].set_options(port=next(n for n in ports if n.endswith("Soap12") == (version == "1.2")))
        client = clients[call["wsdl"]]
        given = []
        for name, members in (call["header"] or {}).items():
            header = client.factory.create(name)
            for member, value in members.items():
                setattr(header, member, value)
            given.append(header)
        client.set_options(soapheaders=tuple(given))
        result: dict[str, Any] = {}
        try:
            result["answer"] = plain(getattr(client.service, call["operation"])(**call["arguments"]))
        except suds.WebFault as fault:
            found = fault.fault
            if hasattr(found, "faultstring"):
                result["fault"] = {"code": str(found.faultcode), "text": str(found.faultstring)}
            else:
                result["fault"] = {"code": str(found.Code.Value), "text": str(found.Reason.Text)}
        result["version"] = "1.2" if SOAP12 in sent.envelope else "1.1"
        print(json.dumps(result), flush=True)


main(sys.argv[1])
