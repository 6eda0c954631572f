"""Secrets of the installation, such as the one that the keys of links derive from."""

from __future__ import annotations

import secrets as random

from sqlalchemy import insert, select

from soapstone.store.repository import Repository
from soapstone.store.tables import secrets
from soapstone.store.unique import looks_again

BYTES = 32


class Secrets(Repository):
    """Secrets by name, created at first use."""

    @looks_again
    def get(self, name: str) -> str:
        """Return the secret with this name, the same for all processes, for ever."""
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
