"""The part of the manual about the tables: what each one holds, and the picture of their keys and relations.

Tables, keys and types come from the program, their meaning from `tables.toml`. Run `.venv/bin/python docs/tables.py`
after a change of either; a test compares.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Table, Text, UniqueConstraint

from soapstone.store.documents import Document
from soapstone.store.person_fields import CUSTOM_FIELDS
from soapstone.store.tables import metadata
from soapstone.store.timestamps import Instant

DOCS = Path(__file__).parent
PAGE, PICTURE = DOCS / "tables.md", DOCS / "tables.svg"
BEGIN, END = "<!-- begin: docs/tables.py -->", "<!-- end -->"

with (DOCS / "tables.toml").open("rb") as _file:
    WORDS: dict[str, dict[str, Any]] = tomllib.load(_file)

# Nearly every table has it; its lines would hide the others.
ACCOUNT = "account_id"


def tables() -> list[Table]:
    """Return all tables in the order of the page. Raises KeyError for a table that `tables.toml` does not know."""
    order = list(WORDS)
    for name in metadata.tables:
        if name not in WORDS:
            raise KeyError(f"docs/tables.toml says nothing of the table {name}")
    return sorted(metadata.tables.values(), key=lambda table: order.index(table.name))


def meaning(column: Column[Any]) -> str:
    """Return what a column holds. Raises KeyError when `tables.toml` does not say."""
    name = "custom" if column.name in CUSTOM_FIELDS else column.name
    own = WORDS[column.table.name].get(name) or WORDS["every"].get(name)
    if own is None:
        raise KeyError(f"docs/tables.toml says nothing of {column.table.name}.{column.name}")
    return str(own)


# --- the text --------------------------------------------------------------------------------------------------------


def text() -> str:
    """Return a section for each table: what a row is, and its columns."""
    return "\n\n".join("\n\n".join(_section(table)) for table in tables())


def _section(table: Table) -> Iterator[str]:
    yield f"### {table.name}"
    yield WORDS[table.name]["row"]
    rows = ["| column | holds | meaning |", "| --- | --- | --- |"]
    for column in table.columns:
        name = f"`{column.name}`"
        if column.name in CUSTOM_FIELDS[1:]:
            continue
        if column.name == CUSTOM_FIELDS[0]:
            name = f"`{CUSTOM_FIELDS[0]}` to `{CUSTOM_FIELDS[-1]}`"
        rows.append(f"| {name} | {holds(column)} | {meaning(column)} |")
    yield "\n".join(rows)


def holds(column: Column[Any]) -> str:
    """Return the kind of value, the table it refers to, and what the key says of it."""
    if isinstance(column.type, Instant):
        kind = "instant"
    elif isinstance(column.type, Boolean):
        kind = "0 or 1"
    elif isinstance(column.type, Document):
        kind = "JSON"
    elif isinstance(column.type, Text):
        kind = "text"
    else:
        kind = "bytes" if column.type.python_type is bytes else "number"
    kind += " or NULL" if column.nullable else ""
    parts = ["key" if column.primary_key else "", *(f"→ `{name}`" for name in _parents(column)), kind]
    return ", ".join(part for part in parts if part)


def _parents(column: Column[Any]) -> list[str]:
    return sorted(key.column.table.name for key in column.foreign_keys)


# --- the picture -----------------------------------------------------------------------------------------------------

WIDTH, GAP, MARGIN = 168, 56, 34
HEAD, LINE, SPACE = 24, 17, 18


@dataclass(frozen=True)
class Box:
    """A table in the picture: its left upper corner, and the columns that are shown."""

    table: Table
    x: int
    y: int
    columns: list[Column[Any]]

    @property
    def more(self) -> int:
        """How many columns are not shown."""
        return len(self.table.columns) - len(self.columns)

    @property
    def height(self) -> int:
        return HEAD + LINE * (len(self.columns) + bool(self.more)) + 6

    def middle(self, column: Column[Any]) -> int:
        """Return the height at which the lines of a column end."""
        return self.y + HEAD + LINE * [each.name for each in self.columns].index(column.name) + LINE // 2 + 3


def _mark(column: Column[Any]) -> str:
    """PK, FK or UQ for a column of a key, "" for others."""
    if column.primary_key:
        return "PK"
    if column.foreign_keys:
        return "FK"
    together = [set(c.columns) for c in column.table.constraints if isinstance(c, UniqueConstraint)]
    return "UQ" if any(column in columns for columns in together) else ""


def _shown(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if _mark(column) and column.name != ACCOUNT]


def _boxes() -> list[Box]:
    places = sorted({WORDS[table.name]["place"] for table in tables()})
    stacks: list[list[Box]] = []
    for index, place in enumerate(places):
        y, stack = MARGIN, []
        for table in tables():
            if WORDS[table.name]["place"] == place:
                y += WORDS[table.name].get("above", 0)
                stack.append(Box(table, MARGIN + index * (WIDTH + GAP), y, _shown(table)))
                y += stack[-1].height + SPACE
        stacks.append(stack)
    return [box for stack in stacks for box in stack]


def picture() -> str:
    """Return the picture as SVG: a box for each table, a line for each reference."""
    boxes = {box.table.name: box for box in _boxes()}
    width = max(box.x for box in boxes.values()) + WIDTH + MARGIN
    height = max(box.y + box.height for box in boxes.values()) + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="12">',
        "<title>The tables with their keys and relations</title>",
        "<style>.box{fill:#fff;stroke:#53606c}.head{fill:#dfe7ee;stroke:#53606c}.name{font-weight:bold}"
        ".mark,.more{fill:#53606c;font-size:10px}.line{fill:none;stroke:#2b6a99;stroke-width:1.3}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for box in boxes.values():
        for column in box.columns:
            for key in sorted(column.foreign_keys, key=lambda each: each.target_fullname):
                lines.append(_line(box, column, boxes[key.column.table.name], key.column))
    for box in boxes.values():
        lines += _drawn(box)
    return "\n".join([*lines, "</svg>", ""])


def _drawn(box: Box) -> Iterator[str]:
    yield f'<rect class="box" x="{box.x}" y="{box.y}" width="{WIDTH}" height="{box.height}"/>'
    yield f'<rect class="head" x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEAD}"/>'
    yield f'<text class="name" x="{box.x + 8}" y="{box.y + 16}">{escape(box.table.name)}</text>'
    for column in box.columns:
        y = box.middle(column) + 4
        yield f'<text class="mark" x="{box.x + 8}" y="{y}">{_mark(column)}</text>'
        yield f'<text x="{box.x + 32}" y="{y}">{escape(column.name)}</text>'
    if box.more:
        y = box.y + HEAD + LINE * len(box.columns) + LINE // 2 + 7
        yield f'<text class="more" x="{box.x + 32}" y="{y}">{box.more} more</text>'


def _line(child: Box, column: Column[Any], parent: Box, key: Column[Any]) -> str:
    """Return a curve from the many to the one: a fork there, a bar here; in dashes where there may be none."""
    # Where it leaves each box: 1 on the right, -1 on the left.
    if child.x == parent.x:
        out = into = -1 if child.x == MARGIN else 1
    else:
        out = 1 if parent.x > child.x else -1
        into = -out
    x1, y1 = child.x + (WIDTH if out > 0 else 0), child.middle(column)
    x2, y2 = parent.x + (WIDTH if into > 0 else 0), parent.middle(key)
    bend = GAP // 2 if child.x == parent.x else abs(x2 - x1) // 2
    curve = f"M{x1} {y1} C{x1 + out * bend} {y1} {x2 + into * bend} {y2} {x2} {y2}"
    fork = f"M{x1} {y1 - 4} L{x1 + out * 8} {y1} L{x1} {y1 + 4}"
    bar = f"M{x2 + into * 5} {y2 - 4} V{y2 + 4}"
    maybe = ' stroke-dasharray="5 3"' if column.nullable else ""
    return f'<path class="line" d="{curve}"{maybe}/><path class="line" d="{fork} {bar}"/>'


# --- writing ---------------------------------------------------------------------------------------------------------


def page() -> str:
    """Return the page as it should be."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{text()}\n\n{END}", PAGE.read_text(encoding="utf-8"), count=1)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
