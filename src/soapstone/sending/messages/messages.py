"""Stored messages."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from soapstone.clock import now
from soapstone.errors import MessageInQueueError, NameTakenError
from soapstone.lists.profiles import Profiles
from soapstone.sending.messages.content import CONTACT_KEYS, LINK_KEYS, Content, check_addresses, check_storable
from soapstone.sending.messages.link_places import encoded_merge_tags, undelimited_in_links
from soapstone.sending.messages.message import Draft, Message, Traits
from soapstone.sending.messages.template import merge_key
from soapstone.store.numbers import add_row
from soapstone.store.ranges import within
from soapstone.store.repository import Repository
from soapstone.store.tables import jobs, messages, sends
from soapstone.store.unique import looks_again
from soapstone.vocabulary.messages import MessageKind

TOKEN_BYTES = 16
# The kind of message whose names are unique in an account.
UNIQUE_KIND = MessageKind.MAGNETMAIL
# Characters of a name that are compared: PostgreSQL indexes no more.
LONGEST_KEY = 500


class Messages(Repository):
    """All messages of one installation."""

    @looks_again
    def save(
        self,
        account_id: int,
        list_id: int | None,
        draft: Draft,
        *,
        kind: MessageKind = MessageKind.SAVED,
        traits: Traits | None = None,
        number: int | None = None,
    ) -> Message:
        """Store a message for later use; subject, bodies and sender may still be empty. `number` is as for add_row.

        Raises InvalidMessage for invalid templates and addresses, NameTakenError for a
        kind with unique names (mm-96), and ConflictError for a number in use.
        """
        traits = traits or Traits()
        _check(draft, traits.name)
        with self._database.write() as connection:
            _check_name(connection, account_id, name_key(kind, traits.name), traits.name)
            return store(connection, account_id, list_id, draft, kind=kind, traits=traits, number=number)

    @looks_again
    def edit(
        self,
        account_id: int,
        message_id: int,
        draft: Draft,
        *,
        traits: Mapping[str, Any] | None = None,
    ) -> Message | None:
        """Change a stored message, and the given ones of its traits; None if it does not exist.

        Messages made for a send cannot be edited: None. Raises InvalidMessage, NameTakenError and
        MessageInQueueError.
        """
        given = {name: value for name, value in (traits or {}).items() if name in Traits.__dataclass_fields__}
        _check(draft, given.get("name", ""))
        given |= {name: getattr(draft, name) for name in Draft.__dataclass_fields__}
        mine = (messages.c.account_id == account_id) & (messages.c.id == message_id) & (messages.c.kind != "send")
        with self._database.write() as connection:
            found = connection.execute(select(messages).where(mine)).one_or_none()
            if found is None:
                return None
            if "name" in given:
                given["unique_name"] = name_key(found.kind, given["name"])
                _check_name(connection, account_id, given["unique_name"], given["name"], but=message_id)
            if connection.execute(_waiting(message_id)).first():
                raise MessageInQueueError(
                    f"Message {message_id} waits to be sent, or is being sent; it stays as it is until then."
                )
            query = update(messages).where(mine).values(**given, updated_at=now()).returning(messages)
            return _message(connection.execute(query).mappings().one())

    def mark(self, account_id: int, message_id: int, **flags: bool) -> bool:
        """Set `archived` or `hidden`; False if the message does not exist."""
        mine = (messages.c.account_id == account_id) & (messages.c.id == message_id)
        values = {name: flags[name] for name in ("archived", "hidden") if name in flags}
        with self._database.write() as connection:
            return bool(connection.execute(update(messages).where(mine).values(**values)).rowcount)

    def get(self, account_id: int, message_id: int) -> Message | None:
        """Return the message of that number; None if the account has none."""
        return self._one((messages.c.account_id == account_id) & (messages.c.id == message_id))

    def public(self, account_id: int | None, public_id: str) -> Message | None:
        """Return the message of that public id (lk-104), in the account or, with None, in any; None if unknown."""
        condition = messages.c.public_id == public_id
        return self._one(condition if account_id is None else condition & (messages.c.account_id == account_id))

    def find(
        self,
        account_id: int,
        *,
        kind: MessageKind | None = None,
        list_ids: Collection[int] | None = None,
        numbers: Collection[int] | None = None,
        archived: bool | None = None,
        hidden: bool | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        sent: bool = True,
        newest: bool = False,
        after: int = 0,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[Message]:
        """Return messages of the account after `after` by number, descending with `newest`; None filters nothing.

        Without `sent`, messages made for a send are left out.
        """
        query = select(messages).where(messages.c.account_id == account_id, messages.c.id > after)
        query = query.where(*within(messages.c.created_at, created_from, created_before))
        if not sent:
            query = query.where(messages.c.kind != "send")
        for column, value in ((messages.c.kind, kind), (messages.c.archived, archived), (messages.c.hidden, hidden)):
            if value is not None:
                query = query.where(column == value)
        for column, values in ((messages.c.list_id, list_ids), (messages.c.id, numbers)):
            if values is not None:
                query = query.where(column.in_(values))
        with self._database.read() as connection:
            order = messages.c.id.desc() if newest else messages.c.id
            rows = connection.execute(query.order_by(order).offset(offset).limit(limit)).mappings()
            return [_message(row) for row in rows]

    def unknown_fields(self, account_id: int, message: Message, attributes: Collection[str] | None = None) -> list[str]:
        """Return the merge fields of a message, as written, that the account does not know.

        They name no contact field, link or profile attribute of any list; the names of these `attributes` are read
        unless given. A Send to File, or a send to single addresses, may still supply them (lk-87).
        """
        if attributes is None:
            attributes = Profiles(self._database).names(account_id)
        return Content(message).unknown({*CONTACT_KEYS, *LINK_KEYS, *map(merge_key, attributes)})

    @staticmethod
    def undelimited_references(message: Message) -> list[str]:
        """Return what queries of the message's links hold that browsers read as one character, such as `&reg_id`."""
        return undelimited_in_links(message.html)

    @staticmethod
    def encoded_fields(message: Message) -> list[str]:
        """Return the merge tags in addresses that are percent-encoded, so that no value replaces them."""
        return encoded_merge_tags(message.html)

    def _one(self, condition: Any) -> Message | None:
        with self._database.read() as connection:
            row = connection.execute(select(messages).where(condition)).mappings().one_or_none()
        return None if row is None else _message(row)


def store(
    connection: Connection,
    account_id: int,
    list_id: int | None,
    draft: Draft,
    *,
    kind: MessageKind,
    traits: Traits | None = None,
    number: int | None = None,
) -> Message:
    """Store a message in the caller's transaction; `number` is as for add_row."""
    moment = now()
    kept = traits or Traits()
    values = {name: getattr(draft, name) for name in Draft.__dataclass_fields__}
    values |= {name: getattr(kept, name) for name in Traits.__dataclass_fields__} | {"extras": dict(kept.extras or {})}
    values |= {"account_id": account_id, "list_id": list_id, "kind": kind, "created_at": moment, "updated_at": moment}
    values["unique_name"] = name_key(kind, kept.name)
    values["public_id"] = secrets.token_hex(TOKEN_BYTES)
    return _message(add_row(connection, messages, values, number))


def _check(draft: Draft, name: str) -> None:
    check_storable(draft, name)
    check_addresses(draft)
    Content(draft)


def name_key(kind: str, name: str) -> str | None:
    """Return the key of a message's name if names of its kind are unique; None otherwise (mm-96)."""
    return name.strip().casefold()[:LONGEST_KEY] or None if kind == UNIQUE_KIND else None


def _check_name(connection: Connection, account_id: int, key: str | None, name: str, *, but: int = 0) -> None:
    same = (messages.c.account_id == account_id) & (messages.c.unique_name == key) & (messages.c.id != but)
    if key is not None and connection.execute(select(messages.c.id).where(same)).first():
        raise NameTakenError(f"There is a message named {name} already.")


def _waiting(message_id: int) -> Any:
    joined = sends.join(jobs, jobs.c.id == sends.c.job_id)
    return select(jobs.c.id).select_from(joined).where(sends.c.message_id == message_id, jobs.c.finished_at.is_(None))


def _message(row: RowMapping) -> Message:
    return Message(**{name: row[name] for name in Message.__dataclass_fields__})
