"""A send by SMTP whose worker is killed and whose server is restarted: nobody is skipped, and the ledger is true.

    python bench/soak/sends.py [--people 20000] [--kills 30] [--restarts 10] [--seed 1] [--connections 8]
        [--database sqlite|postgresql]

The server is a sink that counts by Message-ID, answers 4xx to 5 % of the recipients at first and 5xx to 1 %. At the end
every recipient has one final state, nobody eligible is missing, the ledger agrees with what the sink accepted, and only
recipients whose ledger says so can have a mail twice, at most one for each connection and kill or restart. Ends with
status 1 when that is not so. The database is SQLite, or a PostgreSQL server that this starts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from tests.sending.smtp_trial import SmtpTrial  # noqa: E402

import postgresql  # noqa: E402 - both lie beside the package


def main() -> int:
    """Run one send."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="soapstone-sends-"))
        url = ""
        if given.database == "postgresql":
            url = stack.enter_context(stack.enter_context(postgresql.server()).database("sends"))
        trial = SmtpTrial(Path(folder), url, people=given.people, connections=given.connections)
        print(f"{given.people:,} people, {len(trial.eligible):,} of them eligible, seed {given.seed}", flush=True)
        try:
            verdict = trial.run(kills=given.kills, restarts=given.restarts, seed=given.seed, patience=3600)
        except AssertionError as difference:
            print(f"FAILED: {difference}")
            return 1
    print(f"{verdict.kills} kills, {verdict.restarts} restarts, {verdict.seconds:.0f} s")
    print(f"final states: {verdict.states}")
    print(f"uncertain at some time: {verdict.doubtful}, of them accepted twice: {verdict.repeats}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
