"""What commands print: tables and texts for a terminal, and with `--json` the shapes of the REST API.

Servers start without it, as it is slow to load.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pkgutil import resolve_name
from typing import Annotated, Any, TypeVar

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from soapstone.commands.common import printable, write_bytes

Record = TypeVar("Record")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

# Control characters that JSON does not escape.
_CONTROLS = re.compile("[\x7f-\x9f]")


class _Console(Console):
    """Prints user text literally: never as markup, emoji or control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


# A pipe has no width of its own; tables there are not folded to a terminal's.
console = _Console(width=None if sys.stdout.isatty() else 200, markup=False, emoji=False, highlight=False)


def print_json(found: object) -> None:
    """Print a document. Numbers are numbers, and times are ISO 8601 in UTC."""
    write_bytes([_text(found).encode(), b"\n"])


def print_all(found: Iterable[Any], shape: Callable[[Any], object]) -> None:
    """Print an array of what `shape` makes of each record, one after the other as they are read."""

    def pieces() -> Iterator[bytes]:
        mark = "[\n"
        for each in found:
            yield f"{mark}{_text(shape(each))}".encode()
            mark = ",\n"
        yield b"[]\n" if mark == "[\n" else b"\n]\n"

    write_bytes(pieces())


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


def _text(found: object) -> str:
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", to_json(found, indent=2).decode())
