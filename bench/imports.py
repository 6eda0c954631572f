"""Imports against the bare limits of both databases, against what else people import with, and against themselves.

    python bench/imports.py                                   all of it, in sizes for a coffee break
    python bench/imports.py limit --rows 1000000 --rounds 3
    python bench/imports.py peers --rows 10000 --many 1000000
    python bench/imports.py size --small 100000 --large 10000000 --rows 100000
    python bench/imports.py postgresql --rows 1000000 --listmonk ~/listmonk
    python bench/imports.py beside --rows 300000

An import here is a complete one: `soapstone worker` runs as a process of its own, and the time is that of the job, from
its being taken on to its end: reading, checking, storing people, memberships, outcomes, counters and progress, with
each chunk committed. Files have twelve columns; see bench/crowd.py. Every part runs in interleaved rounds, each on a
fresh database, and prints seconds and ratios as medians of the rounds. A ratio to a limit is the limit's seconds
divided by ours: 1.0 means as fast as the store alone. The demands are for the sizes that stand above.

limit       SQLite. Three files against bench/limits.py, where the same rows lie in memory as tuples:
            a clean file into an empty list, against plain `executemany` of contacts and memberships into the same
            tables with the same indexes and pragmas, in the order of the file, in one transaction;
            a file with 2 % bad rows, against the same for the rows that are good;
            the clean file once more with half of its rows changed, against
            `executemany("UPDATE contact SET … WHERE account_id=? AND unique_email=?")` with all of its rows, changed or
            not, in one transaction on a database that holds them.
peers       SQLite. The same addresses and columns by django-import-export, and the same addresses by Mailman 3: see
            bench/peers. Ours with as many rows, and with many, since a worker has its pace after the first seconds.
size        SQLite. New rows into a list that has few contacts, and into one that has many, all made by our imports.
postgresql  A server that this starts, with the settings it comes with. A clean file into an empty list, and again with
            half of its rows changed, against listmonk's own statement in its own schema, from a checkout, for each
            row: by a round trip, as listmonk does it, and by psycopg's pipeline, in transactions of 10,000. The new
            rows against COPY of the finished rows too, into the tables with and without foreign keys.
beside      The same server: imports into two lists of one account by two workers, one after the other, and at once.
            Time of all processors, that of the server too.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import crowd
import limits
from installation import Installation
from peers import listmonk_upsert, mailman_members

import postgresql

DJANGO = Path(__file__).parent / "peers" / "django_import.py"


class Rounds:
    """Seconds of several rounds by what was measured."""

    def __init__(self, what: str = "") -> None:
        self._what = what
        self._seconds: dict[str, list[float]] = {}

    def add(self, name: str, seconds: float) -> None:
        """One more figure; it is shown at once, so that a long bench can be watched."""
        self._seconds.setdefault(name, []).append(seconds)
        print(f"    {name}: {seconds:.2f} s {self._what}", flush=True)

    def names(self) -> set[str]:
        """What was measured."""
        return set(self._seconds)

    def median(self, name: str) -> float:
        """Seconds."""
        return median(self._seconds[name])

    def ratio(self, ours: str, other: str) -> float:
        """How many of our seconds go into those of the other: the median over the rounds."""
        return median(b / a for a, b in zip(self._seconds[ours], self._seconds[other], strict=True))

    def show(self, rows: int, ours: str, other: str, what: str, demanded: float) -> None:
        """Print both rates and the ratio."""
        ratio = self.ratio(ours, other)
        print(
            f"{what}: ours {rows / self.median(ours):,.0f} rows/s, {other} {rows / self.median(other):,.0f} rows/s, "
            f"ratio {ratio:.2f}, at least {demanded:g} demanded: {said(ratio >= demanded)}",
            flush=True,
        )


def said(met: bool) -> str:
    return "met" if met else "MISSED"


def imported(installation: Installation, file: Path, **expected: int) -> float:
    """Seconds of a complete import, which must come to these counters."""
    done = installation.run(file)
    found = {outcome: rows for outcome, rows in done.job.counters.items() if rows}
    if found != {outcome: rows for outcome, rows in expected.items() if rows}:
        raise SystemExit(f"the counters are {found}, not {expected}")
    return done.seconds


@contextmanager
def fresh(folder: Path, url: str = "") -> Iterator[Installation]:
    """An installation that is gone after the block."""
    with Installation(folder, url) as installation:
        yield installation
    shutil.rmtree(folder)


def limit(folder: Path, given: argparse.Namespace) -> None:
    rows, rounds = given.rows, Rounds()
    files = {name: folder / f"{name}.csv" for name in ("clean", "bad", "changed")}
    clean = crowd.make(files["clean"], crowd.clean(rows))
    bad = crowd.make(files["bad"], crowd.clean(rows, bad=0.02))
    changed = crowd.make(files["changed"], crowd.clean(rows, edition=1))
    updates = {"updated": changed.changed, "unchanged": rows - changed.changed}
    for number in range(given.rounds):
        print(f"  round {number + 1}")
        with fresh(folder / "ours") as here:
            rounds.add("clean", imported(here, files["clean"], **clean.counters))
            rounds.add("half changed", imported(here, files["changed"], **updates))
        with fresh(folder / "ours") as here:
            rounds.add("2 % bad", imported(here, files["bad"], **bad.counters))
        with fresh(folder / "bare") as here:
            rounds.add("bare insert", limits.insert_sqlite(here, limits.taken(files["clean"], clean)))
            rounds.add("bare update", limits.update_sqlite(here, limits.taken(files["changed"], changed)))
        with fresh(folder / "bare") as here:
            rounds.add("bare insert of the good", limits.insert_sqlite(here, limits.taken(files["bad"], bad)))
    print(f"{rows:,} rows on SQLite, median of {given.rounds} rounds")
    rounds.show(rows, "clean", "bare insert", "clean file into an empty list", 1.15)
    rounds.show(rows, "2 % bad", "bare insert of the good", "2 % bad rows", 0.65)
    rounds.show(rows, "half changed", "bare update", "again with half of the rows changed", 0.65)


def peers(folder: Path, given: argparse.Namespace) -> None:
    rows, many, subscribers, rounds = given.rows, given.many, given.subscribers, Rounds()
    files = {count: folder / f"{count}.csv" for count in (rows, many, subscribers)}
    for count, file in files.items():
        crowd.make(file, crowd.clean(count))
    addresses = [line.split(",")[0] for line in files[subscribers].read_text(encoding="utf-8").splitlines()[1:]]
    for number in range(given.rounds):
        print(f"  round {number + 1}")
        for count, file in files.items():
            with fresh(folder / "ours") as here:
                rounds.add(f"ours, {count:,} rows", imported(here, file, added=count))
        for mode in ("usual", "bulk"):
            seconds = _django(files[rows], folder / "django.sqlite", mode)
            rounds.add(f"django-import-export ({mode}), {rows:,} rows", seconds)
        if mailman_members.PROGRAM.exists():
            rounds.add(f"Mailman, {subscribers:,} rows", mailman_members.subscribe(folder / "mailman", addresses))
            shutil.rmtree(folder / "mailman")
        else:
            print("    Mailman is not here: it is only installed on Python 3.11 and 3.12")
    print(f"SQLite, median of {given.rounds} rounds")
    django = [(f"django-import-export ({mode})", rows) for mode in ("usual", "bulk")]
    for peer, count in (*django, ("Mailman", subscribers)):
        if f"{peer}, {count:,} rows" not in rounds.names():
            continue
        theirs = count / rounds.median(f"{peer}, {count:,} rows")
        ours, ours_many = (each / rounds.median(f"ours, {each:,} rows") for each in (count, many))
        print(
            f"{peer}, {count:,} rows: {theirs:,.0f} rows/s; ours {ours:,.0f} rows/s, {ours / theirs:.1f} times; "
            f"ours with {many:,} rows {ours_many:,.0f} rows/s, {ours_many / theirs:.1f} times, "
            f"at least 20 demanded: {said(ours_many / theirs >= 20)}",
            flush=True,
        )


def _django(file: Path, database: Path, mode: str) -> float:
    done = subprocess.run([sys.executable, DJANGO, file, database, mode], capture_output=True, text=True)
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    if done.returncode:
        raise SystemExit(f"django-import-export: {done.stdout}{done.stderr}")
    return float(done.stdout)


def size(folder: Path, given: argparse.Namespace) -> None:
    rounds, rows = Rounds(), given.rows
    for name in ("small", "large"):
        held = getattr(given, name)
        crowd.make(folder / "people.csv", crowd.clean(held))
        with Installation(folder / name) as installation:
            seconds = imported(installation, folder / "people.csv", added=held)
            for blob in installation.product.blobs.folder.iterdir():
                blob.unlink()
        print(f"  {name}: {held:,} contacts in {seconds:.1f} s ({held / seconds:,.0f} rows/s)", flush=True)
    for number in range(given.rounds):
        print(f"  round {number + 1}")
        file = folder / "people.csv"
        crowd.make(file, crowd.clean(rows, first_person=given.large + number * rows))
        shutil.copytree(folder / "small", folder / "copy")
        # The large one is not copied: it grows by a little.
        for place, held in (("copy", given.small), ("large", given.large)):
            with Installation(folder / place) as installation:
                rounds.add(f"into {held:,}", imported(installation, file, added=rows))
        shutil.rmtree(folder / "copy")
    ratio = rounds.ratio(f"into {given.small:,}", f"into {given.large:,}")
    print(f"{rows:,} new rows, SQLite, median of {given.rounds} rounds")
    for held in (given.small, given.large):
        print(f"at {held:,} contacts: {rounds.median(f'into {held:,}') / rows * 1e6:.1f} µs a row")
    verdict = said(ratio <= 1.5)
    print(f"a row at {given.large:,} costs {ratio:.2f} times that at {given.small:,}, at most 1.5 demanded: {verdict}")


def on_postgresql(folder: Path, given: argparse.Namespace) -> None:
    rows, rounds, servers = given.rows, Rounds(), Rounds("of the server's processor")
    files = {name: folder / f"{name}.csv" for name in ("new", "known")}
    truth = {name: crowd.make(file, crowd.clean(rows, edition=n)) for n, (name, file) in enumerate(files.items())}
    changed = truth["known"].changed
    expected = {"new": truth["new"].counters, "known": {"updated": changed, "unchanged": rows - changed}}

    def measured(name: str, work: Callable[[], float]) -> None:
        before = server.processor_seconds()
        rounds.add(name, work())
        servers.add(name, server.processor_seconds() - before)

    def ours(here: Installation) -> None:
        for name, file in files.items():
            measured(f"ours, {name}", partial(imported, here, file, **expected[name]))

    def copy(here: Installation) -> None:
        finished = limits.taken(files["new"], truth["new"])
        measured("COPY without keys", partial(limits.copy_postgresql, here, finished))

    def copy_with_keys(here: Installation) -> None:
        limits.with_foreign_keys(here)
        measured("COPY", partial(limits.copy_postgresql, here, limits.taken(files["new"], truth["new"])))

    def listmonk(url: str, how: str) -> None:
        dsn, checkout = url.replace("postgresql+psycopg:", "postgresql:"), Path(given.listmonk)
        listmonk_upsert.prepare(dsn, checkout)
        for name, file in files.items():
            values = limits.taken(file, truth[name])
            call = partial(listmonk_upsert.upsert, dsn, checkout, crowd.TARGETS, values, pipelined=how == "pipeline")
            measured(f"listmonk by {how}, {name}", call)
        if listmonk_upsert.stored(dsn) != (rows, rows):
            raise SystemExit(f"listmonk has {listmonk_upsert.stored(dsn)} people and members, not {rows}")

    with postgresql.server() as server:
        for number in range(given.rounds):
            print(f"  round {number + 1}")
            for measure in (ours, copy, copy_with_keys):
                with server.database("bench") as url, fresh(folder / "data", url) as here:
                    measure(here)
            for how in ("round trip", "pipeline") if given.listmonk else ():
                with server.database("bench") as url:
                    listmonk(url, how)
        version = server.version()
    print(f"{rows:,} rows on PostgreSQL {version}, median of {given.rounds} rounds")
    for name in files if given.listmonk else ():
        rounds.show(rows, f"ours, {name}", f"listmonk by round trip, {name}", f"listmonk's upsert, {name} rows", 5)
        rounds.show(rows, f"ours, {name}", f"listmonk by pipeline, {name}", f"the same by pipeline, {name} rows", 2.2)
    rounds.show(rows, "ours, new", "COPY", "bare COPY with all foreign keys", 0.85)
    for name in sorted(servers.names()):
        print(
            f"{name}: {rows / rounds.median(name):,.0f} rows/s, server {servers.median(name) / rows * 1e6:.1f} µs a row"
        )


def beside(folder: Path, given: argparse.Namespace) -> None:
    rows, rounds = given.rows, Rounds()
    files = [folder / f"{number}.csv" for number in range(2)]
    for number, file in enumerate(files):
        crowd.make(file, crowd.clean(rows, first_person=number * rows))
    with postgresql.server() as server:
        for number in range(given.rounds):
            print(f"  round {number + 1}")
            for how in ("after each other", "at once"):
                with server.database("bench") as url, fresh(folder / "data", url) as here:
                    lists = [here.list, here.product.lists.create(here.account.id, "Others")]
                    used = server.processor_seconds() + own_seconds()
                    with here.workers(2):
                        began, jobs = time.perf_counter(), []
                        for file, to in zip(files, lists, strict=True):
                            jobs.append(here.submit(file, to=to))
                            if how == "after each other":
                                here.wait(*jobs)
                        here.wait(*jobs)
                        rounds.add(f"elapsed {how}", time.perf_counter() - began)
                    rounds.add(f"processor {how}", server.processor_seconds() + own_seconds() - used)
    print(f"{rows:,} rows on PostgreSQL into each of two lists of one account, median of {given.rounds} rounds")
    costs = rounds.ratio("processor after each other", "processor at once")
    micros = [rounds.median(f"processor {how}") / rows / 2 * 1e6 for how in ("after each other", "at once")]
    print(f"after each other {micros[0]:.1f} µs of all processors a row, at once {micros[1]:.1f}")
    print(f"at once a row costs {costs:.2f} times that, at most 1.1 demanded: {said(costs <= 1.1)}")
    print(f"at once they took {rounds.ratio('elapsed after each other', 'elapsed at once'):.2f} times the time")


def own_seconds() -> float:
    """Processor seconds of the processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PARTS: dict[str, tuple[Callable[[Path, argparse.Namespace], None], dict[str, int | str]]] = {
    "limit": (limit, {"rows": 200_000, "rounds": 3}),
    "peers": (peers, {"rows": 10_000, "subscribers": 2000, "many": 200_000, "rounds": 3}),
    "size": (size, {"small": 100_000, "large": 1_000_000, "rows": 100_000, "rounds": 3}),
    "postgresql": (on_postgresql, {"rows": 200_000, "rounds": 3, "listmonk": ""}),
    "beside": (beside, {"rows": 100_000, "rounds": 3}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures imports.")
    parts = parser.add_subparsers(dest="part")
    for name, (_, options) in PARTS.items():
        part = parts.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        for option, value in options.items():
            part.add_argument(f"--{option}", type=type(value), default=value)
    given: Any = parser.parse_args()
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    for name in [given.part] if given.part else PARTS:
        print(f"-- {name}", flush=True)
        began = time.perf_counter()
        with TemporaryDirectory(prefix="soapstone-bench-") as folder:
            PARTS[name][0](Path(folder), given if given.part else parser.parse_args([name]))
        print(f"({time.perf_counter() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
