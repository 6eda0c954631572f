"""What does not serve the contracts does not load them, and the description is made once."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from soapstone.wire import endpoint, wsdl
from soapstone.wire.contract import Contract

if TYPE_CHECKING:
    from tests.contracts.conftest import Driver

LOADED = "import sys, {}; print([m for m in sys.modules if m.startswith(('soapstone.wire', 'soapstone.magnetmail', "
LOADED += "'soapstone.listrak'))])"


@pytest.mark.parametrize("modules", ["soapstone.cli", "soapstone.cli, soapstone.runners"])
def test_the_command_line_and_the_worker_load_no_contract(modules: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED.format(modules)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_description_is_made_at_the_first_request_and_kept(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    describe = wsdl.service_description

    def counted(contract: Contract, url: str) -> str:
        made.append(url)
        return describe(contract, url)

    monkeypatch.setattr(endpoint, "service_description", counted)
    first, second = driver.get("WSDL"), driver.get("wsdl")
    assert first.content == second.content
    assert len(made) == 1
