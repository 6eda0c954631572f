"""What a new database and a test server begin with, without the parts that would make it, is what they would make."""

from __future__ import annotations

from tests.testing.recording import NEW, new, recorded

from soapstone.runners import runners
from soapstone.testing.records import RECORDED
from soapstone.testing.server import JOB_KINDS, local_test_server

AGAIN = "run .venv/bin/python tests/testing/recording.py"


def test_they_are_recorded() -> None:
    made = new()
    assert NEW.read_text(encoding="utf-8") == made, AGAIN
    assert RECORDED.read_text(encoding="utf-8") == recorded(made), AGAIN


def test_its_worker_does_what_any_worker_does() -> None:
    with local_test_server() as server:
        assert set(JOB_KINDS) == set(runners(server.product, simulates=True))
