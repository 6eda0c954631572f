"""Every row of a large file has the outcome that it must have, in flat memory.

    python bench/soak/exact_lines.py [rows] [--seed 1]
    python bench/soak/exact_lines.py --flat 1000000 20000000

Imports a file of `bench/crowd.py` (5 million rows when nothing else is said) by a real worker into an empty list, and
compares: the rejected rows, line and reason of each, with the generator's list; the counters with its truth; the list
and its people with what was added. The worker, with all processes that it starts, stays under 400 MB; pages that they
share count for each of them. With `--flat` several files are imported, each into an installation of its own, and the
largest may take 10 % more memory than the smallest.

Ends with status 1 when one of this does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import crowd
from installation import Done, Installation
from sqlalchemy import func, select

from soapstone.store.tables import contacts, memberships

MEMORY_LIMIT = 400 * 1000 * 1000
MOST_GROWTH = 1.10
# Differences that are shown.
SHOWN = 10
PAGE = 10_000


def rejected(installation: Installation, job_id: int) -> Iterator[tuple[int, str]]:
    """Line and reason of each row that the import did not take."""
    line = 0
    while page := installation.product.imports.rejected(job_id, after_line=line, limit=PAGE):
        for row in page:
            yield row.line, row.reason
        line = page[-1].line


def failures(installation: Installation, done: Done, truth: crowd.Truth) -> Iterator[str]:
    """What is not as it must be, in words."""
    counters = {outcome: rows for outcome, rows in done.job.counters.items() if rows}
    if counters != truth.counters:
        yield f"the counters are {counters} and not {truth.counters}"
    pairs = zip_longest(rejected(installation, done.job.id), truth.rejected(), fillvalue=(0, "nothing"))
    for found, expected in islice((pair for pair in pairs if pair[0] != pair[1]), SHOWN):
        yield f"a reject is {found} where {expected} is expected"
    added = truth.counters["added"]
    with installation.database.read() as connection:
        stored = [connection.scalar(select(func.count()).select_from(table)) for table in (contacts, memberships)]
    if stored != [added, added]:
        yield f"{stored[0]} contacts and {stored[1]} members are stored, not {added}"
    counts = installation.product.imports.counts(done.job)
    if (counts.total, counts.good, counts.list_members) != (truth.rows, added, added):
        yield f"the figures do not fit the file: {counts}"
    if done.memory > MEMORY_LIMIT:
        yield f"the worker took {done.memory / 1e6:.0f} MB"


def check(folder: Path, rows: int, seed: int) -> tuple[int, list[str]]:
    """Import one file; the memory it took, and what was wrong."""
    file = folder / "people.csv"
    truth = crowd.make(file, crowd.Recipe(rows=rows, seed=seed))
    size = file.stat().st_size
    with Installation(folder / "data") as installation:
        done = installation.run(file, measure_memory=True)
        wrong = list(failures(installation, done, truth))
    reasons = Counter({reason: count for reason, count in truth.counters.items() if reason != "added"})
    print(
        f"{truth.rows:,} rows on {truth.lines:,} lines, {size / 1e6:,.0f} MB, seed {seed}: {done.seconds:,.1f} s "
        f"({truth.rows / done.seconds:,.0f} rows/s), at most {done.memory / 1e6:.0f} MB of memory\n"
        f"  {truth.counters['added']:,} added, {reasons.total():,} rejected: "
        + ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common()),
        flush=True,
    )
    return done.memory, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="Imports large files and compares every row with the truth.")
    parser.add_argument("rows", type=int, nargs="?", default=5_000_000)
    parser.add_argument("--flat", type=int, nargs="+", metavar="ROWS", help="sizes, the smallest first")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    held, wrong = [], []
    for rows in given.flat or [given.rows]:
        with tempfile.TemporaryDirectory(prefix="soapstone-exact-") as folder:
            memory, found = check(Path(folder), rows, given.seed)
        held.append(memory)
        wrong += found
    if held[-1] > MOST_GROWTH * held[0]:
        wrong.append(f"memory grew from {held[0] / 1e6:.0f} to {held[-1] / 1e6:.0f} MB")
    for words in wrong:
        print(f"BROKEN {words}")
    print("as it must be" if not wrong else f"{len(wrong)} broken")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
