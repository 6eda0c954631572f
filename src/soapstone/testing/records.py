"""The initial records of a test server: the demo account, with its completed upload."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

from soapstone.accounts.passwords import cheap_hashes, hash_password
from soapstone.clock import now
from soapstone.demo import PASSWORD, PEOPLE
from soapstone.settings import Settings
from soapstone.store import private
from soapstone.store.database import Database
from soapstone.store.schema import new_database
from soapstone.store.timestamps import microseconds

RECORDED = Path(__file__).with_name("demo.sql")
"""The rows of the initial records, as SQL. Creating them at each start took a third of its time."""

_DIFFERENT = re.compile(r"<(\w+)>")


def make_records(database: Database, settings: Settings) -> None:
    """Set up empty records in SQLite. All their times are now."""
    blob, micros = uuid4().hex, microseconds(now())
    with cheap_hashes():
        told = {
            "blob": blob,
            "micros": str(micros),
            "password": hash_password(PASSWORD),
            "seconds": str(micros / 1_000_000),
            "zone": settings.time_zone,
        }
    rows = _DIFFERENT.sub(lambda found: told[found[1]], RECORDED.read_text(encoding="utf-8"))
    tables, rest = new_database(database)
    # Rows come before the triggers, which they must not set off.
    script = "\n".join(("BEGIN;", "PRAGMA defer_foreign_keys=ON;", *tables, rows, *rest, "COMMIT;"))
    with database.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - the connection is open
        driver.executescript(script)
    private.make_folder(settings.blobs)
    with private.create(settings.blobs / blob) as upload:
        upload.write(PEOPLE.encode())
