"""The REST API in one process on either database, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from soapstone.accounts.account import Account, Login
from soapstone.api.app import rest as rest_app
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.settings import Settings
from soapstone.store.database import Database

Client = Callable[..., httpx.Client]


class Within(httpx.BaseTransport):
    """Asks an app of this process. Faults of the app are answers, as they are for a client of a server."""

    def __init__(self, app: Any, peer: str = "127.0.0.1") -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 4711))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            content = request.read()
            asked = httpx.Request(request.method, request.url, headers=request.headers, content=content)
            answer = await self._transport.handle_async_request(asked)
            headers, body = answer.headers, await answer.aread()
            return httpx.Response(answer.status_code, headers=headers, stream=httpx.ByteStream(body))

        return asyncio.run(ask())


@pytest.fixture
def product(database: Database, tmp_path: Any) -> Product:
    return Product.open(Settings(data_dir=tmp_path / "data"), database)


@pytest.fixture
def login(product: Product, account: Account) -> Login:
    """A login of the account that sees all lists and reports."""
    return product.accounts.add_login(account, "ann", "long secret", may_see_analytics=True)


@pytest.fixture
def app(product: Product) -> Any:
    return rest_app(product)


@pytest.fixture
def client(app: Any, login: Login) -> Iterator[Client]:
    """Makes clients: `client()` for the login, or for others, or from elsewhere."""
    made = []

    def make(auth: Any = ("ann", "long secret"), peer: str = "127.0.0.1") -> httpx.Client:
        made.append(httpx.Client(transport=Within(app, peer), base_url="http://127.0.0.1/api/v1", auth=auth))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def api(client: Client) -> httpx.Client:
    return client()


@pytest.fixture
def run_jobs(product: Product) -> Callable[[], None]:
    """Does all work that is there."""

    def run() -> None:
        jobs = product.jobs
        worker = Worker(product.database, product.blobs, runners(product))
        worker.run(until=lambda: all(job.over for job in jobs.find(limit=10_000)))

    return run
