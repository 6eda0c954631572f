"""What reads or writes the records of one database."""

from __future__ import annotations

from soapstone.store.database import Database


class Repository:
    """The base of all that has a database and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database
