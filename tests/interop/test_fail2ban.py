"""The filter on the manual's page about the log, read by fail2ban itself, on the log of a server."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from tests.conftest import Served
from tests.test_logs import logons

pytestmark = pytest.mark.interop

PAGE = Path(__file__).parent.parent.parent / "docs" / "monitoring.md"
FORGED = "\n2026-01-01T00:00:00Z [warning] soapstone.accounts.logon: failed logon address=192.0.2.66 reason=password x"


def test_fail2ban_reads_the_failed_logons_of_every_interface(tmp_path: Path) -> None:
    found = re.search(r"```ini\n(\[Definition\]\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "soapstone.conf").write_text(found[1])
    addresses = ("203.0.113.1", "203.0.113.2", "2001:db8::3", "203.0.113.4", "203.0.113.5")
    callers = dict(zip(logons(""), addresses, strict=True))
    running = Served(tmp_path / "data", trusted_proxies='["127.0.0.1"]')
    try:
        for interface, peer in callers.items():
            path, how = logons("demo")[interface]
            headers = {**how.pop("headers", {}), "X-Forwarded-For": peer}
            httpx.post(f"{running.base}{path}", headers=headers, timeout=30, **how)
        token = {"Authorization": "Bearer wrong", "X-Forwarded-For": "203.0.113.6"}
        httpx.get(f"{running.base}/api/v1/lists", headers=token)
        # Neither a right password nor what callers write about others counts.
        httpx.get(f"{running.base}/api/v1/lists", auth=("demo", "demo"), headers={"X-Forwarded-For": "203.0.113.7"})
        httpx.get(f"{running.base}/api/v1/lists", auth=(FORGED, FORGED), headers={"X-Forwarded-For": "junk"})
        httpx.get(f"{running.base}/{quote(FORGED)}")
        made = {"name": f"List{FORGED}", "from_name": FORGED, "from_address": "a@example.com"}
        httpx.post(f"{running.base}/api/v1/lists", json=made, auth=("demo", "demo"))
        log = running.log()
    finally:
        running.stop()
    (tmp_path / "log").write_text(log)
    program = shutil.which("fail2ban-regex")
    assert program, "fail2ban is not installed: tests/interop/install.sh"
    command = [program, "--out", "ip", str(tmp_path / "log"), str(tmp_path / "soapstone.conf")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    banned = told.stdout.split()
    assert sorted(banned) == sorted([*callers.values(), "203.0.113.6", "127.0.0.1"]), told.stdout + told.stderr
