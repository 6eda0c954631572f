"""The first worker of `soapstone serve`: it loads its modules beside the server, and gets its arguments afterwards.

Each takes half of a second to load, and which settings the worker has is known when the server has loaded its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

# What such a process has in place of a command.
COMMAND = "await-arguments"
# Beginnings of options with which `serve` has no worker of its own, or does not serve.
_WITHOUT = ("--test", "--seed", "--shadow", "--help", "-h")

_waiting: list[subprocess.Popen[bytes]] = []


def begin(options: Sequence[str]) -> None:
    """Start such a process if `serve` with these options has a worker."""
    if not any(option.startswith(_WITHOUT) for option in options):
        # The command is our own interpreter.
        command = [sys.executable, "-m", "soapstone", COMMAND]
        # Without one, a worker starts later, as all others do.
        with suppress(OSError):
            _waiting.append(subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0))  # noqa: S603


def take(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """Let the process that waits run `soapstone` with these arguments and changes of the environment; None without one.

    Its standard input goes on behind them.
    """
    if not _waiting:
        return None
    process = _waiting.pop()
    told = json.dumps({"arguments": [*arguments], "environment": {**environment}})
    # It may have ended: the supervisor then starts another one.
    with suppress(OSError):
        if process.stdin is not None:
            process.stdin.write(f"{told}\n".encode())
    return process


def end_unused() -> None:
    """End the process that waits, if the supervisor has not taken it."""
    while _waiting:
        process = _waiting.pop()
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def await_arguments() -> bool:
    """Take arguments and environment from standard input. False if its writer is gone."""
    line = b""
    # Without Python's buffer: what follows is for the command.
    while not line.endswith(b"\n"):
        if not (byte := os.read(sys.stdin.fileno(), 1)):
            return False
        line += byte
    told = json.loads(line)
    sys.argv[1:] = told["arguments"]
    os.environ.update(told["environment"])
    return True
