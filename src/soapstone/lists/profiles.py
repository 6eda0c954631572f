"""Profile attributes of a list's contacts, grouped under headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    delete,
    func,
    select,
    update,
)

from soapstone.errors import ConflictError, InvalidError, NotFoundError
from soapstone.jobs.queue import Jobs
from soapstone.lists.names import checked_name
from soapstone.lists.profile_values import ProfileAttribute as ProfileAttribute
from soapstone.store.database import Database
from soapstone.store.numbers import add_row
from soapstone.store.tables import accounts, lists, profile_attributes, profile_headers
from soapstone.vocabulary.attributes import AttributeKind
from soapstone.vocabulary.jobs import JobKind


@dataclass(frozen=True, kw_only=True)
class ProfileHeader:
    """A heading with its attributes in order. `position` counts from 1 within the list."""

    id: int
    list_id: int
    name: str
    position: int
    attributes: tuple[ProfileAttribute, ...]


@dataclass(frozen=True, kw_only=True)
class AttributeDraft:
    """An attribute to create or change: see ProfileAttribute; position 0 is the last one (lk-48).

    `number` is as for add_row, for new attributes only.
    """

    name: str
    kind: str = "text"
    max_length: int = 0
    position: int = 0
    number: int | None = None


_ATTRIBUTE: list[Column[Any]] = [
    profile_attributes.c[name] for name in ("id", "list_id", "header_id", "name", "kind", "position", "max_length")
]


class Profiles:
    """Profile headers and attributes of lists.

    Messages and the headings of files name attributes, so an attribute's name is unique in a list, ignoring letter
    case; so is a header's name.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs = Jobs(database)

    def add_header(
        self,
        account_id: int,
        list_id: int,
        name: str,
        *,
        position: int = 0,
        attributes: Iterable[AttributeDraft] = (),
        number: int | None = None,
    ) -> int:
        """Add a header as `create_header` does, and return its number."""
        made = self.create_header(account_id, list_id, name, position=position, attributes=attributes, number=number)
        return made.id

    def create_header(
        self,
        account_id: int,
        list_id: int,
        name: str,
        *,
        position: int = 0,
        attributes: Iterable[AttributeDraft] = (),
        number: int | None = None,
    ) -> ProfileHeader:
        """Add a header with attributes, all or nothing, and return it; `number` as for add_row.

        It takes the position and moves the others on; 0, or one past the end, makes it the last (lk-48). Raises
        InvalidError and ConflictError.
        """
        table = profile_headers
        with self._changing(account_id) as connection:
            here = table.c.list_id == list_id
            name = _free_name(connection, table, here, name, "header")
            values = {"account_id": account_id, "list_id": list_id, "name": name}
            values["position"] = _make_room(connection, table, here, position)
            header_id = int(add_row(connection, table, values, number)["id"])
            for draft in attributes:
                self._add_attribute(connection, account_id, list_id, header_id, draft)
            for made in _headers(connection, table.c.id == header_id):
                return made
            # It was deleted since the caller looked.
            raise NotFoundError("The list no longer exists.")

    def add_attribute(
        self,
        account_id: int,
        list_id: int,
        header_id: int,
        name: str,
        *,
        kind: str = "text",
        max_length: int = 0,
        position: int = 0,
        number: int | None = None,
    ) -> int:
        """Add an attribute to a header and return its number. Position as for headers. Raises InvalidError and
        ConflictError."""
        draft = AttributeDraft(name=name, kind=kind, max_length=max_length, position=position, number=number)
        with self._changing(account_id) as connection:
            return self._add_attribute(connection, account_id, list_id, header_id, draft)

    def add_missing(
        self, connection: Connection, account_id: int, list_id: int, header: str, names: Iterable[str]
    ) -> dict[str, int]:
        """Add text attributes under a header, created if missing, in the caller's transaction.

        Return name → number; existing attributes of the list are kept. Raises InvalidError.
        """
        _hold(connection, account_id)
        here = profile_headers.c.list_id == list_id
        known = {each.name.casefold(): each.id for each in _attributes(connection, here)}
        found: dict[str, int] = {}
        header_id = None
        for name in names:
            number = known.get(name.casefold())
            if number is None:
                if header_id is None:
                    header_id = self._header(connection, account_id, list_id, header)
                draft = AttributeDraft(name=name)
                number = self._add_attribute(connection, account_id, list_id, header_id, draft)
            found[name] = number
        return found

    def headers(self, list_id: int) -> list[ProfileHeader]:
        """Return the list's headers in order, with their attributes."""
        with self._database.read() as connection:
            return _headers(connection, profile_headers.c.list_id == list_id)

    def header(self, account_id: int, header_id: int) -> ProfileHeader | None:
        """Return the account's header with this number; None if unknown, or if its list was deleted."""
        mine = (profile_headers.c.account_id == account_id) & (profile_headers.c.id == header_id)
        with self._database.read() as connection:
            return next(iter(_headers(connection, mine)), None)

    def attributes(self, list_id: int) -> list[ProfileAttribute]:
        """Return the list's attributes in order."""
        with self._database.read() as connection:
            return _attributes(connection, profile_headers.c.list_id == list_id)

    def names(self, account_id: int) -> set[str]:
        """Return the names of all attributes of the account's lists."""
        query = select(profile_attributes.c.name).join(lists, lists.c.id == profile_attributes.c.list_id).distinct()
        mine = (lists.c.account_id == account_id) & lists.c.deleted_at.is_(None)
        with self._database.read() as connection:
            return set(connection.execute(query.where(mine)).scalars())

    def attribute(self, account_id: int, attribute_id: int) -> ProfileAttribute | None:
        """Return the account's attribute with this number; None if unknown, or if its list was deleted."""
        table = profile_attributes
        query = select(*_ATTRIBUTE).join(lists, lists.c.id == table.c.list_id)
        query = query.where(table.c.account_id == account_id, table.c.id == attribute_id, lists.c.deleted_at.is_(None))
        return self._database.record(ProfileAttribute, query)

    def change_header(self, account_id: int, header_id: int, *, name: str, position: int = 0) -> bool:
        """Rename and move a header; False for an unknown one. Raises InvalidError."""
        table = profile_headers
        with self._changing(account_id) as connection:
            row = _existing(connection, table, account_id, header_id)
            if row is None:
                return False
            others = (table.c.list_id == row["list_id"]) & (table.c.id != header_id)
            values: dict[str, Any] = {"name": _free_name(connection, table, others, name, "header")}
            values["position"] = _move(connection, table, table.c.list_id == row["list_id"], row, position)
            connection.execute(update(table).where(table.c.id == header_id).values(**values))
            return True

    def delete_header(self, account_id: int, header_id: int) -> bool:
        """Delete a header; False for an unknown one. Raises ConflictError while it has attributes (lk-48)."""
        table = profile_headers
        with self._changing(account_id) as connection:
            row = _existing(connection, table, account_id, header_id)
            if row is None:
                return False
            attributes = select(profile_attributes.c.id).where(profile_attributes.c.header_id == header_id)
            if connection.execute(attributes.limit(1)).first() is not None:
                raise ConflictError(f"The header {row['name']} still has attributes.")
            connection.execute(delete(table).where(table.c.id == header_id))
            _close_gap(connection, table, table.c.list_id == row["list_id"], row["position"])
            return True

    def change_attribute(self, account_id: int, attribute_id: int, draft: AttributeDraft) -> bool:
        """Change an attribute, except its kind, which values are stored in; False for an unknown one. Raises
        InvalidError."""
        table = profile_attributes
        with self._changing(account_id) as connection:
            row = _existing(connection, table, account_id, attribute_id)
            if row is None:
                return False
            if draft.kind != row["kind"]:
                raise InvalidError("The kind of an attribute cannot be changed: its values are kept in that form.")
            if draft.max_length < 0:
                raise InvalidError("The longest length of an attribute cannot be negative; 0 means no limit.")
            others = (table.c.list_id == row["list_id"]) & (table.c.id != attribute_id)
            values: dict[str, Any] = {"name": _free_name(connection, table, others, draft.name, "attribute")}
            values["max_length"] = draft.max_length
            values["position"] = _move(connection, table, table.c.header_id == row["header_id"], row, draft.position)
            connection.execute(update(table).where(table.c.id == attribute_id).values(**values))
            return True

    def delete_attribute(self, account_id: int, attribute_id: int) -> bool:
        """Delete an attribute; False for an unknown one (lk-48).

        A job removes its values from the members' profiles. Until then they do no harm, because numbers are never
        reused.
        """
        table = profile_attributes
        with self._database.write(durable=True) as connection:
            _hold(connection, account_id)
            row = _existing(connection, table, account_id, attribute_id)
            if row is None:
                return False
            connection.execute(delete(table).where(table.c.id == attribute_id))
            _close_gap(connection, table, table.c.header_id == row["header_id"], row["position"])
            self._jobs.add(
                connection,
                account_id=account_id,
                kind=JobKind.ATTRIBUTE_REMOVAL,
                list_id=row["list_id"],
                request={"attribute": attribute_id},
                label=row["name"],
            )
            return True

    @contextmanager
    def _changing(self, account_id: int) -> Iterator[Connection]:
        """Yield a transaction that excludes other changes of the account's profiles, so that names and positions stay
        free."""
        with self._database.write() as connection:
            _hold(connection, account_id)
            yield connection

    def _header(self, connection: Connection, account_id: int, list_id: int, name: str) -> int:
        """Return the number of the list's header with this name, created if missing."""
        table = profile_headers
        here = table.c.list_id == list_id
        for number, other in connection.execute(select(table.c.id, table.c.name).where(here)):
            if other.casefold() == name.casefold():
                return int(number)
        values = {"account_id": account_id, "list_id": list_id, "name": name}
        values["position"] = _make_room(connection, table, here, 0)
        return int(add_row(connection, table, values)["id"])

    def _add_attribute(
        self, connection: Connection, account_id: int, list_id: int, header_id: int, draft: AttributeDraft
    ) -> int:
        table = profile_attributes
        if draft.kind not in tuple(AttributeKind):
            raise InvalidError(f"{draft.kind} is no kind of attribute.")
        if draft.max_length < 0:
            raise InvalidError("The longest length of an attribute cannot be negative; 0 means no limit.")
        name = _free_name(connection, table, table.c.list_id == list_id, draft.name, "attribute")
        values = {"account_id": account_id, "list_id": list_id, "header_id": header_id, "name": name}
        values["position"] = _make_room(connection, table, table.c.header_id == header_id, draft.position)
        values |= {"kind": draft.kind, "max_length": draft.max_length}
        return int(add_row(connection, table, values, draft.number)["id"])


def _hold(connection: Connection, account_id: int) -> None:
    """Lock the account's row: imports lock it first as well, so that the two never deadlock."""
    connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())


def _headers(connection: Connection, condition: ColumnElement[bool]) -> list[ProfileHeader]:
    """Return headers of lists that are there, in order, with their attributes."""
    table = profile_headers
    query = select(table.c.id, table.c.list_id, table.c.name, table.c.position)
    query = query.join(lists, lists.c.id == table.c.list_id).where(condition, lists.c.deleted_at.is_(None))
    rows = connection.execute(query.order_by(table.c.position)).mappings().all()
    found = _attributes(connection, condition)
    return [
        ProfileHeader(**row, attributes=tuple(each for each in found if each.header_id == row["id"])) for row in rows
    ]


def _attributes(connection: Connection, condition: ColumnElement[bool]) -> list[ProfileAttribute]:
    """Return the attributes of headers that meet the condition, in order."""
    query = select(*_ATTRIBUTE).join(profile_headers, profile_headers.c.id == profile_attributes.c.header_id)
    query = query.where(condition).order_by(profile_headers.c.position, profile_attributes.c.position)
    return [ProfileAttribute(**row) for row in connection.execute(query).mappings()]


def _free_name(connection: Connection, table: Table, here: ColumnElement[bool], name: str, what: str) -> str:
    """Return the name without surrounding white space. Raises InvalidError if it is taken here, missing or too long."""
    name = checked_name(name, what)
    # Databases fold letters beyond ASCII differently, and a list has few of these names.
    if name.casefold() in {
        other.casefold() for other in connection.execute(select(table.c.name).where(here)).scalars()
    }:
        raise InvalidError(f"The list has the {what} {name} already.")
    return name


def _make_room(connection: Connection, table: Table, here: ColumnElement[bool], position: int) -> int:
    """Return the position of a new row, after moving those from it on by one. Raises InvalidError."""
    if position < 0:
        raise InvalidError("Positions count from 1; 0 is the last one.")
    last = int(connection.execute(select(func.coalesce(func.max(table.c.position), 0)).where(here)).scalar_one())
    if position == 0 or position > last:
        return last + 1
    connection.execute(update(table).where(here, table.c.position >= position).values(position=table.c.position + 1))
    return position


def _existing(connection: Connection, table: Table, account_id: int, number: int) -> RowMapping | None:
    """Return the row of a header or attribute of the account; None if unknown, or if its list was deleted."""
    query = select(table).join(lists, lists.c.id == table.c.list_id)
    query = query.where(table.c.account_id == account_id, table.c.id == number, lists.c.deleted_at.is_(None))
    return connection.execute(query).mappings().one_or_none()


def _close_gap(connection: Connection, table: Table, here: ColumnElement[bool], position: int) -> None:
    """Move the rows after a free position up by one."""
    connection.execute(update(table).where(here, table.c.position > position).values(position=table.c.position - 1))


def _move(connection: Connection, table: Table, here: ColumnElement[bool], row: RowMapping, position: int) -> int:
    """Return the new position of a row, after moving the others; 0 is the last one. Raises InvalidError."""
    others = here & (table.c.id != row["id"])
    _close_gap(connection, table, others, row["position"])
    return _make_room(connection, table, others, position)
