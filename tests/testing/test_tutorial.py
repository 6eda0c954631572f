"""The page about testing a client: its tests pass, its commands work, its seed is one."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
import zeep

from soapstone.testing import client, control, seed_document, server
from soapstone.testing.faults import FaultKind

# Runs of pytest inside this process forget what they import, and would import it anew each time.
LOADED = (zeep, client, control, seed_document)

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parent.parent.parent / "docs" / "testing.md").read_text(encoding="utf-8")
BASE = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_tests_pass(pytester: pytest.Pytester) -> None:
    for number, block in enumerate(blocks("python")):
        (pytester.path / f"test_{number}.py").write_text(block)
    options = ("-W", "error", "-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=9)


def test_its_calls_of_the_control_api_work() -> None:
    (block,) = [block for block in blocks("sh") if block.startswith("curl")]
    (seed,) = blocks("yaml")
    with server.local_test_server() as running:
        command = block.replace(BASE, running.base).replace("curl -sS", r"curl -sS -f -w '\n%{http_code}\n'")
        done = subprocess.run(["sh", "-euc", command], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        bodies = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert re.findall(r"^\d+$", done.stdout, re.MULTILINE) == ["204", "201", "201", "200", "200", "200"]
        transition, fault, _, calls, mails = bodies
        assert (transition["start"], transition["end"]) == ({"after_polls": 1}, {"after_polls": 2})
        assert (fault["operation"], fault["times"]) == ("getUploadJobStatus", 2)
        assert calls["calls"] == []
        assert mails["mails"] == []
        headers = {"Content-Type": "application/yaml"}
        made = httpx.post(f"{running.base}/_test/seed", content=seed, headers=headers, timeout=30)
        assert made.status_code == 200, made.text
        lists = httpx.get(f"{running.base}/api/v1/lists", auth=("shop", "secret"), timeout=30).json()["items"]
        assert [(each["id"], each["name"]) for each in lists] == [(4711, "Customers")]


def test_it_names_all_that_the_fixture_offers() -> None:
    named = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", PAGE.partition("It offers:")[2].partition("By default")[0]))
    offered = {name for name in dir(client.Soapstone) if not name.startswith("_")} | {"url"}
    assert offered <= named


def test_it_names_the_kinds_of_faults() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", PAGE.partition("| kind |")[2], re.MULTILINE)
    assert [kind for row in rows for kind in re.findall(r"`(\w+)`", row)] == [kind.value for kind in FaultKind]
