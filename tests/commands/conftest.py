"""What every test of a command needs."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Commands that serve send the logs to the standard error of their time, which the next test no longer has."""
    root, own = logging.getLogger(), logging.getLogger("soapstone")
    handlers, levels = list(root.handlers), (root.level, own.level)
    hooks = sys.excepthook, threading.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
