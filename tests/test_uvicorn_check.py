"""The rehearsal at the start: a uvicorn that works otherwise inside is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from soapstone.errors import SoapstoneError
from soapstone.uvicorn_check import check_uvicorn

# What another uvicorn could lack or do otherwise → how it is brought about.
OTHERWISE = {
    "no callback for the end of a head": "HttpToolsProtocol.on_headers_complete = None",
    "another name for the request under way": (
        "HttpToolsProtocol.cycle = property(lambda self: self._turn, lambda self, cycle: setattr(self, '_turn', None))"
    ),
    "another way with offers of another protocol": "HttpToolsProtocol._should_upgrade = lambda self: True",
    "no flow control": "FlowControl.pause_reading = lambda self: None",
    "no end of an answer": "HttpToolsProtocol.on_response_complete = lambda self: None",
}
IMPORTS = """
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
"""


def test_the_uvicorn_of_this_release() -> None:
    check_uvicorn()


@pytest.mark.parametrize("what", OTHERWISE)
def test_a_uvicorn_that_works_otherwise(tmp_path: Path, what: str) -> None:
    """The server does not start, and says why in a sentence."""
    start = f"from soapstone.cli import app; app(['web', '--port', '0', '--data', {str(tmp_path / 'data')!r}])"
    command = [sys.executable, "-c", f"{IMPORTS}{OTHERWISE[what]}\n{start}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "does not know how uvicorn" in result.stderr
    assert "Install the version of uvicorn" in result.stderr


def test_every_bound_is_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soapstone.connection.Connection.check", lambda self: None)
    with pytest.raises(SoapstoneError, match="a slow head"):
        check_uvicorn()
