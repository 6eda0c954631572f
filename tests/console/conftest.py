"""A console with two accounts, looked at through a browser without a window."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from soapstone.accounts.account import Account, Login
from soapstone.console.app import console
from soapstone.console.recent_calls import RecentCalls
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.job import Job
from soapstone.jobs.worker import Worker
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.sending.messages.message import Draft
from soapstone.settings import Settings
from soapstone.store.database import Database

HOST = "http://console.example"


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The console is the same on both databases; one is enough to see its pages."""
    path = tmp_path / "soapstone.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def product(database: Database, tmp_path: Path) -> Product:
    settings = Settings(data_dir=tmp_path / "data", lock_failures=3)
    settings.mail.mkdir(parents=True)
    return Product.open(settings, database)


@pytest.fixture
def calls() -> RecentCalls:
    """The last calls, as the console knows them."""
    return RecentCalls()


@pytest.fixture
def app(product: Product, calls: RecentCalls) -> ASGIApp:
    return console(product, calls, demo=False)


class Browser:
    """Posts with an Origin, keeps cookies, follows no redirect."""

    def __init__(self, app: ASGIApp, host: str = HOST) -> None:
        self._app = app
        self.host = host
        self.cookies = httpx.Cookies()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._ask("GET", path, headers=headers)

    def post(self, path: str, *, headers: Mapping[str, str] | None = None, **form: str) -> httpx.Response:
        return self._ask("POST", path, headers={"origin": self.host} if headers is None else headers, data=form)

    def log_in(self, name: str, password: str = "secret") -> Browser:
        answer = self.post("/login", name=name, password=password)
        assert answer.status_code == 303, answer.text
        return self

    def read(self, path: str) -> str:
        """The text of a page that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.headers.get("location"))
        return answer.text

    def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url=self.host, cookies=self.cookies) as client:
                answer = await client.request(method, path, **arguments)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())


@pytest.fixture
def browser(app: ASGIApp) -> Browser:
    return Browser(app)


@pytest.fixture
def visitor(app: ASGIApp) -> Callable[[str], Browser]:
    """A browser of somebody who is logged in."""
    return lambda name: Browser(app).log_in(name)


@dataclass
class Customer:
    """An account with a login, a list, one import with two rejected rows and one send."""

    account: Account
    login: Login
    contact_list: ContactList
    imported: Job
    sent: Job


HOSTILE = "<script>alert('x')</script>"


def customer(product: Product, name: str, login: str, *, address: str = "ada@example.com") -> Customer:
    """Make a customer whose texts are as hostile as texts can be; the jobs are queued."""
    account = product.accounts.create(name, time_zone="Europe/Berlin")
    worker = product.accounts.add_login(account, login, "secret")
    contact_list = product.lists.create(
        account.id, f"{name} {HOSTILE}", settings={"from_name": "News", "from_address": "news@example.com"}
    )
    header = product.profiles.add_header(account.id, contact_list.id, "Preferences")
    product.profiles.add_attribute(account.id, contact_list.id, header, f"Colour {HOSTILE}")
    upload = product.blobs.new()
    rows = (
        f'Email,First_Name\n{address},Ada\nnot an address,"{HOSTILE}, =1+1"\n{address},Ada again\nbob@example.com,Bob\n'
    )
    upload.write(rows.encode())
    upload.close()
    columns = (Column(index=0, target="email"), Column(index=1, target="first_name"))
    imported = product.imports.submit(
        account=account,
        login=worker,
        contact_list=contact_list,
        upload=upload,
        spec=ImportSpec(columns=columns, header=True),
        label=f"{name}.csv {HOSTILE}",
    )
    draft = Draft(
        subject=f"For {{{{ First_Name }}}} of {name} {HOSTILE}",
        html=f"<p style='color: teal'>Dear {{{{ First_Name }}}}</p>{HOSTILE}<img src='http://example.com/seen'>",
        plain=f"Dear {{{{ First_Name }}}} {HOSTILE}",
    )
    sent = product.sends.to_list(account=account, login=worker, contact_list=contact_list, message=draft).job
    return Customer(account, worker, contact_list, imported, sent)


@pytest.fixture
def work(product: Product) -> Callable[[], None]:
    """Runs all jobs to their end."""

    def run() -> None:
        worker = Worker(product.database, product.blobs, runners(product), idle=0.05)
        worker.run(until=lambda: all(job.over for job in product.jobs.find()))

    return run


@pytest.fixture
def acme(product: Product) -> Customer:
    return customer(product, "ACME", "ann")


@pytest.fixture
def other(product: Product) -> Customer:
    return customer(product, "OTHER", "olaf", address="secret@example.net")
