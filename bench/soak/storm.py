"""A minute in which 50 clients subscribe, change and unsubscribe the same 100 addresses at random.

    python bench/soak/storm.py [--seconds 60] [--seed 1]

No call may fail, nobody may be stored twice, and what is left equals a replay of each contact's events in the order of
their numbers. SQLite.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.conftest import Served  # noqa: E402 - it lies beside the package
from tests.storm.storm import blow, wrong  # noqa: E402

from soapstone.product import Product  # noqa: E402
from soapstone.settings import Settings  # noqa: E402
from soapstone.store.database import Database  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description="Many clients change the same people.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soapstone-soak-") as folder:
        server = Served(Path(folder) / "data")
        database = Database(f"sqlite:///{server.data}/soapstone.sqlite")
        try:
            product = Product.open(Settings(data_dir=server.data), database)
            demo = product.accounts.named("DEMO")
            assert demo is not None
            made = product.lists.create(demo.id, "Storm")
            header = product.profiles.add_header(demo.id, made.id, "Head")
            attribute = product.profiles.add_attribute(demo.id, made.id, header, "Colour")
            storm = blow(
                server.base, made.id, attribute, clients=50, addresses=100, seconds=given.seconds, seed=given.seed
            )
            problems = [*storm.troubles[:5], *wrong(product, made.id)]
        finally:
            database.close()
            server.stop()
    print(f"{storm.outcomes.total():,} calls in {given.seconds:.0f} s: {dict(storm.outcomes)}")
    print(f"{len(storm.troubles)} failed; {len(problems)} findings")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
