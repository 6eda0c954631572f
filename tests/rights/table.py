"""The tables of docs/rights.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent.parent / "docs" / "rights.md"
PERMISSIONS = {"none", "API", "API, analytics", "console"}
REACHES = {
    "nothing",
    "own login",
    "account",
    "list",
    "lists",
    "person",
    "people",
    "job",
    "list or all lists",
    "all lists",
}
_ROW = re.compile(r"\| `([^`]+)` \| (reads|writes) \| ([^|]+) \| ([^|]+) \|")


class Right(NamedTuple):
    """What an operation or route needs and how far it reaches."""

    writes: bool
    permission: str
    reach: str


def rights(heading: str) -> dict[str, Right]:
    """The rows of the table below a heading, by operation or route. AssertionError for one that says no right."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found: dict[str, Right] = {}
    for line in section.splitlines():
        if not line.startswith("| `"):
            continue
        row = _ROW.fullmatch(line)
        assert row is not None, line
        assert row[1] not in found, line
        assert row[3] in PERMISSIONS, line
        assert row[4] in REACHES, line
        found[row[1]] = Right(row[2] == "writes", row[3], row[4])
    return found
