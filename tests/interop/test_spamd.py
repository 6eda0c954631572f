"""SpamAssassin's own spamd behind GetSpamScore (lk-102)."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeep
from tests.conftest import Served

from soapstone.sending.mail.spamd import ScannerError, SpamScanner

pytestmark = pytest.mark.interop

SECONDS = 60
# What every installation of SpamAssassin takes for spam, whatever its rules.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@pytest.fixture(scope="module")
def spamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a spamd with its stock rules, which asks nobody on the network."""
    program = shutil.which("spamd") or "/usr/sbin/spamd"
    assert Path(program).exists(), "spamd is not installed"
    folder = tmp_path_factory.mktemp("spamd")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--local", "--nouser-config", "--listen", "127.0.0.1", "--port", str(port)]
    command += ["--min-children", "1", "--max-children", "2", "--syslog", "stderr"]
    if os.getuid() == 0:
        command += ["--username", "nobody"]
    environment = {**os.environ, "LC_ALL": "C", "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stderr=log)
    url = f"spamd://127.0.0.1:{port}"
    try:
        end = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(ScannerError):
                SpamScanner(url).scan(b"Subject: x\r\n\r\nx\r\n")
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def scanning(spamd: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("scanning") / "data", spamd_url=spamd)
    yield running
    running.stop()


@pytest.mark.parametrize("port", ["IntegrationServiceSoap", "IntegrationServiceSoap12"])
def test_lk_102_a_real_scanner(scanning: Served, port: str) -> None:
    service = zeep.Client(f"{scanning.base}/v31/IntegrationService.asmx?WSDL").bind("IntegrationService", port)
    header = {"WSUser": {"UserName": "demo", "Password": "demo"}}

    def score(**members: Any) -> Any:
        given = {"ListID": 1, "ListCampaignID": 0, "CharacterSetID": 1, "FromEmailAddress": "ann@example.com"}
        switches = {"EnablePassalong": False, "EnableTracking": False}
        return service.GetSpamScore({**given, **switches, **members}, "bob@example.org", _soapheaders=header)

    spam = score(Subject="Cheap", TextBody=GTUBE)
    # GTUBE has 1,000; a rule for mail that says that it is of a list takes one away.
    assert spam.PointsReceived >= 990
    assert spam.PointsRequired == 5.0
    points = {each.Rule: each.Points for each in spam.Scores}
    assert points["GTUBE"] == 1000
    assert next(each.Description for each in spam.Scores if each.Rule == "GTUBE").startswith("BODY: ")
    # The sum of what is shown is the score, but for what rounding to one or no decimal takes.
    assert abs(sum(points.values()) - spam.PointsReceived) < 0.1 * len(points) + 1
    fine = score(
        Subject="Minutes of the meeting on Monday",
        TextBody="Dear all,\n\nhere are the minutes of Monday's meeting. The next one is in two weeks.\n\nAnn\n",
    )
    assert fine.PointsReceived < fine.PointsRequired
    assert "GTUBE" not in {each.Rule for each in fine.Scores}
    # What our mails must not be told of: a missing or odd header.
    rules = {each.Rule for each in fine.Scores}
    assert not {rule for rule in rules if rule.startswith(("MISSING_", "INVALID_", "MIME_"))}, rules
    loud = score(Subject="BUY CHEAP VIAGRA NOW!!!", TextBody="CHEAP VIAGRA. Make money fast. Click here.")
    assert fine.PointsReceived < loud.PointsReceived
