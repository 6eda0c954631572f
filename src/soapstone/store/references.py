"""References between rows: whether each row that another one names exists, and whether keys are unique.

Foreign keys and unique keys of the database prove it for each row that is written. This proves it afterwards for all
rows, wherever a database had no such key, or its files were damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    Table,
    UniqueConstraint,
    and_,
    exists,
    func,
    select,
)

from soapstone.store.tables import metadata

# Rows that a fault gives as examples.
EXAMPLES = 3


@dataclass(frozen=True)
class Fault:
    """Rows of one table that name missing rows ("orphan"), or share a key that must be unique ("duplicate").

    `columns` are those of the reference or key, `parent` the table that they name (empty for a duplicate), `count` the
    number of rows beyond what is right, and `examples` the values of the columns in some of them.
    """

    kind: Literal["orphan", "duplicate"]
    table: str
    columns: tuple[str, ...]
    parent: str
    count: int
    examples: list[tuple[object, ...]]


def faults(connection: Connection) -> Iterator[Fault]:
    """Yield the faults of all tables. Reads every row with a reference, and every key."""
    if connection.dialect.name == "postgresql":
        # Without fresh statistics it would go through one table for each row of another.
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
    for table in metadata.sorted_tables:
        for constraint in sorted(table.foreign_key_constraints, key=lambda each: list(each.column_keys)):
            yield from _orphans(connection, constraint)
        for columns in _keys(table):
            yield from _duplicates(connection, columns)


def _orphans(connection: Connection, constraint: ForeignKeyConstraint) -> Iterator[Fault]:
    # A table may refer to itself.
    parent = constraint.referred_table.alias()
    columns = list(constraint.columns)
    pairs = [(each.parent, parent.c[each.column.name]) for each in constraint.elements]
    there = exists().where(and_(*(column == named for column, named in pairs))).correlate(constraint.table)
    missing = and_(*_set(columns), ~there)
    count = connection.execute(select(func.count()).select_from(constraint.table).where(missing)).scalar_one()
    if count:
        found = connection.execute(select(*columns).where(missing).distinct().order_by(*columns).limit(EXAMPLES))
        yield _fault("orphan", columns, constraint.referred_table.name, count, [tuple(row) for row in found])


def _duplicates(connection: Connection, columns: list[Column[object]]) -> Iterator[Fault]:
    # In a unique key, NULL equals nothing.
    number = func.count().label("rows_of_key")
    groups = select(*columns, number).where(*_set(columns)).group_by(*columns).having(func.count() > 1).subquery()
    total = func.coalesce(func.sum(groups.c.rows_of_key - 1), 0)
    count = int(connection.execute(select(total)).scalar_one())
    if count:
        names = [groups.c[column.name] for column in columns]
        found = connection.execute(select(*names).order_by(*names).limit(EXAMPLES))
        yield _fault("duplicate", columns, "", count, [tuple(row) for row in found])


def _keys(table: Table) -> list[list[Column[object]]]:
    """Return the columns of each key that must be unique."""
    unique = [list(each.columns) for each in table.constraints if isinstance(each, UniqueConstraint)]
    # The condition of each of these is that a column is not NULL.
    unique += [[table.c[column.name] for column in each.columns] for each in table.indexes if each.unique]
    return [list(table.primary_key.columns), *sorted(unique, key=lambda key: [column.name for column in key])]


def _set(columns: list[Column[object]]) -> list[ColumnElement[bool]]:
    return [column.is_not(None) for column in columns if column.nullable]


def _fault(
    kind: Literal["orphan", "duplicate"],
    columns: list[Column[object]],
    parent: str,
    count: int,
    examples: list[tuple[object, ...]],
) -> Fault:
    shown = [tuple(each.hex() if isinstance(each, bytes) else each for each in row) for row in examples]
    return Fault(kind, columns[0].table.name, tuple(column.name for column in columns), parent, count, shown)
