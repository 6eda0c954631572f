"""What listmonk does in PostgreSQL for a click: its statement `register-link-click`, in its own schema.

Both are read from a checkout of https://github.com/knadh/listmonk, which has its own licence; nothing of it is here.
"""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

from peers import listmonk_upsert

CONNECTIONS, PEOPLE, LINKS = 8, 5_000, 20


class Clicks:
    """A campaign with links and people in an empty database, and the rate at which it takes clicks."""

    def __init__(self, dsn: str, checkout: Path) -> None:
        import psycopg

        self._dsn, self._sql = dsn, listmonk_upsert.statement(checkout, "register-link-click", "links.sql").encode()
        listmonk_upsert.prepare(dsn, checkout)
        self._campaign = uuid.uuid4()
        self._people = [str(uuid.uuid4()) for _ in range(PEOPLE)]
        self._links = [uuid.uuid4() for _ in range(LINKS)]
        with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO campaigns (uuid, name, subject, from_email, body, messenger)"
                " VALUES (%s, 'C', 'C', 'a@b.example', '', 'email')",
                [self._campaign],
            )
            cursor.executemany(
                "INSERT INTO subscribers (uuid, email, name) VALUES (%s, %s, '')",
                [(each, f"{each}@b.example") for each in self._people],
            )
            cursor.executemany(
                "INSERT INTO links (uuid, url) VALUES (%s, %s)",
                [(each, f"https://shop.example/{each}") for each in self._links],
            )

    def rate(self, seconds: float) -> float:
        """Clicks a second over all connections, each committed."""
        barrier = threading.Barrier(CONNECTIONS)
        counts = [0] * CONNECTIONS

        def click(number: int) -> None:
            import psycopg

            with psycopg.connect(self._dsn, autocommit=True) as connection, psycopg.RawCursor(connection) as cursor:
                barrier.wait()
                end = time.perf_counter() + seconds
                while time.perf_counter() < end:
                    place = number + CONNECTIONS * counts[number]
                    given = [self._links[place % LINKS], self._campaign, self._people[place % PEOPLE]]
                    cursor.execute(self._sql, given, prepare=True)
                    counts[number] += 1

        threads = [threading.Thread(target=click, args=[number]) for number in range(CONNECTIONS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return sum(counts) / seconds
