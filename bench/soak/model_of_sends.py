"""Sends in a simulated world: a scripted server, people who leave, workers that are killed; ten thousand of them.

    python bench/soak/model_of_sends.py [--seeds 10000] [--start 1] [--story]

Each seed is a send of its own in a time of its own, so nothing waits. What must hold of every send is in
tests/sending/model/verdict.py. A seed that breaks a rule is printed with the command that shows it again; `--story`
prints the conversation too. Ends with status 1 when there was one. SQLite.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.sending.model.replay import report, workshop  # noqa: E402 - it lies beside the package

from soapstone.store import schema  # noqa: E402
from soapstone.store.database import Database  # noqa: E402


def main() -> int:
    """Run the seeds."""
    parser = argparse.ArgumentParser(description="Sends in a simulated world.")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--story", action="store_true", help="print the conversation of every seed that is run")
    given = parser.parse_args()
    # Workers that are killed complain.
    logging.disable(logging.CRITICAL)
    wrong, rules, mails, began = 0, Counter[str](), 0, time.process_time()
    with tempfile.TemporaryDirectory(prefix="soapstone-model-") as folder:
        template = Path(folder) / "template.sqlite"
        database = Database(f"sqlite:///{template}")
        schema.upgrade(database)
        database.close()
        with workshop(template) as run:
            for seed in range(given.start, given.start + given.seeds):
                trial, found = run(seed)
                mails += trial.server.mails
                wrong += bool(found)
                rules.update(each.partition(":")[0] for each in found)
                if found or given.story:
                    print(report(trial, found, story=given.story), flush=True)
    seconds = time.process_time() - began
    print(f"{given.seeds:,} sends from seed {given.start}, {mails:,} mails, {seconds:.0f} s of CPU")
    print(f"{wrong:,} of them broke a rule" + (f": {dict(rules)}" if rules else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
