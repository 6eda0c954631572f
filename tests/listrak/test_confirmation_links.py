"""Where the links of confirmation mails lead: never to a host that only the request names (lk-53)."""

from __future__ import annotations

import asyncio
import logging
import re
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest

from soapstone.accounts.account import Account
from soapstone.jobs.worker import Worker
from soapstone.listrak.operations import CONTRACT
from soapstone.lists.lists import ContactList
from soapstone.product import Product
from soapstone.runners import runners
from soapstone.server import Application
from soapstone.settings import Settings
from soapstone.store.database import Database

EMAIL = "ann@example.com"
NOT_KNOWN = "does not know the URL at which people reach it"


class Site:
    """A server with a list that asks newcomers, called at a host of the caller's choice."""

    def __init__(self, database: Database, account: Account, folder: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder, **settings)
        self.settings.mail.mkdir(parents=True)
        self.product = Product.open(self.settings, database)
        self.product.accounts.add_login(account, "ann", "secret")
        self.account = account
        self.app = Application(self.product)
        self.asking = self.add_list("Asking", double_opt_in=True, from_address="news@example.org")

    def add_list(self, name: str, **settings: Any) -> ContactList:
        return self.product.lists.create(self.account.id, name, settings=settings)

    def post(self, base: str, path: str, **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("203.0.113.5", 4711))
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.post(path, **request)

        return asyncio.run(ask())

    def rest(self, base: str, **headers: str) -> httpx.Response:
        path = f"/api/v1/lists/{self.asking.id}/subscriptions"
        return self.post(base, path, json={"email": EMAIL}, auth=("ann", "secret"), headers=headers)

    def soap(self, base: str, operation: str, inner: str) -> httpx.Response:
        names = CONTRACT.namespace
        header = f'<WSUser xmlns="{names}"><UserName>ann</UserName><Password>secret</Password></WSUser>'
        body = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>{header}</e:Header><e:Body>'
        body += f'<{operation} xmlns="{names}">{inner}</{operation}></e:Body></e:Envelope>'
        headers = {"Content-Type": "text/xml", "SOAPAction": f'"{names}{operation}"'}
        return self.post(base, CONTRACT.path, content=body, headers=headers)

    def members(self) -> int:
        return len(self.product.members.known(self.asking.id, state=None, after=0, limit=10))

    def mails(self) -> list[Any]:
        worker = Worker(self.product.database, self.product.blobs, runners(self.product))
        worker.run(until=lambda: all(job.over for job in self.product.jobs.find(limit=100)))
        found = [path.read_bytes() for path in sorted(self.settings.mail.glob("*.eml"))]
        return [message_from_bytes(each, policy=policy.default) for each in found]

    def link(self) -> str:
        (mail,) = self.mails()
        found = re.search(r"https?://\S+/confirm/", mail.get_body(("plain",)).get_content())
        assert found
        return found[0]


def contact(site: Site, member: str = "WSContact") -> str:
    return f"<{member}><EmailAddress>{EMAIL}</EmailAddress><ListID>{site.asking.id}</ListID></{member}>"


def calls(site: Site) -> dict[str, str]:
    """The operations that ask for a confirmation, and what is in them."""
    address = f"<ListID>{site.asking.id}</ListID><ContactEmailAddress>{EMAIL}</ContactEmailAddress>"
    kinds = "<ProfileUpdateType>Update</ProfileUpdateType>"
    return {
        "SetContact": contact(site) + kinds,
        "SubscribeContact": address,
        "SubscribeFormPassThrough": contact(site) + "<SendDoubleOptIn>true</SendDoubleOptIn>",
    }


def test_an_unchecked_host_sends_no_confirmation(
    database: Database, account: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(database, account, tmp_path / "data")
    for operation, inner in calls(site).items():
        answer = site.soap("http://evil.example", operation, inner)
        assert answer.status_code == 500, operation
        assert "[NotConfigured]" in answer.text
        assert NOT_KNOWN in answer.text
    for headers in ({}, {"X-Forwarded-Host": "127.0.0.1"}):
        answer = site.rest("http://evil.example", **headers)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert NOT_KNOWN in answer.json()["detail"]
    assert site.members() == 0
    assert site.mails() == []
    told = [each for each in caplog.records if each.name == "soapstone.sending.confirmations"]
    assert [each.levelno for each in told] == [logging.WARNING] * 5
    assert all("SOAPSTONE_PUBLIC_URL" in each.getMessage() for each in told)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_a_loopback_host_counts(database: Database, account: Account, tmp_path: Path, base: str) -> None:
    site = Site(database, account, tmp_path / "data")
    assert site.rest(base).json()["outcome"] == "requested"
    assert site.link() == f"{base}/confirm/"


def test_the_public_url_counts_whatever_the_host(database: Database, account: Account, tmp_path: Path) -> None:
    site = Site(database, account, tmp_path / "data", public_url="https://lists.example.org")
    answer = site.soap("http://evil.example", "SetContact", calls(site)["SetContact"])
    assert "FailedContactRequiresConfirmation" in answer.text
    assert site.link() == "https://lists.example.org/confirm/"


def test_a_sender_never_comes_from_an_unchecked_host(database: Database, account: Account, tmp_path: Path) -> None:
    """lk-59: a list without a sender of its own"""
    site = Site(database, account, tmp_path / "data")
    form = "<SendWelcomeMessage>true</SendWelcomeMessage>"
    for settings, status in (({}, 500), ({"from_address": "news@example.org"}, 200)):
        site.asking = site.add_list(f"Plain {status}", **settings)
        answer = site.soap("http://evil.example", "SubscribeFormPassThrough", contact(site) + form)
        assert answer.status_code == status, answer.text
        assert ("[NotConfigured]" in answer.text) == (status == 500)
        assert site.members() == (status == 200)
    (mail,) = site.mails()
    assert mail["From"] == "news@example.org"


def test_the_public_url_names_the_sender(database: Database, account: Account, tmp_path: Path) -> None:
    site = Site(database, account, tmp_path / "data", public_url="https://lists.example.org/mail")
    site.asking = site.add_list("Plain", double_opt_in=True)
    assert site.rest("http://evil.example").status_code == 200
    (mail,) = site.mails()
    assert mail["From"] == "no-reply@lists.example.org"


def test_asmx_5_a_host_that_is_no_host_costs_no_error(database: Database, account: Account, tmp_path: Path) -> None:
    site = Site(database, account, tmp_path / "data")
    for host in ("[1:2]", "[::1", "[.]:80"):
        assert site.post("http://depot.example", "/login", headers={"Host": host}).status_code == 403
        assert site.rest("http://depot.example", Host=host).status_code == 409
