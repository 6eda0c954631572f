"""Our answers beside those of Mono's System.Web.Services, which is Microsoft's published source, byte for byte.

The folder `oracle` makes a service of our own WSDLs there (asmx.md, "A live oracle") and holds the requests. Both sides
answer with the same sample values, or tell in a fault what they were given.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from tests.interop.oracle.compare import DIFFERENCES, differs
from tests.interop.oracle.exchange import Answer, Ours, Request, ask
from tests.interop.oracle.ground import Ground, envelope
from tests.interop.oracle.oracle import Oracle, free_port
from tests.interop.oracle.service import Samples
from tests.interop.oracle.transport import transport_variants
from tests.interop.oracle.values import WRITTEN, value_variants

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.wire.contract import Contract
from soapstone.wire.envelope import SOAP_11, SOAP_12, SoapVersion
from soapstone.wire.writer import write_struct

pytestmark = pytest.mark.interop

CONTRACTS = [MAGNETMAIL, LISTRAK]
VERSIONS = [SOAP_11, SOAP_12]
FEWEST_VARIANTS = 150
SAMPLES = ["filled", "edges", "hollow", "bare"]


class Pair:
    """Both servers."""

    def __init__(self, theirs: Oracle, ours: Ours) -> None:
        self._theirs = theirs
        self._ours = ours

    def ask(self, request: Request) -> tuple[Answer, Answer]:
        """(the oracle's answer, ours)."""
        theirs, ours = (
            ask(http.client.HTTPConnection("127.0.0.1", side.port, timeout=60), request)
            for side in (self._theirs, self._ours)
        )
        return theirs, ours


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    ours = Ours(CONTRACTS, free_port())
    try:
        theirs = Oracle(CONTRACTS, tmp_path_factory.mktemp("oracle"))
        try:
            both = Pair(theirs, ours)
            for contract in CONTRACTS:  # the first call of each service compiles it
                ground = Ground(contract)
                warm_up = ground.post("warm-up", SOAP_11, ground.call.operation, ground.call.around(""))
                answer, _ = both.ask(warm_up)
                assert answer.status == 500, f"the oracle does not work:\n{answer.body.decode()}\n{theirs.log()}"
                assert b" null 0" in answer.body or b" 0 null" in answer.body, answer.body
            yield both
        finally:
            theirs.stop()
    finally:
        ours.stop()


def describe(contract: Contract) -> str:
    return contract.service_name


@pytest.mark.parametrize("contract", CONTRACTS, ids=describe)
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize("mode", [*SAMPLES, "fails"])
def test_every_operation_answers_alike(pair: Pair, contract: Contract, version: SoapVersion, mode: str) -> None:
    """All answers with sample values, and the fault of a method that fails: status, headers and body (asmx-14, 18)."""
    ground = Ground(contract)
    found = []
    for operation in contract.operations:
        payload = f'<{operation.name} xmlns="{contract.namespace}" />'
        body = envelope(version, payload).encode()
        head = ground.head(version, operation)
        theirs, ours = pair.ask(Request(operation.name, body, head, target=contract.path, mode=mode))
        assert theirs.status == (500 if mode == "fails" else 200), f"{operation.name}: {theirs.body.decode()}"
        if theirs != ours:
            found.append(f"{operation.name}:\n{theirs}\n{ours}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("contract", CONTRACTS, ids=describe)
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize("mode", SAMPLES)
def test_every_operation_reads_alike(pair: Pair, contract: Contract, version: SoapVersion, mode: str) -> None:
    """All requests with sample values arrive as the same values, with a filled-in header where there is one."""
    ground = Ground(contract)
    samples = Samples(contract, mode)
    found = []
    for operation in contract.operations:
        values: dict[str, Any] = {member.name: samples.of(member) for member in operation.request_type.all_members}
        payload = write_struct(operation.request(**values), contract.namespace)
        body = envelope(version, payload, ground.header).encode()
        head = ground.head(version, operation)
        theirs, ours = pair.ask(Request(operation.name, body, head, target=contract.path, mode="told"))
        assert b"Server was unable to read request" not in theirs.body, theirs.body.decode()
        if theirs != ours:
            found.append(f"{operation.name}:\n{theirs}\n{ours}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("contract", CONTRACTS, ids=describe)
def test_every_value_is_written_alike(pair: Pair, contract: Contract) -> None:
    """asmx-18, mm-35: numbers, dates and texts at their edges, in the first answers that hold their type."""
    ground = Ground(contract)
    found = []
    for kind, texts in WRITTEN.items():
        operation = ground.answering(kind)
        if operation is None:
            continue
        body = envelope(SOAP_11, f'<{operation.name} xmlns="{contract.namespace}" />').encode()
        for text in texts:
            mode = f"value={quote(text)}"
            head = ground.head(SOAP_11, operation)
            name = f"{kind} written {text!a}"
            theirs, ours = pair.ask(Request(name, body, head, target=contract.path, mode=mode))
            assert theirs.status == 200, theirs.body.decode()
            if (theirs != ours) is not any(known.covers(name) for known in DIFFERENCES):
                found.append(f"{operation.name}, {name}:\n{theirs}\n{ours}")
    assert not found, "\n".join(found)


def test_every_variant_of_a_request_is_answered_alike(pair: Pair) -> None:
    """Requests as no two clients write them, good and bad. What differs on purpose stands in compare.DIFFERENCES."""
    found: list[str] = []
    unused = {known for known in DIFFERENCES if " written " not in known.names}
    for contract in CONTRACTS:
        ground = Ground(contract)
        requests = [*value_variants(ground), *transport_variants(ground)]
        assert len({request.name for request in requests}) == len(requests) >= FEWEST_VARIANTS
        for request in requests:
            theirs, ours = pair.ask(request)
            difference = differs(request.name, theirs, ours)
            reasons = {known for known in DIFFERENCES if known.covers(request.name)}
            if difference and reasons:
                unused -= reasons
            elif difference:
                found.append(f"{contract.name}, {request.name}: {difference}")
    assert not found, f"{len(found)} differences:\n" + "\n".join(found)
    assert not unused, f"no longer different: {sorted(known.names for known in unused)}"
