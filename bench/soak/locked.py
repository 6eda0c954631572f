"""Another process keeps the database locked for 30 seconds while imports run: they wait, and nothing shows it after.

    python bench/soak/locked.py [--seconds 30] [--seed 1] [--people 60000]

Compares all that the imports left, times aside, with what they leave in peace. Ends with status 1 when there is a
difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.kills.assignments import LARGE, submit_all  # noqa: E402 - it lies beside the package
from tests.kills.picture import Picture, differences, picture, torn, unfinished  # noqa: E402
from tests.kills.site import opened_site  # noqa: E402


def left(folder: Path, given: argparse.Namespace, seconds: float) -> Picture:
    """What imports leave, with the database locked for so long as soon as the first rows are done."""
    with opened_site(folder) as site:
        job_ids = submit_all(site.product, given.people, given.seed, LARGE)
        if seconds:
            site.await_rows(job_ids)
            with site.product.database.write():
                time.sleep(seconds)
        site.wait()
        return picture(site.product, job_ids)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people", type=int, default=60_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soapstone-locked-") as folder:
        calm = left(Path(folder) / "calm", given, 0)
        found = left(Path(folder) / "locked", given, given.seconds)
    wrong = unfinished(found) + torn(found) + differences(found, calm)
    print(f"locked for {given.seconds:.0f} s: {len(wrong)} differences")
    for line in wrong[:20]:
        print(f"BROKEN {line[:2000]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
