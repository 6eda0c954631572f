"""The commands that a started server offers to paste do what they promise."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parent.parent.parent
# What the last lines of each example say.
ENDS = {
    "poll_upload.sh": r"status 2: 3 rows, 2 good, \d new, \d changed\n\Z",
    "poll_legacy.sh": r"Send to List: step 3 of 3\n\Z",
    "magnetmail_zeep.py": r"'good_records': 2\.0,(.|\n)*'status': 2\.0,\n +'total_records': 2\.0,",
    "listrak_zeep.py": r"'Status': 'ProcessingCompleted'\n(.|\n)*'ProcessType': 'Send to List',\n"
    r" +'CurrentStep': 3,\n +'MaxStep': 3,",
}


def run(*command: str) -> str:
    """The output of a command, which ends well and has nothing to complain about."""
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_printed_commands_run(server: Any) -> None:
    """Each of them twice: a server is not only tried once."""
    offered = re.findall(r"^  ((?:sh|\S*python\S*) .*)$", server.banner(), re.MULTILINE)
    scripts = [Path(shlex.split(command)[1]) for command in offered]
    assert {path.name for path in scripts} == set(ENDS) == {path.name for path in (ROOT / "examples").glob("*.*")}
    for command, path in [*zip(offered, scripts, strict=True)] * 2:
        output = run("sh", "-c", command)
        assert re.search(ENDS[path.name], output), f"{command}\n{output}"


@pytest.mark.parametrize("script", ["poll_upload.sh", "poll_legacy.sh"])
def test_a_wrong_password(server: Any, login: str, script: str) -> None:
    """An example says so and fails."""
    command = ["sh", f"examples/{script}", server.base, login, "wrong"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1
    assert "was refused" in done.stderr
    assert done.stdout == ""
