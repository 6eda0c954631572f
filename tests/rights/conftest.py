"""Two furnished accounts on either database, put back after each test that writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from tests.contracts.calls import Ground
from tests.rights.records import Records

from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def furnished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The ground of all tests here, made once for each database."""
    folder = tmp_path_factory.mktemp("rights")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "soapstone.sqlite")
        fresh = nullcontext(f"sqlite:///{folder}/soapstone.sqlite")
    else:
        fresh = request.getfixturevalue("postgresql_databases").fresh()
    (folder / "mail").mkdir()
    with fresh as url:
        database = Database(url)
        yield Ground(Product.open(Settings(data_dir=folder, public_url="http://lists.example.com"), database))
        database.close()


@pytest.fixture(scope="session")
def kept(furnished: Ground) -> Records:
    return Records(furnished.product.database)


@pytest.fixture
def records(kept: Records) -> Iterator[Records]:
    """What is written during the test, and put back at its end."""
    kept.written()
    yield kept
    kept.restore()


@pytest.fixture
def ground(furnished: Ground, monkeypatch: pytest.MonkeyPatch) -> Ground:
    # No worker hands mails over here, so the answer need not wait for it.
    monkeypatch.setattr("soapstone.magnetmail.sends.PATIENCE_SECONDS", 0.0)
    return furnished
