"""`soapstone migrate …` as an owner runs it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import locally_served, wait_for_jobs
from tests.migration.sites import LISTS, PASSWORD, SUBSCRIBERS, Site, fill_listrak, fill_magnetmail, new_site
from typer.testing import CliRunner, Result

from soapstone.cli import app

URLS = {"listrak": "/v31/IntegrationService.asmx", "magnetmail": "/mmapi.asmx"}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served account with records of both contracts."""
    with locally_served(tmp_path_factory.mktemp("there") / "data", demo=False) as server:
        site = new_site(server.product, "THERE")
        fill_listrak(site)
        fill_magnetmail(site)
        wait_for_jobs(server.product.jobs)
        yield Site.of(server.product, "THERE", server.base)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with an empty account, and the password beside it."""
    (tmp_path / "password.txt").write_text(PASSWORD)
    assert run(tmp_path, "db", "upgrade").exit_code == 0
    assert run(tmp_path, "account", "create", "HERE", "--login", "here").exit_code == 0
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    """Run a command with that data folder and that password."""
    password = ["--password-file", str(folder / "password.txt")] if words[0] in ("account", "migrate") else []
    return CliRunner().invoke(app, [*words, *password, "--data", str(folder / "data")])


def migrate(folder: Path, contract: str, there: Site, *options: str, url: str = "") -> Result:
    """Migrate from that site."""
    address = url or f"{there.base}{URLS[contract]}"
    return run(folder, "migrate", contract, address, "--login", "there", "--rate", "0", *options)


@pytest.mark.parametrize("contract", URLS)
def test_counts_moves_and_reports(there: Site, folder: Path, contract: str) -> None:
    counted = migrate(folder, contract, there, "--dry-run")
    assert counted.exit_code == 0, counted.output
    kind = "lists" if contract == "listrak" else "groups"
    assert f"{kind}: {len(LISTS) + 3}" in counted.output
    assert "Nothing was stored." in counted.output
    assert run(folder, "list", "list", "--json").output.strip() == "[]"
    moved = migrate(folder, contract, there, "--map", str(folder / "map.csv"))
    assert moved.exit_code == 0, moved.output
    assert f"list: new: {len(LISTS) + 3}" in moved.output
    assert re.search(r"[0-9]+ calls, 0 of them repeated", moved.output)
    assert "list,4711,4711" in (folder / "map.csv").read_text()
    if contract == "listrak":
        # Those without values have the same profile from the beginning.
        profiles = re.findall(r"profile: (?:changed|same): ([0-9]+)", moved.output)
        assert sum(map(int, profiles)) == len(LISTS) * SUBSCRIBERS
    assert PASSWORD not in moved.output
    journal = next((folder / "data" / "migrations").glob("*.sqlite"))
    assert journal.stat().st_mode & 0o077 == 0
    assert PASSWORD.encode() not in journal.read_bytes()


@pytest.mark.parametrize("contract", URLS)
def test_reports_are_json_for_programs(there: Site, folder: Path, contract: str) -> None:
    counted = json.loads(migrate(folder, contract, there, "--dry-run", "--json").stdout)
    assert counted["counts"]["lists" if contract == "listrak" else "groups"] == len(LISTS) + 3
    assert counted["calls"] > 0
    moved = migrate(folder, contract, there, "--json")
    report = json.loads(moved.stdout)
    assert report["counts"]["list: new"] == len(LISTS) + 3
    assert (report["calls"] > counted["calls"], report["repeated"]) == (True, 0)
    assert all(isinstance(each, str) for each in report["remarks"])
    # Its steps are told beside it.
    assert moved.stderr


def test_faults_end_it_with_a_sentence(there: Site, folder: Path) -> None:
    (folder / "password.txt").write_text("wrong")
    for contract in URLS:
        refused = migrate(folder, contract, there)
        assert refused.exit_code == 1
        assert "refuses" in refused.output
    assert "The URL must begin with https" in migrate(folder, "listrak", there, url="http://api.example/x").output
    assert "Is the URL that of its .asmx page?" in migrate(folder, "listrak", there, url=f"{there.base}/no").output
    assert "are no hours" in migrate(folder, "listrak", there, "--hours", "25-26").output
