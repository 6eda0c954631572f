"""`python -m soapstone`, and the command `soapstone`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line."""
    # Loading creates no garbage: collecting it would take a tenth of the time.
    gc.disable()
    if sys.argv[1:2] == ["serve"] and "--test" in sys.argv:
        from soapstone.testing.command import run

        # A test server starts without the other commands, which are slow to load.
        run(sys.argv[2:])
    from soapstone.cli import main as run_command

    gc.freeze()
    gc.enable()
    run_command()


if __name__ == "__main__":
    main()
