"""The interface and operation that a request calls, determined as the server does, while the body passes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope

from soapstone.errors import InvalidError
from soapstone.http.client_address import first_headers
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.server import LISTRAK_PATH
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.envelope import SOAP_11, SoapVersion
from soapstone.wire.faults import Fault, MalformedXml
from soapstone.wire.negotiation import Negotiation, negotiate
from soapstone.wire.plan import Plans
from soapstone.wire.reader import EARLY_PIECE, MAX_EARLY, Reader, UnsupportedMedia
from soapstone.xmlhttp.paths import PATHS

CALLED = "soapstone.called"
"""Key of a request's `Called` in its scope."""


class Interface(StrEnum):
    """The interfaces whose calls are recorded and may fail on purpose."""

    MAGNETMAIL = "magnetmail"
    LISTRAK = "listrak"
    XML = "xml"
    REST = "rest"


_PATHS = {MAGNETMAIL.path.lower(): Interface.MAGNETMAIL, LISTRAK_PATH: Interface.LISTRAK}
_REST = "/api/v1"


def contract_of(interface: Interface) -> Contract | None:
    """Return the contract of a SOAP interface; None for other interfaces."""
    if interface is not Interface.LISTRAK:
        return MAGNETMAIL if interface is Interface.MAGNETMAIL else None
    # Imported late, as a test server may not need it.
    from soapstone.listrak.operations import CONTRACT

    return CONTRACT


class Called:
    """The call of one request. `feed` it the body until it is `known`.

    `operation` is empty while no operation is known; `declared` is the operation of a contract, `version` its version
    of SOAP. `broken` says why the answer was broken off on purpose, `fault` is the number of the applied fault.
    """

    def __init__(self, interface: Interface, operation: str = "") -> None:
        self.interface = interface
        self.operation = operation
        self.declared: Operation | None = None
        self.version: SoapVersion = SOAP_11
        self.broken = ""
        self.fault: int | None = None
        self._reader: Reader | None = None
        self._unzip: Any = None

    @classmethod
    def of(cls, scope: Scope) -> Called | None:
        """Return the call of a request; None for a page, a description, or a preflight request."""
        path = str(scope["path"])
        if scope["method"] == "OPTIONS" or path == f"{_REST}/openapi.json":
            return None
        if path.lower().startswith("/xml/"):
            return cls(Interface.XML, PATHS.get(path, ""))
        if path.startswith(f"{_REST}/"):
            return cls(Interface.REST, _route(scope["method"], path.removeprefix(_REST)))
        interface = _PATHS.get(path.lower())
        contract = None if interface is None else contract_of(interface)
        if interface is None or contract is None or scope["method"] != "POST":
            return None
        headers = first_headers(scope)
        action = headers.get(b"soapaction")
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        text = None if action is None else action.decode("latin-1")
        negotiation = negotiate(contract, content_type, text)
        called = cls(interface)
        if negotiation is not None:
            encoding = headers.get(b"content-encoding", b"").lower()
            called._begin(Plans.of(contract), negotiation, gzip=encoding in (b"gzip", b"x-gzip"))
        return called

    @property
    def known(self) -> bool:
        """Whether the call is known without more of the body."""
        return self._reader is None

    def feed(self, data: bytes, *, more: bool) -> None:
        """Take the next bytes of the body; `more` says whether others follow."""
        reader = self._reader
        if reader is None:
            return
        try:
            if self._unzip is not None:
                data = self._unzip.decompress(data, MAX_EARLY)
            for at in range(0, len(data), EARLY_PIECE):
                reader.feed(data[at : at + EARLY_PIECE])
                if reader.version and reader.operation:
                    break
            else:
                if more:
                    return
                reader.finish()
        except (Fault, MalformedXml, UnsupportedMedia, zlib.error):
            # The server answers these in its own way.
            pass
        self._end(reader)

    def _begin(self, plans: Plans, negotiation: Negotiation, *, gzip: bool) -> None:
        self.version = negotiation.assumed
        if negotiation.fault is None:
            self._name(negotiation.operation)
            self._reader = Reader(plans, negotiation, MAX_EARLY)
            self._unzip = zlib.decompressobj(wbits=31) if gzip else None

    def _name(self, operation: Operation | None) -> None:
        self.declared = operation
        self.operation = operation.name if operation else ""

    def _end(self, reader: Reader) -> None:
        self.version = reader.version or self.version
        self._name(reader.operation)
        reader.close()
        self._reader = self._unzip = None


@cache
def rest_routes() -> tuple[Route, ...]:
    """Return the routes of the REST API. Their names are those of its operations."""
    # Imported late, as a test server may not need it.
    from soapstone.api.app import ROOMS

    def found() -> Iterator[Route]:
        for room in ROOMS:
            yield from (route for route in room.router.routes if isinstance(route, Route))

    return tuple(found())


def interfaces_with(operation: str, wanted: Interface | None = None) -> list[Interface]:
    """Return the interfaces that have this operation, or the wanted one. Raises InvalidError."""
    names: dict[Interface, set[str]] = {
        each: set(contract.operations_by_name) for each in Interface if (contract := contract_of(each))
    }
    names[Interface.XML] = set(PATHS.values())
    names[Interface.REST] = {route.name for route in rest_routes()}
    found = [each for each in names if operation in names[each] and wanted in (None, each)]
    if not found:
        near = get_close_matches(operation, set().union(*(names[each] for each in names if wanted in (None, each))), 3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise InvalidError(f"No operation of {wanted or 'any interface'} is named {operation}.{hint}")
    return found


def _route(method: str, path: str) -> str:
    scope = {"type": "http", "method": method, "path": path, "root_path": ""}
    return next((route.name for route in rest_routes() if route.matches(scope)[0] is Match.FULL), "")
