"""`soapstone serve --test`: a test server until a signal ends it."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - asked for by a flag
# A closed terminal sends SIGHUP.
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(arguments: list[str]) -> None:
    """Run `soapstone serve` with these arguments, one of which is `--test`; return when they ask for something else.

    The full command line accepts the same arguments, but loads more slowly than the test server.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--test-on-any-address", action="store_true")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--seed", type=Path)
    # For the pytest plugin: the server ends when its standard input is closed.
    parser.add_argument("--until-input-ends", action="store_true")
    try:
        given, others = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        return
    if not others and 0 <= given.port <= 65535:
        os.umask(0o077)
        if given.until_input_ends:
            threading.Thread(target=_end_with_input, daemon=True).start()
        serve_test(given.host, given.port, given.seed, any_address=given.test_on_any_address)
        sys.exit()


def serve_test(host: str, port: int, seed: Path | None, *, any_address: bool) -> None:
    """Serve until SIGTERM or SIGINT, then remove all records."""
    # `nohup` ignores SIGHUP.
    ending = [each for each in _ENDING if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    # There is nothing to remove yet. The first process of a container gets no signal that it does not handle.
    for number in ending:
        signal.signal(number, lambda *_: os._exit(0))
    # Loading creates no garbage: collecting it would take a tenth of the time.
    gc.disable()
    from soapstone.listening import PortTaken
    from soapstone.logs import configure_logs
    from soapstone.loopback import is_loopback
    from soapstone.settings import UnusableSetting, read_settings
    from soapstone.testing.errors import UnusableSeed
    from soapstone.testing.server import local_test_server

    for number in ending:
        signal.signal(number, _end)
    try:
        settings = read_settings()
        configure_logs(settings.log_format, settings.log_level)
        if any_address:
            host = ANY_ADDRESS if is_loopback(host) else host
        elif not is_loopback(host):
            _stop("--test has known passwords: it is for a loopback address, or for all with --test-on-any-address.")
        with local_test_server(seed, host=host, port=port) as server:
            # Nor need it be scanned again.
            gc.freeze()
            gc.enable()
            print(f"Soapstone's test server serves on {server.base}\n\nCtrl-C ends it.", flush=True)
            threading.Event().wait()
    except (PortTaken, UnusableSeed, UnusableSetting) as trouble:
        _stop(str(trouble))


def _stop(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(1)


def _end_with_input() -> None:
    # Not by sys.stdin: a thread that holds its lock would abort the interpreter's exit.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end(*_: object) -> None:
    # Another signal must not interrupt the shutdown.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit()
