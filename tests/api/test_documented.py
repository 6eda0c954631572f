"""The examples of the page about the REST API work as they stand, and a started server says where it is."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from soapstone.banner import announce
from soapstone.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "rest.md"
BASE = "http://127.0.0.1:8080"


def commands() -> list[str]:
    """The lines of all shell examples, those that go on in the next one as one."""
    found = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "".join(found).replace("\\\n", " ").splitlines()


@pytest.mark.interop
def test_examples_with_curl(served: Any, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("Email,City\nann@example.com,Rome\nbob@example.com,Bern\n")
    environment = {**os.environ, "SOAPSTONE_DATA_DIR": str(served.data)}
    python = shlex.quote(sys.executable)
    token, answers = "", []
    for line in commands():
        line = line.replace("soapstone_…", token).replace(BASE, served.base)
        line = re.sub("^soapstone ", f"{python} -m soapstone ", line)
        line = re.sub("^curl ", "curl --silent --show-error --fail --max-time 60 ", line)
        done = subprocess.run(
            ["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), (line, done.stderr)
        if "token create" in line:
            found = re.search(r"soapstone_\S+", done.stdout)
            assert found is not None
            token = found[0]
        else:
            answers.append(done.stdout)
        if "/imports?" in line:
            served.settle()
    account, made, job, events, outcomes, people, export, message, sends = answers
    assert json.loads(account)["name"] == "DEMO"
    assert json.loads(made)["name"] == "Readers"
    assert json.loads(job)["kind"] == "import"
    assert '"state": "completed"' in events
    assert json.loads(outcomes)["items"][0]["line"] > 0
    assert {"ann@example.com", "bob@example.com"} <= {each["email"] for each in json.loads(people)["items"]}
    assert export.startswith("contact_id,number,Email,")
    assert ",Bern," in export
    assert json.loads(message)["subject"] == "News for {{ First_Name }}"
    assert json.loads(sends)["sends"][0]["source_id"] == json.loads(message)["id"]


def test_the_banner_names_the_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    announce("http://127.0.0.1:8123", Settings(data_dir=tmp_path), demo=True)
    told = capsys.readouterr().out
    assert "REST API     http://127.0.0.1:8123/api/v1 " in told
    assert "/api/v1/openapi.json" in told


def test_the_first_page_names_the_address() -> None:
    first = (PAGE.parent / "index.md").read_text(encoding="utf-8")
    assert "`/api/v1`" in first
    assert "(rest.md)" in first
