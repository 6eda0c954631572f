"""Profile attributes: what a list wants to know of its contacts, grouped under headers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, insert, select

from soapstone.store.database import Database
from soapstone.store.tables import profile_attributes, profile_headers

KINDS = ("text", "text_area", "numeric", "date", "check_box", "radio_button", "content_block")


@dataclass(frozen=True, kw_only=True)
class ProfileAttribute:
    """One attribute of a list. Its values lie in the memberships' `profile` documents under `str(id)`."""

    id: int
    list_id: int
    header_id: int
    name: str
    kind: str
    position: int
    max_length: int


class Profiles:
    """Profile headers and attributes of lists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_header(self, account_id: int, list_id: int, name: str) -> int:
        """Add a header at the end; its number."""
        last = select(func.coalesce(func.max(profile_headers.c.position), 0)).where(
            profile_headers.c.list_id == list_id
        )
        with self._database.write() as connection:
            values = {"account_id": account_id, "list_id": list_id, "name": name}
            position = connection.execute(last).scalar_one() + 1
            query = insert(profile_headers).values(**values, position=position).returning(profile_headers.c.id)
            return int(connection.execute(query).scalar_one())

    def add_attribute(
        self, account_id: int, list_id: int, header_id: int, name: str, *, kind: str = "text", max_length: int = 0
    ) -> int:
        """Add an attribute at the end of its header; its number. `max_length` 0 means no limit."""
        if kind not in KINDS:
            raise ValueError(f"not a kind of attribute: {kind}")
        table = profile_attributes
        last = select(func.coalesce(func.max(table.c.position), 0)).where(table.c.header_id == header_id)
        with self._database.write() as connection:
            values = {"account_id": account_id, "list_id": list_id, "header_id": header_id, "name": name}
            position = connection.execute(last).scalar_one() + 1
            values |= {"kind": kind, "position": position, "max_length": max_length}
            return int(connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one())

    def attributes(self, list_id: int) -> list[ProfileAttribute]:
        """The list's attributes in order."""
        table = profile_attributes
        columns = [table.c[name] for name in ("id", "list_id", "header_id", "name", "kind", "position", "max_length")]
        query = (
            select(*columns)
            .join(profile_headers, profile_headers.c.id == table.c.header_id)
            .where(table.c.list_id == list_id)
            .order_by(profile_headers.c.position, table.c.position)
        )
        with self._database.read() as connection:
            return [ProfileAttribute(**row) for row in connection.execute(query).mappings()]
