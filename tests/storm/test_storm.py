"""Many clients change the same people at once: nobody is stored twice, nothing is lost, nobody waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.storm.storm import blow, wrong

from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Any]:
    """A demo server on either database."""
    from tests.conftest import Served

    running = Served(tmp_path / "data", database_url=database_url)
    yield running
    running.stop()


@pytest.mark.long
def test_a_storm_leaves_what_its_events_tell(server: Any, database_url: str) -> None:
    database = Database(database_url)
    product = Product.open(Settings(data_dir=server.data), database)
    demo = product.accounts.named("DEMO")
    assert demo is not None
    made = product.lists.create(demo.id, "Storm")
    header = product.profiles.add_header(demo.id, made.id, "Head")
    attribute = product.profiles.add_attribute(demo.id, made.id, header, "Colour")
    storm = blow(server.base, made.id, attribute, clients=50, addresses=100, seconds=4, seed=1)
    assert storm.troubles == []
    assert storm.outcomes.total() > 20
    assert {"SuccessContactSubscribed", "SuccessContactUnSubscribed"} <= storm.outcomes.keys()
    assert wrong(product, made.id) == []
    database.close()
