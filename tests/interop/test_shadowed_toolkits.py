"""Programs that nobody here wrote go their way through a shadow to its end; each of their calls is played and compared.

They take the service's address from its description, as most of them do.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import LocalServed, locally_served
from tests.interop.test_toolkits import PROGRAMS, READ, SECONDS, TOOLKITS, Toolkit, run
from tests.shadow.conftest import found, shadowing

from soapstone.shadow.report import decision

pytestmark = pytest.mark.interop


@pytest.fixture
def live(tmp_path: Path, demo_records: Path) -> Iterator[LocalServed]:
    with locally_served(tmp_path / "live", demo_records) as running:
        yield running


@pytest.mark.parametrize("toolkit", [each for each in TOOLKITS if not each.build], ids=lambda each: each.name)
def test_all_calls_of_a_way_compare(live: LocalServed, tmp_path: Path, toolkit: Toolkit) -> None:
    record = tmp_path / "calls.jsonl"
    with shadowing(live.base, tmp_path / "shadow", record) as shadow:
        for contract in toolkit.contracts:
            command = f"{toolkit.run.format(programs=PROGRAMS)} {shadow.base} {contract} {toolkit.versions[0]}"
            assert run(command) == READ[contract]
        passed = shadow.pages.document()["proxy"]["passed"]
        assert passed > 12
        document = shadow.report(passed)
    check(document)
    # What was recorded says the same on a server of its own.
    replay = [sys.executable, "-m", "soapstone", "replay", str(record), "--json"]
    done = subprocess.run(replay, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    played = json.loads(done.stdout)
    check(played)
    assert played["calls"] == document["calls"]
    assert played["operations"].keys() == document["operations"].keys()


def check(document: dict[str, Any]) -> None:
    """Nothing differs. Not compared are a refused login, with which all programs end, and a list of the demo's."""
    assert found(document, "different") == set()
    assert all(entry["available"] for entry in document["operations"].values())
    assert document["skipped"].keys() <= {"a login that the live service refused", "records from before"}
    assert decision(document).startswith(
        f"{len(document['operations'])} operations used, {len(document['operations'])}"
    )
    assert "0 unexplained differences" in decision(document)
