"""The numbers that the records hand out, and how they go on after a restore without any being handed out twice."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, case, func, inspect, literal, select, text, union_all, update

from soapstone.store.tables import accounts, metadata

# The name under which the contact numbers of all accounts stand, which are counted in rows (lk-35).
CONTACT_NUMBERS = "contact_numbers"

# Most numbers are 32-bit integers of the old contracts.
LARGEST = (1 << 31) - 1
# These are not, and go up by far more than one for each call.
WIDE = frozenset({"contact", "contact_event", "delivery", "job_event"})

# How far numbers are raised beyond the last one that is known to have been handed out: 2,000 restores fit into 32 bits,
# and 9 million into the 53 bits that JSON readers keep exact.
STEP = 1_000_000
WIDE_STEP = 1_000_000_000
CONTACT_STEP = 10_000_000

_TABLES = {table.name: table for table in metadata.sorted_tables if "id" in table.c}


def handed_out(connection: Connection) -> dict[str, int]:
    """The last number of each table's sequence, and the sum of the accounts' contact numbers; 0 for none yet."""
    there = _tables(connection)
    if connection.dialect.name == "postgresql":
        found = stored(connection)
        sequences = (
            select(literal(name), func.pg_sequence_last_value(func.pg_get_serial_sequence(name, "id")))
            for name in there
        )
        for name, last in connection.execute(union_all(*sequences)) if there else ():
            found[name] = max(found[name], last or 0)
        return found
    rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence")) if there else ()
    last = {name: int(seq) for name, seq in rows}
    return {name: last.get(name, 0) for name in there} | {CONTACT_NUMBERS: _contact_numbers(connection)}


def stored(connection: Connection) -> dict[str, int]:
    """What `handed_out` tells, as far as committed rows have it.

    A sequence of PostgreSQL that a transaction under way has moved can fall back when the server loses its power.
    """
    if connection.dialect.name != "postgresql":
        return handed_out(connection)
    last = (select(literal(name), func.max(_TABLES[name].c.id)) for name in _tables(connection))
    rows = connection.execute(union_all(*last))
    return {name: number or 0 for name, number in rows} | {CONTACT_NUMBERS: _contact_numbers(connection)}


def raise_beyond(connection: Connection, known: Mapping[str, int]) -> None:
    """Let all numbers go on well beyond those that were handed out here, and beyond those of `known`."""
    now = handed_out(connection)
    for name in _tables(connection):
        base = max(now[name], known.get(name, 0))
        # Less where the end of the wire type is near: what is left is shared out, so that it never comes to an end.
        value = base + WIDE_STEP if name in WIDE else base + max(0, min(STEP, (LARGEST - base) // 2))
        _set(connection, name, value)
    # No account has had more numbers since than all accounts have together.
    step = CONTACT_STEP + max(0, known.get(CONTACT_NUMBERS, 0) - now[CONTACT_NUMBERS])
    last = accounts.c.last_number
    raised = last + case((last + 2 * step < LARGEST, step), else_=(LARGEST - last) // 2)
    connection.execute(update(accounts).values(last_number=raised))


def _tables(connection: Connection) -> list[str]:
    """Tables with numbers that are there: older schemas lack some."""
    return sorted(_TABLES.keys() & set(inspect(connection).get_table_names()))


def _contact_numbers(connection: Connection) -> int:
    if "account" not in _tables(connection):
        return 0
    return int(connection.execute(select(func.coalesce(func.sum(accounts.c.last_number), 0))).scalar_one())


def _set(connection: Connection, name: str, value: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), value)))
        return
    given = {"name": name, "value": value}
    if not connection.execute(text("UPDATE sqlite_sequence SET seq = :value WHERE name = :name"), given).rowcount:
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :value)"), given)
