"""openapi-python-client makes a client of a server's description, and a user's program works with it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent / "openapi"
PROGRAMS = HERE / "environment" / "bin"


@pytest.fixture(scope="module")
def client(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the generated client."""
    folder = tmp_path_factory.mktemp("openapi")
    description = folder / "openapi.json"
    # The generator's own download gives up after five seconds.
    description.write_text(httpx.get(f"{server.base}/api/v1/openapi.json", trust_env=False, timeout=60).text)
    generate: list[str | Path] = ["generate", "--fail-on-warning", "--config", HERE / "config.yml"]
    paths: list[str | Path] = ["--path", description, "--output-path", folder / "client"]
    command = [PROGRAMS / "openapi-python-client", *generate, *paths]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert "warning" not in done.stdout.lower(), done.stdout
    return folder / "client"


def test_the_generated_client_imports_polls_sends_and_exports(server: Any, client: Path) -> None:
    command = [PROGRAMS / "python", HERE / "drive.py", server.base]
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "PYTHONPATH": str(client)}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert saw["account"] == "DEMO"
    assert saw["trial"] == saw["import"] == {"added": 2, "invalid_address": 1}
    assert saw["added"] == ["pat@openapi.test", "sam@openapi.test"]
    assert "nobody" in saw["rejects"]
    assert saw["completed"]
    assert saw["send"] == {"handed": 2}
    assert saw["handed"] == ["pat@openapi.test", "sam@openapi.test"]
    assert saw["found"]
    assert saw["refused"] == [409, 404]
    rows = list(csv.DictReader(saw["export"].splitlines()))
    assert [row["Email"] for row in rows] == ["pat@openapi.test", "sam@openapi.test", "eve@openapi.test"]
