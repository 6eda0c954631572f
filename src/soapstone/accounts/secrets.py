"""What the installation keeps to itself, such as the secret behind the keys of links."""

from __future__ import annotations

import secrets as random

from sqlalchemy import insert, select

from soapstone.store.database import Database
from soapstone.store.tables import secrets
from soapstone.store.unique import looks_again

BYTES = 32


class Secrets:
    """Secrets by name, made when they are first asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @looks_again
    def get(self, name: str) -> str:
        """Return the secret of that name, the same for all processes and for ever."""
        query = select(secrets.c.value).where(secrets.c.name == name)
        with self._database.read() as connection:
            found = connection.execute(query).scalar_one_or_none()
        if found is not None:
            return str(found)
        with self._database.write(durable=True) as connection:
            found = connection.execute(query).scalar_one_or_none()
            if found is None:
                found = random.token_urlsafe(BYTES)
                connection.execute(insert(secrets).values(name=name, value=found))
        return str(found)
