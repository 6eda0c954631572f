"""The samples of the help pages equal the original's, white space folded (asmx-29)."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from soapstone.wire.contract import Contract, Operation
from soapstone.wire.types import DateTime, Double, Int, Nillable, String, Struct

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit


class mmAuthHeader(Struct, any_attribute=True):
    sessionId: String
    user_id: String


class Error(Struct):
    errorCode: String
    errorDetails: String
    errorMessage: String
    errorNumber: Nillable[Double]
    errorType: String


class UploadListResult(Struct):
    complete_date: Nillable[DateTime]
    error: Nillable[Double]
    errorObj: Error | None
    good_records: Nillable[Double]
    group_count: Nillable[Double]
    groupid: Nillable[Double]
    header: Nillable[Double]
    jobid: Nillable[Double]
    loginid: Nillable[Double]
    mm_filename: String
    msg: String
    new_added: Nillable[Double]
    old_updated: Nillable[Double]
    replace_group: Nillable[Double]
    status: Nillable[Double]
    total_records: Nillable[Double]
    update_dups: Nillable[Double]
    upload_date: Nillable[DateTime]
    user_filename: String
    user_id: String


class getUploadJobStatus(Struct):
    user_id: String
    jobid: Int


class WSUser(Struct, any_attribute=True):
    UserName: String
    Password: String


class WSLegacyProcessStatus(Struct):
    StatusID: Int
    ListID: Int
    ProcessType: String
    CurrentStep: Int
    MaxStep: Int
    ProcessStartTime: DateTime
    ProcessCompleteTime: DateTime


class GetLegacyProcessStatus(Struct):
    ListID: Int


MAGNETMAIL = Contract(
    "MagnetMail Web Service",
    "http://www.magnetmail.net/",
    "/mmapi.asmx",
    mmAuthHeader,
    [Operation(getUploadJobStatus, "State of an import.", result=UploadListResult | None)],
)
LISTRAK = Contract(
    "IntegrationService",
    "http://webservices.listrak.com/v31/",
    "/v31/IntegrationService.asmx",
    WSUser,
    [
        Operation(
            GetLegacyProcessStatus,
            "State of the processes of a list.",
            result=list[WSLegacyProcessStatus] | None,
            deprecated="use GetProcessStatus.",
        )
    ],
    soap_heading="separate",
)


def page_of(kit: Kit, contract: Contract, host: str) -> str:
    driver: Driver = kit.driver(contract)
    page = driver.get(f"op={contract.operations[0].name}", headers=[("Host", host)]).text
    # The port of the connection (asmx-5); the samples are those of a server on the usual one.
    return page.replace(f"{host}:8080", host)


def blocks(page: str) -> list[str]:
    return [html.unescape(block) for block in re.findall("<pre>(.*?)</pre>", page, re.DOTALL)]


@pytest.mark.parametrize(
    ("contract", "host", "file"),
    [
        (MAGNETMAIL, "hlma-apie1.magnetmail.net", "samples_magnetmail.txt"),
        (LISTRAK, "webservices.listrak.com", "samples_listrak.txt"),
    ],
)
def test_the_eight_sample_blocks(kit: Kit, contract: Contract, host: str, file: str) -> None:
    expected = (Path(__file__).parent / file).read_text("utf-8").splitlines()
    found = [re.sub(r"\s+", " ", block).strip() for block in blocks(page_of(kit, contract, host))]
    assert found == expected


def test_labels_differ_per_contract(kit: Kit) -> None:
    def headings(contract: Contract) -> list[str]:
        return re.findall("<h3>(.*?)</h3>", page_of(kit, contract, "h"))

    assert headings(MAGNETMAIL) == ["Test", "SOAP 1.1", "SOAP 1.2"]
    assert headings(LISTRAK) == [
        "Test",
        "SOAP 1.1 Request",
        "SOAP 1.1 Response",
        "SOAP 1.2 Request",
        "SOAP 1.2 Response",
    ]


def test_an_operation_page(kit: Kit) -> None:
    page = page_of(kit, LISTRAK, "h")
    assert '<a href="/v31/IntegrationService.asmx">' in page
    assert "<h2>GetLegacyProcessStatus</h2>" in page
    assert "[Deprecated: use GetProcessStatus.] State of the processes of a list." in page
    assert "offered only to requests that come from the local machine" in page
    assert 'name="viewport"' in page


def test_other_kinds_of_members(driver: Driver) -> None:
    request, response, _, _ = blocks(driver.get("op=Echo").text)
    for line in (
        "        <colour>red or green or dark: blue</colour>",
        "        <words>\n          <string>string</string>\n          <string>string</string>\n        </words>",
        "        <any>\n          <anyType />\n          <anyType />\n        </any>",
        "        <flat_words>string</flat_words>\n        <flat_words>string</flat_words>",
        "        <raw>base64Binary</raw>",
        '          <inner xsi:nil="true" />',
    ):
        assert line in request
        assert line in response
    assert "<soap:Header>" not in blocks(driver.get("op=Ping").text)[0]
    assert '<Nothing xmlns="http://depot.example/api/" />' in blocks(driver.get("op=Nothing").text)[0]


def test_samples_posted_unchanged_get_their_documented_fault(driver: Driver) -> None:
    for at, version in ((0, "1.1"), (2, "1.2")):
        head, _, body = blocks(driver.get("op=Add").text)[at].partition("\n\n")
        fields = dict(line.split(": ", 1) for line in head.splitlines()[1:])
        reply = driver.post(
            body.replace("<Token>string</Token>", "<Token>good</Token>"),
            action=fields.get("SOAPAction"),
            content_type=fields["Content-Type"],
        )
        assert reply.status == 500
        assert reply.fault[1].endswith("Input string was not in a correct format.")
        assert driver.service.callers[-1].soap_version == version
