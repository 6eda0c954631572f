"""The page that says what a migration brings names all that the contracts can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.migration.comparing import NOT_MOVED, RENUMBERED

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.wire.contract import Contract
from soapstone.wire.schema import ArrayType, StructType

PAGE = Path(__file__).parents[2] / "docs" / "migration.md"
READS = ("Get", "get", "Report", "search", "Search", "run", "ConductorGet")
CONTRACTS = {"Listrak": LISTRAK, "MagnetMail": MAGNETMAIL}


def section(name: str) -> str:
    """The part of the page about a contract."""
    return PAGE.read_text().partition(f"## {name}\n")[2].partition("\n## ")[0]


def rows(name: str) -> dict[str, list[list[str]]]:
    """Operation → the members in each column of its row."""
    found = {}
    for line in section(name).splitlines():
        if line.startswith("| `"):
            operation, *cells = [re.findall("`([^`]+)`", cell) for cell in line.strip("|").split("|")]
            found[operation[0]] = [[member for each in cell for member in spread(each)] for cell in cells]
    return found


def spread(member: str) -> list[str]:
    """The members of a range such as `custom1…custom30`."""
    first, mark, last = member.partition("…")
    return [f"custom{n}" for n in range(int(first[6:]), int(last[6:]) + 1)] if mark else [member]


def members(kind: StructType) -> set[str]:
    """The members of an answer that hold values, at any depth."""
    found = set()
    for member in kind.all_members:
        inner = member.type.item.type if isinstance(member.type, ArrayType) else member.type
        if member.name != "WSException":
            found |= members(inner) if isinstance(inner, StructType) else {member.name}
    return found


@pytest.mark.parametrize(("name", "contract"), CONTRACTS.items(), ids=CONTRACTS)
def test_each_operation_that_reads_is_named_and_each_member_has_one_column(name: str, contract: Contract) -> None:
    table, text = rows(name), section(name)
    for operation in contract.operations:
        if not operation.name.startswith(READS):
            continue
        assert f"`{operation.name}`" in text
        if operation.name in table:
            told = [member for cell in table[operation.name] for member in cell]
            assert sorted(told) == sorted(members(operation.response_type)), operation.name


def test_the_comparison_leaves_out_only_what_the_page_says() -> None:
    renumbered = {member for name in CONTRACTS for cells in rows(name).values() for member in cells[1]}
    not_moved = {member for name in CONTRACTS for cells in rows(name).values() for member in cells[2]}
    assert {member.lower() for member in RENUMBERED} <= {member.lower() for member in renumbered}
    assert not_moved >= NOT_MOVED
