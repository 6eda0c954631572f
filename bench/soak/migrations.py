"""A migration that is killed by SIGKILL again and again, from either contract: nothing may show it.

    python bench/soak/migrations.py [--kills 30] [--seed 1] [--contract listrak|magnetmail]

The command runs in a process of its own against a second server, is killed at a random moment, and goes on, until there
were so many kills. Then it runs to its end, and all members that docs/migration.md calls the same are compared. Ends
with status 1 when there is a difference.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.conftest import wait_for_jobs  # noqa: E402 - it lies beside the package
from tests.migration import sites  # noqa: E402
from tests.migration.comparing import differences, members  # noqa: E402

from soapstone.listrak.operations import CONTRACT as LISTRAK  # noqa: E402
from soapstone.local_server import local_server  # noqa: E402
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL  # noqa: E402
from soapstone.product import Product  # noqa: E402
from soapstone.settings import Settings  # noqa: E402
from soapstone.store import schema  # noqa: E402
from soapstone.store.database import Database  # noqa: E402

KINDS = {
    "listrak": (LISTRAK, sites.fill_listrak, sites.listrak_answers),
    "magnetmail": (MAGNETMAIL, sites.fill_magnetmail, sites.magnetmail_answers),
}


def trial(contract: str, kills: int, seed: int, folder: Path) -> bool:
    """Return whether a killed migration ends like any other."""
    declared, fill, answers = KINDS[contract]
    chance = random.Random(seed)
    with local_server(Settings(data_dir=folder / "there")) as server:
        fill(sites.new_site(server.product, "ACME"))
        wait_for_jobs(server.product.jobs)
        there = sites.Site.of(server.product, "ACME", server.base)
        (folder / "here").mkdir()
        database = Database(f"sqlite:///{folder / 'here' / 'soapstone.sqlite'}")
        schema.upgrade(database)
        here = sites.new_site(Product.open(Settings(data_dir=folder / "here"), database), "ACME")
        (folder / "password").write_text(sites.PASSWORD)
        command = [sys.executable, "-m", "soapstone", "migrate", contract, f"{server.base}{declared.path}"]
        command += ["--login", there.login.name, "--password-file", str(folder / "password")]
        command += ["--rate", "40", "--data", str(folder / "here")]
        killed = ended = 0
        while killed < kills:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
                assert process.stdout is not None
                # The first line comes when the calls begin.
                process.stdout.readline()
                time.sleep(chance.uniform(0, 1.5))
                ended += process.poll() is not None
                killed += process.poll() is None
                process.kill()
        last = subprocess.run(command, capture_output=True, text=True, check=False)
        found = differences(members(answers(there)), members(answers(here)))
        database.close()
    print(f"{contract}: {killed} kills, {ended} runs that ended before, {len(found)} differences")
    for path, values in list(found.items())[:20]:
        print(path, *values)
    if last.returncode:
        print(last.stdout, last.stderr)
    return not found and not last.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contract", choices=tuple(KINDS))
    given = parser.parse_args()
    right = True
    for contract in [given.contract] if given.contract else KINDS:
        with tempfile.TemporaryDirectory(prefix="soapstone-migrations-") as folder:
            right &= trial(contract, given.kills, given.seed, Path(folder))
    raise SystemExit(0 if right else 1)


if __name__ == "__main__":
    main()
