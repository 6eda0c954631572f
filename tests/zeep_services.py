"""Services of zeep on served contracts; zeep takes 0.1 s of CPU to read a description, so each process does it once."""

from __future__ import annotations

from typing import Any

import zeep

MAGNETMAIL, LISTRAK = "/mmapi.asmx", "/v31/IntegrationService.asmx"
# What was read, by the path of the endpoint.
_clients: dict[str, zeep.Client] = {}


def service(base: str, path: str, version: str = "1.1") -> Any:
    """The operations of the contract at `path` of the server at `base`, in a version of SOAP."""
    client = _clients.get(path) or _clients.setdefault(path, zeep.Client(f"{base}{path}?WSDL"))
    # Otherwise each call looks through the environment for proxies, twice.
    client.transport.session.trust_env = False
    (declared,) = client.wsdl.services.values()
    port = declared.ports[f"{declared.name.replace(' ', '_x0020_')}Soap{'12' if version == '1.2' else ''}"]
    return client.create_service(port.binding.name.text, base + path)
