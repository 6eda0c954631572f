"""The stage: checked rows of one chunk, written by the reader and read by the merge.

For SQLite a stage is a database of its own, which the merge attaches; for PostgreSQL it is the text that COPY takes.
Rows are sorted by their keys, so that the merge walks its indexes from end to end.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soapstone.imports.rows import Checked, Rows

if TYPE_CHECKING:
    from sqlalchemy import Table

NAME = "import_stage"
# The name under which SQLite attaches a stage.
SCHEMA = "stage"
# Rows of one piece of a text for COPY, whose format must escape these characters.
BLOCK_ROWS = 500
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class Stage:
    """The columns of the stages of one import.

    `keeps_fields` adds the original fields of rows, for imports whose merge may refuse a row.
    """

    def __init__(self, kind: str, rows: Rows, *, keeps_fields: bool) -> None:
        self.kind = kind
        self.rows = rows
        self.keeps_fields = keeps_fields
        self._texts = rows.texts[1:]
        self._documents = [*(["profile"] if rows.has_profile else []), *(["fields"] if keeps_fields else [])]

    @cached_property
    def table(self) -> Table:
        """The table as the merge sees it."""
        return _table(self.kind, tuple(self._texts), tuple(self._documents))

    def write(
        self,
        path: Path,
        records: Sequence[str],
        delimiter: str,
        checked: Checked,
        order: Sequence[int],
        numbers: Sequence[int],
        fewest: int,
    ) -> Mapping[int, Sequence[int]]:
        """Write the rows at the positions of `order`, and return the positions of misfits: see Rows.

        `numbers` are those of all rows. A record is split at the delimiter, of which each holds at least `fewest`.
        """
        split = methodcaller("split", delimiter)
        lines: Iterable[Sequence[Any]]
        numbers = [numbers[position] for position in order]
        given: Sequence[object] = numbers if self.kind == "sqlite" else list(map(str, numbers))
        if self.rows.plain and not self.keeps_fields:
            # Row by row: its fields are gone before those of the next one are made.
            whole = fewest + 1 >= self.rows.all_columns
            lines = self.rows.plain_lines(records, split, checked, order, given, whole=whole)
        else:
            rows = list(map(split, map(records.__getitem__, order)))
            keys, *values = self.rows.values(rows, checked.at(order))
            columns = [keys, given, *values]
            if self.keeps_fields:
                columns.append([json.dumps(list(row), ensure_ascii=False) for row in rows])
            lines = zip(*columns, strict=True)
        if self.kind == "sqlite":
            self._write_database(path, lines)
        else:
            _write_copy(path, iter(lines))
        return {number: [order[at] for at in found] for number, found in self.rows.misfits.items()}

    def _write_database(self, path: Path, lines: Iterable[Sequence[object]]) -> None:
        path.unlink(missing_ok=True)
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-8000"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN")
            # The names are constants of this program.
            names = ["key", "row", *self._texts, *self._documents]
            connection.execute(f"CREATE TABLE {NAME} (n INTEGER PRIMARY KEY, {', '.join(names)})")
            marks = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {NAME} VALUES (NULL, {marks})", lines)  # noqa: S608
            connection.execute("COMMIT")
        finally:
            connection.close()


@lru_cache(64)
def _table(kind: str, texts: Sequence[str], documents: Sequence[str]) -> Table:
    """Return the table of all stages with these columns: statements about one table are compiled once, not anew for
    each import."""
    # The reader does without: its process starts in a fraction of the time, and takes less memory.
    from sqlalchemy import Column, Integer, MetaData, Table, Text

    from soapstone.store.documents import Document
    from soapstone.store.tables import Id, Key, contacts

    return Table(
        NAME,
        MetaData(),
        # The place in the order of keys, from 1; the key; the number of the row in the file; its values.
        Column("n", Integer, primary_key=kind == "sqlite", autoincrement=False),
        Column("key", Key, nullable=False),
        Column("row", Id, nullable=False),
        # Of the type of the columns that they are compared with.
        *(Column(name, contacts.c[name].type if name in contacts.c else Text, nullable=False) for name in texts),
        *(Column(name, Document, nullable=False) for name in documents),
        schema=SCHEMA if kind == "sqlite" else None,
        prefixes=[] if kind == "sqlite" else ["TEMPORARY"],
    )


def _write_copy(path: Path, lines: Iterator[Sequence[str]]) -> None:
    first = 1
    with path.open("w", encoding="utf-8", newline="") as file:
        while block := list(islice(lines, BLOCK_ROWS)):
            text = "".join([f"{n}\t{line}\n" for n, line in enumerate(map("\t".join, block), first)])
            ends = text.count("\t") + text.count("\n")
            if ends > len(block) * (len(block[0]) + 1) or "\\" in text or "\r" in text:
                masked = (map(_masked, line) for line in block)
                text = "".join([f"{n}\t{line}\n" for n, line in enumerate(map("\t".join, masked), first)])
            file.write(text)
            first += len(block)


def _masked(value: str) -> str:
    return value.translate(_ESCAPES)
