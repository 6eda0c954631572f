"""Hosts of an installation die, are cut off and lose their database: nobody can tell from what is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.hosts.network import PREFIX

pytestmark = pytest.mark.interop
ROOT = Path(__file__).parents[2]
SECONDS = 600


def hold(*arguments: str) -> dict[str, Any]:
    """Hold a trial in a network of its own; see `tests.hosts.trial.Result`."""
    # The server of PostgreSQL runs as another user, who must reach its files; and memory is faster than a disk.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(prefix="soapstone-hosts-", dir=memory) as folder:
        Path(folder).chmod(0o755)
        command = [*PREFIX, sys.executable, "-m", "tests.hosts.trial", f"{folder}/trial", *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def test_hosts_die_and_nobody_can_tell() -> None:
    found = hold("--people", "3000", "--mails", "200")
    assert found["wrong"] == []
    assert set(found["taken_over"]) == {"host killed", "host cut off"}
    assert min(found["polls"], found["clicks"]) > 0
