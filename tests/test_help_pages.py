"""Help pages of both contracts as they are served: the test form of every operation (asmx-29)."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Served

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.listrak.prefill import prefill as listrak_prefill
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.magnetmail.prefill import prefill as magnetmail_prefill
from soapstone.wire.contract import Contract, Operation
from soapstone.wire.form import Prefill, request_form
from soapstone.wire.help_pages import operation_page

OPERATIONS = [(contract, operation) for contract in (MAGNETMAIL, LISTRAK) for operation in contract.operations]
CONTROL = re.compile('<(?:input|select|textarea) name="(.*?)"')


def leaves(element: ElementTree.Element, path: str = "") -> Iterator[str]:
    """The paths of the elements that hold values, in order."""
    path += element.tag.rpartition("}")[2]
    if element.text and element.text.strip():
        yield path
    for child in element:
        yield from leaves(child, f"{path}/")


@pytest.mark.parametrize(("contract", "operation"), OPERATIONS, ids=[each.name for _, each in OPERATIONS])
def test_a_form_has_a_field_for_every_value_of_the_sample(contract: Contract, operation: Operation) -> None:
    page = operation_page(contract, operation, "h", Prefill())
    sample = html.unescape(re.findall("<pre>(.*?)</pre>", page, re.DOTALL)[0]).partition("\n\n")[2]
    envelope = ElementTree.fromstring(sample)
    assert CONTROL.findall(page) == [path for part in envelope for block in part for path in leaves(block)]


def test_prefilled_and_kept_fields_exist() -> None:
    """mm-2, mm-8, lk-8: a name that is wrong would fill nothing."""
    for contract, prefill in ((MAGNETMAIL, magnetmail_prefill("a", "b")), (LISTRAK, listrak_prefill("a", "b"))):
        fields = {
            name
            for operation in contract.operations
            for name in CONTROL.findall(request_form(contract, operation, Prefill()))
        }
        assert {*prefill.values, *prefill.kept.values()} <= fields
        if prefill.kept:
            answer = operation_page(contract, contract.operations_by_name[prefill.kept_from], "h", None)
            assert all(f"&lt;{name}&gt;" in answer for name in prefill.kept)


def test_what_the_server_does_not_read_is_marked() -> None:
    """lk-15"""
    form = request_form(LISTRAK, LISTRAK.operations_by_name["ReportListImportHistory"], Prefill())
    assert "<legend>WSException <small>not read</small></legend>" in form
    assert form.count("not read") == 1


AUTHENTICATE = "/mmapi.asmx?op=Authenticate"
POLL = "/v31/IntegrationService.asmx?op=GetLegacyProcessStatus"


def test_the_demo_fills_its_credentials_in(served: Any) -> None:
    page = httpx.get(served.base + AUTHENTICATE).text
    assert 'name="Authenticate/username" value="demo"' in page
    assert 'name="Authenticate/password" value="demo"' in page
    page = httpx.get(served.base + POLL).text
    assert 'name="WSUser/UserName" value="demo"' in page
    assert 'name="WSUser/Password" value="demo"' in page


@pytest.mark.parametrize("headers", [{"Host": "soap.example"}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": ""}])
def test_credentials_are_shown_to_nobody_else(served: Any, headers: dict[str, str]) -> None:
    for path in (AUTHENTICATE, POLL):
        page = httpx.get(served.base + path, headers=headers).text
        assert "<form" not in page
        assert "demo" not in page


def test_no_credentials_are_filled_in_without_the_demo(tmp_path: Path) -> None:
    other = Served(tmp_path / "data", demo=False)
    pages = [httpx.get(other.base + path).text for path in (AUTHENTICATE, POLL)]
    other.stop()
    for page in pages:
        assert '<form id="test"' in page
        assert "demo" not in page


def test_a_foreign_page_cannot_call(served: Any) -> None:
    """lk-7"""
    for origin, status in (("http://evil.example", 403), ("null", 403), (served.base, 500)):
        headers = {"Origin": origin, "Content-Type": "text/xml"}
        answer = httpx.post(f"{served.base}/mmapi.asmx", headers=headers, content=b"<a/>")
        assert answer.status_code == status
