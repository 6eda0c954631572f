"""Make the page of the manual that shows which operations each client called: grid.py [--write]

`make interop` leaves what ran in build/grid. Without --write, end with 1 if the page shows something else.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.wire.contract import Contract

ROOT = Path(__file__).parent.parent.parent
RECORDED = Path(__file__).parent / "recorded.json"
PAGE = ROOT / "docs" / "compatibility" / "clients.md"
CONTRACTS = {"MagnetMail": MAGNETMAIL, "Listrak": LISTRAK}
HEAD = """# Operations and clients

`make interop` runs these clients, which others wrote, against the server and compares what they read. A cell has the
versions of SOAP in which a client called the operation while all its tests passed. It is empty where the client was not
asked, and says *failed* where a test failed. The page is made from what ran. php-listrak runs by
`PHP_LISTRAK=FOLDER make interop-more`, with a checkout of it: each of its methods gets an answer or a fault that it
reads.

"""
Row = dict[str, Any]


def page(rows: list[Row]) -> str:
    """Return the page: the clients with their versions, and a table for each contract."""
    versions = {row["client"]: row["version"] for row in rows}
    lines = ["| client | version |", "| --- | --- |"]
    lines += [f"| {client} | {versions[client]} |" for client in sorted(versions, key=str.lower)]
    for title, contract in CONTRACTS.items():
        lines += ["", f"## {title}", "", *table(contract, [row for row in rows if row["contract"] == title.lower()])]
    return HEAD + "\n".join(lines) + "\n"


def table(contract: Contract, rows: list[Row]) -> list[str]:
    """Return the table of a contract: an operation a row, a client a column."""
    cells: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for row in rows:
        cell = cells[row["operation"], row["client"]]
        cell[row["soap"]] = cell.get(row["soap"], True) and row["passed"]
    clients = sorted({row["client"] for row in rows}, key=str.lower)
    operations = [each.name for each in contract.operations if any(name == each.name for name, _ in cells)]
    lines = [f"{len(operations)} of the {len(contract.operations)} operations were called.", ""]
    lines += [f"| operation | {' | '.join(clients)} |", "| --- |" + " --- |" * len(clients)]
    for operation in operations:
        found = [cells.get((operation, client), {}) for client in clients]
        shown = [" ".join(sorted(cell)) if all(cell.values()) else "failed" for cell in found]
        lines.append(f"| `{operation}` | {' | '.join(shown)} |")
    return lines


def tables(text: str) -> str:
    """Return a page without the versions of the clients, which other machines may have in others."""
    return text[text.index("## ") :]


def main() -> None:
    """Write the page, or compare it with what ran."""
    rows = [json.loads(line) for path in sorted((ROOT / "build" / "grid").glob("*.jsonl")) for line in path.open()]
    for client, ran in json.loads(RECORDED.read_text()).items():
        same = {"client": client, "passed": True} | {name: ran[name] for name in ("version", "contract", "soap")}
        rows += [{**same, "operation": operation} for operation in ran["operations"]]
    made = page(rows)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(made)
    elif tables(made) != tables(PAGE.read_text()):
        lines = set(tables(made).splitlines()) ^ set(tables(PAGE.read_text()).splitlines())
        told = "\n".join(sorted(lines))
        sys.exit(f"{PAGE.relative_to(ROOT)} does not show what ran. `tests/interop/grid.py --write` mends it.\n{told}")


if __name__ == "__main__":
    main()
