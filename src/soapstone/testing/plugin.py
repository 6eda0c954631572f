"""The pytest plugin: a test server for the session, reset for each test that uses it.

Every pytest run of an environment with Soapstone loads this module, so it imports the server in its fixtures only.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from soapstone.testing.client import Soapstone

# Seconds until a server process must serve, and until it must have ended.
PATIENCE = 60.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, each with an ini option of the same name."""
    group = parser.getgroup("soapstone", "Soapstone test server")
    process = "run the test server as a process of its own, not inside this one"
    seed = "YAML file of records that the test server begins with, beside the demo account"
    group.addoption("--soapstone-process", action="store_true", default=None, help=process)
    group.addoption("--soapstone-seed", metavar="FILE", help=seed)
    parser.addini("soapstone_process", process, type="bool", default=False)
    parser.addini("soapstone_seed", f"{seed}; relative to the root folder", default="")


@pytest.fixture(scope="session")
def soapstone_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soapstone]:
    """Yield a Soapstone test server for the whole session, on a free port of this machine."""
    seed = _seed(pytestconfig)
    as_process = pytestconfig.getoption("soapstone_process") or pytestconfig.getini("soapstone_process")
    with _process(seed, tmp_path_factory.mktemp("soapstone")) if as_process else _local(seed) as url:
        from soapstone.testing.client import Soapstone

        yield Soapstone(url)


@pytest.fixture
def soapstone(soapstone_server: Soapstone) -> Soapstone:
    """Return the Soapstone test server, as it is at its start."""
    soapstone_server.reset()
    return soapstone_server


def _seed(config: pytest.Config) -> Path | None:
    """Return the path of the seed, if there is one."""
    if given := config.getoption("soapstone_seed"):
        return config.invocation_params.dir / str(given)
    named: str = config.getini("soapstone_seed")
    return config.rootpath / named if named else None


@contextmanager
def _local(seed: Path | None) -> Iterator[str]:
    """Serve inside this process; the value is the server's URL."""
    from soapstone.testing.server import local_test_server

    with local_test_server(seed) as server:
        yield server.base


@contextmanager
def _process(seed: Path | None, folder: Path) -> Iterator[str]:
    """Serve by a process of its own, with its log in `folder`; the value is the server's URL.

    It also ends when this process is killed, because that closes its standard input.
    """
    command = [sys.executable, "-m", "soapstone", "serve", "--test", "--port", "0", "--until-input-ends"]
    if seed is not None:
        command += ["--seed", str(seed)]
    out, log = folder / "out", folder / "log"
    with out.open("wb") as output, log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors)  # noqa: S603
    with process:
        try:
            end = time.monotonic() + PATIENCE
            while not (url := _served(out.read_text())):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"The test server does not start.\n{out.read_text()}{log.read_text()}")
                time.sleep(0.02)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


def _served(banner: str) -> str:
    """Return the URL that the server prints when it is ready, or an empty text."""
    return next((line.split()[-1] for line in banner.splitlines() if "serves on" in line), "")
