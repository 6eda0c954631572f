"""Addresses of deleted contacts, kept as keyed hashes, so that files do not bring these contacts back.

A hash is HMAC-SHA256 of the account's number and the address in its comparable form. Its key is stored in the database
and never changes, so that a backup has both, and no setting can invalidate the hashes.
"""

from __future__ import annotations

import hmac
import secrets as random
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, Exists, delete, select

from soapstone.addresses import address_key
from soapstone.store.tables import accounts, erased_addresses, secrets
from soapstone.store.unique import insert_unless_there

SECRET = "erased_addresses"  # noqa: S105 - its name
BYTES = 32
# Most hashes in one query.
BATCH = 500
# Characters that may surround an address in a field of a file.
_AROUND = str.maketrans(dict.fromkeys("<>(),;:|[]{}'\"", " "))


def keys_in(text: str) -> set[str]:
    """Return the possible addresses in a field of a file, in their comparable form."""
    return {address_key(word.strip(".")) for word in text.translate(_AROUND).split() if "@" in word}


def remember(connection: Connection, account_id: int, keys: Iterable[str], moment: datetime) -> None:
    """Store the hashes of addresses, which are given in their comparable form."""
    insert_unless_there(connection, secrets, name=SECRET, value=random.token_urlsafe(BYTES))
    secret = _secret(connection)
    for key in sorted(set(keys)):
        hashed = _hashed(secret, account_id, key)
        insert_unless_there(connection, erased_addresses, account_id=account_id, address_hash=hashed, erased_at=moment)


def erased_among(connection: Connection, account_id: int, keys: Collection[str]) -> dict[str, datetime]:
    """Return the addresses, in their comparable form, of deleted contacts, with the time of the deletion.

    An account without deleted contacts costs one query.
    """
    if not keys or not has_erased(connection, account_id):
        return {}
    mine = erased_addresses.c.account_id == account_id
    secret = _secret(connection)
    by_hash = {_hashed(secret, account_id, key): key for key in keys if key}
    hashes, found = list(by_hash), {}
    for start in range(0, len(hashes), BATCH):
        some = erased_addresses.c.address_hash.in_(hashes[start : start + BATCH])
        query = select(erased_addresses.c.address_hash, erased_addresses.c.erased_at).where(mine, some)
        for hashed, since in connection.execute(query):
            found[by_hash[hashed]] = since
    return found


def has_erased(connection: Connection, account_id: int) -> bool:
    """Return whether contacts of an account were deleted."""
    return bool(connection.execute(select(any_erased(account_id))).scalar_one())


def any_erased(account_id: int) -> Exists:
    """Return the condition that contacts of an account were deleted."""
    return select(erased_addresses.c.erased_at).where(erased_addresses.c.account_id == account_id).exists()


def export(connection: Connection) -> tuple[str | None, list[tuple[int, str, datetime]]]:
    """Return the key of the hashes, and account, hash and time of each."""
    secret = connection.execute(select(secrets.c.value).where(secrets.c.name == SECRET)).scalar_one_or_none()
    columns = (erased_addresses.c.account_id, erased_addresses.c.address_hash, erased_addresses.c.erased_at)
    return secret, [(row[0], row[1], row[2]) for row in connection.execute(select(*columns))]


def adopt(connection: Connection, secret: str, rows: Iterable[tuple[int, str, datetime]]) -> None:
    """Add hashes of another database of the same installation; unknown accounts are left out.

    Raises ValueError if this database has another key.
    """
    insert_unless_there(connection, secrets, name=SECRET, value=secret)
    if _secret(connection) != secret.encode():
        raise ValueError("the hashes of these records have another key")
    known = set(connection.execute(select(accounts.c.id)).scalars())
    for account_id, hashed, since in rows:
        if account_id in known:
            values = {"account_id": account_id, "address_hash": hashed, "erased_at": since}
            insert_unless_there(connection, erased_addresses, **values)


def forget(connection: Connection, account_id: int, address: str) -> bool:
    """Allow a deleted contact's address again; False if no such contact was deleted."""
    if not erased_among(connection, account_id, [key := address_key(address)]):
        return False
    hashed = _hashed(_secret(connection), account_id, key)
    here = (erased_addresses.c.account_id == account_id) & (erased_addresses.c.address_hash == hashed)
    return connection.execute(delete(erased_addresses).where(here)).rowcount > 0


def _secret(connection: Connection) -> bytes:
    query = select(secrets.c.value).where(secrets.c.name == SECRET)
    return str(connection.execute(query).scalar_one()).encode()


def _hashed(secret: bytes, account_id: int, key: str) -> str:
    return hmac.digest(secret, f"{account_id}\n{key}".encode(), "sha256").hex()
