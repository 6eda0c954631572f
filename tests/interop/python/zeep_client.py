"""zeep, driven by tests/interop/conftest.py: zeep_client.py 1.1|1.2 ITEM,…

Arguments, lines in and lines out are those of ../php/client.php.
"""

from __future__ import annotations

import base64
import json
import sys
from datetime import datetime
from typing import Any

import requests
import zeep
from zeep.helpers import serialize_object
from zeep.plugins import HistoryPlugin

ITEMS = sys.argv[2].split(",")


def plain(value: Any) -> Any:
    """An answer as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (name := next(iter(value))) in ITEMS:
        return plain(value[name])
    # A nil object arrives as an object full of None.
    members = {name: plain(member) for name, member in value.items()}
    return members if any(member not in (None, []) for member in members.values()) or "WSException" in members else None


def main(version: str) -> None:
    clients: dict[str, Any] = {}
    history = HistoryPlugin()
    transport = zeep.Transport()
    for line in sys.stdin:
        call = json.loads(line)
        if call["wsdl"] not in clients:
            client = zeep.Client(call["wsdl"], plugins=[history], transport=transport)
            (service,) = client.wsdl.services.values()
            port = next(name for name in service.ports if name.endswith("Soap12") == (version == "1.2"))
            clients[call["wsdl"]] = client.bind(service.name, port)
        if "ImportFileStream" in call["arguments"]:
            # zeep encodes what is of type base64Binary by itself.
            call["arguments"]["ImportFileStream"] = base64.b64decode(call["arguments"]["ImportFileStream"])
        transport.operation_timeout = call["seconds"]
        errors: list[str] = []
        result: dict[str, Any] = {}
        for _ in range(1 + call["retries"]):
            try:
                operation = clients[call["wsdl"]][call["operation"]]
                answer = operation(**call["arguments"], _soapheaders=call["header"])
                result = {"answer": plain(serialize_object(answer, dict))}
                if call["operation"] == "getGroupRecipients":
                    # zeep gives the only member of an only member instead of the object around it.
                    result["answer"] = {"recipients": result["answer"]}
                break
            except zeep.exceptions.Fault as fault:
                result = {"fault": {"code": fault.code, "text": fault.message}}
                errors.append("Fault")
            except (zeep.exceptions.TransportError, requests.RequestException) as error:
                status = getattr(error, "status_code", "")
                result = {"error": f"{type(error).__name__} {status}".strip()}
                errors.append(result["error"])
        result["errors"] = errors
        namespace = history.last_sent["envelope"].nsmap[history.last_sent["envelope"].prefix]
        result["version"] = "1.2" if namespace == "http://www.w3.org/2003/05/soap-envelope" else "1.1"
        print(json.dumps(result), flush=True)


main(sys.argv[1])
