"""The test server: what it serves, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from soapstone.testing.server import TestServer, local_test_server


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with local_test_server() as running:
        yield running


def test_a_reset_goes_back_to_the_seed(server: TestServer) -> None:
    before = server.product.jobs.find(limit=100)
    account = server.product.accounts.named("DEMO")
    assert account is not None
    server.product.lists.create(account.id, "Another")
    answer = httpx.post(f"{server.base}/_test/reset")
    assert answer.status_code == 204
    assert [each.name for each in server.product.lists.all(account.id)] == ["Newsletter"]
    assert server.product.jobs.find(limit=100) == before


def test_two_servers_do_not_meet(server: TestServer) -> None:
    with local_test_server() as other:
        assert other.base != server.base
        folder = other.product.settings.data_dir
        assert folder != server.product.settings.data_dir
    assert not Path(folder).exists()
