"""All records of a database: which tables were written, and putting everything back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, event, insert, select

from soapstone.store.database import Database
from soapstone.store.tables import metadata

# Logons and the audit trail are recorded beside what a call does; that changes nothing of an account.
OF_LOGINS = {"session", "logon_failure", "login_address", "audit_entry"}


class Records:
    """Notes the tables that committed transactions write to, and knows the rows that there were at the beginning."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: dict[int, set[str]] = {}
        self._written: set[str] = set()
        self._dirty: set[str] = set()
        with database.read() as connection:
            self._rows = {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in metadata.sorted_tables
            }
        event.listen(database.engine, "after_cursor_execute", self._executed)
        event.listen(database.engine, "commit", self._committed)
        event.listen(database.engine, "rollback", lambda connection: self._pending.pop(id(connection), None))

    def written(self) -> set[str]:
        """Return the tables that were written to since the last time, but for logons and the audit trail."""
        found, self._written = self._written, set()
        return found - OF_LOGINS

    def restore(self) -> None:
        """Put all rows back as they were at the beginning."""
        if not self._dirty:
            return
        tables = metadata.sorted_tables
        with self._database.write() as connection:
            if self._database.kind == "postgresql":
                # Rows of other tables refer to these, and do so again at the end: only what was written to need go.
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
                tables = [table for table in tables if table.name in self._dirty]
            for table in reversed(tables):
                connection.execute(delete(table))
            for table in tables:
                if self._rows[table.name]:
                    connection.execute(insert(table), self._rows[table.name])
        self._written, self._dirty = set(), set()

    def _executed(self, connection: Connection, cursor: Any, statement: str, *rest: object) -> None:
        verb, *words = statement.replace('"', " ").split(maxsplit=4)
        # How many rows a statement returns that returns them is not known yet.
        idle = cursor.rowcount == 0 and "RETURNING" not in statement
        if verb.upper() not in ("INSERT", "UPDATE", "DELETE") or idle:
            return
        table = words[0] if verb.upper() == "UPDATE" else words[1]
        self._pending.setdefault(id(connection), set()).add(table)

    def _committed(self, connection: Connection) -> None:
        written = self._pending.pop(id(connection), set())
        self._written |= written
        # A right that is taken away ends sessions, which later tests go on with.
        self._dirty |= written - (OF_LOGINS - {"session"})
