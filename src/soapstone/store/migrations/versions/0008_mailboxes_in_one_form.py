"""addresses are compared as they are delivered; contacts of one mailbox are marked, and none is merged"""

from collections.abc import Iterator
from typing import Any
from unicodedata import normalize

import idna
import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

PAGE = 2000
LONGEST_KEY = 320


def upgrade() -> None:
    op.add_column("contact", sa.Column("double_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))
    op.create_index(
        "ix_contact_account_id_double_of",
        "contact",
        ["account_id", "double_of"],
        sqlite_where=sa.text("double_of IS NOT NULL"),
        postgresql_where=sa.text("double_of IS NOT NULL"),
    )
    connection = op.get_bind()
    _contacts(connection)
    _mark_doubles(connection)
    _suppressions(connection)
    _review_addresses(connection)
    _deliveries(connection)


def _contacts(connection: Any) -> None:
    """Give contacts their new keys. Which of them has the mailbox is decided afterwards, when all keys are new."""
    change = sa.text("UPDATE contact SET email_key = :key, unique_email = NULL WHERE id = :id")
    for rows in _pages(connection, "id, email, email_key", "contact", _wide("email_key")):
        changed = [{"id": row.id, "key": key} for row in rows if (key := _key(row.email)) != row.email_key]
        if changed:
            connection.execute(change, changed)


def _mark_doubles(connection: Any) -> None:
    """Give each mailbox to its oldest contact, where addresses tell people apart; the others are doubles of it."""
    holder = sa.text("SELECT id FROM contact WHERE account_id = :account AND unique_email = :key")
    take = sa.text("UPDATE contact SET unique_email = :key, double_of = NULL WHERE id = :id")
    yield_to = sa.text("UPDATE contact SET unique_email = NULL, double_of = :oldest WHERE id = :id")
    free = "unique_email IS NULL AND email_key <> '' AND double_of IS NULL"
    by_address = "account_id IN (SELECT id FROM account WHERE identifier = 'email')"
    for rows in _pages(connection, "id, account_id, email_key", "contact", f"{free} AND {by_address}"):
        for row in rows:
            first = connection.execute(holder, {"account": row.account_id, "key": row.email_key}).scalar()
            if first is not None and first < row.id:
                connection.execute(yield_to, {"id": row.id, "oldest": first})
                continue
            if first is not None:
                # It had the key from the beginning, and no doubles: these are found in the order of their numbers.
                connection.execute(yield_to, {"id": first, "oldest": row.id})
            connection.execute(take, {"id": row.id, "key": row.email_key})


def _suppressions(connection: Any) -> None:
    """Give suppressions their new keys; those that become the same are one, as old as the oldest."""
    same = sa.text(
        "SELECT id, created_at FROM suppression WHERE account_id = :account_id AND email_key = :key"
        " AND kind = :kind AND list_id = :list_id"
    )
    older = sa.text("UPDATE suppression SET created_at = :created_at WHERE id = :id")
    columns = "id, account_id, list_id, kind, email_key, created_at"
    for rows in _pages(connection, columns, "suppression", _wide("email_key")):
        for row in rows:
            key = _key(row.email_key)
            if key == row.email_key:
                continue
            found = connection.execute(same, {**row._mapping, "key": key}).first()
            if found is None:
                _rename(connection, "suppression", row.id, key)
                continue
            if row.created_at < found.created_at:
                connection.execute(older, {"id": found.id, "created_at": row.created_at})
            _delete(connection, "suppression", row.id)


def _review_addresses(connection: Any) -> None:
    """Give review addresses their new keys; of several that become the same the first stays."""
    same = sa.text("SELECT id FROM review_address WHERE list_id = :list_id AND email_key = :key")
    for rows in _pages(connection, "id, list_id, email, email_key", "review_address", _wide("email_key")):
        for row in rows:
            key = _key(row.email)
            if key == row.email_key:
                continue
            found = connection.execute(same, {"list_id": row.list_id, "key": key}).scalar()
            if found is None or found > row.id:
                if found is not None:
                    _delete(connection, "review_address", found)
                _rename(connection, "review_address", row.id, key)
            else:
                _delete(connection, "review_address", row.id)


def _deliveries(connection: Any) -> None:
    """Give the rows of ledgers their new keys: who had a message is known by them."""
    change = sa.text("UPDATE delivery SET email_key = :key WHERE id = :id")
    for rows in _pages(connection, "id, email, email_key", "delivery", _wide("email_key")):
        changed = [
            {"id": row.id, "key": key} for row in rows if (key := _key(row.email)[:LONGEST_KEY]) != row.email_key
        ]
        if changed:
            connection.execute(change, changed)


def _rename(connection: Any, table: str, row_id: int, key: str) -> None:
    query = f"UPDATE {table} SET email_key = :key WHERE id = :id"
    connection.execute(sa.text(query), {"id": row_id, "key": key})


def _delete(connection: Any, table: str, row_id: int) -> None:
    query = f"DELETE FROM {table} WHERE id = :id"
    connection.execute(sa.text(query), {"id": row_id})


def _wide(column: str) -> str:
    """The condition that a column has more than ASCII: the keys of all others stay as they are."""
    if op.get_bind().dialect.name == "sqlite":
        return f"{column} GLOB '*[^ -~]*'"
    return f"""{column} COLLATE "C" ~ '[^ -\\~]'"""


def _pages(connection: Any, columns: str, table: str, condition: str) -> Iterator[list[Any]]:
    """The rows of a table by number, some at a time; they may be changed meanwhile."""
    query = sa.text(f"SELECT {columns} FROM {table} WHERE id > :after AND {condition} ORDER BY id LIMIT {PAGE}")
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        yield rows
        after = rows[-1].id


def _key(address: str) -> str:
    """The comparable form of an address as this version has it (lk-64)."""
    if address.isascii() or len(address) > 254:
        return address.lower()
    local, at, domain = address.rpartition("@")
    return f"{_folded(local)}@{_name(domain)}" if at else _folded(address)


def _folded(text: str) -> str:
    folded = normalize("NFC", normalize("NFC", text).lower())
    return folded if folded == text else _folded(folded)


def _name(domain: str) -> str:
    try:
        mapped = domain.lower() if domain.isascii() else idna.uts46_remap(domain, std3_rules=False, transitional=False)
        if not mapped.isascii():
            mapped = ".".join(idna.alabel(label).decode("ascii") for label in mapped.split("."))
        if len(mapped) <= 253:
            return mapped
    except (idna.IDNAError, UnicodeError):
        pass
    folded = _folded(domain)
    return folded if folded == domain else _name(folded)
