"""Mono: `wsdl` builds client proxies of both contracts, and they compile."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.interop

PATHS = {"MagnetMail": ("/mmapi.asmx", 55), "Listrak": ("/v31/IntegrationService.asmx", 97)}


def run(*command: str, folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("protocol", ["SOAP", "SOAP12"])
def test_a_proxy_of_every_operation_is_built(server: Any, tmp_path: Path, name: str, protocol: str) -> None:
    path, operations = PATHS[name]
    run("wsdl", "-nologo", f"-protocol:{protocol}", f"-out:{name}.cs", f"{server.base}{path}?WSDL", folder=tmp_path)
    run("mcs", "-nologo", "-t:library", "-r:System.Web.Services", f"{name}.cs", folder=tmp_path)
    text = (tmp_path / f"{name}.cs").read_text()
    assert len(re.findall(r"SoapDocumentMethodAttribute\(", text)) == operations
    classes = set(re.findall(r"public partial class (\w+)", text))
    if name == "MagnetMail":
        # mm-3: four types, not two.
        assert {"Error", "error", "SaveResult", "saveResult"} <= classes
