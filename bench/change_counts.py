"""What it costs a commit of one row on PostgreSQL that its change is counted, so that web processes know of it.

    python bench/change_counts.py [ROUNDS] [COMMITS]

Processor time of the server's process for a commit of each, over one connection and over four at once, and the time by
the clock. In turn: with what advances a sequence, which is nothing for a failed logon; without triggers; and with those
that notify a listening session, as schema 0021 had them. Interleaved rounds, medians. Exit code 1 if counting costs
more than a tenth of the processor time of a commit of one connection.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

import postgresql
from soapstone.store import schema
from soapstone.store.database import Database

COST = 0.10
WARM_UP = 20
COUNTED, UNCOUNTED, NOTIFIED = "counted", "without triggers", "notified"
# Rows as the program writes them: a claim, a chunk's end, a use of a session, a failed logon.
WRITES = {
    "a job's state": (
        "job",
        "UPDATE job SET state = CASE state WHEN 'queued' THEN 'running' ELSE 'queued' END, attempt = attempt + 1,"
        " worker = 'host:1:a', lease_until = 0 WHERE id = %(number)s",
    ),
    "a job's progress": (
        "job",
        """UPDATE job SET lease_until = 0, step = 0, passes = false, checkpoint = '{"rows": 25000, "part": 3}',"""
        """ counters = '{"rows": 25000, "added": 24000, "changed": 1000}' WHERE id = %(number)s""",
    ),
    "a session's use": ("session", "UPDATE session SET last_used_at = last_used_at + 1 WHERE id = %(number)s"),
    "a failed logon": (
        "logon_failure",
        "INSERT INTO logon_failure (count_key, failed_at) VALUES (gen_random_uuid()::text, 0)",
    ),
}
NOTIFY = """
    CREATE FUNCTION notify_of_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NOTIFY soapstone_change; RETURN NULL; END $$;
""" + "".join(
    f"CREATE TRIGGER notify_of_change AFTER INSERT OR UPDATE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION notify_of_change();"
    for table in ("job", "session", "logon_failure")
)
RECORDS = """
    INSERT INTO account (name, time_zone, created_at) VALUES ('ACME', 'UTC', 0);
    INSERT INTO job (account_id, kind, submitted_at, due_at)
        SELECT id, 'import', 0, 0 FROM account, generate_series(1, 4);
    INSERT INTO login (account_id, name, name_key, password_hash, created_at) SELECT id, 'a', 'a', '', 0 FROM account;
    INSERT INTO session (token_hash, login_id, purpose, created_at, last_used_at)
        SELECT number, id, 'magnetmail', 0, 0 FROM login, generate_series(1, 4) AS number;
"""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    commits = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    missed = False
    with postgresql.server() as server, server.database("counts") as url:
        with closing(Database(url)) as database:
            schema.upgrade(database)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(RECORDS)
            connection.execute(NOTIFY)
        print(f"PostgreSQL {server.version()}, {rounds} rounds of {commits} commits a connection, medians for a commit")
        with asked(url), listening(url):
            for name in WRITES:
                for connections in (1, 4):
                    missed = compare(url, name, connections, rounds, commits) or missed
    sys.exit(1 if missed else 0)


def compare(url: str, name: str, connections: int, rounds: int, commits: int) -> bool:
    """Measure a write in the three ways and print it; return whether counting costs too much."""
    table, statement = WRITES[name]
    used: dict[str, list[float]] = defaultdict(list)
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for mode in (COUNTED, UNCOUNTED, NOTIFIED):
            choose(url, table, mode)
            cpu, seconds = write(url, statement, connections, commits)
            used[mode].append(cpu)
            took[mode].append(seconds)
    without = median(used[UNCOUNTED])
    print(f"{name}, {connections} at once")
    for mode in (UNCOUNTED, COUNTED, NOTIFIED):
        added = median(mine / its for mine, its in zip(used[mode], used[UNCOUNTED], strict=True)) - 1
        clock = median(mine / its for mine, its in zip(took[mode], took[UNCOUNTED], strict=True)) - 1
        print(
            f"  {mode:<18} {median(used[mode]) * 1e6:7.1f} us of processor time ({added:+.1%}; of medians "
            f"{median(used[mode]) / without - 1:+.1%}), {median(took[mode]) * 1e6:7.0f} us by the clock ({clock:+.1%})"
        )
    cost = median(used[COUNTED]) / without - 1
    return connections == 1 and cost > COST


def choose(url: str, table: str, mode: str) -> None:
    """Enable the triggers of one mode alone."""
    with psycopg.connect(url, autocommit=True) as connection:
        for trigger, its in (("count_change", COUNTED), ("notify_of_change", NOTIFIED)):
            verb = "ENABLE" if its == mode else "DISABLE"
            if (table, its) != ("logon_failure", COUNTED):
                connection.execute(f"ALTER TABLE {table} {verb} TRIGGER {trigger}".encode())
        # What piles up in one mode shall not slow down the next.
        connection.execute(b"DELETE FROM logon_failure")
        connection.execute(b"DELETE FROM job_event")
        connection.execute(f"VACUUM {table}, job_event".encode())


def write(url: str, statement: str, connections: int, commits: int) -> tuple[float, float]:
    """Commit; return seconds of the server's processor time and of the clock for a commit."""
    spent: list[float] = []
    took: list[float] = []
    barrier = threading.Barrier(connections)

    def run(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for _ in range(WARM_UP):
                connection.execute(statement.encode(), {"number": number})
            barrier.wait()
            before, began = processor_seconds(connection.info.backend_pid), time.perf_counter()
            for _ in range(commits):
                connection.execute(statement.encode(), {"number": number})
            took.append((time.perf_counter() - began) / commits)
            spent.append((processor_seconds(connection.info.backend_pid) - before) / commits)

    threads = [threading.Thread(target=run, args=(number + 1,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return median(spent), median(took)


def processor_seconds(process: int) -> float:
    """Processor time of a process so far (Linux)."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def asked(url: str) -> Iterator[None]:
    """A process that follows changes and is polled all the time."""
    with closing(Database(url)) as database, _repeated(database.change_token().token, 0.01):
        database.follow_changes()
        yield


@contextmanager
def listening(url: str) -> Iterator[None]:
    """A session that listens, as schema 0021 had it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LISTEN soapstone_change")

        def follow() -> None:
            connection.execute("SELECT 1")
            for _ in connection.notifies(timeout=0):
                pass

        with _repeated(follow, 0.025):
            yield


@contextmanager
def _repeated(act: Any, pause: float) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(pause):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
