"""What commands list: a table, or with `--json` an array in the shapes of the REST API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pkgutil import resolve_name
from typing import TypeVar

from rich.table import Table

from soapstone.commands.json_output import print_all
from soapstone.commands.terminal import console

Record = TypeVar("Record")


def print_rows(
    found: Iterable[Record],
    as_json: bool,
    shape: str,
    columns: Iterable[str],
    cells: Callable[[Record], Iterable[object]],
    *,
    given: Iterable[object] = (),
    limit: int | None = None,
) -> None:
    """Print a row of `cells` for each record, none where it has no cells; or all records in the REST API's shape.

    `shape` names what shapes a record, in soapstone.api, which is slow to load: MODULE:NAME; it takes what is `given`
    before the record. A table has at most `limit` rows and says so.
    """
    if as_json:
        print_all(found, partial(resolve_name(f"soapstone.api.{shape}"), *given))
        return
    table, rest = Table(*columns), iter(found)
    for record in islice(rest, limit):
        if row := tuple(cells(record)):
            table.add_row(*map(str, row))
    more = limit is not None and next(rest, None) is not None
    console.print(table)
    if more:
        console.print(f"These are {limit:,}: show more with --limit, or all with --json.")
