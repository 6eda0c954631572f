"""The numbers of rows: sequences, chosen numbers, and restores. No number is ever given twice.

Old programs contain numbers of lists, messages and the like, so such a number can be chosen. The sequences do not move
to it: they skip it when they reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    Table,
    case,
    false,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
    update,
)

from soapstone.clock import now
from soapstone.errors import ConflictError
from soapstone.store.table_names import has_table, table_names
from soapstone.store.tables import (
    accounts,
    campaigns,
    chosen_numbers,
    external_events,
    list_categories,
    lists,
    message_categories,
    messages,
    metadata,
    occasions,
    profile_attributes,
    profile_headers,
    saved_searches,
)

# The name of the contact numbers of all accounts, which are not a sequence (lk-35).
CONTACT_NUMBERS = "contact_numbers"

# Most numbers are 32-bit integers of the old contracts.
LARGEST = (1 << 31) - 1
# These are not, and go up by far more than one for each call.
WIDE = frozenset({"contact", "contact_event", "delivery", "job_event"})

# The distance from the last known number after a restore: 2,000 restores fit into 32 bits, and 9 million into the 53
# bits that JSON readers keep exact.
STEP = 1_000_000
WIDE_STEP = 1_000_000_000
CONTACT_STEP = 10_000_000

# The largest number that can be chosen.
LARGEST_CHOSEN = 999_999_999
# Tables whose rows can have a chosen number. PostgreSQL's locks depend on the order: append at the end.
NUMBERED: tuple[Table, ...] = (
    lists,
    profile_headers,
    profile_attributes,
    external_events,
    campaigns,
    list_categories,
    message_categories,
    saved_searches,
    messages,
    occasions,
)
# The first of the two keys of those locks, for the first of the tables; the second key is the number.
NUMBER_LOCKS = 7400

_TABLES = {table.name: table for table in metadata.sorted_tables if "id" in table.c}
# The last numbers of PostgreSQL's sequences, by table. Planned as a union of tables it takes several times as long.
_SEQUENCES = text(
    "SELECT relname, pg_sequence_last_value(pg_get_serial_sequence(relname, 'id')) FROM pg_catalog.pg_class"
    " WHERE relkind IN ('r', 'p') AND relname = ANY(:names) AND pg_catalog.pg_table_is_visible(oid)"
)


def add_row(connection: Connection, table: Table, values: Mapping[str, Any], number: int | None = None) -> RowMapping:
    """Insert a row into one of the NUMBERED tables in the caller's transaction; return all its columns.

    It gets the table's next number, or `number` (1 to LARGEST_CHOSEN). Raises ConflictError for a number that any
    account has or had, and for one that the sequence has passed, because its row may have been deleted.
    """
    place = NUMBERED.index(table)
    if number is None:
        new = _next(connection, table, place)
        return connection.execute(insert(table).values(id=new, **values).returning(table)).mappings().one()
    if not 1 <= number <= LARGEST_CHOSEN:
        raise ValueError(f"{number} cannot be chosen")
    postgresql = connection.dialect.name == "postgresql"
    # Concurrent inserts skip this number from now on.
    if (
        postgresql
        and not connection.execute(select(func.pg_try_advisory_xact_lock(NUMBER_LOCKS + place, number))).scalar_one()
    ):
        raise _taken(number)
    last = _last(connection, table)
    there = connection.execute(select(table.c.id).where(table.c.id == number)).first()
    if number <= last or there is not None or _is_chosen(connection, table, number):
        raise _taken(number)
    chosen = {"kind": table.name, "number": number, "account_id": values["account_id"], "created_at": now()}
    connection.execute(insert(chosen_numbers).values(chosen))
    row = connection.execute(insert(table).values(id=number, **values).returning(table)).mappings().one()
    if not postgresql:
        # SQLite has moved its sequence to the largest number.
        _set(connection, table.name, last)
    return row


def _next(connection: Connection, table: Table, place: int) -> int:
    """Return the next number of a table's sequence that is not a chosen one."""
    new = _last(connection, table)
    while True:
        if connection.dialect.name == "postgresql":
            sequence = func.pg_get_serial_sequence(table.name, "id")
            new = int(connection.execute(select(func.nextval(sequence))).scalar_one())
            if new <= LARGEST_CHOSEN:
                # Another transaction may be choosing it: its lock shows that before its row does. The test does not
                # wait, and a later holder of the lock finds that the sequence has passed the number.
                keys = (NUMBER_LOCKS + place, new)
                look = case((func.pg_try_advisory_lock(*keys), func.pg_advisory_unlock(*keys)), else_=false())
                if not connection.execute(select(look)).scalar_one():
                    continue
        else:
            new += 1
        if not _is_chosen(connection, table, new):
            return new


def _last(connection: Connection, table: Table) -> int:
    """Return the last number of a table's sequence; 0 for none yet."""
    if connection.dialect.name == "postgresql":
        found = select(func.pg_sequence_last_value(func.pg_get_serial_sequence(table.name, "id")))
        return int(connection.execute(found).scalar_one() or 0)
    query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return int(connection.execute(query, {"name": table.name}).scalar_one_or_none() or 0)


def _is_chosen(connection: Connection, table: Table, number: int) -> bool:
    query = select(chosen_numbers.c.number).filter_by(kind=table.name, number=number)
    return connection.execute(query).first() is not None


def handed_out(connection: Connection) -> dict[str, int]:
    """Return the last number of each table's sequence, and the sum of the accounts' contact numbers; 0 for none yet."""
    found = reached(connection)
    if connection.dialect.name == "postgresql":
        rows = _last_rows(connection, _tables(connection))
        return found | {name: max(number, found[name]) for name, number in rows.items()}
    return found


def reached(connection: Connection) -> dict[str, int]:
    """Return the numbers of `handed_out` by the sequences alone, which takes a small part of the time on PostgreSQL.

    Only rows that were written past a sequence have higher ones.
    """
    if connection.dialect.name == "postgresql":
        found = connection.execute(_SEQUENCES, {"names": sorted(_TABLES)})
        return {name: number or 0 for name, number in found} | {CONTACT_NUMBERS: _contact_numbers(connection)}
    there = _tables(connection)
    rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence")) if there else ()
    last = {name: int(seq) for name, seq in rows}
    return {name: last.get(name, 0) for name in there} | {CONTACT_NUMBERS: _contact_numbers(connection)}


def stored(connection: Connection, known: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the numbers of `handed_out` as far as committed rows show them, without chosen ones; at least `known`.

    A sequence of PostgreSQL that a transaction under way has moved can fall back when the server loses its power.
    """
    known = known or {}
    found = reached(connection)
    if connection.dialect.name == "postgresql":
        # No row is beyond its sequence: the tables of the others need not be looked at.
        ahead = [name for name, number in found.items() if name in _TABLES and number > known.get(name, 0)]
        found |= dict.fromkeys(_TABLES.keys() & found.keys(), 0) | _last_rows(connection, ahead)
    return {name: max(number, known.get(name, 0)) for name, number in found.items()}


def _last_rows(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Return the largest numbers in these tables that are not chosen, of what is committed; 0 for none."""
    choices = has_table(connection, chosen_numbers.name)
    last = [
        select(literal(name), _last_by_sequence(_TABLES[name], choices=choices).scalar_subquery()) for name in names
    ]
    rows = connection.execute(union_all(*last)) if last else ()
    return {name: number or 0 for name, number in rows}


def put_back(connection: Connection, before: Mapping[str, int]) -> None:
    """Set SQLite's sequences to `before`, a result of `handed_out`, after tables were copied.

    A copy sets them to the largest present number, which may be a chosen one, and ignores deleted rows.
    """
    if connection.dialect.name == "postgresql":
        return
    choices = has_table(connection, chosen_numbers.name)
    for name in before.keys() & set(_tables(connection)):
        there = connection.execute(_last_by_sequence(_TABLES[name], choices=choices)).scalar_one_or_none()
        if last := max(before[name], there or 0):
            _set(connection, name, last)


def set_sequences(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Set the sequences of these tables to the last numbers given out elsewhere."""
    for name in sorted(numbers.keys() & set(_tables(connection))):
        if numbers[name]:
            _set(connection, name, numbers[name])


def _last_by_sequence(table: Table, *, choices: bool) -> Select[Any]:
    """Return the largest number in a table that is not chosen. `choices`: whether the schema has chosen ones."""
    query = select(table.c.id).order_by(table.c.id.desc()).limit(1)
    if not choices or table not in NUMBERED:
        return query
    return query.where(table.c.id.not_in(select(chosen_numbers.c.number).where(chosen_numbers.c.kind == table.name)))


def raise_beyond(connection: Connection, known: Mapping[str, int]) -> None:
    """Raise all sequences well beyond the numbers given out here and those of `known`."""
    now = handed_out(connection)
    for name in _tables(connection):
        base = max(now[name], known.get(name, 0))
        # Less near the end of the wire type: a share of the rest, so that numbers never run out.
        value = base + WIDE_STEP if name in WIDE else base + max(0, min(STEP, (LARGEST - base) // 2))
        _set(connection, name, value)
    # No account can have used more numbers since than all accounts together.
    step = CONTACT_STEP + max(0, known.get(CONTACT_NUMBERS, 0) - now[CONTACT_NUMBERS])
    last = accounts.c.last_number
    raised = last + case((last + 2 * step < LARGEST, step), else_=(LARGEST - last) // 2)
    connection.execute(update(accounts).values(last_number=raised))


def _tables(connection: Connection) -> list[str]:
    """Return the present tables with numbers: older schemas lack some."""
    return sorted(_TABLES.keys() & table_names(connection))


def _contact_numbers(connection: Connection) -> int:
    if not has_table(connection, accounts.name):
        return 0
    return int(connection.execute(select(func.coalesce(func.sum(accounts.c.last_number), 0))).scalar_one())


def _set(connection: Connection, name: str, value: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), value)))
        return
    given = {"name": name, "value": value}
    if not connection.execute(text("UPDATE sqlite_sequence SET seq = :value WHERE name = :name"), given).rowcount:
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :value)"), given)


def _taken(number: int) -> ConflictError:
    return ConflictError(f"The number {number} cannot be given: it is in use, or was before.")
