"""Java: JAX-WS's wsimport builds proxies of both contracts, and its runtime polls with them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.interop

PACKAGES = {"mm": "/mmapi.asmx?WSDL", "lk": "/v31/IntegrationService.asmx?WSDL"}
# Debian keeps the runtime and what it needs there.
CLASSES = "/usr/share/jaxws/lib/*:/usr/share/java/*"


def run(*command: str, folder: Path) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def test_proxies_of_both_contracts_are_built_and_poll(server: Any, tmp_path: Path) -> None:
    """mm-3: names that differ by letter case only get a number behind them, as wsimport's own option says."""
    for package, path in PACKAGES.items():
        options = ["-keep", "-quiet", "-XadditionalHeaders", "-B-XautoNameResolution", "-p", package, "-d", "."]
        assert run("wsimport", *options, server.base + path, folder=tmp_path) == ""
    made = {path.stem for path in (tmp_path / "mm").glob("*.java")}
    assert {"Error", "Error2", "SaveResult", "SaveResult2"} <= made
    source = Path(__file__).parent / "java" / "Polls.java"
    run("javac", "-nowarn", "-cp", f".:{CLASSES}", "-d", ".", str(source), folder=tmp_path)
    lines = run("java", "-cp", f".:{CLASSES}", "Polls", "1", "1", folder=tmp_path).splitlines()
    assert lines[0] == "upload 2.0 12.0 10.0 true"
    assert lines[1].startswith("fault ")
    assert "Server was unable to process request. ---> [InvalidSession] " in lines[1]
    assert lines[2] == "process BulkLoadContacts PROCESSING_COMPLETED"
    assert "legacy Send to List 3 3" in lines[3:-1]
    assert lines[-1] == "unknown true"
