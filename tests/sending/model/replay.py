"""Seeds, one after another on one database that each of them finds empty."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sending.model.plan import Plan
from tests.sending.model.trial import Trial, fresh
from tests.sending.model.verdict import faults
from tests.sending.model.world import Fault

from soapstone.store.database import Database

# A folder in memory, where there is one: commits need not wait for a disk that nobody loses.
MEMORY = Path("/dev/shm")


@contextmanager
def workshop(template: Path) -> Iterator[Callable[..., tuple[Trial, list[str]]]]:
    """Yield what runs a seed on a copy of a SQLite database with the schema."""
    with tempfile.TemporaryDirectory(prefix="soapstone-model-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        place = Path(folder)
        database = Database(f"sqlite:///{place / 'soapstone.sqlite'}")

        def run(seed: int, given: Plan | None = None) -> tuple[Trial, list[str]]:
            fresh(database, template)
            return tried(seed, database, place, given)

        try:
            yield run
        finally:
            database.close()


def tried(seed: int, database: Database, folder: Path, given: Plan | None = None) -> tuple[Trial, list[str]]:
    """Run a seed, or a plan, on a database with nothing but the schema: the trial, and what must not be."""
    trial = Trial(seed, database, folder, given)
    try:
        trial.run()
    except Fault as fault:
        return trial, [f"0: {fault}", *trial.faults, *faults(trial)]
    return trial, faults(trial)


def report(trial: Trial, found: list[str], *, story: bool = True) -> str:
    """Return what is wrong with a seed, how to see it again, and the whole story of it."""
    again = f"python bench/soak/model_of_sends.py --seeds 1 --start {trial.seed} --story"
    lines = [f"seed {trial.seed}: {len(found)} faults; again: {again}", *(f"  {each}" for each in found)]
    if story:
        lines += [f"  {trial.plan}", trial.world.story(), "  the ledger:"]
        lines += [
            f"    {row.email} {row.state} {row.reason} {row.attempts} {row.doubts} {row.reply}" for row in trial.rows()
        ]
        lines.append(f"  the job: {trial.job.state}, {dict(trial.job.counters)}, {trial.job.error}")
    return "\n".join(lines)
