"""What the HTTP headers say (asmx-6, asmx-7, asmx-9, asmx-11, asmx-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soapstone.wire.negotiation import negotiate

if TYPE_CHECKING:
    from tests.wire.conftest import Kit


def test_the_assumed_version(kit: Kit) -> None:
    cases = [("text/xml", "x", "1.1"), ("text/xml", None, "1.2"), ("application/soap+xml", "x", "1.2")]
    for content_type, action, version in cases:
        found = negotiate(kit.contract, content_type, action)
        assert found is not None
        assert found.assumed.name == version


@pytest.mark.parametrize(
    ("content_type", "charset", "action"),
    [
        ('application/soap+xml; charset="utf-8"; action="urn:a;b"', "utf-8", "urn:a;b"),
        ("Application/Soap+XML;ACTION=urn:a ; Charset = UTF-16", "utf-16", "urn:a"),
        ("application/soap+xml;action=%41", None, "A"),
        ("application/soap+xml; charset=base64", None, None),
        ("application/soap+xml; charset=punycode", None, None),
        ("application/soap+xml; charset=Unicode_Escape", None, None),
        ("application/soap+xml; charset=idna", None, None),
        ("application/soap+xml; charset=\x00; action=", None, ""),
        ('application/soap+xml; action="', None, ""),
        ("application/soap+xml; action=\"urn:a; charset='utf-8'", "utf-8", "urn:a"),
        ('application/soap+xml; action=" urn:a "', None, "urn:a"),
        ("application/soap+xml;;;", None, None),
    ],
)
def test_parameters_of_the_content_type(kit: Kit, content_type: str, charset: str | None, action: str | None) -> None:
    found = negotiate(kit.contract, content_type, None)
    assert found is not None
    assert (found.charset, found.action, found.fault, found.operation) == (charset, action, None, None)


def test_an_action_names_its_operation(kit: Kit) -> None:
    for content_type, action in [
        ("text/xml", f'"{kit.namespace}Add"'),
        (f"text/xml; action={kit.namespace}Add", None),
        (f'application/soap+xml; action="{kit.namespace}Add"', "ignored"),
    ]:
        found = negotiate(kit.contract, content_type, action)
        assert found is not None
        assert found.operation is kit.contract.operations_by_name["Add"]
