"""Reports of tracking against oracles that know the acts alone, and clicks while server and worker are killed.

    python bench/soak/tracking.py [--acts 100000] [--kills 60] [--seed 17] [--database both|sqlite|postgresql]

Each contract has its own history of random acts: sends to several lists, doubles, machines, bounces, removals and
test sends. Every member of every answer of its operations is compared with what an oracle in plain Python counts, page
after page in any order. Then links are clicked while server and worker, which records the clicks, are killed in turn at
random moments: each click that got its redirect is recorded once. Ends with status 1 when that is not so. PostgreSQL is
a server that this script starts.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import pytest  # noqa: E402
from tests.listrak.desk import Desk as ListrakDesk  # noqa: E402 - it lies beside the package
from tests.listrak.mailings import Mailings  # noqa: E402
from tests.listrak.reports_comparison import Comparison as ListrakComparison  # noqa: E402
from tests.listrak.tracked_history import Maker  # noqa: E402
from tests.magnetmail.conftest import Desk as MagnetMailDesk  # noqa: E402
from tests.magnetmail.tracked_world import TrackedWorld  # noqa: E402
from tests.magnetmail.tracking_comparison import Comparison as MagnetMailComparison  # noqa: E402
from tests.tracking.kill_trial import hold  # noqa: E402

import postgresql  # noqa: E402
from soapstone.product import Product  # noqa: E402
from soapstone.settings import Settings  # noqa: E402
from soapstone.store import schema  # noqa: E402
from soapstone.store.database import Database  # noqa: E402


class Place:
    """A folder, and a place for databases of one kind."""

    def __init__(self, kind: str, folder: Path, stack: ExitStack) -> None:
        self.kind, self.folder, self._stack = kind, folder, stack
        self._server = stack.enter_context(postgresql.server()) if kind == "postgresql" else None

    def url(self, name: str) -> str:
        """The URL of a fresh database; empty for the SQLite file that belongs to a data folder."""
        return self._stack.enter_context(self._server.database(name)) if self._server else ""

    def product(self, name: str) -> Product:
        """A product on a fresh database."""
        url = self.url(name) or f"sqlite:///{self.folder / name}.sqlite"
        opened = Database(url)
        self._stack.callback(opened.close)
        schema.upgrade(opened)
        return Product.open(Settings(data_dir=self.folder / name), opened)


def listrak(place: Place, acts: int, seed: int) -> str:
    """Compare the reports of Listrak; what was compared."""
    product = place.product("listrak")
    account = product.accounts.create("ACME", time_zone="America/New_York")
    product.accounts.add_login(account, "ann", "secret")
    history = Maker(Mailings(product, account), seed, acts).make()
    comparison = ListrakComparison(ListrakDesk(product, "ann"), history)
    comparison.everything()
    return told(Counter(each.kind for each in history.done), comparison.rows)


def magnetmail(place: Place, acts: int, seed: int) -> str:
    """Compare the tracking of MagnetMail; what was compared."""
    product = place.product("magnetmail")
    account = product.accounts.create("ACME", time_zone="America/New_York")
    with pytest.MonkeyPatch.context() as patch:
        desk = MagnetMailDesk(product, account, product.accounts.add_login(account, "ann", "secret"))
        world = TrackedWorld(desk, patch, seed)
        world.fill(acts)
        comparison = MagnetMailComparison(world)
        comparison.everything()
    return told(Counter(each.kind for each in world.oracle.acts), comparison.rows)


def told(kinds: Counter[str], rows: int) -> str:
    acts = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
    return f"{kinds.total():,} acts ({acts}): {rows:,} rows equal in every member"


def kills(place: Place, number: int, seed: int) -> str:
    """Kill server and worker while links are clicked; what came of it."""
    trial = hold(place.folder / "killed", kills=number, seed=seed, database_url=place.url("killed"))
    wrong = trial.wrong()
    assert not wrong, wrong[:20]
    landed = ", ".join(f"{kind} {times}" for kind, times in trial.kills.items())
    lost = len(trial.asked) - len(trial.answered)
    return f"{trial.kills.total()} kills ({landed}): {len(trial.answered):,} clicks answered, {lost} not, each once"


def main() -> int:
    parser = argparse.ArgumentParser(description="Reports of tracking, and clicks under kills.")
    parser.add_argument("--acts", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--database", choices=["both", "sqlite", "postgresql"], default="both")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    parts: dict[str, Callable[[Place], str]] = {}
    if given.acts:
        parts["Listrak"] = lambda place: listrak(place, given.acts, given.seed)
        parts["MagnetMail"] = lambda place: magnetmail(place, given.acts, given.seed)
    if given.kills:
        parts["kills"] = lambda place: kills(place, given.kills, given.seed)
    broken = False
    for kind in ("sqlite", "postgresql") if given.database == "both" else (given.database,):
        with tempfile.TemporaryDirectory(prefix="soapstone-tracking-") as folder, ExitStack() as stack:
            place = Place(kind, Path(folder), stack)
            for name, run in parts.items():
                began = time.monotonic()
                try:
                    what = run(place)
                except AssertionError as difference:
                    broken, what = True, f"BROKEN {str(difference)[:4000]}"
                print(f"{kind}, {name}: {what}, {time.monotonic() - began:.0f} s", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
