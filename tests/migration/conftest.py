"""Two servers of ours: `there` is served and has records of both contracts, `here` is empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import locally_served, wait_for_jobs
from tests.migration.sites import Site, fill_listrak, fill_magnetmail, new_site

from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database


@pytest.fixture(scope="session")
def listrak_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an account of Listrak's contract; servers get copies of it."""
    data = tmp_path_factory.mktemp("listrak") / "data"
    with locally_served(data, demo=False) as server:
        fill_listrak(new_site(server.product, "ACME"))
        wait_for_jobs(server.product.jobs)
    return data


@pytest.fixture
def listrak_there(listrak_records: Path, tmp_path: Path) -> Iterator[Site]:
    """That account, served."""
    with locally_served(tmp_path / "there", listrak_records, demo=False) as server:
        yield Site.of(server.product, "ACME", server.base)


@pytest.fixture(scope="session")
def magnetmail_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an account of MagnetMail's contract."""
    data = tmp_path_factory.mktemp("magnetmail") / "data"
    with locally_served(data, demo=False) as server:
        fill_magnetmail(new_site(server.product, "ACME"))
        wait_for_jobs(server.product.jobs)
    return data


@pytest.fixture
def magnetmail_there(magnetmail_records: Path, tmp_path: Path) -> Iterator[Site]:
    """That account, served."""
    with locally_served(tmp_path / "there", magnetmail_records, demo=False) as server:
        yield Site.of(server.product, "ACME", server.base)


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Site:
    """An empty account, on either database."""
    data = tmp_path / "here"
    data.mkdir(exist_ok=True)
    return new_site(Product.open(Settings(data_dir=data), database), "ACME")
