"""What listmonk's import does in PostgreSQL: its statement `upsert-subscriber`, for each row, in its own schema.

Both are read from a checkout of https://github.com/knadh/listmonk, which has its own licence; nothing of it is here.
Its importer prepares the statement once and sends it for each row, in transactions of 10,000 rows, and waits for each
answer. psycopg's pipeline, which it does not use, spares the waiting.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Rows of one transaction, as its importer has it.
BATCH = 10_000
# The columns of a row that are its address and name; the others are attributes.
ADDRESS, FIRST, LAST = 0, 1, 2


def statement(checkout: Path, name: str = "upsert-subscriber", file: str = "subscribers.sql") -> str:
    """The published SQL of this name, wherever this version keeps it: in one file, or in a file for each subject."""
    for path in (checkout / "queries.sql", checkout / "queries" / file):
        if path.exists() and (
            found := re.search(rf"^-- name: {name}\n(.*?)(?=^-- name: |\Z)", path.read_text(), re.M | re.S)
        ):
            return found[1].strip().rstrip(";")
    raise SystemExit(f"{checkout} is no checkout of listmonk: it has no statement {name}")


def prepare(dsn: str, checkout: Path) -> None:
    """Its schema with one list in an empty database."""
    import psycopg

    # Its extension serves none of the tables of an import, and is not part of every server.
    schema = re.sub(r"(?im)^CREATE EXTENSION [^;]*;", "", (checkout / "schema.sql").read_text())
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(schema.encode())
        connection.execute("INSERT INTO lists (uuid, name, type) VALUES (gen_random_uuid(), 'People', 'private')")


def upsert(dsn: str, checkout: Path, names: Sequence[str], rows: list[list[str]], *, pipelined: bool) -> float:
    """Seconds of the statement for each of the rows, whose values have these names."""
    import psycopg

    sql = statement(checkout).encode()
    values: list[tuple[Any, ...]] = []
    for row in rows:
        attributes = {name: value for name, value in zip(names[LAST + 1 :], row[LAST + 1 :], strict=True) if value}
        name = f"{row[FIRST]} {row[LAST]}".strip()
        values.append((uuid.uuid4(), row[ADDRESS].lower(), name, json.dumps(attributes), [1], "confirmed", True, True))
    with psycopg.connect(dsn) as connection, psycopg.RawCursor(connection) as cursor:
        began = time.perf_counter()
        for start in range(0, len(values), BATCH):
            batch = values[start : start + BATCH]
            if pipelined:
                # executemany uses the pipeline.
                cursor.executemany(sql, batch)
            else:
                for each in batch:
                    cursor.execute(sql, each, prepare=True)
            connection.commit()
        return time.perf_counter() - began


def stored(dsn: str) -> tuple[int, int]:
    """How many subscribers and subscriptions there are."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM subscribers), (SELECT count(*) FROM subscriber_lists)"
        ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])
