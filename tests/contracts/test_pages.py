"""Every operation has a help page, and the index leads to it (asmx-2, asmx-29)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.contracts.conftest import Driver


def test_every_operation_has_a_page(driver: Driver) -> None:
    index = driver.get("").content.decode()
    for operation in driver.contract.operations:
        assert f'<a href="?op={operation.name}">{operation.name}</a>' in index
        assert escape(operation.description) in index
        reply = driver.get(f"op={operation.name}")
        page = reply.content.decode()
        assert reply.status == 200
        assert escape(operation.description) in page
        assert f"{driver.contract.namespace}{operation.name}" in page
        assert page.count(f"&lt;{operation.name} xmlns=") == 2
        assert page.count(f"&lt;{operation.name}Response xmlns=") == 2
