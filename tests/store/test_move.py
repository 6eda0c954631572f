"""A move from SQLite to PostgreSQL brings every row of every table, and goes on wherever it ended."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    LargeBinary,
    Table,
    delete,
    event,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import sqlite
from tests.postgresql import Databases

from soapstone.clock import now
from soapstone.commands.restore import check_alone
from soapstone.errors import ConflictError
from soapstone.store import move as move_module
from soapstone.store import schema
from soapstone.store.database import Database
from soapstone.store.documents import Document
from soapstone.store.move import Move
from soapstone.store.numbers import add_row, handed_out
from soapstone.store.tables import contacts, job_events, jobs, lists, memberships, metadata

ROWS = 5
# What a text may hold: quotes, escapes, separators of COPY, other scripts, and forms that differ in collations only.
TEXT = "É\\N \\. 'x' \"y\"\ttab\nline\r ﬃ ß ẞ 中 😀 %s {} Z a"
DOCUMENT = '{"zebra": 1.0, "a": ["\\u00e9", 1e3, null, true, -0.5], "É": 12345678901234567890, "": {"b": {}}}'


class Quiet:
    """No display; `steps` are those that were shown."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, name: str, total: int | None) -> None:
        self.steps.append(name)

    def advance(self, rows: int) -> None:
        pass


class Killed(BaseException):
    """The end of the process, as far as the database can tell."""


@pytest.fixture
def target(postgresql_databases: Databases) -> Iterator[Database]:
    with postgresql_databases.bare() as url:
        database = Database(url, waits=True)
        yield database
        database.close()


@pytest.fixture
def source(tmp_path: Path, sqlite_template: Path) -> Path:
    """Records with rows in every table."""
    path = tmp_path / "soapstone.sqlite"
    path.write_bytes(sqlite_template.read_bytes())
    fill(path)
    return path


def fill(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for table in metadata.sorted_tables:
            if table.name == "secret":
                continue
            connection.execute(f"DELETE FROM {table.name}")
            for number in range(1, ROWS + 1):
                names = ", ".join(f'"{column.name}"' for column in table.c)
                values = [value(table, column, number) for column in table.c]
                marks = ", ".join("?" * len(values))
                connection.execute(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", values)
        # Numbers of deleted rows, and a chosen one.
        connection.execute("UPDATE sqlite_sequence SET seq = 40 WHERE name = 'list'")
        connection.execute("UPDATE chosen_number SET kind = 'list', number = 42 WHERE number = 1")
        connection.execute("COMMIT")
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def value(table: Table, column: Column[Any], number: int) -> Any:
    """What the row of this number has in this column, as SQLite stores it."""
    if (table.name, column.name) == ("job", "finished_at"):
        return None
    if column.foreign_keys:
        return number
    for check in table.constraints:
        if isinstance(check, CheckConstraint) and (
            found := re.match(rf"{column.name} IN \((.*)\)", str(check.sqltext))
        ):
            choices = re.findall("'([^']*)'", found[1])
            return "queued" if table.name == "job" else choices[number % len(choices)]
    if column.nullable and number % 3 == 0:
        return None
    if isinstance(column.type, Boolean):
        # Part of a primary key, whose other columns differ.
        return number % 2
    if isinstance(column.type, LargeBinary):
        return bytes([number, *range(256)])
    if isinstance(column.type, Document):
        return DOCUMENT if number % 2 else "{}"
    if column.primary_key and column.name == "id":
        return number
    if column.name == "steps":
        return 1 << 30
    kind = str(column.type.compile(sqlite.dialect()))
    if "INT" in kind:
        return (1 << 52) + number if kind == "BIGINT" else number
    return f"{number} {column.name} {TEXT}"


def everything(database: Database) -> dict[str, dict[Any, Any]]:
    """All rows of all tables by their keys, as the program reads them."""
    with database.read() as connection:
        return {
            table.name: {
                tuple(row[column] for column in table.primary_key): dict(row)
                for row in connection.execute(select(table)).mappings()
            }
            for table in metadata.sorted_tables
        }


def moved(source: Path, target: Database, **options: Any) -> dict[str, int]:
    check_alone(source)
    return Move(source, target, Quiet(), **options).run("postgresql://there", lambda: None)


def opened(path: Path) -> Database:
    return Database(f"sqlite:///{path}")


def read(path: Path) -> dict[str, dict[Any, Any]]:
    with closing_database(path) as database:
        return everything(database)


@contextmanager
def closing_database(path: Path) -> Iterator[Database]:
    database = opened(path)
    yield database
    database.close()


def test_every_row_of_every_table_is_moved(source: Path, target: Database) -> None:
    before = read(source)
    counts = moved(source, target, batch=2)
    # Whatever tables the database has, a new one too.
    with closing_database(source) as database, database.read() as connection:
        there = set(inspect(connection).get_table_names()) - {"alembic_version", "sqlite_sequence"}
    assert counts.keys() == there
    assert all(counts.values())
    assert everything(target) == before
    with target.read() as connection:
        assert not inspect(connection).has_table(schema.UNFINISHED)


def test_numbers_and_triggers_go_on(source: Path, target: Database) -> None:
    with closing_database(source) as database, database.read() as connection:
        before = handed_out(connection)
    moved(source, target)
    with target.read() as connection:
        assert handed_out(connection) == before
    with target.write() as connection:
        given = {"account_id": 1, "name": "new", "created_at": now()}
        # The last one was 40, and 42 is chosen.
        assert [add_row(connection, lists, given)["id"] for _ in range(2)] == [41, 43]
        with pytest.raises(ConflictError):
            add_row(connection, lists, given, number=42)
        events = select(func.count()).select_from(job_events)
        count = connection.execute(events).scalar_one()
        connection.execute(update(jobs).where(jobs.c.id == 2).values(state="running"))
        assert connection.execute(events).scalar_one() == count + 1


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_move_goes_on(source: Path, target: Database, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time at another statement of the target; what was committed before stays and nothing is brought twice."""
    before, chance, kills = read(source), random.Random(seed), 0
    while True:
        # Each time it comes further, however long the comparison at the end is.
        left = chance.randrange(1, 300 + 200 * kills)

        def strike(_: Any, cursor: Any = None, *_more: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                # SQLAlchemy leaves it open when a listener raises.
                if cursor is not None:
                    cursor.close()
                raise Killed

        event.listen(target.engine, "before_cursor_execute", strike)
        event.listen(target.engine, "commit", strike)
        try:
            moved(source, target, batch=2)
            break
        except Killed:
            kills += 1
            with pytest.raises(ConflictError, match="not complete"):
                schema.check_unfinished(target) if unfinished(target) else said()
        finally:
            event.remove(target.engine, "before_cursor_execute", strike)
            event.remove(target.engine, "commit", strike)
    assert kills
    assert everything(target) == before


def unfinished(target: Database) -> bool:
    with target.read() as connection:
        return inspect(connection).has_table(schema.UNFINISHED)


def said() -> None:
    raise ConflictError("not complete")


def test_a_changed_source_is_refused(source: Path, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_before(monkeypatch, "contact")
    with pytest.raises(Killed):
        moved(source, target)
    monkeypatch.undo()
    # To be opened, in another journal mode, is no change.
    before = read(source)
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE account SET name = 'another' WHERE id = 1")
        connection.commit()
    with pytest.raises(ConflictError, match="have changed since this move began"):
        moved(source, target)
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE account SET name = ? WHERE id = 1", (f"1 name {TEXT}",))
        connection.commit()
    assert read(source) == before


def test_opening_the_source_is_no_change(source: Path, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_before(monkeypatch, "contact")
    with pytest.raises(Killed):
        moved(source, target)
    monkeypatch.undo()
    before = read(source)
    moved(source, target)
    assert everything(target) == before


def stop_before(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """End the process before the rows of a table are sent."""
    send = move_module._send

    def strike(connection: Any, table: Table, rows: Any) -> Any:
        if table.name == name:
            raise Killed
        return send(connection, table, rows)

    monkeypatch.setattr(move_module, "_send", strike)


@pytest.mark.parametrize("filled", ["account", "worker"])
def test_a_target_with_records_is_refused(source: Path, target: Database, filled: str) -> None:
    schema.upgrade(target)
    rows = {
        "account": "INSERT INTO account (name, time_zone, created_at) VALUES ('OTHER', 'UTC', 0)",
        "worker": "INSERT INTO worker (name, began_at, beat_at) VALUES ('w', 0, 0)",
    }
    with target.write() as connection:
        connection.execute(text(rows[filled]))
    with pytest.raises(ConflictError, match=f"holds records already, in table {filled}"):
        moved(source, target)
    assert not unfinished(target)


def test_a_target_in_use_is_refused(source: Path, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move_module, "PATIENCE", 0.2)
    schema.upgrade(target)
    other = Database(target.url.render_as_string(hide_password=False))
    with other.connect(), pytest.raises(ConflictError, match="Another session uses the target"):
        moved(source, target)
    other.close()


def test_a_source_in_use_is_refused(source: Path, target: Database) -> None:
    with closing_database(source) as database:
        with database.read() as connection:
            connection.execute(select(lists)).all()
        with pytest.raises(ConflictError, match="stop the server first"):
            Move(source, target, Quiet()).run("there", lambda: None)
    check_alone(source)
    with closing(sqlite3.connect(source)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM account").fetchall()
        with pytest.raises(ConflictError, match="stop the server first"):
            Move(source, target, Quiet()).run("there", lambda: None)


def test_nobody_opens_the_source_meanwhile(source: Path, target: Database) -> None:
    class Curious(Quiet):
        def step(self, name: str, total: int | None) -> None:
            super().step(name, total)
            with closing(sqlite3.connect(source, timeout=0)) as connection, pytest.raises(sqlite3.OperationalError):
                connection.execute("SELECT count(*) FROM account")

    check_alone(source)
    display = Curious()
    Move(source, target, display).run("there", lambda: None)
    assert {"Copying contact", "Checking contact"} <= {*display.steps}


def test_rows_that_the_target_lost_are_noticed(source: Path, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """One field of one row is enough."""
    compare = Move._compare

    def spoil(self: Move, source: Any, connection: Any, table: Table, count: int) -> None:
        if table is contacts:
            with connection.begin():
                connection.execute(update(contacts).where(contacts.c.id == 2).values(city="elsewhere"))
        compare(self, source, connection, table, count)

    monkeypatch.setattr(Move, "_compare", spoil)
    with pytest.raises(ConflictError, match="Table contact differs in the target"):
        moved(source, target)
    with target.write() as connection:
        connection.execute(delete(memberships))
    monkeypatch.undo()
    with pytest.raises(ConflictError, match="differs in the target"):
        moved(source, target)


def test_what_postgresql_cannot_store_is_told(source: Path, target: Database) -> None:
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("UPDATE contact SET city = 'a' || char(0) || 'b' WHERE id = 3")
        connection.commit()
    with pytest.raises(ConflictError, match=r"PostgreSQL refuses rows of table contact: .*0x00"):
        moved(source, target)


def test_a_second_move_is_refused(source: Path, target: Database) -> None:
    moved(source, target)
    with pytest.raises(ConflictError, match="were moved already, to postgresql://there"):
        moved(source, target)
    with closing_database(source) as database, pytest.raises(ConflictError, match="were moved to postgresql://there"):
        schema.check_moved(database)
    schema.check_moved(target)


def test_the_marks_are_made_up_for(source: Path, target: Database) -> None:
    """The process ended when all was copied, before or after the source was marked."""
    before = read(source)

    def die() -> None:
        raise Killed

    check_alone(source)
    with pytest.raises(Killed):
        Move(source, target, Quiet()).run("there", die)
    assert unfinished(target)
    with closing_database(source) as database, pytest.raises(ConflictError):
        schema.check_moved(database)
    assert moved(source, target)["account"] == ROWS
    assert not unfinished(target)
    assert everything(target) == before


def test_documents_are_compared_by_what_they_say() -> None:
    form = move_module._canonical
    assert form(DOCUMENT) == form(json.dumps(json.loads(DOCUMENT), indent=1))
    assert form('{"a": 1.0, "b": 1e2}') == form('{"b": 100, "a": 1}')
    assert form('{"a": 1}') != form('{"a": "1"}')
    assert form('{"a": 0.1}') != form('{"a": 0.2}')
    assert form(None) != form("null")
