"""Answers are read as they were written, in both SOAP versions and however they are cut."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from soapstone.listrak import operations as lk
from soapstone.listrak import types as t
from soapstone.magnetmail import operations as mm
from soapstone.magnetmail import types as mt
from soapstone.wire.answers import AnswerError, AnswerFault, AnswerReader
from soapstone.wire.contract import Contract
from soapstone.wire.envelope import SOAP_11, SOAP_12, SoapVersion
from soapstone.wire.faults import Fault, render
from soapstone.wire.writer import write_answer

NOON = datetime.datetime(2024, 2, 29, 12, 0, 1)
CHEESE: dict[str, Any] = {"group_id": 1, "group_name": "Käse", "group_created": NOON}


def read(contract: Contract, name: str, body: bytes, size: int = 7) -> Any:
    """Read an answer in pieces of this size."""
    reader = AnswerReader(contract, contract.operations_by_name[name])
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    return reader.finish()


def written(contract: Contract, name: str, value: Any, version: SoapVersion = SOAP_11) -> bytes:
    """Write an answer."""
    return write_answer(contract.operations_by_name[name], contract.namespace, version, value)


@pytest.mark.parametrize("version", [SOAP_11, SOAP_12], ids=lambda version: version.name)
def test_rows_with_values_of_all_kinds(version: SoapVersion) -> None:
    names = t.WSMessageActivity.__annotations__
    numbers: dict[str, Any] = {name: 3 for name in names if name.endswith(("Count", "ID"))}
    shares: dict[str, Any] = {name: Decimal("1.50") for name in names if name.endswith(("Percent", "Total"))}
    activity = t.WSMessageActivity(
        **numbers,
        **shares,
        Subject="Käse & <b>\n",
        SendDate=NOON,
        AverageOrderValue=Decimal(0),
    )
    response = lk.CONTRACT.operations_by_name["ReportListMessageActivity"].response
    answer = response(ReportListMessageActivityResult=[activity] * 3, WSException=None)
    body = written(lk.CONTRACT, "ReportListMessageActivity", answer, version)
    assert read(lk.CONTRACT, "ReportListMessageActivity", body) == answer
    assert read(lk.CONTRACT, "ReportListMessageActivity", body, 100_000) == answer


@pytest.mark.parametrize("name", ["utf-16", "unicode", "no-such"])
@pytest.mark.parametrize("size", [1, 7, 256, 257, 100_000])
def test_an_answer_that_declares_another_encoding_than_its_own_is_in_utf_8(name: str, size: int) -> None:
    """asmx-12: .NET's StringWriter declares UTF-16, and what it has written is sent as UTF-8."""
    people = [mt.group(**CHEESE)]
    body = written(mm.CONTRACT, "getGroupsUTC", people)
    assert body.count(b'encoding="utf-8"') == 1
    body = body.replace(b'encoding="utf-8"', f'encoding="{name}"'.encode())
    (found,) = read(mm.CONTRACT, "getGroupsUTC", body, size).getGroupsUTCResult
    assert found.group_name == "Käse"


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("codec", ["utf-16", "iso-8859-1"])
def test_an_answer_in_the_encoding_that_it_declares(codec: str, size: int) -> None:
    people = [mt.group(**CHEESE)]
    text = written(mm.CONTRACT, "getGroupsUTC", people).decode().replace('encoding="utf-8"', f'encoding="{codec}"')
    (found,) = read(mm.CONTRACT, "getGroupsUTC", text.encode(codec), size).getGroupsUTCResult
    assert found.group_name == "Käse"


def test_nil_objects_empty_arrays_and_zones() -> None:
    assert read(lk.CONTRACT, "GetContact", written(lk.CONTRACT, "GetContact", None)).WSContact is None
    assert read(mm.CONTRACT, "getGroupsUTC", written(mm.CONTRACT, "getGroupsUTC", [])).getGroupsUTCResult == []
    given: dict[str, Any] = {"group_id": 1, "group_name": "", "group_created": NOON.replace(tzinfo=datetime.UTC)}
    told = read(mm.CONTRACT, "getGroupsUTC", written(mm.CONTRACT, "getGroupsUTC", [mt.group(**given)]))
    assert told.getGroupsUTCResult == [mt.group(**given)]


@pytest.mark.parametrize("version", [SOAP_11, SOAP_12], ids=lambda version: version.name)
def test_faults(version: SoapVersion) -> None:
    with pytest.raises(AnswerFault, match="No such list"):
        read(lk.CONTRACT, "GetContact", render(Fault("No such list."), version))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body/></html>",
        b"<!DOCTYPE x []><x/>",
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>',
        written(lk.CONTRACT, "GetCharacterSetCollection", [])[:-30],
        written(lk.CONTRACT, "GetFilteredListCount", 7).replace(b">7<", b">seven<"),
        written(lk.CONTRACT, "GetFilteredListCount", 7).replace(b">7<", b"><b/>7<"),
        b"<a>" * 200,
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    for name in ("GetFilteredListCount", "GetCharacterSetCollection"):
        with pytest.raises(AnswerError):
            read(lk.CONTRACT, name, body)
