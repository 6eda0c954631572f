"""`soapstone serve --test`: a test server until a signal ends it."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from soapstone.commands.common import settings_of, stop
from soapstone.logs import configure_logs
from soapstone.sending.smtp_address import is_this_machine
from soapstone.server import PortTaken
from soapstone.testing.errors import UnusableSeed
from soapstone.testing.server import local_test_server

if TYPE_CHECKING:
    from soapstone.testing.seed import Seed

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - asked for by a flag


def serve_test(host: str, port: int, seed: Path | None, *, any_address: bool) -> None:
    """Serve until SIGTERM or SIGINT; nothing is left then."""
    settings = settings_of()
    configure_logs(settings.log_format, settings.log_level)
    if any_address:
        host = ANY_ADDRESS if is_this_machine(host) else host
    elif not is_this_machine(host):
        stop("--test has well-known passwords: it is for a loopback address, or for all with --test-on-any-address.")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        with local_test_server(_read(seed) if seed else None, host=host, port=port) as server:
            print(f"Soapstone's test server serves on {server.base}\n\nCtrl-C ends it.", flush=True)
            threading.Event().wait()
    except (PortTaken, UnusableSeed) as trouble:
        stop(str(trouble))


def _read(path: Path) -> Seed:
    # Whoever has no seed need not wait for its parts.
    from soapstone.testing.seed_document import read_seed

    return read_seed(path)


def _end(*_: object) -> None:
    # Another signal must not break off the end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit()
