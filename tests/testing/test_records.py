"""What a test server begins with, without the parts that would make it, is what they would make."""

from __future__ import annotations

from tests.testing.recording import recorded

from soapstone.runners import runners
from soapstone.testing.records import RECORDED
from soapstone.testing.server import JOB_KINDS, local_test_server


def test_they_are_recorded() -> None:
    assert RECORDED.read_text(encoding="utf-8") == recorded(), "run .venv/bin/python tests/testing/recording.py"


def test_its_worker_does_what_any_worker_does() -> None:
    with local_test_server() as server:
        assert set(JOB_KINDS) == set(runners(server.product, simulates=True))
