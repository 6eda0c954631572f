"""Run the clients that no registry has, from checkouts: `PHP_LISTRAK=FOLDER make interop-more`.

Their licences forbid copies here, so `make interop` cannot run them. What they called is kept in recorded.json, from
which grid.py makes its page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from soapstone.listrak.operations import CONTRACT
from soapstone.testing.client import Soapstone
from soapstone.testing.server import local_test_server

HERE = Path(__file__).parent
RECORDED = HERE / "recorded.json"
# What a fault of the contract begins with (lk-8).
FAULT = "fault Server was unable to process request. ---> ["


def php_listrak(checkout: Path) -> dict[str, object]:
    """Call all methods of the package php-listrak; what it called. Raises AssertionError if an answer is not read."""
    commit = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    with local_test_server() as served:
        server = Soapstone(served.base)
        program = ["php", str(HERE / "php" / "listrak_package.php"), str(checkout), served.base]
        lines = subprocess.run(program, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
        calls = [call for call in server.calls if call.interface == "listrak"]
    assert lines[0] == (
        "members ada@example.com alan@example.com barbara@example.com donald@example.com edsger@example.com "
        "grace@example.com katherine@example.com linus@example.com radia@example.com tim@example.com"
    ), lines[0]
    told = {name: rest for name, _, rest in (line.partition(" ") for line in lines[1:])}
    assert all(rest == "answer" or rest.startswith(FAULT) for rest in told.values()), told
    # The package makes a method of each operation.
    assert told.keys() == {operation.name for operation in CONTRACT.operations}
    assert {call.operation for call in calls} == told.keys()
    return {"version": commit.stdout[:7], "contract": "listrak", "soap": "1.1", "operations": sorted(told)}


def main() -> None:
    """Run what the environment names a checkout of, and keep what it called."""
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    checkout = os.environ.get("PHP_LISTRAK")
    if not checkout:
        sys.exit("Set PHP_LISTRAK to a checkout of github.com/Objectivco/php-listrak.")
    recorded["php-listrak"] = php_listrak(Path(checkout))
    RECORDED.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
