"""What every test of a command needs."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from functools import cache

import pytest
import typer.testing
from typer.main import get_command


@pytest.fixture(scope="session", autouse=True)
def _command_once() -> Iterator[None]:
    """Make the tree of all commands once, as a process of the command line does: each run of a test made it anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(get_command))
        yield


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
