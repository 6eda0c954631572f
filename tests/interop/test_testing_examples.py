"""Connectors in five languages are tested against a test server, each with the test runner of its language.

The commands are those of the manual. Each example also finds the mistake that it is made for: its connector, changed so
that it tries nothing twice, fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
# Folder of examples/testing → what its runner says in the end.
ENDS = {
    "pytest": r"\b4 passed in ",
    "phpunit": r"\nOK \(4 tests, \d+ assertions\)\n",
    "node": r"\n# pass 4\n# fail 0\n",
    "junit": r"\nOK \(4 tests\)\n",
    "nunit": r"\nTests run: 4, Errors: 0, Failures: 0, ",
}
UNAVAILABLE = re.compile(r"(?i)polls.?again.?when.?the.?service.?is.?unavailable")


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The address of a test server."""
    command = [sys.executable, "-m", "soapstone", "serve", "--test", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield next(line.split()[-1] for line in server.stdout if "serves on" in line)
        server.terminate()


def commands(folder: str) -> str:
    """The block of the manual that runs an example."""
    (block,) = re.findall(rf"^```sh\n(cd examples/testing/{folder}\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert ("\nnpm install\n" in block) == (folder == "node")
    return str(block).replace("npm install\n", "")


def run(folder: str, base: str, place: Path, *, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Carry out the commands, but for some of them, in a copy of the example."""
    lines = [line for line in commands(folder).splitlines() if line.partition(" ")[0] not in without]
    environment = {**os.environ, "TEST_SERVER_URL": base, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # These plugins of the tests' own environment only take time.
    environment["PYTEST_ADDOPTS"] = "-p no:schemathesis -p no:hypothesispytest"
    return subprocess.run(
        ["sh", "-euc", "\n".join(lines)],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )


def test_every_example_is_run() -> None:
    assert {path.name for path in (ROOT / "examples" / "testing").iterdir()} == ENDS.keys()


@pytest.mark.parametrize("folder", ENDS)
def test_example(base: str, tmp_path: Path, folder: str) -> None:
    example = tmp_path / "examples" / "testing" / folder
    shutil.copytree(ROOT / "examples" / "testing" / folder, example)
    if folder == "node":
        # In place of `npm install`, at the locked version.
        (example / "node_modules").symlink_to(ROOT / "tests" / "interop" / "node" / "node_modules")
    done = run(folder, base, tmp_path)
    assert done.returncode == 0, done.stdout
    assert re.search(ENDS[folder], done.stdout), done.stdout

    if folder == "pytest":
        # tests/testing/test_plugin.py changes this one.
        return
    (connector,) = [path for path in example.iterdir() if path.stem.lower() == "connector" and path.suffix != ".class"]
    text = connector.read_text(encoding="utf-8")
    changed, number = re.subn(r"(?i)\b(attempts = )3\b", r"\g<1>1", text)
    assert number == 1
    connector.write_text(changed, encoding="utf-8")
    # What was made of the service description is there already.
    done = run(folder, base, tmp_path, without=("wsimport", "wsdl"))
    assert done.returncode != 0, done.stdout
    assert UNAVAILABLE.search(done.stdout), done.stdout
    assert not re.search(ENDS[folder], done.stdout), done.stdout


def test_the_first_steps(tmp_path: Path) -> None:
    """The commands before the first test, and that test: an environment with nothing but what they install."""
    start, install = re.findall(r"^```sh\n(uvx .*?|python3 -m venv .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    programs = tmp_path / "bin"
    programs.mkdir()
    # The same, faster, and at the locked versions.
    pip = '#!/bin/sh\nshift\nexec uv pip install --quiet --python ../first-test/venv/bin/python "$@"\n'
    (programs / "pip").write_text(pip)
    (programs / "pip").chmod(0o755)
    locked = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(re.findall(r"^(\w\S*==.+?) \\\\$", locked, re.MULTILINE)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SOAPSTONE_"))}
    environment |= {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "UV_CONSTRAINT": str(constraints),
    }
    command = start.replace("--from .", f"--from {ROOT}").split()
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--port", "0"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    with server:
        assert server.stdout is not None
        assert any("serves on" in line for line in server.stdout), (tmp_path / "log").read_text(encoding="utf-8")
        server.terminate()

    checkout, folder = tmp_path / "checkout", tmp_path / "first-test"
    checkout.mkdir()
    folder.mkdir()
    # Settings that the new environment has no plugins for.
    shutil.copy(ROOT / "pyproject.toml", checkout)
    (folder / "test_upload.py").write_text(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0])
    steps = install.replace("../first-test/venv/bin/pip", "pip").replace("'.[testing]'", f"'{ROOT}[testing]'")
    done = subprocess.run(
        ["sh", "-euc", steps], cwd=checkout, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "1 passed" in done.stdout
