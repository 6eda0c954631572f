"""`python -m soapstone`, and the command `soapstone`."""

from __future__ import annotations

import os
import signal
import sys


def take_bounce() -> None:
    """Run `soapstone bounce`, and end with 0 or 75 whatever happens: mail servers drop a bounce for any other code.

    Also if a module is missing or damaged, the arguments are wrong, or a signal ends the process.
    """
    # EX_TEMPFAIL of sysexits.h, after which every mail server tries again.
    code = try_again = 75
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXCPU, signal.SIGALRM):
            signal.signal(number, lambda *_: os._exit(try_again))
        os.umask(0o077)
        from soapstone.cli import app

        # Without the standard mode each kind of failure is an exception, or a code that is not 0.
        code = try_again if app(sys.argv[1:], standalone_mode=False) else 0
    except BaseException as error:
        if not isinstance(error, SystemExit):
            import traceback

            traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            # Nothing that runs at the end of an interpreter can change the code.
            os._exit(code)


def main() -> None:
    """Run the command line; Ctrl-C while its modules load ends it with 130 and no traceback."""
    if sys.argv[1:2] == ["bounce"]:
        take_bounce()
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _run() -> None:
    if sys.argv[1:2] == ["serve"] and "--test" in sys.argv:
        from soapstone.testing.command import run

        # A test server starts without the other commands, which are slow to load.
        run(sys.argv[2:])
    if sys.argv[1:2] == ["serve"]:
        from soapstone import early_worker

        early_worker.begin(sys.argv[2:])
        try:
            _run_command()
        finally:
            early_worker.end_unused()
        return
    if sys.argv[1:2] != ["await-arguments"] or _loaded_early():
        _run_command()


def _run_command() -> None:
    from soapstone.heap import loading

    with loading():
        from soapstone.cli import main as run_command
    run_command()


def _loaded_early() -> bool:
    """Load what a worker needs, and take its arguments. False if the server that began it is gone."""
    # Ctrl-C reaches all processes of a terminal: the server decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from soapstone.early_worker import await_arguments
    from soapstone.heap import loading

    with loading():
        import soapstone.commands.servers
        import soapstone.runners  # noqa: F401

    return await_arguments()


if __name__ == "__main__":
    main()
