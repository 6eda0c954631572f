"""PostgreSQL databases for tests: made once in a process, and emptied rather than made anew for the next test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from tests.orphans import ORPHANS

from soapstone.store import schema
from soapstone.store.database import Database

# What each database that is handed out holds beside the schema: copies of the rows that migrations wrote, and a note
# of each change of the schema, after which the database is no longer what the next test expects. Imports make temporary
# tables, which end with their connections.
_SEED = """
    CREATE SCHEMA seed;
    CREATE TABLE seed.altered (command text);
    CREATE FUNCTION seed.note_change() RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO seed.altered SELECT DISTINCT command_tag FROM pg_event_trigger_ddl_commands()
            WHERE schema_name IS DISTINCT FROM 'pg_temp'; END $$;
    CREATE FUNCTION seed.note_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO seed.altered SELECT DISTINCT tg_tag FROM pg_event_trigger_dropped_objects()
            WHERE NOT is_temporary; END $$;
"""
_WATCH = """
    CREATE EVENT TRIGGER altered ON ddl_command_end
        WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'DROP TABLE', 'CREATE INDEX', 'DROP INDEX', 'CREATE TRIGGER',
                     'DROP TRIGGER', 'CREATE FUNCTION', 'ALTER SEQUENCE', 'DROP SEQUENCE', 'GRANT', 'REVOKE')
        EXECUTE FUNCTION seed.note_change();
    CREATE EVENT TRIGGER dropped ON sql_drop EXECUTE FUNCTION seed.note_drop();
"""
# For the connection that empties a database, once: a change of the role drops the plans that a connection keeps.
# Neither order nor triggers matter where all rows go. Statistics may tell of empty tables, where loops would be fast.
_EMPTYING_SETTINGS = "SET lock_timeout = '5s'; SET session_replication_role = replica; SET enable_nestloop = off"
# Connections that a test left open would keep its locks. PostgreSQL itself looks only every 100 ms whether one has
# ended.
_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# Seconds until they must have ended, and between two looks.
_PATIENCE, _PAUSE = 5.0, 0.001


class Databases:
    """The databases of one server; `server` is the URL of its maintenance database."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._template = ""
        self._free: list[str] = []
        # Connections that stay, by database: a new one reads the description of every table that it empties, and plans
        # all that it does.
        self._connections: dict[str, psycopg.Connection[Any]] = {}

    def url(self, name: str) -> str:
        return self.server.replace("/postgres?", f"/{name}?")

    def administer(self, statement: str) -> None:
        """Run one statement outside of transactions, such as CREATE DATABASE."""
        self._connection("postgres").execute(statement.encode())

    def close(self) -> None:
        """Close the connections that stay."""
        while self._connections:
            self._connections.popitem()[1].close()

    @contextmanager
    def bare(self) -> Iterator[str]:
        """The URL of a new database without a schema."""
        name = f"bare_{uuid4().hex}"
        self.administer(f"CREATE DATABASE {name}")
        yield self.url(name)
        self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a database with the schema and the rows of the migrations, as after `soapstone db upgrade`."""
        template = self._template or self._make_template()
        if self._free:
            name = self._free.pop()
        else:
            name = f"test_{uuid4().hex}"
            self.administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        identity = self._identity(name)
        yield self.url(name)
        if self._identity(name) == identity and self._empty(name):
            self._free.append(name)
        else:
            self._forget(name)
            self.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _connection(self, name: str, settings: str = "") -> psycopg.Connection[Any]:
        """Return the connection that stays to a database, with these settings; a test may have ended it."""
        kept = self._connections.get(name)
        if kept is not None:
            try:
                kept.execute("SELECT 1")
            except psycopg.OperationalError:
                self._forget(name)
            else:
                return kept
        connection = psycopg.connect(self.url(name), autocommit=True)
        connection.execute(settings.encode())
        self._connections[name] = connection
        return connection

    def _forget(self, name: str) -> None:
        connection = self._connections.pop(name, None)
        if connection is not None:
            connection.close()

    def _make_template(self) -> str:
        name = f"template_{uuid4().hex}"
        self.administer(f"CREATE DATABASE {name}")
        database = Database(self.url(name))
        schema.upgrade(database)
        database.close()
        with psycopg.connect(self.url(name)) as connection:
            tables = _column(connection, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
            # Wake-ups of jobs, numbered without a reference to them.
            queue = _column(connection, "SELECT tablename FROM pg_tables WHERE schemaname = 'procrastinate'")
            sequences = _column(connection, "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")
            filled = [table for table in tables if _column(connection, f"SELECT 1 FROM {table} LIMIT 1")]
            connection.execute(_SEED.encode())
            for table in filled:
                connection.execute(f"CREATE TABLE seed.{table} AS TABLE {table}".encode())
            reached = {
                sequence: _column(connection, f"SELECT pg_sequence_last_value('\"{sequence}\"')")[0]
                for sequence in sequences
            }
            queue_tables = [f"procrastinate.{table}" for table in queue]
            emptying = [
                *(f"DELETE FROM {table}" for table in tables + queue_tables),
                *(f"INSERT INTO {table} TABLE seed.{table}" for table in filled),
                # Not ALTER SEQUENCE, which would count as a change of the schema.
                *(
                    f"PERFORM setval('\"{sequence}\"', {last or 1}, {'false' if last is None else 'true'})"
                    for sequence, last in reached.items()
                ),
            ]
            # Functions keep their plans as long as the connection stays: to plan them took most of the time.
            connection.execute(_function("empty", "void", emptying))
            connection.execute(_function("orphans", "SETOF text", [f"RETURN QUERY {ORPHANS}"]))
            connection.execute(_WATCH.encode())
        self._template = name
        return name

    def _identity(self, name: str) -> Any:
        """PostgreSQL's own number of a database and its settings, which change when a test replaces or alters it."""
        query = """
            SELECT oid, (SELECT array_agg(setconfig) FROM pg_db_role_setting WHERE setdatabase = oid)
            FROM pg_database WHERE datname = %s
        """
        return self._connection("postgres").execute(query, [name]).fetchone()

    def _empty(self, name: str) -> bool:
        """Bring a database back to what the template holds; False if that cannot be done."""
        connection = self._connection(name, _EMPTYING_SETTINGS)
        end = time.monotonic() + _PATIENCE
        while _column(connection, _END_OTHERS):
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE)
        if _column(connection, "SELECT 1 FROM seed.altered LIMIT 1"):
            return False
        with connection.transaction():
            # It has no keys that would have refused them.
            assert _column(connection, "SELECT seed.orphans()") == []
            connection.execute("SELECT seed.empty()")
        return True


def _column(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return [row[0] for row in connection.execute(query.encode())]


def _function(name: str, returned: str, statements: list[str]) -> bytes:
    body = "".join(f"{statement};\n" for statement in statements)
    return f"CREATE FUNCTION seed.{name}() RETURNS {returned} LANGUAGE plpgsql AS $$ BEGIN\n{body}END $$".encode()
